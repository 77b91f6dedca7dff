//! Logs and rules as pictures: Mermaid sequence diagrams, and SVG for the Explorer.
//!
//! Who sends an arrow to whom is read off the arrow's meaning in the vocabulary, so that no second table can differ.

use core::fmt::Write;

use crate::{Event, SeatId};

/// The participants of the sequence diagram, in its order.
pub const PARTICIPANTS: [(char, &str); 5] = [
    ('S', "Schedule Thread"),
    ('P', "CoroutinePool"),
    ('W', "WorkerCoroutine"),
    ('T', "Task"),
    ('C', "CoroutineCreator"),
];

/// The two ends of an arrow, by the letters of [`PARTICIPANTS`]; `None` for an event beside the arrows.
#[must_use]
pub fn ends(arrow: usize) -> Option<(char, char)> {
    let meaning = Event::MEANINGS.get(arrow).filter(|_| arrow < Event::ARROWS)?;
    let ends = meaning.split(", ").nth(1)?.split(':').next()?;
    let (from, to) = ends.split_once('→')?;
    Some((from.chars().next()?, to.chars().next()?))
}

/// The event as it is drawn: its name and its participants.
fn label(event: &Event) -> String {
    let text = format!("{event:?}");
    let fields = text.split_once(" { ").map_or("", |(_, fields)| fields.trim_end_matches(" }"));
    let fields = fields.replace(" { ", "(").replace(" }", ")");
    format!("{} {}", event.name(), fields)
}

/// The seat that an event happens on, if it names one.
fn seat(event: &Event) -> Option<SeatId> {
    let text = format!("{event:?}");
    let digits = text.split_once("seat: S")?.1.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().map(SeatId)
}

/// The seats that a log names, in order.
fn seats(log: &[Event]) -> Vec<SeatId> {
    let mut seats: Vec<SeatId> = log.iter().filter_map(seat).collect();
    seats.sort_unstable();
    seats.dedup();
    seats
}

/// A log as a Mermaid sequence diagram between S, P, W, T and C, with one S for each seat. Events beside the arrows are
/// notes.
#[must_use]
pub fn mermaid(log: &[Event]) -> String {
    let mut out = String::from("sequenceDiagram\n");
    for seat in seats(log) {
        let _ = writeln!(out, "    actor {seat} as Schedule Thread {}", seat.0);
    }
    for (letter, name) in &PARTICIPANTS[1..] {
        let _ = writeln!(out, "    participant {letter} as {name}");
    }
    for event in log {
        let label = label(event);
        let _ = match (ends(event.arrow() as usize), seat(event)) {
            (Some((from, to)), Some(seat)) => {
                writeln!(out, "    {} ->> {}: {label}", lifeline(from, seat), lifeline(to, seat))
            }
            _ => writeln!(out, "    Note over P: {label}"),
        };
    }
    out
}

fn lifeline(participant: char, seat: SeatId) -> String {
    if participant == 'S' { seat.to_string() } else { participant.to_string() }
}

/// A log as an SVG sequence diagram.
#[must_use]
pub fn svg(log: &[Event]) -> String {
    let seats = seats(log);
    let mut names: Vec<(String, String)> = seats.iter().map(|s| (s.to_string(), format!("Schedule {s}"))).collect();
    names.extend(PARTICIPANTS[1..].iter().map(|(letter, name)| (letter.to_string(), (*name).to_owned())));
    let column = |name: &str| 90 + 180 * names.iter().position(|(id, _)| id == name).unwrap_or(0);
    let (width, height) = (180 * names.len() + 180, 24 * log.len() + 70);
    let mut out = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' class='sequence' width='{width}' height='{height}' \
         font-family='sans-serif' font-size='11'><defs><marker id='head' markerWidth='8' markerHeight='8' refX='8' \
         refY='4' orient='auto'><path d='M0,0 L8,4 L0,8 z'/></marker></defs>"
    );
    for (id, name) in &names {
        let x = column(id);
        let _ = write!(out, "<text x='{x}' y='20' text-anchor='middle' font-weight='bold'>{name}</text>");
        let _ = write!(out, "<line x1='{x}' y1='28' x2='{x}' y2='{height}' stroke='#bbb'/>");
    }
    for (at, event) in log.iter().enumerate() {
        svg_event(&mut out, event, 50 + 24 * at, &column);
    }
    out.push_str("</svg>");
    out
}

fn svg_event(out: &mut String, event: &Event, y: usize, column: &dyn Fn(&str) -> usize) {
    let label = label(event).replace('&', "&amp;").replace('<', "&lt;");
    let text = y - 4;
    let Some(((from, to), seat)) = ends(event.arrow() as usize).zip(seat(event)) else {
        let x = column("P") + 8;
        let _ = write!(out, "<text x='{x}' y='{text}' fill='#06c' font-style='italic'>{label}</text>");
        return;
    };
    let (x1, x2) = (column(&lifeline(from, seat)), column(&lifeline(to, seat)));
    if x1 == x2 {
        let (right, down) = (x1 + 26, y + 10);
        let path = format!("M{x1},{y} H{right} V{down} H{x1}");
        let _ = write!(out, "<path d='{path}' fill='none' stroke='#000' marker-end='url(#head)'/>");
        let _ = write!(out, "<text x='{}' y='{y}'>{label}</text>", right + 4);
    } else {
        let _ = write!(out, "<line x1='{x1}' y1='{y}' x2='{x2}' y2='{y}' stroke='#000' marker-end='url(#head)'/>");
        let _ = write!(out, "<text x='{}' y='{text}' text-anchor='middle'>{label}</text>", x1.midpoint(x2));
    }
}
