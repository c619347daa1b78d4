//! Rate and latencies, drawn.
//!
//! The colours are readable on a light and on a dark page, and the background is left to it.

use std::fmt::Write;

use hdrhistogram::Histogram;

use super::figures::Measured;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 90.0;
const PANEL: f64 = 180.0;
const GAP: f64 = 64.0;
const LINE_HEIGHT: f64 = 15.0;
const TEXT: &str = "#7d7d7d";
const OURS: &str = "#2f7de1";
const OTHER: &str = "#c99a2e";
/// How many nines the axis of latencies goes through: 90 %, 99 %, …
const NINES: u32 = 4;

/// The words above, then the rate over time, then latencies by how many messages stay below.
pub(super) fn svg(words: &str, measured: &Measured) -> String {
    let mut body = String::new();
    let mut top = 24.0;
    for line in words.lines() {
        text(&mut body, (16.0, top), "start", line);
        top += LINE_HEIGHT;
    }
    top += GAP / 2.0;
    rate(&mut body, top, &measured.samples);
    top += PANEL + GAP;
    let mut curves = Vec::new();
    if measured.is_timed && !measured.latencies.is_empty() {
        curves.push(("latency", OURS, &measured.latencies));
    }
    if !measured.acknowledgements.is_empty() {
        curves.push(("acknowledged after", OTHER, &measured.acknowledgements));
    }
    if !curves.is_empty() {
        latencies(&mut body, top, &curves);
        top += PANEL + GAP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{top}\" viewBox=\"0 0 {WIDTH} {top}\" \
         font-family=\"monospace\">\n<title>mqtt bench</title>\n{body}</svg>\n"
    )
}

fn rate(body: &mut String, top: f64, samples: &[(u64, u64)]) {
    let rates: Vec<(f64, f64)> = samples
        .windows(2)
        .filter(|pair| pair[1].0 > pair[0].0)
        .map(|pair| {
            let seconds = (pair[1].0 - pair[0].0) as f64 / 1e9;
            (pair[1].0 as f64 / 1e9, (pair[1].1 - pair[0].1) as f64 / seconds)
        })
        .collect();
    let highest = rates.iter().map(|(_, rate)| *rate).fold(1.0, f64::max);
    let last = rates.last().map_or(1.0, |(time, _)| *time);
    text(body, (LEFT, top - 8.0), "start", "messages a second, over seconds");
    frame(body, top);
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        text(
            body,
            (LEFT - 6.0, top + PANEL * (1.0 - share) + 4.0),
            "end",
            &format!("{:.0}", highest * share),
        );
        text(
            body,
            (LEFT + width() * share, top + PANEL + 16.0),
            "middle",
            &format!("{:.1}", last * share),
        );
    }
    let points = rates
        .iter()
        .map(|(time, rate)| (LEFT + width() * time / last, top + PANEL * (1.0 - rate / highest)));
    line(body, OURS, points);
}

fn latencies(body: &mut String, top: f64, curves: &[(&str, &str, &Histogram<u64>)]) {
    text(
        body,
        (LEFT, top - 8.0),
        "start",
        "microseconds, by the share of messages that stay below",
    );
    frame(body, top);
    let lowest = curves.iter().map(|(_, _, times)| times.min().max(1)).min().unwrap_or(1) as f64;
    let highest = curves.iter().map(|(_, _, times)| times.max()).max().unwrap_or(2) as f64;
    let (low, high) = (lowest.log10().floor(), highest.max(lowest * 10.0).log10().ceil());
    let height = |nanos: f64| top + PANEL * (1.0 - (nanos.max(1.0).log10() - low) / (high - low));
    for decade in low as i32..=high as i32 {
        let micros = 10_f64.powi(decade - 3);
        text(
            body,
            (LEFT - 6.0, height(micros * 1000.0) + 4.0),
            "end",
            &format!("{micros}"),
        );
    }
    for nines in 0..=NINES {
        let share = 1.0 - 0.1_f64.powi(nines as i32);
        let x = LEFT + width() * f64::from(nines) / f64::from(NINES);
        text(
            body,
            (x, top + PANEL + 16.0),
            "middle",
            &format!("{} %", (share * 1e6).round() / 1e4),
        );
    }
    for (number, (name, colour, times)) in curves.iter().enumerate() {
        let steps = (0..=NINES * 20).map(|step| {
            let nines = f64::from(step) / 20.0;
            let nanos = times.value_at_quantile(1.0 - 0.1_f64.powf(nines)) as f64;
            (LEFT + width() * nines / f64::from(NINES), height(nanos))
        });
        line(body, colour, steps);
        let y = top + 16.0 + LINE_HEIGHT * number as f64;
        let _ = writeln!(
            body,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{colour}\"/>",
            LEFT + 10.0,
            y - 9.0
        );
        text(body, (LEFT + 26.0, y), "start", name);
    }
}

fn width() -> f64 {
    WIDTH - LEFT - 30.0
}

fn frame(body: &mut String, top: f64) {
    let _ = writeln!(
        body,
        "<rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{PANEL}\" fill=\"none\" stroke=\"{TEXT}\" stroke-width=\"0.5\"/>",
        width()
    );
}

fn line(body: &mut String, colour: &str, points: impl Iterator<Item = (f64, f64)>) {
    let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(
        body,
        "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"/>",
        points.join(" ")
    );
}

fn text(body: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        body,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"11px\" fill=\"{TEXT}\" xml:space=\"preserve\">{words}</text>"
    );
}
