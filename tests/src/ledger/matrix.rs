//! The matrix of rows and tests as Markdown.

use std::fmt::Write as _;

use super::audit::reason_not_testable;
use super::{Layer, Ledger, Row, Table, rows};

impl Ledger {
    /// The matrix of the rows that these layers answer for: for each table the sums by layer, then each row with the tests
    /// that touch it or the reason for none; at last the rows that no test covers.
    #[must_use]
    pub fn matrix(&self, layers: &[Layer]) -> String {
        let names: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
        let mut text = format!(
            "# Statements and the tests that touch them: layer {}\n",
            names.join(", ")
        );
        self.write_tables(&mut text, layers);
        text
    }

    /// The tables of all layers. Meaningful only after runs of all of them, which were [taken](Self::take).
    #[must_use]
    pub fn conformance(&self) -> String {
        let mut text = String::new();
        self.write_tables(&mut text, &Layer::ALL);
        text
    }

    fn write_tables(&self, text: &mut String, layers: &[Layer]) {
        for table in Table::ALL {
            let of_table: Vec<&Row> = rows()
                .iter()
                .filter(|row| row.table == table && row.layers.iter().any(|layer| layers.contains(layer)))
                .collect();
            self.write_table(text, table, layers, &of_table)
                .unwrap_or_else(|_| unreachable!("a String takes all text"));
        }
        let audit = self.audit(layers);
        text.push_str("\n## Open rows\n\n");
        for (id, layer) in &audit.uncovered {
            text.push_str(&format!("- {id} ({})\n", layer.name()));
        }
    }

    fn write_table(&self, text: &mut String, table: Table, layers: &[Layer], of_table: &[&Row]) -> std::fmt::Result {
        write!(
            text,
            "\n## {}\n\n| layer | rows | covered | not testable | open |\n|---|---:|---:|---:|---:|\n",
            table.title()
        )?;
        for layer in layers.iter().copied() {
            let of_layer: Vec<&&Row> = of_table.iter().filter(|row| row.layers.contains(&layer)).collect();
            if of_layer.is_empty() {
                continue;
            }
            let covered = of_layer
                .iter()
                .filter(|row| !self.trials_covering(row, layer).is_empty())
                .count();
            let exempt = of_layer.iter().filter(|row| reason_not_testable(row).is_some()).count();
            let open = of_layer.len() - covered - exempt;
            writeln!(
                text,
                "| {} | {} | {covered} | {exempt} | {open} |",
                layer.name(),
                of_layer.len()
            )?;
        }
        text.push_str("\n| row | role | layer | what has to hold | tests |\n|---|---|---|---|---|\n");
        for row in of_table {
            let layers: Vec<&str> = row.layers.iter().map(|layer| layer.name()).collect();
            let (layers, summary, tests) = (layers.join(", "), escaped(row.summary), self.tests_or_reason(row));
            writeln!(text, "| {} | {} | {layers} | {summary} | {tests} |", row.id, row.role)?;
        }
        Ok(())
    }

    fn tests_or_reason(&self, row: &Row) -> String {
        if let Some(reason) = reason_not_testable(row) {
            return format!("cannot be tested: {reason}");
        }
        let tests: Vec<String> = self.trials_touching(row).iter().map(|name| escaped(name)).collect();
        if tests.is_empty() {
            return "**none**".to_owned();
        }
        tests.join("<br>")
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
