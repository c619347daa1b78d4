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

/// So many problems are told; the wrong file may have any number of them.
const TOLD_MAX: usize = 100;

/// Everything that is wrong with some files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    problems: Vec<Problem>,
    has_errors: bool,
    further: usize,
}

impl Report {
    /// The problems, in the order in which they were found, and at most a hundred.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many more there are.
    #[must_use]
    pub const fn further(&self) -> usize {
        self.further
    }

    /// Whether something cannot be used.
    #[must_use]
    pub const fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// Whether nothing is wrong at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// One more.
    pub fn push(&mut self, problem: Problem) {
        self.has_errors |= problem.severity == Severity::Error;
        if self.problems.len() < TOLD_MAX {
            self.problems.push(problem);
        } else {
            self.further += 1;
        }
    }

    /// Those of another report too.
    pub fn append(&mut self, other: Self) {
        other.problems.into_iter().for_each(|problem| self.push(problem));
        self.has_errors |= other.has_errors;
        self.further += other.further;
    }

    /// Puts those of one file next to each other, in the order of its lines.
    pub(crate) fn sort(&mut self) {
        self.problems
            .sort_by(|one, other| (&one.file, one.place).cmp(&(&other.file, other.place)));
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problems.iter().try_for_each(|problem| writeln!(f, "{problem}"))?;
        match self.further {
            0 => Ok(()),
            further => writeln!(f, "and {further} more"),
        }
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

    #[test]
    fn a_file_that_is_wrong_throughout_is_told_of_briefly() {
        let mut report = Report::default();
        let problem = |line| Problem::warning(Path::new("a"), Some(Place { line, column: 1 }), "x", "y");
        (0..TOLD_MAX).for_each(|line| report.push(problem(line)));
        assert!(!report.has_errors() && report.further() == 0);
        report.push(Problem {
            severity: Severity::Error,
            ..problem(1)
        });
        let mut all = report.clone();
        all.append(report);
        assert_eq!((all.problems().len(), all.further()), (TOLD_MAX, TOLD_MAX + 2));
        assert!(all.has_errors(), "what is not told counts");
        assert!(all.to_string().ends_with("and 102 more\n"), "{all}");
    }
}
