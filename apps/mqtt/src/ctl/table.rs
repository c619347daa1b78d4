//! Columns that stand below each other.

use std::io::{self, Write};

/// A column grows no wider for the sake of one long text: what is longer goes beyond it.
const WIDTH: usize = 48;

/// Rows below a head.
pub(super) struct Table {
    head: &'static [&'static str],
    /// Columns of numbers, which stand at the right.
    numbers: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) const fn new(head: &'static [&'static str], numbers: &'static [&'static str]) -> Self {
        Self {
            head,
            numbers,
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// In the order of their first columns.
    pub(super) fn sort(&mut self) {
        self.rows.sort();
    }

    pub(super) fn print(&self, screen: &mut impl Write) -> io::Result<()> {
        let head: Vec<String> = self.head.iter().map(|word| (*word).to_owned()).collect();
        let all = || std::iter::once(&head).chain(&self.rows);
        let width = |column: usize| {
            let cells = all().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max();
            widest.unwrap_or(0).min(WIDTH)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        for row in all() {
            let mut line = String::new();
            for ((cell, width), name) in row.iter().zip(&widths).zip(self.head) {
                if !line.is_empty() {
                    line.push_str("  ");
                }
                if self.numbers.contains(name) {
                    line.push_str(&format!("{cell:>width$}"));
                } else {
                    line.push_str(&format!("{cell:<width$}"));
                }
            }
            writeln!(screen, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(&["CLIENT", "BYTES", "STATE"], &["BYTES"]);
        table.row(vec!["long-name".into(), "7".into(), "away".into()]);
        table.row(vec!["\u{e9}".into(), "123456".into(), String::new()]);
        table.sort();
        let mut screen = Vec::new();
        table.print(&mut screen).unwrap();
        let expected = "CLIENT      BYTES  STATE\nlong-name       7  away\n\u{e9}          123456\n";
        assert_eq!(String::from_utf8(screen).unwrap(), expected);
    }
}
