//! The figures as Markdown.

use std::fmt::Write;

use mqtt_benches::rounds::{Effort, Spread};
use mqtt_benches::{environment, verdict};

use crate::label::label;
use crate::measure::{Cell, Direction};
use crate::run::Row;
use crate::target;
use crate::verify::Form;

/// All cells of one stream in one direction.
pub struct Group {
    pub direction: Direction,
    pub slug: String,
    pub title: String,
    pub cells: Vec<Cell>,
}

impl Group {
    /// The cell of this row, if the codec speaks the version.
    pub fn cell(&self, row: Row) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.row == row)
    }

    /// The fastest codec of others among the rows that `counts`.
    pub fn fastest_peer(&self, counts: impl Fn(Row) -> bool) -> Option<&Cell> {
        self.cells
            .iter()
            .filter(|cell| !cell.row.is_ours() && !cell.row.is_floor() && counts(cell.row))
            .min_by(|a, b| a.time.median.total_cmp(&b.time.median))
    }
}

/// The whole document but the judgements on malformed packets.
pub fn document(groups: &[Group], effort: Effort, command: &str) -> String {
    let mut out = String::from("# Speed of the codec beside the other codecs of the field\n\n");
    out.push_str(&environment::describe(command, effort, counts_instructions(groups)));
    push_targets(&mut out, groups);
    out.push_str("## Nanoseconds a packet\n\n");
    push_overview(&mut out, groups, Direction::Decode);
    push_overview(&mut out, groups, Direction::Encode);
    out.push_str("![Nanoseconds a packet, as bars](codec.svg)\n\n");
    push_notes(&mut out);
    out.push_str("## All figures\n\n");
    for group in groups {
        push_group(&mut out, group);
    }
    out
}

fn counts_instructions(groups: &[Group]) -> bool {
    groups
        .iter()
        .any(|group| group.cells.iter().any(|cell| cell.instructions.is_some()))
}

fn push_targets(out: &mut String, groups: &[Group]) {
    out.push_str(
        "## Targets\n\n\
         Ratios are time of theirs by time of ours: the median of the rounds, in brackets the lowest and the highest.\n\
         Within 10 % is no worse, for encoding also within 1 ns. Where the rounds lie on both sides of a target,\n\
         instructions decide.\n\n",
    );
    out.push_str(&verdict::table(target::verdicts(groups)));
}

fn push_overview(out: &mut String, groups: &[Group], direction: Direction) {
    let rows: Vec<Row> = Row::ALL
        .into_iter()
        .filter(|row| of(groups, direction).any(|group| group.cell(*row).is_some()))
        .collect();
    let _ = write!(out, "| {} |", direction.slug());
    for row in &rows {
        let _ = write!(out, " {} |", label(*row));
    }
    let _ = writeln!(out, "\n|---|{}", "---:|".repeat(rows.len()));
    for group in of(groups, direction) {
        let _ = write!(out, "| {} |", group.title);
        for row in &rows {
            let cell = group.cell(*row);
            let time = cell.map_or("–".to_owned(), |cell| format!("{:.1}", cell.time.median));
            let _ = write!(out, " {time} |");
        }
        out.push('\n');
    }
    out.push('\n');
}

fn of(groups: &[Group], direction: Direction) -> impl Iterator<Item = &Group> {
    groups.iter().filter(move |group| group.direction == direction)
}

fn push_group(out: &mut String, group: &Group) {
    let _ = writeln!(
        out,
        "### {}: {}\n\n\
         | codec | ns | lowest–highest | times ours | lowest–highest | allocations | instructions |\n\
         |---|---:|---:|---:|---:|---:|---:|",
        group.direction.slug(),
        group.title,
    );
    for cell in &group.cells {
        push_cell(out, cell);
    }
    out.push('\n');
    push_forms(out, group);
}

fn push_cell(out: &mut String, cell: &Cell) {
    let range = |spread: Spread, digits: usize| format!("{:.digits$}–{:.digits$}", spread.low, spread.high);
    let (ratio, ratio_range) = match cell.ratio {
        Some(ratio) => (format!("{:.2}", ratio.median), range(ratio, 2)),
        None => ("1".to_owned(), String::new()),
    };
    let mark = match cell.form {
        Some(Form::Reordered) => " ¹",
        Some(Form::Longer(_)) => " ²",
        _ => "",
    };
    let against = if cell.baseline == Row::OursParts && cell.row != Row::OursParts {
        " ³"
    } else {
        ""
    };
    let instructions = cell.instructions.map_or(String::new(), |count| format!("{count:.0}"));
    let _ = writeln!(
        out,
        "| {}{mark} | {:.1} | {} | {ratio}{against} | {ratio_range} | {} | {instructions} |",
        label(cell.row),
        cell.time.median,
        range(cell.time, 1),
        allocations(cell.allocations),
    );
}

/// A buffer that is set up once a stream is a fraction that is not shown.
fn allocations(count: f64) -> String {
    let shown = format!("{count:.2}");
    match shown.strip_suffix(".00") {
        Some(whole) => whole.to_owned(),
        None => shown,
    }
}

fn push_forms(out: &mut String, group: &Group) {
    let has = |wanted: fn(&Cell) -> bool| group.cells.iter().any(wanted);
    let mut notes = Vec::new();
    if has(|cell| cell.form == Some(Form::Reordered)) {
        notes.push("¹ The same fields in as many bytes, the properties in another order.".to_owned());
    }
    for cell in &group.cells {
        if let Some(Form::Longer(more)) = cell.form {
            let row = cell.row.slug();
            notes.push(format!(
                "² {row} writes {more:.2} bytes a packet more, for parts that may be left out."
            ));
        }
    }
    if has(|cell| cell.baseline == Row::OursParts && cell.row != Row::OursParts) {
        notes.push("³ Slices against our parts; all else against our first row.".to_owned());
    }
    if !notes.is_empty() {
        let _ = writeln!(out, "{}\n", notes.join("\\\n"));
    }
}

fn push_notes(out: &mut String) {
    out.push_str(
        "## What is compared with what\n\n\
         - Every decoder reads every field of every packet into one checksum, which is the same for all: flags,\n  \
         identifiers, reason codes, options and numbers whole; texts, payloads and binary data by length, first and last\n  \
         byte. No codec leaves a field out. The protocol level of CONNECT is not in the sum: some of the codecs take it\n  \
         as given.\n\
         - Every pass starts from a buffer that the stream was copied into, as if from a socket; the copy is not timed.\n\
         - mqttrs, mqtt-protocol-core and mqtt-proto (akasamq) are given one frame at a time; the loop that finds the frames\n  \
         is timed with them. For the latter two this is faster than their own framing. A PUBLISH goes to\n  \
         mqtt-protocol-core as the `Arc<[u8]>` that its parser takes.\n\
         - Our owned form is taken off a `BytesMut`, which is what rumqttc and mqttbytes decode from too.\n\
         - Encoding starts from packets that each codec owns, the first 64 of the stream over and over, and goes into a\n  \
         buffer that is used again. mqtt-protocol-core\n  \
         and mqtt-proto (akasamq) return a vector of their own for each packet, which is not copied on; ntex-mqtt consumes\n  \
         the packet, and the clones it consumes are made before the clock starts.\n\
         - Our properties and filters are kept as they stand on the wire, checked once when they were built, so that\n  \
         encoding copies them. The others write them field by field.\n\
         - CONNECT is encoded into an emptied buffer each time: rumqttc and mqttbytes do not append it to other packets\n  \
         correctly.\n\
         - Topics are ASCII but in the stream that says Greek, which shows what other text costs and has no target.\n\
         - callgrind has no AVX-512; large copies are counted as vector loops.\n\n",
    );
}
