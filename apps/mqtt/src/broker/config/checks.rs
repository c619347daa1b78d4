//! What cannot be seen in one key alone.

use std::fmt::Display;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::reading::Places;
use super::settings::{Address, Config, Listener, Persistence, Tls, UserFromCertificate};
use crate::broker::acl;
use crate::broker::problem::{Problem, Report};

/// What a configuration has to fit in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// How many files the process may open at most, if that is known.
    pub open_files_max: Option<u64>,
    /// Whether the broker is to run on this machine, so that what is at the paths of its store and its sockets counts.
    pub has_files: bool,
}

impl Surroundings {
    /// Those of this process, as far as they can be told.
    #[must_use]
    pub fn of_this_process() -> Self {
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        // Soft and hard limit: the soft one can be raised.
        let hard = line.and_then(|line| line.split_whitespace().nth(1));
        Self {
            open_files_max: hard.and_then(|hard| hard.parse().ok()),
            has_files: true,
        }
    }
}

pub(super) fn check(config: &Config, file: &Path, places: &Places, surroundings: Surroundings, report: &mut Report) {
    let mut checks = Checks { file, places, report };
    for (number, listener) in (1..).zip(&config.listeners) {
        let path = format!("listener[{number}]");
        checks.who_comes_in(config, listener, &path);
        if let Some(tls) = &listener.tls {
            checks.certificates_of_clients(tls, &format!("{path}.tls"));
        }
        if let Some(websocket) = &listener.websocket {
            checks.path_of_websocket(&websocket.path, &format!("{path}.websocket.path"));
        }
    }
    checks.one_owner_of_each_address(config);
    checks.paths(config, surroundings.has_files);
    checks.rest(config);
    checks.open_files(config, surroundings);
}

/// What can be said of rules whatever else is wrong.
pub(super) fn check_rules(config: &Config, file: &Path, places: &Places, report: &mut Report) {
    Checks { file, places, report }.rules(config);
}

pub(super) struct Checks<'a> {
    file: &'a Path,
    places: &'a Places,
    report: &'a mut Report,
}

impl Checks<'_> {
    pub(super) fn error(&mut self, path: &str, message: impl Display, advice: impl Display) {
        let message = format!("{path}: {message}");
        let problem = Problem::error(self.file, self.places.of(path), message, advice);
        self.report.push(problem);
    }

    pub(super) fn warning(&mut self, path: &str, message: impl Display, advice: impl Display) {
        let message = format!("{path}: {message}");
        let problem = Problem::warning(self.file, self.places.of(path), message, advice);
        self.report.push(problem);
    }

    fn who_comes_in(&mut self, config: &Config, listener: &Listener, path: &str) {
        let by_certificate = listener
            .tls
            .as_ref()
            .is_some_and(|tls| tls.user_from_certificate != UserFromCertificate::No);
        let address = &listener.address;
        if !listener.allows_anonymous() && config.users.is_empty() && !by_certificate {
            let message =
                format!("nobody can come in at {address}: it is not for anonymous clients, and there are no users");
            let advice = "name password files in `users` (`mqtt passwd` makes them), or say `anonymous = true` there";
            self.error(&format!("{path}.address"), message, advice);
        }
        if address.is_local() && !listener.proxy_protocol {
            return;
        }
        let asks_for_certificate = listener.tls.as_ref().is_some_and(|tls| tls.require_client_certificate);
        if listener.allows_anonymous() && !asks_for_certificate && config.rights.is_empty() {
            let message = format!("everybody who gets to {address} may publish and receive everything");
            let advice =
                "name password files in `users` and leave `anonymous` out, or limit what is allowed in [rights]";
            self.warning(&format!("{path}.anonymous"), message, advice);
        }
        if listener.tls.is_none() && !listener.proxy_protocol && !config.users.is_empty() {
            let message = format!("passwords travel to {address} as plain text");
            let advice = format!("add [listener.tls] with certificate and key to {path}");
            self.warning(&format!("{path}.address"), message, advice);
        }
    }

    fn certificates_of_clients(&mut self, tls: &Tls, path: &str) {
        if tls.client_ca.is_none() {
            let asked = [
                ("require_client_certificate", tls.require_client_certificate),
                (
                    "user_from_certificate",
                    tls.user_from_certificate != UserFromCertificate::No,
                ),
                ("revocation_lists", !tls.revocation_lists.is_empty()),
            ];
            for (key, _) in asked.into_iter().filter(|(_, is_asked)| *is_asked) {
                let message = "clients are not asked for a certificate without `client_ca`";
                self.error(
                    &format!("{path}.{key}"),
                    message,
                    "name the certificates that sign those of clients in `client_ca`",
                );
            }
        } else if tls.user_from_certificate != UserFromCertificate::No && !tls.require_client_certificate {
            let message = "a client without a certificate would have no user name";
            let advice = "say `require_client_certificate = true` too";
            self.error(&format!("{path}.user_from_certificate"), message, advice);
        }
    }

    fn path_of_websocket(&mut self, websocket: &str, path: &str) {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
        if !websocket.starts_with('/') || !websocket.bytes().all(is_plain) {
            let message = format!("\"{}\" is no path of a URL", websocket.escape_debug());
            self.error(
                path,
                message,
                "write \"/mqtt\", or another path that begins with / and has no space, ? and #",
            );
        }
    }

    fn one_owner_of_each_address(&mut self, config: &Config) {
        let listeners = (1..).zip(&config.listeners);
        let of_listener = |(number, listener): (usize, &Listener)| match listener.address {
            Address::Tcp(address) => Some((format!("listener[{number}].address"), address)),
            Address::Unix(_) => None,
        };
        let mut all: Vec<(String, SocketAddr)> = listeners.filter_map(of_listener).collect();
        let metrics = config.metrics.map(|metrics| metrics.address);
        all.extend(metrics.map(|address| ("metrics.address".to_owned(), address)));
        for (index, (path, address)) in all.iter().enumerate() {
            let earlier = all.iter().take(index).find(|(_, other)| collide(address, other));
            if let Some((other, its_address)) = earlier {
                let message = format!("{address} belongs to {other} = \"{its_address}\" already");
                self.error(path, message, "give each an address or a port of its own");
            }
        }
    }

    fn rest(&mut self, config: &Config) {
        let persistence = &config.persistence;
        let default = Persistence::default();
        let told = [
            ("persistence.durability", persistence.durability.is_some()),
            (
                "persistence.restart_grace",
                persistence.restart_grace != default.restart_grace,
            ),
        ];
        for (key, _) in told
            .into_iter()
            .filter(|(_, is_told)| *is_told && persistence.path.is_none())
        {
            self.warning(
                key,
                "nothing is stored, so this says nothing",
                "name a file in `persistence.path`",
            );
        }
        if let Some(metrics) = config
            .metrics
            .filter(|metrics| !metrics.address.ip().to_canonical().is_loopback())
        {
            let message = format!("everybody who gets to {} can read the metrics", metrics.address);
            self.warning(
                "metrics.address",
                message,
                "make sure that this network may know them, or use 127.0.0.1",
            );
        }
        if config.listeners.is_empty() {
            self.error(
                "listener",
                "there is no listener",
                "leave the key out, or add [[listener]] with an address",
            );
        }
    }

    fn rules(&mut self, config: &Config) {
        for (number, rule) in (1..).zip(&config.rights.rules) {
            if rule.filters.is_empty() {
                let path = format!("rights.rule[{number}].filters");
                self.error(
                    &path,
                    "a rule without topics says nothing",
                    "name the topics that it is about",
                );
            }
            for filter in &rule.filters {
                if let Err(fault) = acl::check_filter(filter, rule) {
                    let path = format!("rights.rule[{number}].filters");
                    let message = format!("\"{}\": {fault}", filter.escape_debug());
                    self.error(&path, message, fault.advice());
                }
            }
        }
    }

    fn open_files(&mut self, config: &Config, surroundings: Surroundings) {
        let Some(most) = surroundings.open_files_max else {
            return;
        };
        let wanted = config.open_files_max();
        let of_listeners = config
            .listeners
            .iter()
            .all(|listener| listener.max_connections.is_some());
        let is_told = self.places.of("limits.broker.connections").is_some() || of_listeners;
        if is_told && wanted > most {
            let message = format!("so many connections need {wanted} open files, and this process may open {most}");
            let advice =
                "raise the limit (`ulimit -Hn`, LimitNOFILE= in a systemd unit); at the limit accepting pauses";
            let paths = ["limits.broker.connections", "listener[1].max_connections"];
            let path = paths.into_iter().find(|path| self.places.of(path).is_some());
            self.warning(path.unwrap_or(paths[0]), message, advice);
        }
    }
}

/// Whether the system refuses the second of two addresses.
fn collide(one: &SocketAddr, other: &SocketAddr) -> bool {
    let covers = |one: &SocketAddr, other: &SocketAddr| {
        one.ip() == other.ip() || one.ip().is_unspecified() && one.is_ipv4() == other.is_ipv4()
    };
    one.port() != 0 && one.port() == other.port() && (covers(one, other) || covers(other, one))
}
