//! The table as a drawing: how many times what bare tokio reaches, on a logarithmic scale.
//!
//! A mark for each system, told apart by shape as well as by colour. No background, and colours in the middle
//! between black and white: it is read on a light page as on a dark one.

use std::fmt::Write;

use crate::{
    measure::Samples,
    report::ratio,
    row::{Row, Unit},
    systems::{self, Role},
};

const LABELS: f64 = 190.0;
const PLOT: f64 = 560.0;
const FIGURES: f64 = 70.0;
const HEAD: f64 = 78.0;
const LINE: f64 = 22.0;

/// The ends of the scale. What lies beyond is drawn at its end.
const LEAST: f64 = 1.0 / 32.0;
const MOST: f64 = 8.0;
const TICKS: &[(f64, &str)] = &[
    (0.0625, "1/16"),
    (0.125, "1/8"),
    (0.25, "1/4"),
    (0.5, "1/2"),
    (1.0, "1"),
    (2.0, "2"),
    (4.0, "4"),
    (8.0, "8"),
];

const TEXT: &str = "#808080";
const GRID: &str = "#80808050";

/// Draws the rows whose ratios are known.
pub(crate) fn draw(rows: &[(&Row, Vec<Samples>)]) -> String {
    let rows: Vec<_> =
        rows.iter().filter(|(_, all)| all.iter().any(|one| ratio(one, all).is_some())).collect();
    let (width, bottom) = (LABELS + PLOT + FIGURES, HEAD + LINE * rows.len() as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"{TEXT}\">\n\
         <title>Each row's work on each system, as a multiple of bare tokio; further right is better</title>\n",
        height = bottom + 12.0,
    );
    legend(&mut svg);
    for (value, label) in TICKS {
        let x = place(*value);
        let width = if *value == 1.0 { 2 } else { 1 };
        line(
            &mut svg,
            &format!(
                "<path d=\"M{x:.1} {HEAD} V{bottom}\" stroke=\"{GRID}\" stroke-width=\"{width}\"/>\
             <text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>",
                y = HEAD - 8.0,
            ),
        );
    }
    for ((row, all), number) in rows.into_iter().zip(0_u32..) {
        let y = HEAD + LINE * (f64::from(number) + 0.5);
        let x = LABELS - 14.0;
        line(
            &mut svg,
            &format!("<text x=\"{x}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>", y + 4.0, row.name),
        );
        // Ours last: on top of the others.
        let (ours, others): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.system.role == Role::Ours);
        for samples in others.into_iter().chain(ours) {
            let Some(times) = better(row, samples, all) else { continue };
            line(&mut svg, &mark(samples.system.name, place(times), y));
            if samples.system.role == Role::Ours {
                let (x, y) = (LABELS + PLOT + 12.0, y + 4.0);
                line(
                    &mut svg,
                    &format!("<text x=\"{x}\" y=\"{y:.1}\" font-weight=\"bold\">{times:.2} ×</text>"),
                );
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// How many times better than bare tokio: fewer bytes are better.
fn better(row: &Row, samples: &Samples, all: &[Samples]) -> Option<f64> {
    if samples.system.role == Role::Bare {
        return None;
    }
    let ratio = ratio(samples, all)?;
    Some(if row.unit == Unit::Bytes { 1.0 / ratio } else { ratio })
}

fn place(times: f64) -> f64 {
    let part = (times.clamp(LEAST, MOST) / LEAST).log2() / (MOST / LEAST).log2();
    LABELS + part * PLOT
}

fn legend(svg: &mut String) {
    let mut x = LABELS;
    for system in systems::ALL.iter().filter(|system| system.role != Role::Bare) {
        line(svg, &mark(system.name, x, 16.0));
        line(svg, &format!("<text x=\"{}\" y=\"20\">{}</text>", x + 10.0, system.name));
        x += 80.0;
    }
    let meaning = "How many times bare tokio, fewer bytes as more: right is better";
    line(svg, &format!("<text x=\"{LABELS}\" y=\"40\">{meaning}</text>"));
}

/// A system's mark.
fn mark(system: &str, x: f64, y: f64) -> String {
    let path = |path: &str, colour: &str| {
        format!("<path transform=\"translate({x:.1} {y:.1})\" d=\"{path}\" fill=\"{colour}\"/>")
    };
    match system {
        "otp" => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6.5\" fill=\"#e8590c\"/>"),
        "ractor" => path("M0 -5.5L5.5 0L0 5.5L-5.5 0Z", "#3b82c4"),
        "kameo" => path("M-4 -4H4V4H-4Z", "#2f9e64"),
        "xtra" => path("M0 -5.5L5.5 4.5H-5.5Z", "#9c5fd0"),
        "actix" => path("M-1.5 -5.5H1.5V-1.5H5.5V1.5H1.5V5.5H-1.5V1.5H-5.5V-1.5H-1.5Z", "#a8842c"),
        _ => format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"none\" stroke=\"#d0506e\" stroke-width=\"2\"/>"
        ),
    }
}

fn line(svg: &mut String, element: &str) {
    writeln!(svg, "{element}").expect("a string takes everything");
}
