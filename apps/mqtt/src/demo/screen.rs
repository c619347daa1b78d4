//! What the demonstration prints: words, and packets as arrows between those who send and get them.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use anstyle::{AnsiColor, Style};

/// Who stands where. The broker is the second.
const COLUMNS: [(&str, usize); 4] = [("tokio", 3), ("broker", 28), ("smol", 53), ("std", 78)];
const WIDTH: usize = 81;
const BROKER: usize = 28;

/// A client, by its runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runtime {
    /// It publishes.
    Tokio,
    /// It subscribes.
    Smol,
    /// It subscribes too.
    Std,
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToBroker,
    ToClient,
}

/// Prints one thing after the other, whoever has something to say.
#[derive(Debug, Default)]
pub(super) struct Screen {
    turn: Mutex<()>,
}

impl Runtime {
    pub(super) const ALL: [Self; 3] = [Self::Tokio, Self::Smol, Self::Std];

    pub(super) const fn name(self) -> &'static str {
        self.column().0
    }

    const fn column(self) -> (&'static str, usize) {
        match self {
            Self::Tokio => COLUMNS[0],
            Self::Smol => COLUMNS[2],
            Self::Std => COLUMNS[3],
        }
    }
}

impl Screen {
    /// A new part, with the names of all above their lines.
    pub(super) fn part(&self, title: &str) {
        let mut names = vec![' '; WIDTH];
        for (name, place) in COLUMNS {
            write_at(&mut names, place + 1 - name.len() / 2 - 1, name);
        }
        let names: String = names.into_iter().collect();
        let bold = Style::new().bold();
        self.print(&format!("\n{bold}{title}{bold:#}\n\n{names}"));
        self.print(&lines());
    }

    /// A sentence.
    pub(super) fn say(&self, text: &str) {
        self.print(text);
    }

    /// A sentence in the middle of arrows, about something that is no packet.
    pub(super) fn mark(&self, text: &str) {
        let red = AnsiColor::Red.on_default().bold();
        self.print(&format!("{red}    ╳ {text}{red:#}"));
    }

    /// A packet on its way.
    pub(super) fn arrow(&self, client: Runtime, way: Way, label: &str, style: Style) {
        self.print(&arrow(client, way, label, style));
    }

    fn print(&self, text: &str) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever closed the other end does not want to see it.
        let _ = writeln!(anstream::AutoStream::auto(io::stdout()), "{text}");
    }
}

fn lines() -> String {
    let mut line = vec![' '; WIDTH];
    for (_, place) in COLUMNS {
        line[place] = '│';
    }
    line.into_iter().collect::<String>().trim_end().to_owned()
}

fn arrow(client: Runtime, way: Way, label: &str, style: Style) -> String {
    let (_, place) = client.column();
    let (left, right) = (place.min(BROKER), place.max(BROKER));
    let mut line: Vec<char> = lines().chars().collect();
    line.resize(WIDTH, ' ');
    for cell in &mut line[left + 1..right] {
        *cell = if *cell == '│' { '┼' } else { '─' };
    }
    if (way == Way::ToBroker) == (place < BROKER) {
        line[right - 1] = '>';
    } else {
        line[left + 1] = '<';
    }
    // Beside the client, where no other line is crossed.
    let (from, to) = if place < BROKER {
        (left + 2, right - 2)
    } else {
        (right - 22, right - 2)
    };
    let shown: String = format!(" {label} ").chars().take(to - from).collect();
    write_at(&mut line, from + (to - from - shown.chars().count()) / 2, &shown);
    let line: String = line.into_iter().collect();
    let inner: String = line.chars().skip(left + 1).take(right - left - 1).collect();
    let before: String = line.chars().take(left + 1).collect();
    let after: String = line.chars().skip(right).collect();
    format!("{before}{style}{inner}{style:#}{after}").trim_end().to_owned()
}

fn write_at(line: &mut [char], place: usize, text: &str) {
    for (cell, letter) in line[place..].iter_mut().zip(text.chars()) {
        *cell = letter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(client: Runtime, way: Way, label: &str) -> String {
        arrow(client, way, label, Style::new())
    }

    #[test]
    fn an_arrow_goes_from_who_sends_to_who_gets() {
        let ends = |client, way| {
            let line: Vec<char> = plain(client, way, "PUBREL 1").chars().collect();
            line.iter().collect::<String>().trim().to_owned()
        };
        let to_broker = ends(Runtime::Tokio, Way::ToBroker);
        assert!(
            to_broker.starts_with("│──") && to_broker.contains(" PUBREL 1 ───────>│ "),
            "{to_broker}"
        );
        let to_client = ends(Runtime::Tokio, Way::ToClient);
        assert!(
            to_client.starts_with("│<──") && to_client.contains("──│ "),
            "{to_client}"
        );
        // The one behind the other is passed, and nothing is written over its line.
        let farther = ends(Runtime::Std, Way::ToClient);
        assert!(
            farther.ends_with("─>│") && farther.contains("│────────────────────────┼──"),
            "{farther}"
        );
        let back = ends(Runtime::Std, Way::ToBroker);
        assert!(
            back.contains("│<───────────────────────┼──") && back.ends_with("──│"),
            "{back}"
        );
    }

    #[test]
    fn a_long_label_leaves_the_arrow_whole() {
        let line = plain(
            Runtime::Smol,
            Way::ToClient,
            "a label that is longer than there is room for",
        );
        assert!(line.contains("─>│"), "{line}");
        assert_eq!(line.chars().filter(|letter| *letter == '│').count(), 4, "{line}");
    }
}
