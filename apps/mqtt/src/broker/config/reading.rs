//! Reads the file, by the description of its sections.

use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::description::{Key, Keys, Section};
use super::settings::Config;
use super::value::{Origin, Value};
use crate::broker::problem::{Place, Problem, Report};

/// Of what a value is cut off in a message.
const SHOWN_CHARACTERS: usize = 60;
/// More sections of one kind nobody has written.
const SECTIONS_MAX: usize = 1000;
/// Of so many keys all are named if none is near.
const NAMED_KEYS: usize = 12;

/// Where each key and section stands, by its path: `listener[2].tls.key`.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, Place>);

impl Places {
    pub(super) fn of(&self, path: &str) -> Option<Place> {
        self.0.get(path).copied()
    }
}

/// Reads what is there into the configuration.
pub(super) fn read(text: &str, file: &Path, config: &mut Config, report: &mut Report) -> Places {
    let (table, errors) = DeTable::parse_recoverable(text);
    let line_starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    let mut reading = Reading {
        text,
        line_starts: iter::once(0).chain(line_starts.map(|(at, _)| at + 1)).collect(),
        file,
        report,
        places: Places::default(),
    };
    for error in &errors {
        reading.not_toml(error);
    }
    if errors.is_empty() {
        let mut reader = Reader::new(&mut reading, table.get_ref(), table.span(), String::new());
        config.describe(&mut reader);
        reader.refuse_unknown();
    }
    reading.places
}

struct Reading<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    file: &'a Path,
    report: &'a mut Report,
    places: Places,
}

impl Reading<'_> {
    fn not_toml(&mut self, error: &toml::de::Error) {
        let advice = "the file is TOML: `key = value`, text in quotes, `[section]` before its keys";
        let place = self.place(error.span().unwrap_or(0..0));
        let problem = Problem::error(self.file, Some(place), error.message(), advice);
        self.report.push(problem);
    }

    fn place(&self, span: Range<usize>) -> Place {
        let line = self.line_starts.partition_point(|start| *start <= span.start);
        let start = line
            .checked_sub(1)
            .and_then(|line| self.line_starts.get(line))
            .copied()
            .unwrap_or_default();
        let before = self.text.get(start..span.start).unwrap_or_default();
        Place {
            line,
            column: before.chars().count() + 1,
        }
    }

    /// What stands there, as far as it fits into a line.
    fn shown(&self, span: Range<usize>) -> String {
        let text = self.text.get(span).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let shown: String = line.chars().take(SHOWN_CHARACTERS).collect();
        if shown.len() < text.len() {
            format!("{shown}..")
        } else {
            shown
        }
    }

    fn refuse(&mut self, span: Range<usize>, message: String, advice: &str) {
        let problem = Problem::error(self.file, Some(self.place(span)), message, advice);
        self.report.push(problem);
    }
}

/// Reads one section.
struct Reader<'a, 'b, 'c> {
    reading: &'a mut Reading<'b>,
    table: &'a DeTable<'c>,
    span: Range<usize>,
    path: String,
    known: Vec<&'static str>,
}

impl<'a, 'b, 'c> Reader<'a, 'b, 'c> {
    fn new(reading: &'a mut Reading<'b>, table: &'a DeTable<'c>, span: Range<usize>, path: String) -> Self {
        let place = reading.place(span.clone());
        reading.places.0.insert(path.clone(), place);
        Self {
            reading,
            table,
            span,
            path,
            known: Vec::new(),
        }
    }

    fn path_of(&self, name: &str) -> String {
        match &*self.path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    /// The value of a key, which is known from here on.
    fn find(&mut self, name: &'static str) -> Option<&'a Spanned<DeValue<'c>>> {
        self.known.push(name);
        let (_, value) = self.table.iter().find(|(key, _)| key.get_ref() == name)?;
        let place = self.reading.place(value.span());
        self.reading.places.0.insert(self.path_of(name), place);
        Some(value)
    }

    fn read_section<T: Section>(&mut self, path: String, value: &Spanned<DeValue<'c>>, section: &mut T) {
        let Some(table) = value.get_ref().as_table() else {
            let shown = self.reading.shown(value.span());
            let message = format!("{path} = {shown}: a section is expected");
            // `listener[2]` stands below `[[listener]]`.
            let header = match path.rsplit_once('[') {
                Some((path, _)) => format!("[[{path}]]"),
                None => format!("[{path}]"),
            };
            let advice = format!("write `{header}` on a line of its own, and its keys below");
            return self.reading.refuse(value.span(), message, &advice);
        };
        let mut reader = Reader::new(self.reading, table, value.span(), path);
        section.describe(&mut reader);
        reader.refuse_unknown();
    }

    fn refuse_unknown(&mut self) {
        let table = self.table;
        let unknown = table.keys().filter(|key| !self.known.contains(&&**key.get_ref()));
        let mut unknown: Vec<_> = unknown.collect();
        // The table has them in the order of their names.
        unknown.sort_by_key(|key| key.span().start);
        for key in unknown {
            let message = format!("{}: there is no such key", self.path_of(key.get_ref()));
            let advice = match nearest(key.get_ref(), &self.known) {
                Some(name) => format!("did you mean `{name}`?"),
                None if self.known.len() <= NAMED_KEYS => format!("here can be: {}", self.known.join(", ")),
                None => "`mqtt broker --print-config` prints every key".to_owned(),
            };
            self.reading.refuse(key.span(), message, &advice);
        }
    }
}

impl Keys for Reader<'_, '_, '_> {
    fn key<T: Value>(&mut self, key: Key, value: &mut T) {
        let path = self.path_of(key.name);
        let Some(found) = self.find(key.name) else {
            if key.is_required {
                let message = format!("{}: `{}` is missing", self.path, key.name);
                let advice = format!("add `{} = {}`", key.name, key.sample);
                self.reading.refuse(self.span.clone(), message, &advice);
            }
            return;
        };
        let origin = Origin {
            key: &key,
            folder: self.reading.file.parent().unwrap_or(Path::new("")),
        };
        match T::read(found.get_ref(), origin).and_then(|read| read.within(&key)) {
            Ok(read) => *value = read,
            Err(fault) => {
                let shown = self.reading.shown(found.span());
                let message = format!("{path} = {shown}: {}", fault.what);
                self.reading.refuse(found.span(), message, &fault.advice);
            }
        }
    }

    fn section<T: Section>(&mut self, name: &'static str, _: &'static str, section: &mut T) {
        let path = self.path_of(name);
        if let Some(value) = self.find(name) {
            self.read_section(path, value, section);
        }
    }

    fn optional<T: Section>(&mut self, name: &'static str, _: &'static str, section: &mut Option<T>) {
        let path = self.path_of(name);
        if let Some(value) = self.find(name) {
            self.read_section(path, value, section.insert(T::default()));
        }
    }

    fn sections<T: Section>(&mut self, name: &'static str, _: &'static str, sections: &mut Vec<T>) {
        let path = self.path_of(name);
        let Some(value) = self.find(name) else {
            return;
        };
        let Some(values) = value.get_ref().as_array() else {
            let message = format!("{path}: there can be several of these");
            let advice = format!("write `[[{path}]]` in two brackets, once for each");
            return self.reading.refuse(value.span(), message, &advice);
        };
        if values.len() > SECTIONS_MAX {
            let message = format!("{path}: there are {} of these", values.len());
            let advice = format!("write {SECTIONS_MAX} or less");
            return self.reading.refuse(value.span(), message, &advice);
        }
        sections.clear();
        for (number, value) in (1..).zip(values) {
            let mut section = T::default();
            self.read_section(format!("{path}[{number}]"), value, &mut section);
            sections.push(section);
        }
    }
}

/// The name that was probably meant.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_lowercase().replace('-', "_");
    let distances = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&name, known), *known));
    let (distance, found) = distances.min()?;
    (distance <= 1 + found.len() / 4).then_some(found)
}
