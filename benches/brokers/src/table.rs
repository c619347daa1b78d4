//! The report.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::added::{self, Added};
use crate::agreement::{self, Agreement, Figure, Reversed};
use crate::brokers::{ALL, Kind};
use crate::data::{Data, Measured, Spread};
use crate::environment;
use crate::rows::{self, Measure, Row};
use crate::target::{self, Reached, Verdict, verdicts};

/// The whole report.
pub fn report(data: &Data) -> String {
    let mut out = String::new();
    let there: Vec<(Row, &Measured)> = rows::all()
        .into_iter()
        .filter_map(|row| Some((row, data.rows.get(row.name)?)))
        .collect();
    let _ = push_head(&mut out, data, &there);
    let sections = [
        ("As many as are taken", Measure::Throughput),
        ("The same offered rate for all", Measure::Offered),
        ("Retained messages for a new subscriber", Measure::Replay),
        ("Stored before they are acknowledged", Measure::Durable),
        ("Memory", Measure::Memory),
        ("Under a generator that is not ours", Measure::Foreign),
    ];
    for (title, measure) in sections {
        let rows: Vec<&(Row, &Measured)> = there.iter().filter(|(row, _)| row.measure == measure).collect();
        if !rows.is_empty() {
            let _ = push_section(&mut out, title, measure, &rows);
        }
        if measure == Measure::Throughput {
            let _ = push_added(&mut out, &there);
        }
    }
    let _ = push_agreement(&mut out, &there);
    let _ = push_targets(&mut out, &there);
    let _ = push_left_out(&mut out, &there);
    out
}

type Written = Result<(), std::fmt::Error>;

fn push_head(out: &mut String, data: &Data, there: &[(Row, &Measured)]) -> Written {
    writeln!(out, "# Brokers over sockets beside each other\n")?;
    writeln!(out, "Made in `benches/brokers` by\n\n```")?;
    commands(there).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    writeln!(out, "```\n")?;
    let mut told: Vec<String> = there
        .iter()
        .map(|(_, measured)| format!("{}, {}", measured.date, machine(measured)))
        .collect();
    told.sort_unstable();
    told.dedup();
    told.iter().try_for_each(|line| writeln!(out, "- {line}"))?;
    let loads: Vec<f64> = there.iter().filter_map(|(_, measured)| load(measured)).collect();
    let highest = loads.iter().copied().fold(0.0, f64::max);
    writeln!(
        out,
        "- load of the machine when a row began: at most {highest:.2}, with what was measured before it"
    )?;
    writeln!(out, "- stored files on {}", environment::file_system())?;
    for (name, version) in &data.versions {
        writeln!(out, "- {name}: {version}")?;
    }
    writeln!(
        out,
        "\nMQTT 3.1.1 over loopback. All brokers of a row take turns, each as a new process; a figure is the median of the rounds, a ratio the \
         median of the ratios of the rounds, in brackets the lowest and the highest. CPU time is that of the broker's process alone, by the \
         kernel. `mqtt-1` and `mqtt-2` are `mqtt broker` with one shard and with two, `null` only forwards: what the generator can do.\n\n\
         ![CPU time](brokers.svg)\n"
    )
}

/// What measures these rows again: one command for each number of rounds and length of loads that there were.
fn commands(there: &[(Row, &Measured)]) -> Vec<String> {
    let mut runs: Vec<(usize, String, Vec<&str>)> = Vec::new();
    // A row that goes through few rounds however many are asked for comes with the run that asks for the most.
    let mut sorted: Vec<&(Row, &Measured)> = there.iter().collect();
    sorted.sort_by_key(|(_, measured)| std::cmp::Reverse(measured.most_rounds()));
    for (row, measured) in sorted {
        let (rounds, seconds) = (measured.most_rounds(), measured.seconds.to_string());
        let is_of = |run: &(usize, String, Vec<&str>)| row.rounds(run.0) == rounds && run.1 == seconds;
        match runs.iter_mut().find(|run| is_of(run)) {
            Some((.., names)) => names.push(row.name),
            None => runs.push((rounds, seconds, vec![row.name])),
        }
    }
    let has_all = |names: &[&str]| names.len() == rows::all().len();
    let command = |(rounds, seconds, names): &(usize, String, Vec<&str>)| {
        let only = if has_all(names) {
            String::new()
        } else {
            format!(" --rows {}", names.join(","))
        };
        format!("cargo run --release -- --write --rounds {rounds} --seconds {seconds}{only}")
    };
    runs.iter().map(command).collect()
}

/// Without its load, which is told once.
fn machine(measured: &Measured) -> &str {
    measured.machine.split(", load").next().unwrap_or_default()
}

fn load(measured: &Measured) -> Option<f64> {
    measured
        .machine
        .split(", load ")
        .nth(1)?
        .split(' ')
        .next()?
        .parse()
        .ok()
}

fn push_section(out: &mut String, title: &str, measure: Measure, rows: &[&(Row, &Measured)]) -> Written {
    writeln!(out, "## {title}\n\n{}\n", about(measure))?;
    let heads = match measure {
        Measure::Throughput | Measure::Replay | Measure::Foreign => {
            "CPU µs each | × mqtt-1 | a second | generator CPU µs"
        }
        Measure::Offered => "CPU µs each | × mqtt-1 | p50 µs | p99 µs",
        Measure::Durable => "a second | × mqtt-1 | CPU µs each | × mqtt-1 | acknowledged p50 µs | p99 µs",
        Measure::Memory => "bytes each | its own | of files | × mqtt-1",
    };
    writeln!(out, "| load | broker | {heads} | rounds |")?;
    writeln!(out, "|---|---|{}---|", "---|".repeat(heads.split('|').count()))?;
    for (row, measured) in rows {
        for kind in ALL.into_iter().filter(|kind| measured.rounds(*kind) > 0) {
            push_line(out, row, measured, kind)?;
        }
        let is_closed = matches!(measure, Measure::Throughput | Measure::Foreign);
        if let Some((ratio, false)) = target::generator(measured).filter(|_| is_closed) {
            let columns = heads.split('|').count();
            let said = format!(
                "the generator reaches {ratio}, less than three times the fastest: CPU time counts, rates do not"
            );
            writeln!(out, "| | | {said} |{}", " |".repeat(columns))?;
        }
    }
    writeln!(out)
}

/// What filters add to a message.
fn push_added(out: &mut String, there: &[(Row, &Measured)]) -> Written {
    let all = added::of(there);
    if all.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "### What filters add to a message\n\nCPU µs a message, with topics at random, each of which has one filter: what 100,000 cost more than 10. Both loads were measured in the \
         same rounds, and the differences are those of the rounds: the median, and the lowest and the highest.\n"
    )?;
    writeln!(
        out,
        "| broker | 10 filters | 100,000 | added | added, less mosquitto's | rounds |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    for one in &all {
        let Added {
            few,
            many,
            added,
            rounds,
            ..
        } = one;
        let beside = one.beside.map_or("–".to_owned(), added::told);
        writeln!(
            out,
            "| {} | {few:.3} | {many:.3} | {} | {beside} | {rounds} |",
            bold(one.kind),
            added::told(*added)
        )?;
    }
    writeln!(out)
}

/// Ours stands out.
fn bold(kind: Kind) -> String {
    match kind {
        Kind::Ours => format!("**{}**", kind.name()),
        _ => kind.name().to_owned(),
    }
}

const fn about(measure: Measure) -> &'static str {
    match measure {
        Measure::Throughput => {
            "Closed loop: at most 500 messages ahead of the slowest subscriber; 2,000 where one publishes 64 B at QoS 0, where 500 do not keep the generator busy. From 1 to 100, a delivery is what counts, else a message. With random topics each message goes to one of them, drawn with equal chances, and each has one filter, all of them of one subscriber."
        }
        Measure::Offered => {
            "Open loop: latency is from when a message was due to its delivery. From 1 to 100, CPU time is a delivery's, else a message's."
        }
        Measure::Replay => "From SUBSCRIBE to the last message.",
        Measure::Durable => {
            "QoS 1 with window 20 to one subscriber with a session. `mqtt broker` with `durability = \"sync\"`: what is acknowledged has been \
             flushed to the disk. mosquitto with `persistence true` writes its file every half hour and when it ends: it promises less. `store` is \
             the store of `mqtt broker` by itself: it is given what the broker has it store for the same messages, in groups of as many as may be \
             unacknowledged at a time (20, 200 and 500), each with one flush, and its time alone counts."
        }
        Measure::Memory => "Resident memory that a connection adds.",
        Measure::Foreign => {
            "The same closed loop, by a few lines over the asynchronous client of Eclipse Paho C. CPU time is taken from the kernel, as elsewhere."
        }
    }
}

fn push_line(out: &mut String, row: &Row, measured: &Measured, kind: Kind) -> Written {
    let number = |value: Option<Spread>, digits: usize| {
        value.map_or("–".to_owned(), |value| format!("{:.digits$}", value.median))
    };
    let cpu = target::cpu(row);
    let ratio = |figure: &dyn Fn(&crate::cell::Cell) -> Option<f64>| match kind {
        Kind::Ours => "1".to_owned(),
        _ => measured
            .ratio(kind, Kind::Ours, figure)
            .map_or("–".to_owned(), |ratio| ratio.to_string()),
    };
    let spread = |figure: fn(&crate::cell::Cell) -> Option<f64>| measured.spread(kind, figure);
    let rate = number(spread(|cell| Some(cell.rate)), 0);
    let used = number(spread(cpu), 3);
    let times = format!(
        "{} | {}",
        number(spread(|cell| cell.p50), 0),
        number(spread(|cell| cell.p99), 0)
    );
    let figures = match row.measure {
        Measure::Throughput | Measure::Replay | Measure::Foreign => {
            format!(
                "{used} | {} | {rate} | {}",
                ratio(&cpu),
                number(spread(|cell| cell.generator), 3)
            )
        }
        Measure::Offered => format!("{used} | {} | {times}", ratio(&cpu)),
        Measure::Durable => {
            let rates = ratio(&|cell| Some(cell.rate));
            format!("{rate} | {rates} | {used} | {} | {times}", ratio(&cpu))
        }
        Measure::Memory => {
            let part = |place: usize| measured.spread(kind, move |cell| Some(cell.memory?[place]));
            let [all, own, file] = [0, 1, 2].map(|place| number(part(place), 0));
            format!("{all} | {own} | {file} | {}", ratio(&|cell| Some(cell.memory?[0])))
        }
    };
    let name = bold(kind);
    let lost = match measured.lost(kind) {
        0 => String::new(),
        lost => format!(", lost {lost}"),
    };
    writeln!(
        out,
        "| {} | {name} | {figures} | {}{lost} |",
        row.title,
        measured.rounds(kind)
    )
}

/// What each row under the other generator says of those of ours with the same shape.
fn agreements<'a>(there: &'a [(Row, &Measured)]) -> Vec<(&'a Row, &'a Row, Figure, Agreement)> {
    let named = |name: &str| there.iter().find(|(row, _)| row.name == name);
    let mut all = Vec::new();
    for (row, theirs) in there {
        let Some(shape) = row.foreign else { continue };
        for (own, ours) in shape.own.iter().filter_map(|name| named(name)) {
            for figure in agreement::figures((own, ours), (row, theirs)) {
                all.extend(agreement::of((own, ours), (row, theirs), figure).map(|one| (own, row, figure, one)));
            }
        }
    }
    all
}

/// Whether the order of brokers is that of our generator.
fn push_agreement(out: &mut String, there: &[(Row, &Measured)]) -> Written {
    let mut lines = String::new();
    for (own, row, figure, agreement) in agreements(there) {
        push_agreed(&mut lines, own, row, figure, &agreement)?;
    }
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "Does the order of the brokers agree? From the one that uses the least to the one that uses the most, without `null`. A pair that stands in \
         another order is too close to tell where the lowest and the highest ratio of rounds lie on both sides of 1, under either generator. Rates are \
         compared where neither generator bounds them.\n"
    )?;
    writeln!(
        out,
        "| load | beside | by | under ours | under the other | pairs in the same order | in another |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|\n{lines}")
}

fn push_agreed(out: &mut String, own: &Row, row: &Row, figure: Figure, agreement: &Agreement) -> Written {
    let told = |one: &Reversed| {
        let (over, under) = (one.pair.0.name(), one.pair.1.name());
        let close = if one.is_clear() { "" } else { ", too close to tell" };
        format!("{over} to {under}: {}, {}{close}", one.ours, one.theirs)
    };
    let reversed: Vec<String> = agreement.reversed.iter().map(told).collect();
    let reversed = if reversed.is_empty() {
        "none".to_owned()
    } else {
        reversed.join("; ")
    };
    let Agreement {
        ours, theirs, pairs, ..
    } = agreement;
    writeln!(
        out,
        "| {} | {} | {} | {ours} | {theirs} | {} of {} | {reversed} |",
        row.title,
        own.title,
        figure.name(),
        pairs.1,
        pairs.0
    )
}

fn push_targets(out: &mut String, there: &[(Row, &Measured)]) -> Written {
    let orders = agreements(there).into_iter();
    let orders = orders.map(|(own, row, _, agreement)| target::of_order(own, row, &agreement));
    let all: Vec<Verdict> = there
        .iter()
        .flat_map(|(row, measured)| verdicts(row, measured))
        .chain(added::verdict(there))
        .chain(orders)
        .collect();
    writeln!(
        out,
        "## Targets\n\nThe ratios are those of `mqtt-1` to the other. \"No worse\" is within 10 %. A row of the first table counts where the generator \
         reaches three times the fastest broker's rate at `null`. Where the ratios of a latency lie on both sides of its limit, the rounds do not agree, \
         and CPU time a message is asked too: its ratio stands behind the other one, and if it says something else, the target is open.\n"
    )?;
    writeln!(
        out,
        "| target | load | measured | verdict | counts |\n|---|---|---|---|---|"
    )?;
    for verdict in &all {
        let reached = verdict.reached.told();
        let counts = verdict.bound_by.map_or("yes".to_owned(), |ratio| {
            format!("no: the generator reaches {ratio:.2} times")
        });
        writeln!(
            out,
            "| {} | {} | {} | {reached} | {counts} |",
            verdict.what, verdict.place, verdict.measured
        )?;
    }
    let met = |all: &[&Verdict]| all.iter().filter(|verdict| verdict.reached == Reached::Met).count();
    let every: Vec<&Verdict> = all.iter().collect();
    let counting: Vec<&Verdict> = all.iter().filter(|verdict| verdict.bound_by.is_none()).collect();
    writeln!(
        out,
        "\n{} of {} met; of the {} that count, {}.\n",
        met(&every),
        every.len(),
        counting.len(),
        met(&counting)
    )
}

fn push_left_out(out: &mut String, there: &[(Row, &Measured)]) -> Written {
    writeln!(out, "## Left out\n")?;
    let mut without: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (row, _) in there {
        for (kind, why) in row.without {
            without.entry((kind.name(), why)).or_default().push(row.title);
        }
    }
    for ((name, why), titles) in without {
        writeln!(out, "- {name}, as {why}: {}", titles.join("; "))?;
    }
    for (row, measured) in there {
        for kind in ALL {
            if let Some(why) = measured.failure(kind) {
                let (why, times) = (why.lines().next().unwrap_or_default(), measured.failures(kind));
                writeln!(
                    out,
                    "- {}: {} failed in {times} rounds, first with: {why}",
                    row.title,
                    kind.name()
                )?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Cell;

    fn measured(rounds: usize, seconds: f64) -> Measured {
        let mut measured = Measured::new(seconds);
        (0..rounds).for_each(|round| measured.add(Kind::Ours, round, Cell::default()));
        measured
    }

    #[test]
    fn the_commands_have_the_rounds_that_were_made() {
        let all = |rounds: usize| -> Vec<(Row, Measured)> {
            let with = |row: Row| (row, measured(row.rounds(rounds), 0.6));
            rows::all().into_iter().map(with).collect()
        };
        let told = |rows: &[(Row, Measured)]| commands(&rows.iter().map(|(row, one)| (*row, one)).collect::<Vec<_>>());
        let nine = all(9);
        assert_eq!(told(&nine), ["cargo run --release -- --write --rounds 9 --seconds 0.6"]);
        let mut mixed = nine.into_iter().take(2).collect::<Vec<_>>();
        mixed[0].1 = measured(1, 0.6);
        let idle = all(9).into_iter().find(|(row, _)| row.name == "idle");
        mixed.extend(idle);
        assert_eq!(
            told(&mixed),
            [
                "cargo run --release -- --write --rounds 9 --seconds 0.6 --rows qos1,idle",
                "cargo run --release -- --write --rounds 1 --seconds 0.6 --rows qos0"
            ]
        );
    }
}
