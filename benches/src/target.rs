//! What this crate wants to reach, held against what was measured.

use mqtt_benches::verdict::{Outcome, Verdict, in_words, settle};

use crate::measure::{Cell, Direction};
use crate::run::Row;
use crate::table::Group;

/// Within this factor nothing is worse: a tenth.
const NO_WORSE: f64 = 1.1;

/// All targets over all groups. The streams with Greek topics show what text
/// outside ASCII costs, and have none.
pub fn verdicts(groups: &[Group]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = no_allocations(groups).into_iter().collect();
    for group in groups.iter().filter(|group| !group.slug.ends_with("greek")) {
        match group.direction {
            Direction::Decode => decode_verdicts(group, &mut verdicts),
            Direction::Encode => encode_verdicts(group, &mut verdicts),
        }
    }
    verdicts
}

fn decode_verdicts(group: &Group, verdicts: &mut Vec<Verdict>) {
    let Some(ours) = group.cell(Row::Ours) else {
        return;
    };
    let slug = group.slug.as_str();
    let v3_publish = slug.starts_with("publish-3.1.1");
    let publish = v3_publish || slug.starts_with("publish-5-properties");
    if publish {
        verdicts.extend(times_as_fast(group, ours, Row::Rumqttc, 3.0, Some(4.0)));
    }
    if slug.starts_with("subscribe") {
        verdicts.extend(times_as_fast(group, ours, Row::Rumqttc, 5.0, None));
    }
    if slug.contains("3.1.1") {
        verdicts.extend(
            group
                .cell(Row::Mqttrs)
                .and_then(|mqttrs| no_slower(group, ours, mqttrs)),
        );
    }
    if slug.starts_with("puback") {
        let fastest = group.fastest_peer(|row| !row.is_slices());
        verdicts.extend(fastest.and_then(|fastest| no_slower(group, ours, fastest)));
    }
}

fn encode_verdicts(group: &Group, verdicts: &mut Vec<Verdict>) {
    for (ours, slices) in [(Row::Ours, false), (Row::OursParts, true)] {
        let fastest = group.fastest_peer(|row| row.is_slices() == slices);
        if let (Some(ours), Some(fastest)) = (group.cell(ours), fastest) {
            verdicts.extend(encodes_no_slower(group, ours, fastest));
        }
    }
}

fn no_allocations(groups: &[Group]) -> Option<Verdict> {
    let views = || {
        groups
            .iter()
            .filter(|group| group.direction == Direction::Decode)
            .filter_map(|group| group.cell(Row::Ours))
    };
    let most = views().map(|ours| ours.allocations).reduce(f64::max)?;
    Some(Verdict {
        wanted: "decode without allocations".to_owned(),
        place: format!("all {}", views().count()),
        measured: format!("at most {most:.2} a packet"),
        decided: "count",
        outcome: if most == 0.0 { Outcome::Met } else { Outcome::Missed },
    })
}

fn times_as_fast(group: &Group, ours: &Cell, row: Row, times: f64, stretch: Option<f64>) -> Option<Verdict> {
    let theirs = group.cell(row)?;
    let ratio = theirs.ratio?;
    let instructions = instruction_ratio(theirs, ours);
    let (mut outcome, decided) = settle(ratio, instructions, times);
    // The stretch is decided as the target is.
    let beyond = |stretch| settle(ratio, instructions, stretch).0 == Outcome::Met;
    if outcome == Outcome::Met && stretch.is_some_and(beyond) {
        outcome = Outcome::MetWithStretch;
    }
    let stretch = stretch.map_or(String::new(), |stretch| format!(" (stretch {stretch:.0})"));
    Some(Verdict {
        wanted: format!("decode at least {times:.0} times as fast as {}{stretch}", row.slug()),
        place: group.title.clone(),
        measured: in_words(ratio, instructions),
        decided,
        outcome,
    })
}

fn no_slower(group: &Group, ours: &Cell, theirs: &Cell) -> Option<Verdict> {
    let ratio = theirs.ratio?;
    let instructions = instruction_ratio(theirs, ours);
    let (outcome, decided) = settle(ratio, instructions, 1.0 / NO_WORSE);
    Some(Verdict {
        wanted: format!("decode no slower than {}", theirs.row.slug()),
        place: group.title.clone(),
        measured: in_words(ratio, instructions),
        decided,
        outcome,
    })
}

/// No slower here is within a tenth or a nanosecond.
fn encodes_no_slower(group: &Group, ours: &Cell, theirs: &Cell) -> Option<Verdict> {
    let ratio = theirs.ratio?;
    let instructions = instruction_ratio(theirs, ours);
    let time = theirs.time.median;
    let allowed = (time * NO_WORSE).max(time + 1.0);
    let (outcome, decided) = settle(ratio, instructions, time / allowed);
    let kind = if theirs.row.is_slices() { "slices" } else { "contiguous" };
    Some(Verdict {
        wanted: format!("encode {kind} no slower than {}, the fastest", theirs.row.slug()),
        place: group.title.clone(),
        measured: in_words(ratio, instructions),
        decided,
        outcome,
    })
}

fn instruction_ratio(theirs: &Cell, ours: &Cell) -> Option<f64> {
    Some(theirs.instructions? / ours.instructions?)
}
