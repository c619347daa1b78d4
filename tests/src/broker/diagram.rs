//! What happened in a run, as a diagram: time runs down, and each has a column.

use std::fmt::Write as _;

/// How wide a column is.
const WIDTH: usize = 14;

/// Draws the steps of a run with so many clients. Each line has the step, the columns of the broker and of the clients, an arrow or
/// a mark where something happened, and what it was in words.
#[must_use]
pub fn draw(trace: &[String], clients: usize) -> Vec<String> {
    let names = (0..clients).map(|client| format!("c{client}"));
    let mut lines = vec![row("step", std::iter::once("broker".to_owned()).chain(names), "")];
    for line in trace {
        let (step, text) = line.trim_start().split_once(' ').unwrap_or(("", line));
        let text = text.trim_start();
        let (who, rest) = text.split_once(' ').unwrap_or((text, ""));
        let client = who.parse::<usize>().ok().filter(|client| *client < clients);
        let lanes = (0..=clients).map(|lane| match client {
            // From the broker to a client, or the other way.
            Some(client) if lane <= client + 1 => match (rest.starts_with("is told"), lane) {
                (true, 0) => "o".to_owned() + &"-".repeat(WIDTH - 1),
                (true, lane) if lane == client + 1 => ">".to_owned(),
                (false, 0) => "<".to_owned() + &"-".repeat(WIDTH - 1),
                (false, lane) if lane == client + 1 => "o".to_owned(),
                _ => "-".repeat(WIDTH),
            },
            None if lane == 0 => "*".to_owned(),
            _ => "|".to_owned(),
        });
        lines.push(row(step, lanes, text));
    }
    lines
}

fn row(step: &str, lanes: impl Iterator<Item = String>, text: &str) -> String {
    let mut line = format!("{step:>6}  ");
    for lane in lanes {
        let _ = write!(line, "{lane:<WIDTH$}");
    }
    format!("{line}  {text}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::draw;

    #[test]
    fn arrows_go_from_who_acts_to_who_is_told() {
        let trace = [
            "    1  1 publishes 7 to a",
            "    2  0 is told a 7",
            "    3  batch 1 is stored",
        ]
        .map(str::to_owned);
        let lines = draw(&trace, 2);
        assert_eq!(lines[0], "  step  broker        c0            c1");
        assert_eq!(
            lines[1],
            "     1  <---------------------------o               1 publishes 7 to a"
        );
        assert_eq!(
            lines[2],
            "     2  o------------->             |               0 is told a 7"
        );
        assert_eq!(
            lines[3],
            "     3  *             |             |               batch 1 is stored"
        );
    }
}
