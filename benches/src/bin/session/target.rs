//! What the session wants to reach, held against what was measured.

use mqtt_benches::rounds::Spread;
use mqtt_benches::verdict::{Outcome, Verdict, in_words, settle, settle_at_most};

use crate::curve::Curve;
use crate::run::Row;
use crate::table::{Cell, Group};

/// All targets.
pub fn verdicts(groups: &[Group], curves: &[Curve]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = no_allocations(groups).into_iter().collect();
    for group in groups.iter().filter(|group| group.scenario.qos > 0) {
        verdicts.extend(times_as_fast(group, Row::Rumqttc, 2.0, 3.0));
        verdicts.extend(times_as_fast(group, Row::ProtocolCore, 4.0, 5.0));
        for (row, what, times) in [
            (Row::OursStored, "a typed store that does nothing", 1.5),
            (Row::OursInbox, "the same and an inbox", 1.5),
            (Row::OursEncoded, "records encoded and checksummed", 3.0),
            (Row::OursInboxEncoded, "the same and an inbox", 3.0),
        ] {
            verdicts.extend(within(group, row, what, times));
        }
    }
    verdicts.extend(curves.iter().flat_map(flat));
    verdicts
}

fn no_allocations(groups: &[Group]) -> Option<Verdict> {
    let ours = || {
        groups
            .iter()
            .flat_map(|group| &group.cells)
            .filter(|cell| cell.row.is_ours())
    };
    let most = ours().map(|cell| cell.timing.allocations).reduce(f64::max)?;
    Some(Verdict {
        wanted: "no allocations in the steady state".to_owned(),
        place: format!("all {} rows of ours", ours().count()),
        measured: format!("at most {most:.2} a flow"),
        decided: "count",
        outcome: side(most == 0.0),
    })
}

fn times_as_fast(group: &Group, row: Row, times: f64, stretch: f64) -> Option<Verdict> {
    let theirs = group.cell(row)?;
    let ratio = theirs.timing.ratio?;
    let instructions = instruction_ratio(group, theirs);
    let (mut outcome, decided) = settle(ratio, instructions, times);
    if outcome == Outcome::Met && settle(ratio, instructions, stretch).0 == Outcome::Met {
        outcome = Outcome::MetWithStretch;
    }
    Some(Verdict {
        wanted: format!(
            "at least {times:.0} times as fast as {} (stretch {stretch:.0})",
            row.slug()
        ),
        place: group.scenario.title(),
        measured: in_words(ratio, instructions),
        decided,
        outcome,
    })
}

fn within(group: &Group, row: Row, what: &str, times: f64) -> Option<Verdict> {
    let stored = group.cell(row)?;
    let ratio = stored.timing.ratio?;
    let instructions = instruction_ratio(group, stored);
    let (outcome, decided) = settle_at_most(ratio, instructions, times);
    Some(Verdict {
        wanted: format!("within {times:.1} times of memory mode: {what}"),
        place: group.scenario.title(),
        measured: in_words(ratio, instructions),
        decided,
        outcome,
    })
}

fn instruction_ratio(group: &Group, cell: &Cell) -> Option<f64> {
    Some(cell.instructions? / group.cell(Row::Ours)?.instructions?)
}

/// Instructions move by a tenth at most and time by twice, from one flow in flight to the most.
fn flat(curve: &Curve) -> Vec<Verdict> {
    let place = format!("QoS {}, 5.0, up to {} flows in flight", curve.qos, most_flows(curve));
    let slowest = curve
        .points
        .iter()
        .filter_map(|point| point.timing.ratio)
        .max_by(|a, b| a.median.total_cmp(&b.median));
    let time = slowest.map(|ratio: Spread| {
        let (outcome, decided) = settle_at_most(ratio, None, 2.0);
        Verdict {
            wanted: "time within 2 times at any depth".to_owned(),
            place: place.clone(),
            measured: in_words(ratio, None),
            decided,
            outcome,
        }
    });
    let counts: Vec<f64> = curve.points.iter().filter_map(|point| point.instructions).collect();
    let first = counts.first().copied();
    let furthest = first.and_then(|first| {
        counts
            .iter()
            .map(|count| count / first)
            .max_by(|a, b| (a - 1.0).abs().total_cmp(&(b - 1.0).abs()))
    });
    let instructions = furthest.map(|furthest| Verdict {
        wanted: "instructions within 10 % at any depth".to_owned(),
        place,
        measured: format!("{:+.1} %", (furthest - 1.0) * 100.0),
        decided: "count",
        outcome: side((furthest - 1.0).abs() <= 0.1),
    });
    time.into_iter().chain(instructions).collect()
}

fn most_flows(curve: &Curve) -> usize {
    curve.points.last().map_or(0, |point| point.depth)
}

fn side(reached: bool) -> Outcome {
    if reached { Outcome::Met } else { Outcome::Missed }
}
