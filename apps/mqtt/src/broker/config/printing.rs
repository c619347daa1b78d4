//! Prints a configuration with a comment for every key, by the description of its sections.

use super::description::{Key, Keys, Section};
use super::settings::Config;
use super::value::Value;

/// No line of a comment is longer.
const COLUMNS: usize = 110;

pub(super) fn print(config: &mut Config) -> String {
    let mut printer = Printer {
        text: "# The configuration of `mqtt broker`, in TOML, with what is so without it.\n\
               # A key that begins with # has no value; what stands behind it is an example.\n\
               # Paths are meant from the folder of this file.\n"
            .to_owned(),
        path: String::new(),
        is_sample: false,
    };
    config.describe(&mut printer);
    printer.text
}

struct Printer {
    text: String,
    path: String,
    /// Whether the section is not there, and printed as a comment.
    is_sample: bool,
}

impl Printer {
    /// A comment, broken into lines.
    fn comment(&mut self, about: &str) {
        let mut columns = 0;
        for word in about.split_whitespace() {
            if columns == 0 || columns + word.len() >= COLUMNS {
                self.text.push_str("\n#");
                columns = 1;
            }
            self.text.push(' ');
            self.text.push_str(word);
            columns += word.len() + 1;
        }
        self.text.push('\n');
    }

    fn line(&mut self, line: &str) {
        if self.is_sample {
            self.text.push('#');
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn print<T: Section>(&mut self, name: &str, about: &str, brackets: [&str; 2], section: &mut T) {
        let outer = self.path.clone();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(name);
        self.comment(about);
        self.line(&format!("{}{}{}", brackets[0], self.path, brackets[1]));
        section.describe(self);
        self.path = outer;
    }
}

impl Keys for Printer {
    fn key<T: Value>(&mut self, key: Key, value: &mut T) {
        self.comment(key.about);
        let is_sample = self.is_sample;
        let shown = match value.write(&key) {
            Some(value) if !self.is_sample || key.sample.is_empty() => value,
            _ => {
                self.is_sample = true;
                key.sample.to_owned()
            }
        };
        self.line(&format!("{} = {shown}", key.name));
        self.is_sample = is_sample;
    }

    fn section<T: Section>(&mut self, name: &'static str, about: &'static str, section: &mut T) {
        self.print(name, about, ["[", "]"], section);
    }

    fn optional<T: Section>(&mut self, name: &'static str, about: &'static str, section: &mut Option<T>) {
        let is_sample = self.is_sample;
        match section {
            Some(section) => self.print(name, about, ["[", "]"], section),
            None => {
                self.is_sample = true;
                self.print(name, about, ["[", "]"], &mut T::default());
            }
        }
        self.is_sample = is_sample;
    }

    fn sections<T: Section>(&mut self, name: &'static str, about: &'static str, sections: &mut Vec<T>) {
        let is_sample = self.is_sample;
        for section in &mut *sections {
            self.print(name, about, ["[[", "]]"], section);
        }
        if sections.is_empty() {
            self.is_sample = true;
            self.print(name, about, ["[[", "]]"], &mut T::default());
        }
        self.is_sample = is_sample;
    }
}
