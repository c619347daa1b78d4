//! The table of classes: `tests/data/voices.tsv`.

/// Who is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The program of this workspace.
    Ours,
    /// The other server.
    Theirs,
    /// The specification leaves it open.
    Open,
}

/// One class, in words.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name.
    pub id: &'static str,
    /// What differs.
    pub differs: &'static str,
    /// Who is right.
    pub right: Whose,
    /// The statement of the specification that decides.
    pub statement: &'static str,
    /// How it is recognised.
    pub recognised: &'static str,
}

static TABLE: &str = include_str!("../../data/voices.tsv");

/// The rows.
///
/// # Panics
/// If the table is not one.
#[must_use]
pub fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let cells: Vec<&'static str> = line.split('\t').collect();
        let [id, differs, right, statement, recognised] = cells[..] else {
            panic!("five cells are expected: {line}");
        };
        let right = match right {
            "ours" => Whose::Ours,
            "theirs" => Whose::Theirs,
            "open" => Whose::Open,
            other => panic!("nobody is called {other}: {line}"),
        };
        Row {
            id,
            differs,
            right,
            statement,
            recognised,
        }
    };
    TABLE.lines().skip(1).map(row).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::voices::classes::CLASSES;

    #[test]
    fn every_class_is_in_the_table_and_decided_by_a_statement() {
        let known: BTreeSet<&str> = CLASSES.iter().map(|class| class.id).collect();
        let told: BTreeSet<&str> = rows().iter().map(|row| row.id).collect();
        assert_eq!(known, told);
        assert_eq!((known.len(), told.len()), (CLASSES.len(), rows().len()));
        let statements = [
            include_str!("../../data/mqtt5-statements.tsv"),
            include_str!("../../data/mqtt311-statements.tsv"),
            include_str!("../../data/mqtt5-unnumbered.tsv"),
        ];
        for row in rows() {
            let is_one = |id: &str| {
                statements
                    .iter()
                    .any(|table| table.lines().any(|line| line.split('\t').next() == Some(id)))
            };
            assert!(row.statement.split(' ').all(is_one), "{}: {}", row.id, row.statement);
            assert!(!row.differs.is_empty() && !row.recognised.is_empty(), "{}", row.id);
            assert_ne!(
                row.right,
                Whose::Theirs,
                "{}: what is wrong here is mended, not classified",
                row.id
            );
        }
    }
}
