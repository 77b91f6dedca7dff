//! The committed diagrams are those that the rules make, and the sequence diagram is the one everything began with.

#[path = "../examples/diagram/figures.rs"]
mod figures;

use copool_spec::{Event, draw};

#[test]
fn the_committed_diagrams_are_the_generated_ones() {
    for (name, text) in figures::all() {
        let path = format!("{}/diagrams/{name}", env!("CARGO_MANIFEST_DIR"));
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = committed.lines().zip(text.lines()).find(|(old, new)| old != new);
        assert!(committed == text, "{name}: cargo run -p copool-spec --example diagram; first change: {differs:?}");
    }
}

#[test]
fn the_sequence_diagram_has_the_27_arrows_in_their_order() {
    let diagram = figures::all().into_iter().find(|(name, _)| *name == "sequence.mmd").expect("it is made").1;
    let arrows: Vec<&str> = diagram.lines().filter(|line| line.contains("->>")).collect();
    let ends = "SP PS PS PW PW WT TT TW WW WC CW TW TW WW WC CC CW TW WW WW WW WP PW WW WP PS SS";
    assert_eq!(arrows.len(), Event::ARROWS);
    for (at, (line, ends)) in arrows.iter().zip(ends.split(' ')).enumerate() {
        let mut letters = ends.chars();
        let (from, to) = (letters.next().expect("from"), letters.next().expect("to"));
        assert_eq!(draw::ends(at), Some((from, to)));
        let begin = format!("{from} ->> {to}: {} {} - ", at + 1, Event::NAMES[at]);
        assert!(line.trim_start().starts_with(&begin), "{line}");
    }
    let opened = diagram.lines().filter(|line| line.trim_start().starts_with("alt ")).count();
    let closed = diagram.lines().filter(|line| line.trim() == "end").count();
    assert_eq!((opened, closed), (10, 10));
    let participants = ["Schedule Thread", "CoroutinePool", "WorkerCoroutine", "Task", "CoroutineCreator"];
    assert_eq!(draw::PARTICIPANTS.map(|(_, name)| name), participants);
}
