//! The figures as bars, a group a scenario, and the curves below them.

use std::fmt::Write;

use mqtt_benches::bars::{self, BAR_HEIGHT, OURS, OURS_OTHER, PEER, TEXT, push_bar, push_text};

use crate::curve::{Curve, Point};
use crate::label::label;
use crate::run::Row;
use crate::table::Group;

const MARGIN: f64 = 16.0;
const COLUMN_WIDTH: f64 = 560.0;
const NAME_WIDTH: f64 = 210.0;
const NUMBER_WIDTH: f64 = 56.0;
const BAR_STEP: f64 = 15.0;
const GROUP_HEAD: f64 = 22.0;
const GROUP_GAP: f64 = 16.0;
const TOP: f64 = 64.0;
const CURVE_HEIGHT: f64 = 180.0;
const TITLE: &str = "Nanoseconds a flow, shorter is faster";

/// A window of one in the left column, of twenty in the right.
pub fn svg(groups: &[Group], curves: &[Curve]) -> String {
    let mut body = String::new();
    push_text(&mut body, (MARGIN, 24.0), "start", "bold 16px", TITLE);
    let note = "each group has its own scale";
    push_text(&mut body, (MARGIN, 43.5), "start", "11px", note);
    let mut top = TOP;
    for pair in groups.chunks(2) {
        let mut bottom = top;
        for (group, left) in pair.iter().zip([MARGIN, 2.0 * MARGIN + COLUMN_WIDTH]) {
            bottom = push_group(&mut body, group, left, top).max(bottom);
        }
        top = bottom;
    }
    for (curve, left) in curves.iter().zip([MARGIN, 2.0 * MARGIN + COLUMN_WIDTH]) {
        push_curve(&mut body, curve, left, top);
    }
    let height = top + CURVE_HEIGHT + 2.0 * MARGIN;
    bars::page(TITLE, (3.0 * MARGIN + 2.0 * COLUMN_WIDTH, height), &body)
}

/// Returns where the next group begins.
fn push_group(body: &mut String, group: &Group, left: f64, top: f64) -> f64 {
    push_text(body, (left, top + 14.0), "start", "bold 12px", &group.scenario.title());
    let times = group.cells.iter().map(|cell| cell.timing.time.median);
    let slowest = times.fold(f64::MIN_POSITIVE, f64::max);
    let mut bar_top = top + GROUP_HEAD;
    for cell in &group.cells {
        let time = cell.timing.time.median;
        let len = ((COLUMN_WIDTH - NAME_WIDTH - NUMBER_WIDTH) * time / slowest).max(1.0);
        let bar_left = left + NAME_WIDTH;
        let baseline = bar_top + BAR_HEIGHT - 2.0;
        let name = label(cell.row).replace(['*', '`'], "");
        push_text(body, (bar_left - 6.0, baseline), "end", "11px", &name);
        push_bar(body, (bar_left, bar_top), len, colour(cell.row));
        let number = format!("{time:.0}");
        push_text(body, (bar_left + len + 5.0, baseline), "start", "11px", &number);
        bar_top += BAR_STEP;
    }
    bar_top + GROUP_GAP
}

fn colour(row: Row) -> &'static str {
    match row {
        Row::Ours => OURS,
        row if row.is_ours() => OURS_OTHER,
        _ => PEER,
    }
}

/// Time and instructions by the number of flows in flight, as times of those at one.
fn push_curve(body: &mut String, curve: &Curve, left: f64, top: f64) {
    let title = format!(
        "QoS {}, 5.0: times one flow in flight (time dark, instructions light)",
        curve.qos
    );
    push_text(body, (left, top + 14.0), "start", "bold 12px", &title);
    let (bottom, right) = (top + CURVE_HEIGHT, left + COLUMN_WIDTH - NUMBER_WIDTH);
    let (axis, full) = (left + 30.0, CURVE_HEIGHT - 2.0 * GROUP_HEAD);
    let most = curve.points.last().map_or(10.0, |point| point.depth as f64).log10();
    // The scale goes from nothing to two and a half times.
    let place = |point: &Point, times: f64| {
        let along = (point.depth as f64).log10() / most;
        (axis + (right - axis) * along, bottom - full * times / 2.5)
    };
    for times in [0.0, 1.0, 2.0] {
        let y = bottom - full * times / 2.5;
        push_text(body, (axis - 6.0, y + 4.0), "end", "11px", &format!("{times:.0}"));
        push_line(body, &[(axis, y), (right, y)], TEXT, 0.4);
    }
    let first = curve.points.first().and_then(|point| point.instructions);
    let instructions: Vec<(f64, f64)> = curve
        .points
        .iter()
        .filter_map(|point| Some(place(point, point.instructions? / first?)))
        .collect();
    let time: Vec<(f64, f64)> = curve
        .points
        .iter()
        .map(|point| place(point, point.timing.ratio.map_or(1.0, |ratio| ratio.median)))
        .collect();
    push_line(body, &instructions, OURS_OTHER, 2.0);
    push_line(body, &time, OURS, 2.0);
    for point in &curve.points {
        let (x, _) = place(point, 0.0);
        push_text(body, (x, bottom + 14.0), "middle", "11px", &point.depth.to_string());
    }
}

fn push_line(body: &mut String, points: &[(f64, f64)], colour: &str, width: f64) {
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(
        body,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
        points.join(" ")
    );
}
