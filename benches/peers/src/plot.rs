//! The plot: how many times our median each rival's is, on a logarithmic scale.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::{
    BLACK, Color, DrawingArea, EmptyElement, IntoDrawingArea, IntoFont, PathElement, RGBColor, Rectangle, SVGBackend,
    Text, TextStyle, WHITE,
};

use crate::contestant;
use crate::rows::{Row, directory, number};
use copool_peers::workload;

const WIDTH: u32 = 860;
const LINE: i32 = 16;
const LEFT: i32 = 190;
const TOP: i32 = 50;
/// From a tenth to this many powers of ten.
const LEAST: f64 = -1.0;
const MOST: f64 = 5.0;
const COLOURS: [RGBColor; 6] = [
    RGBColor(120, 120, 120),
    RGBColor(204, 121, 167),
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(86, 180, 233),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Where a ratio is.
fn x(ratio: f64) -> i32 {
    let share = (ratio.log10().clamp(LEAST, MOST) - LEAST) / (MOST - LEAST);
    LEFT + (share * f64::from(WIDTH as i32 - LEFT - 20)) as i32
}

/// The first figure of each workload, against each rival that has one.
fn bars(rows: &[Row]) -> Vec<(&'static str, Vec<(usize, f64)>)> {
    let of = |name: &'static str| {
        let figure = rows.iter().find(|row| row.workload == name && row.spread.is_some())?.figure.clone();
        let ratio = |rival: &str| {
            let mine = |row: &&Row| row.workload == name && row.figure == figure && row.contestant == rival;
            rows.iter().find(mine).and_then(|row| row.ratio(rows))
        };
        let rivals = contestant::ALL[1..].iter().enumerate();
        let bars: Vec<_> = rivals.filter_map(|(i, rival)| Some((i, ratio(rival)?))).collect();
        (!bars.is_empty()).then_some((name, bars))
    };
    workload::ALL.iter().filter_map(|(name, ..)| of(name)).collect()
}

/// Draws all rows that are kept.
pub(crate) fn draw(rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let bars = bars(rows);
    let lines: usize = bars.iter().map(|(_, bars)| bars.len() + 1).sum();
    let height = TOP + lines as i32 * LINE + 20;
    let path = directory().join("peers.svg");
    let area = SVGBackend::new(&path, (WIDTH, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    legend(&area, height)?;
    let font = ("sans-serif", 12).into_font();
    let mut y = TOP;
    for (name, bars) in bars {
        area.draw(&Text::new(name, (10, y), TextStyle::from(font.clone()).color(&BLACK)))?;
        for (rival, ratio) in bars {
            let (from, to) = (x(1.0).min(x(ratio)), x(1.0).max(x(ratio)));
            area.draw(&Rectangle::new([(from, y), (to, y + LINE - 4)], COLOURS[rival].filled()))?;
            let label = format!("{} {}", contestant::ALL[rival + 1], number(ratio));
            area.draw(&Text::new(label, (90, y), TextStyle::from(font.clone()).color(&COLOURS[rival])))?;
            y += LINE;
        }
        y += LINE;
    }
    area.present()?;
    Ok(())
}

/// The scale, and the line at which nobody is ahead.
fn legend(area: &Area<'_>, height: i32) -> Result<(), Box<dyn Error>> {
    let font = ("sans-serif", 12).into_font();
    let title = "Rival's median over copool's, first figure of each workload: to the right of 1, copool is ahead";
    area.draw(&Text::new(title, (10, 8), TextStyle::from(font.clone()).color(&BLACK)))?;
    for power in LEAST as i32..=MOST as i32 {
        let at = x(10_f64.powi(power));
        let style = BLACK.mix(if power == 0 { 1.0 } else { 0.2 });
        area.draw(&PathElement::new([(at, TOP - 6), (at, height - 10)], style))?;
        let label = EmptyElement::at((at - 8, TOP - 22))
            + Text::new(number(10_f64.powi(power)), (0, 0), TextStyle::from(font.clone()).color(&BLACK));
        area.draw(&label)?;
    }
    Ok(())
}
