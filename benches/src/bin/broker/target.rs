//! What the broker wants to reach, held against what was measured.

use mqtt_benches::rounds::Spread;
use mqtt_benches::verdict::{Outcome, Verdict, in_words, settle_at_most};

use crate::memory::Weight;
use crate::run::Row;
use crate::section::{Cell, FILTERS, Group};

/// All targets.
pub fn verdicts(groups: &[Group], weights: &[Weight]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for group in groups {
        if group.section.slug == FILTERS {
            verdicts.extend(flat(group));
        }
        if let Some(bare) = group.row("bare") {
            verdicts.extend(group.rows().filter_map(|(row, cell)| first(group, row, cell, bare)));
            verdicts.extend(group.rows().filter_map(|(row, cell)| further(group, row, cell, bare)));
        }
    }
    verdicts.extend(no_allocations(groups));
    verdicts.extend(weights.iter().filter_map(weighed));
    verdicts
}

fn side(reached: bool) -> Outcome {
    if reached { Outcome::Met } else { Outcome::Missed }
}

fn place(group: &Group, row: &Row) -> String {
    format!("{}: {}", group.section.title, row.title)
}

/// A message of QoS 0 to one client.
fn first(group: &Group, row: &Row, cell: &Cell, bare: &Cell) -> Option<Verdict> {
    if !row.is_plain || !row.slug.starts_with("1-to-1-") {
        return None;
    }
    let ratio = cell.timing.ratio?;
    let instructions = cell.instructions.zip(bare.instructions).map(|(all, bare)| all / bare);
    let (outcome, decided) = settle_at_most(ratio, instructions, 4.0);
    Some(Verdict {
        wanted: "a message of QoS 0 1 → 1 within 4 times its bare decode and encode".to_owned(),
        place: place(group, row),
        measured: in_words(ratio, instructions),
        decided,
        outcome,
    })
}

/// What each client more costs that a message of QoS 0 goes to.
fn further(group: &Group, row: &Row, cell: &Cell, bare: &Cell) -> Option<Verdict> {
    let rest = row.slug.strip_prefix("1-to-100-").filter(|_| row.is_plain)?;
    let to_one = group.row(&format!("1-to-1-{}", rest.trim_end_matches("-named")))?;
    let (hundred, one) = (cell.timing.ratio?, to_one.timing.ratio?);
    let further = (row.deliveries - 1) as f64;
    let ratio = Spread {
        median: (hundred.median - one.median) / further,
        low: (hundred.low - one.high) / further,
        high: (hundred.high - one.low) / further,
    };
    let counts = [cell, to_one, bare].map(|cell| cell.instructions);
    let instructions = match counts {
        [Some(hundred), Some(one), Some(bare)] => Some((hundred - one) / further / bare),
        _ => None,
    };
    let (outcome, decided) = settle_at_most(ratio, instructions, 2.0);
    Some(Verdict {
        wanted: "a further delivery 1 → 100 within 2 times the bare decode and encode".to_owned(),
        place: place(group, row),
        measured: in_words(ratio, instructions),
        decided,
        outcome,
    })
}

/// From the fewest filters to the most.
fn flat(group: &Group) -> Vec<Verdict> {
    let uniform = || group.rows().filter(|(row, _)| !row.slug.ends_with("hot"));
    let place = "10 to 1,000,000 filters, one match each, topics in a fresh order".to_owned();
    let ratios = uniform().filter_map(|(_, cell)| cell.timing.ratio);
    let slowest = ratios.max_by(|a, b| a.median.total_cmp(&b.median));
    let time = slowest.map(|ratio| {
        let (outcome, decided) = settle_at_most(ratio, None, 8.0);
        Verdict {
            wanted: "time of a message within 8 times of that among 10 filters".to_owned(),
            place: place.clone(),
            measured: in_words(ratio, None),
            decided,
            outcome,
        }
    });
    let counts: Vec<f64> = uniform().filter_map(|(_, cell)| cell.instructions).collect();
    let most = counts.iter().copied().reduce(f64::max);
    let least = counts.iter().copied().reduce(f64::min);
    let instructions = most.zip(least).map(|(most, least)| Verdict {
        wanted: "instructions of a message within 15 % at any number of filters".to_owned(),
        place,
        measured: format!("{least:.0} to {most:.0}, {:+.1} %", (most / least - 1.0) * 100.0),
        decided: "count",
        outcome: side(most <= least * 1.15),
    });
    time.into_iter().chain(instructions).collect()
}

fn no_allocations(groups: &[Group]) -> Option<Verdict> {
    let plain = || {
        let rows = groups.iter().flat_map(Group::rows);
        rows.filter(|(row, _)| row.is_plain)
    };
    let most = plain().map(|(_, cell)| cell.timing.allocations).reduce(f64::max)?;
    Some(Verdict {
        wanted: "no allocation for a delivery of QoS 0".to_owned(),
        place: format!("all {} rows of QoS 0", plain().count()),
        measured: format!("at most {most:.2} a message"),
        decided: "count",
        outcome: side(most == 0.0),
    })
}

fn weighed(weight: &Weight) -> Option<Verdict> {
    let most = weight.most?;
    Some(Verdict {
        wanted: format!("at most {most:.0} B"),
        place: weight.what.to_owned(),
        measured: format!("{:.0} B", weight.bytes),
        decided: "count",
        outcome: side(weight.bytes <= most),
    })
}
