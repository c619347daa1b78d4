//! The figures as Markdown.

use std::fmt::Write;

use mqtt_benches::rounds::{Effort, Spread};
use mqtt_benches::{environment, verdict};

use crate::filters::grouped;
use crate::memory::Weight;
use crate::run::Row;
use crate::section::{Cell, Group};
use crate::target;

/// The whole document.
pub fn document(groups: &[Group], weights: &[Weight], effort: Effort, command: &str) -> String {
    let cells = || groups.iter().flat_map(|group| &group.cells);
    let counted = cells().any(|cell| cell.instructions.is_some());
    let mut out = String::from("# Speed of the broker, in memory, without sockets\n\n");
    out.push_str(&environment::describe(command, effort, counted));
    out.push_str(
        "## Targets\n\n\
         Ratios are time by time of what is named: the median of the rounds, in brackets the lowest and the highest. Where the\n\
         rounds lie on both sides of a target, instructions decide.\n\n",
    );
    out.push_str(&verdict::table(target::verdicts(groups, weights)));
    if !groups.is_empty() {
        out.push_str("![Nanoseconds, as bars](broker.svg)\n\n");
    }
    for group in groups {
        push_group(&mut out, group);
    }
    push_weights(&mut out, weights);
    push_notes(&mut out);
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn push_group(out: &mut String, group: &Group) {
    let first = group.section.rows.first().map_or("", |row| &row.title);
    let _ = writeln!(
        out,
        "## {}\n\n\
         | row | a second | ns | lowest–highest | times “{first}” | lowest–highest | allocations | instructions |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|",
        group.section.title,
    );
    for (row, cell) in group.rows() {
        push_row(out, row, cell);
    }
    out.push('\n');
}

fn push_row(out: &mut String, row: &Row, cell: &Cell) {
    let time = cell.timing.time;
    let (ratio, ratio_range) = match cell.timing.ratio {
        Some(ratio) => (format!("{:.2}", ratio.median), range(ratio, 2)),
        None => ("1".to_owned(), String::new()),
    };
    let _ = writeln!(
        out,
        "| {} | {} | {:.0} | {} | {ratio} | {ratio_range} | {} | {} |",
        row.title,
        grouped((1e9 / time.median) as usize),
        time.median,
        range(time, 0),
        allocations(cell.timing.allocations),
        cell.instructions.map_or(String::new(), |count| format!("{count:.0}")),
    );
}

fn range(spread: Spread, digits: usize) -> String {
    format!("{:.digits$}–{:.digits$}", spread.low, spread.high)
}

fn allocations(count: f64) -> String {
    let shown = format!("{count:.2}");
    shown.strip_suffix(".00").map_or(shown.clone(), str::to_owned)
}

fn push_weights(out: &mut String, weights: &[Weight]) {
    if weights.is_empty() {
        return;
    }
    out.push_str("## Memory\n\n| what | bytes |\n|---|---:|\n");
    for weight in weights {
        let _ = writeln!(out, "| {} | {:.0} |", weight.what, weight.bytes);
    }
    out.push('\n');
}

fn push_notes(out: &mut String) {
    out.push_str(
        "## What is measured\n\n\
         - A message is one of 64 bytes with a topic of 27, from its bytes at the broker to those of every copy in the outbox of\n  \
         its subscriber, and every acknowledgement back and forth. `a second`, time, allocations and instructions are those of\n  \
         one published message, whatever the number of its copies. What the clients do is in the figures: they find the\n  \
         packets in the bytes, count them, and answer. A pass that misses a message or an acknowledgement stops the program.\n\
         - A window of 20: each publisher sends so many messages at once before the outboxes are filled. With each turn goes\n  \
         what a run loop asks: who is ready, output until there is none, events, and the deadline.\n\
         - A further delivery is the difference of 1 → 100 and 1 → 1, by 99.\n\
         - Many filters: a third each is exact, ends in `+`, and ends in `#`; each is another one, and each message matches one.\n  \
         Ten clients have all of them. The topics of a pass are drawn uniformly from all filters, other ones in every pass;\n  \
         nothing remembers where a topic went. They come 20 at once. “One hot topic” is the same one each time.\n\
         - SUBSCRIBE and UNSUBSCRIBE come one at a time, one filter each, and are answered.\n\
         - Memory is what the allocator is asked for, by the number of things; tables that have set more aside are counted as they\n  \
         are. Sessions are of 5.0 and never expire. The outbox and the input of a connection are the driver's, and not in it.\n\
         - Nothing is stored. The time of a store is measured beside the stores.\n\n",
    );
}
