//! What is wrong with a file, told to whoever wrote it.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

/// Whether a file can be used in spite of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It can; it may not do what was meant.
    Warning,
    /// It cannot.
    Error,
}

/// A place in a file. Lines and columns begin with 1; a column is a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place of a byte in a text; behind the end it is the end.
    #[must_use]
    pub fn of(text: &[u8], offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let continues = |byte: &&u8| **byte & 0xC0 == 0x80;
        let bytes = before.len() - line_start;
        let column = bytes - before[line_start..].iter().filter(continues).count() + 1;
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Self { line, column }
    }
}

/// One thing that is wrong: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the file can be used all the same.
    pub severity: Severity,
    /// The file.
    pub file: PathBuf,
    /// Where in the file, if it is about one place.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl Problem {
    /// The file cannot be used.
    #[must_use]
    pub fn error(file: &Path, place: Option<Place>, message: impl Display, advice: impl Display) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            place,
            message: message.to_string(),
            advice: advice.to_string(),
        }
    }

    /// The file can be used.
    #[must_use]
    pub fn warning(file: &Path, place: Option<Place>, message: impl Display, advice: impl Display) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(file, place, message, advice)
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(Place { line, column }) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, " {severity}: {}\n    {}", self.message, self.advice)
    }
}

/// Everything that is wrong with some files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    problems: Vec<Problem>,
}

impl Report {
    /// All problems, in the order in which they were found.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether something cannot be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether nothing is wrong at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// One more.
    pub fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Those of another report too.
    pub fn append(&mut self, mut other: Self) {
        self.problems.append(&mut other.problems);
    }

    /// Puts those of one file next to each other, in the order of its lines.
    pub(crate) fn sort(&mut self) {
        self.problems
            .sort_by(|one, other| (&one.file, one.place).cmp(&(&other.file, other.place)));
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problems.iter().try_for_each(|problem| writeln!(f, "{problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_counts_characters() {
        let text = "a = 1\nü = é2".as_bytes();
        let place = |offset| Place::of(text, offset);
        assert_eq!(place(0), Place { line: 1, column: 1 });
        assert_eq!(place(4), Place { line: 1, column: 5 });
        assert_eq!(place(6), Place { line: 2, column: 1 });
        assert_eq!(place(8), Place { line: 2, column: 2 });
        assert_eq!(place(999), Place { line: 2, column: 7 });
    }

    #[test]
    fn a_problem_names_file_line_and_what_to_do() {
        let place = Some(Place { line: 3, column: 8 });
        let problem = Problem::error(Path::new("a.toml"), place, "x = 0: too little", "write 1 or more");
        assert_eq!(
            problem.to_string(),
            "a.toml:3:8: error: x = 0: too little\n    write 1 or more"
        );
        let mut report = Report::default();
        report.push(Problem {
            severity: Severity::Warning,
            ..problem.clone()
        });
        assert!(!report.has_errors());
        report.push(problem);
        assert!(report.has_errors());
    }
}
