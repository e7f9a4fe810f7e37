//! Line charts and histograms as SVG, with axes in the text's colour.

use plotters::coord::Shift;
use plotters::prelude::*;
use std::error::Error;

/// Colours that differ clearly on a light and on a dark page.
pub const PALETTE: [&str; 8] =
    ["#3b7dd8", "#e8833a", "#3fa66b", "#d1515d", "#9467bd", "#2ba3a8", "#b8953b", "#8a8f98"];

/// Stands for the colour of the page's text: replaced by `currentColor`.
const INK: RGBColor = RGBColor(1, 2, 3);
const SIZE: (u32, u32) = (520, 280);
/// Updates that a thick line averages over.
const SMOOTH: usize = 5;

/// One line of a chart.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// x, y, and half the height of the error bar (0 draws none).
    pub points: Vec<(f64, f64, f64)>,
}

/// The colour of the `i`-th series.
pub fn colour(i: usize) -> &'static str {
    PALETTE[i % PALETTE.len()]
}

fn rgb(i: usize) -> RGBColor {
    let value = u32::from_str_radix(&colour(i)[1..], 16).unwrap_or(0);
    RGBColor((value >> 16) as u8, (value >> 8) as u8, value as u8)
}

/// Lines over x. Many points are drawn faint, with a thick running mean. `marks` are vertical lines.
/// Empty where there is nothing to draw.
pub fn lines(series: &[Series], x_label: &str, range: Option<(f64, f64)>, marks: &[f64]) -> String {
    if series.iter().all(|s| s.points.is_empty()) {
        return String::new();
    }
    draw(|root| {
        let all = || series.iter().flat_map(|s| &s.points);
        let x = span(all().map(|p| p.0));
        let y = range.unwrap_or_else(|| span(all().flat_map(|p| [p.1 - p.2, p.1 + p.2])));
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(34)
            .y_label_area_size(44)
            .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
        mesh(&mut chart, x_label)?;
        for &mark in marks {
            let line = PathElement::new([(mark, y.0), (mark, y.1)], INK.mix(0.35));
            chart.draw_series([line])?;
        }
        for (i, s) in series.iter().enumerate() {
            let points: Vec<(f64, f64)> = s.points.iter().map(|p| (p.0, p.1)).collect();
            let many = points.len() > 4 * SMOOTH;
            if many {
                chart.draw_series(LineSeries::new(points.iter().copied(), rgb(i).mix(0.3)))?;
            }
            let thick = if many { running_mean(&points) } else { points.clone() };
            chart.draw_series(LineSeries::new(thick, rgb(i).stroke_width(2)))?;
            if !many {
                chart.draw_series(points.iter().map(|p| Circle::new(*p, 3, rgb(i).filled())))?;
            }
            let bars = s.points.iter().filter(|p| p.2 > 0.0);
            chart.draw_series(
                bars.map(|p| PathElement::new([(p.0, p.1 - p.2), (p.0, p.1 + p.2)], rgb(i).stroke_width(1))),
            )?;
        }
        Ok(())
    })
}

/// Bars at 0, 1, 2, …
pub fn histogram(counts: &[usize], x_label: &str) -> String {
    let top = counts.iter().copied().max().unwrap_or(0);
    if top == 0 {
        return String::new();
    }
    draw(|root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(34)
            .y_label_area_size(44)
            .build_cartesian_2d(-0.6..counts.len() as f64 - 0.4, 0.0..top as f64 * 1.05)?;
        mesh(&mut chart, x_label)?;
        chart.draw_series(counts.iter().enumerate().map(|(i, &n)| {
            let x = i as f64;
            Rectangle::new([(x - 0.4, 0.0), (x + 0.4, n as f64)], rgb(0).filled())
        }))?;
        Ok(())
    })
}

type Root<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

fn mesh(chart: &mut Chart<'_, '_>, x_label: &str) -> Result<(), Box<dyn Error>> {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.12))
        .axis_style(INK.mix(0.5))
        .label_style(("sans-serif", 13, &INK))
        .axis_desc_style(("sans-serif", 13, &INK))
        .x_desc(x_label)
        .x_label_formatter(&|x| if (x - x.round()).abs() < 1e-6 { format!("{x:.0}") } else { String::new() })
        .y_label_formatter(&|y| short(*y))
        .x_labels(8)
        .y_labels(6)
        .draw()?;
    Ok(())
}

/// Three decimals, without trailing zeros.
fn short(y: f64) -> String {
    let text = format!("{y:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Draws into an SVG; a chart that cannot be drawn is left out, never the report.
fn draw(chart: impl FnOnce(&Root<'_>) -> Result<(), Box<dyn Error>>) -> String {
    let mut svg = String::new();
    let drawn = {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        chart(&root).and_then(|()| root.present().map_err(Into::into))
    };
    match drawn {
        Ok(()) => svg.replace("#010203", "currentColor").replacen(
            "<svg width=\"520\" height=\"280\"",
            "<svg role=\"img\"",
            1,
        ),
        Err(error) => {
            tracing::warn!(%error, "a chart could not be drawn");
            String::new()
        }
    }
}

/// A range that holds all values, with a margin; never empty.
fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    let air = if high > low { 0.04 * (high - low) } else { 0.5 };
    (low - air, high + air)
}

fn running_mean(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let half = SMOOTH / 2;
    let mean = |i: usize| {
        let near = &points[i.saturating_sub(half)..(i + half + 1).min(points.len())];
        near.iter().map(|p| p.1).sum::<f64>() / near.len() as f64
    };
    points.iter().enumerate().map(|(i, p)| (p.0, mean(i))).collect()
}
