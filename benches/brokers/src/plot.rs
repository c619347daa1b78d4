//! CPU time as bars, a group for each row.

use crate::bars::{self, BAR_HEIGHT, FLOOR, OURS, OURS_OTHER, PEER, push_bar, push_text};
use crate::brokers::{ALL, Kind};
use crate::data::{Data, Measured};
use crate::rows::{self, Measure, Row};
use crate::target;

const WIDTH: f64 = 720.0;
const NAME_WIDTH: f64 = 110.0;
const NUMBER_WIDTH: f64 = 80.0;
const BAR_STEP: f64 = 15.0;

/// All rows with CPU time. Each group has its own scale.
pub fn svg(data: &Data) -> String {
    let mut body = String::new();
    let title = "CPU microseconds of the broker, a message (a delivery from 1 to 100): shorter is better, each group has its own scale";
    push_text(&mut body, (16.0, 24.0), "start", "bold 12px", title);
    let mut top = 44.0;
    for row in rows::all() {
        if let Some(measured) = data.rows.get(row.name).filter(|_| row.measure != Measure::Memory) {
            top = push_group(&mut body, &row, measured, top);
        }
    }
    bars::page("CPU time of brokers", (WIDTH, top), &body)
}

/// Where the next group begins.
fn push_group(body: &mut String, row: &Row, measured: &Measured, top: f64) -> f64 {
    push_text(body, (16.0, top + 14.0), "start", "bold 12px", row.title);
    let used: Vec<(Kind, f64)> = ALL
        .into_iter()
        .filter_map(|kind| Some((kind, measured.spread(kind, target::cpu(row))?.median)))
        .collect();
    let most = used.iter().map(|(_, used)| *used).fold(f64::MIN_POSITIVE, f64::max);
    let mut bar_top = top + 22.0;
    for (kind, used) in used {
        let len = ((WIDTH - NAME_WIDTH - NUMBER_WIDTH) * used / most).max(1.0);
        let baseline = bar_top + BAR_HEIGHT - 2.0;
        let colour = match kind {
            Kind::Ours => OURS,
            Kind::OursTwo => OURS_OTHER,
            Kind::Null | Kind::Store => FLOOR,
            _ => PEER,
        };
        push_text(body, (NAME_WIDTH - 6.0, baseline), "end", "11px", kind.name());
        push_bar(body, (NAME_WIDTH, bar_top), len, colour);
        push_text(
            body,
            (NAME_WIDTH + len + 5.0, baseline),
            "start",
            "11px",
            &format!("{used:.3}"),
        );
        bar_top += BAR_STEP;
    }
    bar_top + 12.0
}
