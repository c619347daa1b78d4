//! The figures as bars, a group a section.

use mqtt_benches::bars::{self, BAR_HEIGHT, OURS, OURS_OTHER, PEER, push_bar, push_text};

use crate::section::Group;

const MARGIN: f64 = 16.0;
const WIDTH: f64 = 760.0;
const NAME_WIDTH: f64 = 300.0;
const NUMBER_WIDTH: f64 = 72.0;
const BAR_STEP: f64 = 15.0;
const GROUP_HEAD: f64 = 22.0;
const GROUP_GAP: f64 = 16.0;
const TOP: f64 = 64.0;
const TITLE: &str = "Nanoseconds a delivery, shorter is faster";

/// One section below the other.
pub fn svg(groups: &[Group]) -> String {
    let mut body = String::new();
    push_text(&mut body, (MARGIN, 24.0), "start", "bold 16px", TITLE);
    let note = "the time of a message by its copies; each group has its own scale; QoS 0 dark";
    push_text(&mut body, (MARGIN, 43.5), "start", "11px", note);
    let mut top = TOP;
    for group in groups {
        top = push_group(&mut body, group, top);
    }
    bars::page(TITLE, (WIDTH + 2.0 * MARGIN, top), &body)
}

/// Returns where the next group begins.
fn push_group(body: &mut String, group: &Group, top: f64) -> f64 {
    push_text(body, (MARGIN, top + 14.0), "start", "bold 12px", group.section.title);
    let each = || {
        group.rows().map(|(row, cell)| {
            let copies = row.deliveries.max(1) as f64;
            (row, cell.timing.time.median / copies)
        })
    };
    let slowest = each().map(|(_, time)| time).fold(f64::MIN_POSITIVE, f64::max);
    let mut bar_top = top + GROUP_HEAD;
    for (row, time) in each() {
        let len = ((WIDTH - NAME_WIDTH - NUMBER_WIDTH) * time / slowest).max(1.0);
        let left = MARGIN + NAME_WIDTH;
        let baseline = bar_top + BAR_HEIGHT - 2.0;
        let colour = match (row.slug.as_str(), row.is_plain) {
            ("bare", _) => PEER,
            (_, true) => OURS,
            _ => OURS_OTHER,
        };
        push_text(body, (left - 6.0, baseline), "end", "11px", &row.title.replace('`', ""));
        push_bar(body, (left, bar_top), len, colour);
        push_text(
            body,
            (left + len + 5.0, baseline),
            "start",
            "11px",
            &format!("{time:.0}"),
        );
        bar_top += BAR_STEP;
    }
    bar_top + GROUP_GAP
}
