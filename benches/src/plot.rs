//! The figures as horizontal bars, one group a stream.
//!
//! Each group has its own scale, up to its slowest codec.

use mqtt_benches::bars::{self, BAR_HEIGHT, FLOOR, OURS, OURS_OTHER, PEER, push_bar, push_text};

use crate::label::label;
use crate::measure::{Cell, Direction};
use crate::run::Row;
use crate::table::Group;

const MARGIN: f64 = 16.0;
const COLUMN_WIDTH: f64 = 560.0;
const NAME_WIDTH: f64 = 196.0;
const NUMBER_WIDTH: f64 = 56.0;
const BAR_STEP: f64 = 15.0;
const GROUP_HEAD: f64 = 22.0;
const GROUP_GAP: f64 = 16.0;
const TOP: f64 = 92.0;

/// Decoding in the left column, encoding in the right, a stream beside itself.
pub fn svg(groups: &[Group]) -> String {
    const COLUMNS: [(Direction, f64); 2] = [
        (Direction::Decode, MARGIN),
        (Direction::Encode, 2.0 * MARGIN + COLUMN_WIDTH),
    ];
    let mut body = String::new();
    push_legend(&mut body);
    for (direction, left) in COLUMNS {
        let head = format!("{}: ns a packet", direction.slug());
        push_text(&mut body, (left, TOP - 14.0), "start", "bold 14px", &head);
    }
    let mut top = TOP;
    for stream in groups.iter().filter(|group| group.direction == Direction::Decode) {
        let mut bottom = top;
        for (direction, left) in COLUMNS {
            let same = |group: &&Group| group.direction == direction && group.slug == stream.slug;
            if let Some(group) = groups.iter().find(same) {
                bottom = push_group(&mut body, group, left, top).max(bottom);
            }
        }
        top = bottom;
    }
    let width = 3.0 * MARGIN + 2.0 * COLUMN_WIDTH;
    bars::page("Nanoseconds a packet, shorter is faster", (width, top), &body)
}

fn push_legend(body: &mut String) {
    push_text(
        body,
        (MARGIN, 24.0),
        "start",
        "bold 16px",
        "Nanoseconds a packet, shorter is faster",
    );
    let mut left = MARGIN;
    for (colour, name) in [
        (OURS, "this crate"),
        (OURS_OTHER, "this crate, other forms"),
        (PEER, "other codecs"),
        (FLOOR, "floors"),
    ] {
        push_bar(body, (left, 34.0), BAR_HEIGHT, colour);
        push_text(body, (left + 16.0, 43.5), "start", "11px", name);
        left += 32.0 + 6.2 * name.len() as f64;
    }
    push_text(body, (left, 43.5), "start", "11px", "each group has its own scale");
}

/// Returns where the next group begins.
fn push_group(body: &mut String, group: &Group, left: f64, top: f64) -> f64 {
    push_text(body, (left, top + 14.0), "start", "bold 12px", &group.title);
    let slowest = group
        .cells
        .iter()
        .map(|cell| cell.time.median)
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut bar_top = top + GROUP_HEAD;
    for cell in &group.cells {
        let full = COLUMN_WIDTH - NAME_WIDTH - NUMBER_WIDTH;
        let len = (full * cell.time.median / slowest).max(1.0);
        let bar_left = left + NAME_WIDTH;
        let baseline = bar_top + BAR_HEIGHT - 2.0;
        push_text(body, (bar_left - 6.0, baseline), "end", "11px", &name(cell.row));
        push_bar(body, (bar_left, bar_top), len, colour(cell.row));
        push_text(body, (bar_left + len + 5.0, baseline), "start", "11px", &number(cell));
        bar_top += BAR_STEP;
    }
    bar_top + GROUP_GAP
}

fn number(cell: &Cell) -> String {
    match cell.time.median {
        time if time < 9.95 => format!("{time:.1}"),
        time => format!("{time:.0}"),
    }
}

/// The label of the table without its Markdown.
fn name(row: Row) -> String {
    label(row).replace(['*', '`'], "")
}

fn colour(row: Row) -> &'static str {
    match row {
        Row::Ours => OURS,
        row if row.is_ours() => OURS_OTHER,
        row if row.is_floor() => FLOOR,
        _ => PEER,
    }
}
