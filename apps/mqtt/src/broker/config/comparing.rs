//! Which keys of two configurations differ, by the description of their sections.

use std::collections::BTreeMap;

use super::description::{Key, Keys, Section};
use super::settings::{Config, Listener, Log, Rights, Tls};
use super::value::Value;

impl Config {
    /// The paths of the keys that do not count before a restart, and are not the same as in the configuration that runs: `shards`,
    /// `listener[2].address`. A section that one of them lacks is named as a whole.
    #[must_use]
    pub fn awaiting_restart(&self, running: &Self) -> Vec<String> {
        let (now, then) = (written(running.lasting()), written(self.lasting()));
        let mut differing: Vec<String> = Vec::new();
        for path in now.keys().chain(then.keys()) {
            if now.get(path) != then.get(path) {
                let missing = |other: &BTreeMap<_, _>| section_missing(path, other);
                differing.push(missing(&now).or_else(|| missing(&then)).unwrap_or_else(|| path.clone()));
            }
        }
        differing.sort();
        differing.dedup();
        differing
    }

    /// What of it stays as long as the process, with everything else as it is by default.
    fn lasting(&self) -> Self {
        let by_default = Self::default();
        Self {
            sys_interval: by_default.sys_interval,
            users: Vec::new(),
            rights: Rights::default(),
            listeners: self.listeners.iter().map(Listener::place).collect(),
            log: Log {
                json: self.log.json,
                ..by_default.log
            },
            ..self.clone()
        }
    }
}

impl Listener {
    /// It without what can change while it is open: certificates, and who may come without a name.
    #[must_use]
    pub fn place(&self) -> Self {
        Self {
            tls: self.tls.as_ref().map(|_| Tls::default()),
            anonymous: None,
            ..self.clone()
        }
    }
}

/// The outermost section around a key that is not there at all.
fn section_missing(path: &str, other: &BTreeMap<String, Option<String>>) -> Option<String> {
    let ends = path.match_indices('.').map(|(at, _)| at);
    let mut sections = ends.filter_map(|end| path.get(..end));
    let is_missing = |section: &&str| {
        let inside = format!("{section}.");
        !other.keys().any(|key| key.starts_with(&inside))
    };
    sections.find(is_missing).map(str::to_owned)
}

/// Every key with its value, by its path.
fn written(mut config: Config) -> BTreeMap<String, Option<String>> {
    let mut writer = Writer::default();
    config.describe(&mut writer);
    writer.written
}

#[derive(Default)]
struct Writer {
    /// Of the section, with a point behind it.
    path: String,
    written: BTreeMap<String, Option<String>>,
}

impl Writer {
    fn within<T: Section>(&mut self, name: &str, section: &mut T) {
        let outer = self.path.len();
        self.path.push_str(name);
        self.path.push('.');
        section.describe(self);
        self.path.truncate(outer);
    }
}

impl Keys for Writer {
    fn key<T: Value>(&mut self, key: Key, value: &mut T) {
        let path = format!("{}{}", self.path, key.name);
        self.written.insert(path, value.write(&key));
    }

    fn section<T: Section>(&mut self, name: &'static str, _: &'static str, section: &mut T) {
        self.within(name, section);
    }

    fn optional<T: Section>(&mut self, name: &'static str, _: &'static str, section: &mut Option<T>) {
        if let Some(section) = section {
            self.within(name, section);
        }
    }

    fn sections<T: Section>(&mut self, name: &'static str, _: &'static str, sections: &mut Vec<T>) {
        for (number, section) in (1..).zip(sections) {
            self.within(&format!("{name}[{number}]"), section);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Config {
        let (config, report) = Config::parse(text.as_bytes(), Path::new("mqtt.toml"));
        assert!(!report.has_errors(), "{report}");
        config
    }

    fn differing(running: &str, read: &str) -> Vec<String> {
        config(read).awaiting_restart(&config(running))
    }

    const LISTENER: &str = "[[listener]]\naddress = '127.0.0.1:1'\n";

    #[test]
    fn what_waits_for_a_restart_is_named() {
        assert_eq!(differing("", ""), [""; 0]);
        assert_eq!(differing("", "shards = 2"), ["shards"]);
        assert_eq!(
            differing(
                "",
                "[limits]\nlogins = 7\n[limits.client]\nqueued_messages = 5\n[log]\njson = true"
            ),
            ["limits.client.queued_messages", "limits.logins", "log.json"]
        );
        assert_eq!(
            differing("[persistence]\npath = 'a'", "[persistence]\npath = 'b'"),
            ["persistence.path"]
        );
        assert_eq!(differing("", "[metrics]\naddress = '127.0.0.1:1'"), ["metrics"]);
        assert_eq!(differing(LISTENER, LISTENER), [""; 0]);
    }

    #[test]
    fn a_listener_is_named_by_its_number() {
        let other = LISTENER.replace(":1'", ":2'");
        assert_eq!(differing(LISTENER, &other), ["listener[1].address"]);
        assert_eq!(differing(LISTENER, &format!("{LISTENER}{other}")), ["listener[2]"]);
        assert_eq!(differing(&format!("{LISTENER}{other}"), LISTENER), ["listener[2]"]);
        assert_eq!(
            differing(LISTENER, &format!("{LISTENER}[listener.websocket]")),
            ["listener[1].websocket"]
        );
    }

    #[test]
    fn what_counts_at_once_is_not_named() {
        let tls = |name: &str| format!("{LISTENER}[listener.tls]\ncertificate = '{name}'\nkey = 'k'\n");
        assert_eq!(differing(&tls("a"), &tls("b")), [""; 0]);
        assert_eq!(differing(LISTENER, &tls("a")), ["listener[1].tls"]);
        assert_eq!(
            differing(
                LISTENER,
                &format!("users = ['u']\nsys_interval = '1s'\n{LISTENER}anonymous = false\n[log]\nlevel = 'warn'")
            ),
            [""; 0]
        );
    }
}
