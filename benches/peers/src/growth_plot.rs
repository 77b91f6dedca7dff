//! The plots of growth: a panel for each thing that grows, both axes logarithmic, a line a figure through the medians.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::{
    BLACK, Circle, Color, DrawingArea, IntoDrawingArea, IntoFont, PathElement, RGBColor, SVGBackend, Text, TextStyle,
    WHITE,
};

use crate::growth::{KINDS, Points};
use crate::rows::{directory, number};
use copool_peers::measure::quantile;

const SIZE: (u32, u32) = (960, 760);
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(120, 120, 120),
];
/// What is left free around a panel's axes: left, top, right, below.
const FREE: (i32, i32, i32, i32) = (60, 90, 20, 30);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A figure's points: size and median.
type Line = (String, Vec<(f64, f64)>);

/// Powers of ten, from the first to the last, and where they lie.
struct Axis {
    from: f64,
    to: f64,
    least: i32,
    most: i32,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64> + Clone, least: i32, most: i32) -> Self {
        let from = values.clone().fold(f64::MAX, f64::min).log10().floor();
        let to = values.fold(f64::MIN, f64::max).log10().ceil().max(from + 1.0);
        Self { from, to, least, most }
    }

    fn place(&self, value: f64) -> i32 {
        let share = (value.log10() - self.from) / (self.to - self.from);
        self.least + (share * f64::from(self.most - self.least)).round() as i32
    }

    fn powers(&self) -> impl Iterator<Item = f64> + use<> {
        (self.from as i32..=self.to as i32).map(|power| 10_f64.powi(power))
    }
}

/// The figures of a kind.
fn lines(points: &Points, wanted: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for ((kind, figure, size), values) in points {
        if *kind == wanted {
            // A logarithm begins above zero.
            let point = (*size as f64, quantile(&mut values.clone(), 0.5).max(1e-3));
            match lines.iter_mut().find(|(name, _)| name == figure) {
                Some((_, line)) => line.push(point),
                None => lines.push((figure.clone(), vec![point])),
            }
        }
    }
    lines
}

/// Draws what is kept of all that grows.
pub(crate) fn draw(points: &Points) -> Result<(), Box<dyn Error>> {
    let path = directory().join("growth.svg");
    let area = SVGBackend::new(&path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    // The idle pool comes last, and does not grow.
    let kinds = &KINDS[..KINDS.len() - 1];
    for (kind, panel) in area.split_evenly((2, 2)).iter().enumerate().take(kinds.len()) {
        let lines = lines(points, kind);
        if !lines.is_empty() {
            draw_panel(panel, &format!("By {}", kinds[kind].2), &lines)?;
        }
    }
    Ok(area.present()?)
}

fn draw_panel(area: &Area<'_>, title: &str, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let (width, height) = area.dim_in_pixel();
    let (right, bottom) = (width as i32 - FREE.2, height as i32 - FREE.3);
    let all = || lines.iter().flat_map(|(_, line)| line.iter());
    let x = Axis::of(all().map(|point| point.0), FREE.0, right);
    let y = Axis::of(all().map(|point| point.1), bottom, FREE.1);
    let font = ("sans-serif", 12).into_font();
    let style = |colour| TextStyle::from(font.clone()).color(colour);
    area.draw(&Text::new(String::from(title), (10, 8), style(&BLACK)))?;
    for at in x.powers() {
        let grey = BLACK.mix(0.15);
        area.draw(&PathElement::new([(x.place(at), FREE.1), (x.place(at), bottom)], grey))?;
        area.draw(&Text::new(number(at), (x.place(at) - 8, bottom + 6), style(&BLACK)))?;
    }
    for at in y.powers() {
        area.draw(&PathElement::new([(FREE.0, y.place(at)), (right, y.place(at))], BLACK.mix(0.15)))?;
        area.draw(&Text::new(number(at), (8, y.place(at) - 6), style(&BLACK)))?;
    }
    for (i, (name, line)) in lines.iter().enumerate() {
        let colour = &COLOURS[i % COLOURS.len()];
        let places: Vec<_> = line.iter().map(|&(size, value)| (x.place(size), y.place(value))).collect();
        for &place in &places {
            area.draw(&Circle::new(place, 3, colour.filled()))?;
        }
        area.draw(&PathElement::new(places, colour.stroke_width(2)))?;
        area.draw(&Text::new(name.clone(), (FREE.0, 26 + 15 * i as i32), style(colour)))?;
    }
    Ok(())
}
