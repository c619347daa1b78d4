//! The figures as Markdown.

use std::fmt::Write;

use mqtt_benches::rounds::{Effort, Spread, Timing};
use mqtt_benches::{environment, verdict};

use crate::curve::Curve;
use crate::label::label;
use crate::run::Row;
use crate::scenario::Scenario;
use crate::target;

/// All rows of one scenario.
pub struct Group {
    pub scenario: Scenario,
    pub cells: Vec<Cell>,
}

/// What was measured of one row, for a flow.
pub struct Cell {
    pub row: Row,
    pub timing: Timing,
    pub instructions: Option<f64>,
}

impl Group {
    pub fn cell(&self, row: Row) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.row == row)
    }
}

/// The whole document.
pub fn document(groups: &[Group], curves: &[Curve], effort: Effort, command: &str) -> String {
    let counted = groups
        .iter()
        .flat_map(|group| &group.cells)
        .any(|cell| cell.instructions.is_some());
    let mut out = String::from("# Speed of the session beside the other state machines of the field\n\n");
    out.push_str(&environment::describe(command, effort, counted));
    out.push_str(
        "## Targets\n\n\
         Ratios are time of theirs by time of ours, and of ours with a store by ours in memory: the median of the rounds,\n\
         in brackets the lowest and the highest. Where the rounds lie on both sides of a target, instructions decide.\n\n",
    );
    out.push_str(&verdict::table(target::verdicts(groups, curves)));
    push_overview(&mut out, groups);
    out.push_str("![Nanoseconds a flow, as bars, and what depth does to it](session.svg)\n\n");
    push_curves(&mut out, curves);
    push_notes(&mut out);
    out.push_str("## All figures\n\n");
    for group in groups {
        push_group(&mut out, group);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn push_overview(out: &mut String, groups: &[Group]) {
    let _ = write!(out, "## Nanoseconds a flow\n\n| flow |");
    for row in Row::ALL {
        let _ = write!(out, " {} |", label(row));
    }
    let _ = writeln!(out, "\n|---|{}", "---:|".repeat(Row::ALL.len()));
    for group in groups {
        let _ = write!(out, "| {} |", group.scenario.title());
        for row in Row::ALL {
            let cell = group.cell(row);
            let time = cell.map_or("–".to_owned(), |cell| format!("{:.0}", cell.timing.time.median));
            let _ = write!(out, " {time} |");
        }
        out.push('\n');
    }
    out.push('\n');
}

fn push_curves(out: &mut String, curves: &[Curve]) {
    out.push_str(
        "## Flows in flight\n\n\
         Ours at both ends, 5.0, in memory. The receiving host holds all messages but the oldest, which it acknowledges:\n\
         one flow begins, one ends. Times one flow in flight is time at this depth by time at depth 1, in the same rounds.\n\n\
         | QoS | in flight | ns a flow | times one flow in flight | lowest–highest | allocations | instructions |\n\
         |---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for curve in curves {
        for point in &curve.points {
            let (ratio, ratio_range) = ratio(point.timing.ratio);
            let _ = writeln!(
                out,
                "| {} | {} | {:.0} | {ratio} | {ratio_range} | {} | {} |",
                curve.qos,
                point.depth,
                point.timing.time.median,
                allocations(point.timing.allocations),
                count(point.instructions),
            );
        }
    }
    out.push('\n');
}

fn push_group(out: &mut String, group: &Group) {
    let _ = writeln!(
        out,
        "### {}\n\n\
         {} bytes a flow on the wire.\n\n\
         | pair | ns | lowest–highest | times ours | lowest–highest | allocations | instructions |\n\
         |---|---:|---:|---:|---:|---:|---:|",
        group.scenario.title(),
        group.scenario.wire_bytes(),
    );
    for cell in &group.cells {
        let (ratio, ratio_range) = ratio(cell.timing.ratio);
        let _ = writeln!(
            out,
            "| {} | {:.0} | {} | {ratio} | {ratio_range} | {} | {} |",
            label(cell.row),
            cell.timing.time.median,
            range(cell.timing.time, 0),
            allocations(cell.timing.allocations),
            count(cell.instructions),
        );
    }
    out.push('\n');
}

fn range(spread: Spread, digits: usize) -> String {
    format!("{:.digits$}–{:.digits$}", spread.low, spread.high)
}

fn ratio(ratio: Option<Spread>) -> (String, String) {
    match ratio {
        Some(ratio) => (format!("{:.2}", ratio.median), range(ratio, 2)),
        None => ("1".to_owned(), String::new()),
    }
}

fn allocations(count: f64) -> String {
    let shown = format!("{count:.2}");
    match shown.strip_suffix(".00") {
        Some(whole) => whole.to_owned(),
        None => shown,
    }
}

fn count(instructions: Option<f64>) -> String {
    instructions.map_or(String::new(), |count| format!("{count:.0}"))
}

fn push_notes(out: &mut String) {
    out.push_str(
        "## What is compared with what\n\n\
         - A flow is a message of 64 bytes with a topic of 27 from `publish` at one end to the host at the other, and every\n  \
         acknowledgement back and forth until the sending host is told its end. All of it is bytes in between: each packet\n  \
         is encoded and decoded. The bytes on the wire are counted and have to be those of the scenario, for every row; the\n  \
         receiving host looks at topic and payload; a pass that misses a message, an end or a byte stops the program.\n\
         - A window of 20: that many messages are sent before the other end gets its turn.\n\
         - Ours is a `Client` that sends and a `ServerConnection` that receives, with what a run loop asks in each turn:\n  \
         input, batches, output, events, and the deadline. Topic aliases are off, since the others send the topic each time.\n  \
         The host keeps its message and publishes clones of it.\n\
         - Time is an argument of ours. The row “clock read” reads the system's clock in each turn of an end, as a driver\n  \
         does. rumqttc reads it for each packet; mqtt-protocol-core has timers reset by events, which are dropped here.\n\
         - The rows with a store have one at both ends: batches are taken and count as stored at once, as typed records, or\n  \
         after each record has been encoded with its checksum into a buffer. Without an inbox the receiving end stores\n  \
         identifiers; with it, it stores each message until its host acknowledges it.\n\
         - rumqttc is its `MqttState` at both ends: it is the state of a client, and one client sends to another, without a\n  \
         server in between. Around it is done what its event loop does: read a packet, hand it to the state, write the\n  \
         answer, take the events. The host publishes a clone of one message, which is cheaper than its `publish`.\n\
         - mqtt-protocol-core is its `Connection` at both ends, which answers by itself. Its packets are written as slices.\n\
         - None of the others keeps the time of a message, checks a quota of the other end against floods, or has a store.\n\
         - Under callgrind the clock costs next to nothing.\n\n",
    );
}
