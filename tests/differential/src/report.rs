//! What a run found, as Markdown.

use std::fmt::{self, Display, Formatter, Write as _};

use crate::classes::{self, Class, Outcome};
use crate::run::Pair;
use crate::tally::{Found, Source, Tally};

/// The tables of one pair.
#[derive(Debug)]
pub(crate) struct Report<'r>(pub(crate) Pair, pub(crate) &'r Tally);

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(pair, tally) = self;
        writeln!(f, "### {}\n", pair.name())?;
        outcomes(tally, f)?;
        writeln!(f)?;
        differences(tally, f)?;
        unmet(*pair, tally, f)?;
        if tally.unexplained.is_empty() {
            return writeln!(f, "\nUnclassified differences: 0.");
        }
        unexplained(tally, f)
    }
}

fn outcomes(tally: &Tally, f: &mut Formatter<'_>) -> fmt::Result {
    let columns: Vec<Outcome> = Outcome::ALL
        .into_iter()
        .filter(|outcome| total(tally, *outcome) > 0 || always_shown(*outcome))
        .collect();
    write!(f, "| frames |")?;
    for outcome in &columns {
        write!(f, " {} |", outcome.name())?;
    }
    writeln!(f, " all |\n|---|{}---:|", "---:|".repeat(columns.len()))?;
    for source in Source::ALL {
        let counts = tally.outcomes(source);
        write!(f, "| {} |", source.name())?;
        for outcome in &columns {
            write!(f, " {} |", grouped(counts[*outcome as usize]))?;
        }
        writeln!(f, " {} |", grouped(counts.iter().sum()))?;
    }
    let accepted = total(tally, Outcome::BothAccept);
    writeln!(
        f,
        "\nOf {} accepted by both, {} are equal in every field.",
        grouped(accepted),
        grouped(tally.equal)
    )
}

const fn always_shown(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::BothAccept | Outcome::OursOnly | Outcome::TheirsOnly | Outcome::BothRefuse
    )
}

fn total(tally: &Tally, outcome: Outcome) -> u64 {
    Source::ALL
        .into_iter()
        .map(|source| tally.outcomes(source)[outcome as usize])
        .sum()
}

fn differences(tally: &Tally, f: &mut Formatter<'_>) -> fmt::Result {
    if tally.classes.is_empty() {
        return writeln!(f, "No differences.");
    }
    writeln!(
        f,
        "| difference | class | statement | right | count | example |\n|---|---|---|---|---:|---|"
    )?;
    let all: Vec<(&Class, &Found)> = tally.classes.iter().collect();
    // In the order of the map, a class stands beside its other statements.
    for of_class in all.chunk_by(|(one, _), (two, _)| (one.outcome, one.name) == (two.outcome, two.name)) {
        let Class {
            outcome, name, right, ..
        } = of_class[0].0;
        let count = grouped(of_class.iter().map(|(_, found)| found.count).sum());
        let (statements, example) = (statements(of_class), shortest(of_class));
        writeln!(
            f,
            "| {} | {name} | {statements} | {} | {count} | `{example}` |",
            outcome.name(),
            right.name()
        )?;
    }
    Ok(())
}

/// The statements of a class; each with its count, where there are several.
fn statements(of_class: &[(&Class, &Found)]) -> String {
    let each = of_class.iter().map(|(class, found)| match of_class.len() {
        1 => class.statement.to_owned(),
        _ => format!("{} ({})", class.statement, grouped(found.count)),
    });
    each.collect::<Vec<_>>().join(", ")
}

fn shortest(of_class: &[(&Class, &Found)]) -> String {
    let example = of_class
        .iter()
        .map(|(_, found)| &found.example)
        .min_by_key(|example| (example.len(), *example));
    example.map(|example| hex(example)).unwrap_or_default()
}

/// What the tables claim about the peer and this run has not met. A large run should leave nothing here.
fn unmet(pair: Pair, tally: &Tally, f: &mut Formatter<'_>) -> fmt::Result {
    let met = |(name, statement)| {
        tally
            .classes
            .keys()
            .any(|class| (class.name, class.statement) == (name, statement))
    };
    let unmet: Vec<String> = classes::claims(pair.peer, pair.version)
        .filter(|claim| !met(*claim))
        .map(|(name, statement)| format!("{name} [{statement}]"))
        .collect();
    if unmet.is_empty() {
        return writeln!(f, "\nEvery row of the tables was met.");
    }
    writeln!(f, "\nNot met: {}.", unmet.join(", "))
}

fn unexplained(tally: &Tally, f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n**Unclassified differences: {}.**\n", tally.unexplained_cases())?;
    for (
        kind,
        Found {
            count,
            example,
            verdicts,
        },
    ) in &tally.unexplained
    {
        writeln!(f, "- {count} times: {kind}\n  --frame {}\n  {verdicts}", hex(example))?;
    }
    Ok(())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02X}").expect("writing to a string");
    }
    text
}

/// Digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
