//! The users of a broker and their passwords, from files that `mqtt passwd` or `mosquitto_passwd` made.
//!
//! Each line is `user:hash`. A [hash](Secret) is Argon2 as a PHC string, or one of mosquitto's: `$6$` or `$7$`. Empty lines
//! and those that begin with `#` say nothing.
//!
//! ```
//! use mqtt_program::broker::users::{Users, hash};
//! let line = format!("alice:{}", hash(b"open sesame")?);
//! let (users, report) = Users::parse(&[("users".as_ref(), line.as_bytes())]);
//! assert!(report.is_empty());
//! assert!(users.verify("alice", b"open sesame"));
//! assert!(!users.verify("alice", b"sesame") && !users.verify("bob", b"open sesame"));
//! # Ok::<(), argon2::password_hash::Error>(())
//! ```

mod file;
mod passwd;
mod secret;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub use self::passwd::{PasswdArguments, passwd};
pub use self::secret::{Cost, Secret, SecretFault, hash, hash_at};
use super::problem::{Place, Problem, Report};

/// The users of a broker.
#[derive(Debug, Default)]
pub struct Users {
    /// Sorted by name.
    entries: Vec<(String, Secret)>,
    /// Nobody outside knows which entry stands in for a user that does not exist.
    stand_ins: RandomState,
}

impl Users {
    /// Reads them from files. What is wrong with a line is told, and the line left out.
    #[must_use]
    pub fn load(files: &[PathBuf]) -> (Self, Report) {
        let mut report = Report::default();
        let mut users = BTreeMap::new();
        for file in files {
            match super::config::read(file) {
                Ok(bytes) => add(&mut users, file, &bytes, &mut report),
                Err(problem) => report.push(problem),
            }
            let mode = fs::metadata(file).map_or(0, |metadata| metadata.permissions().mode());
            if mode & 0o007 != 0 {
                let message = format!("everybody on this machine may open it (mode {:03o})", mode & 0o777);
                let advice = format!("chmod o= {}", file.display());
                report.push(Problem::warning(file, None, message, advice));
            }
        }
        (Self::new(users), report)
    }

    /// As [`load`](Self::load), of files whose content is there already.
    #[must_use]
    pub fn parse(files: &[(&Path, &[u8])]) -> (Self, Report) {
        let mut report = Report::default();
        let mut users = BTreeMap::new();
        for (file, bytes) in files {
            add(&mut users, file, bytes, &mut report);
        }
        (Self::new(users), report)
    }

    fn new(users: BTreeMap<String, Secret>) -> Self {
        Self {
            entries: users.into_iter().collect(),
            stand_ins: RandomState::new(),
        }
    }

    fn find(&self, user: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|(name, _)| (**name).cmp(user))
    }

    /// Whether this is the password of this user. It takes as long as a file allows, a second at the most: not for a thread
    /// that others wait for.
    ///
    /// For a user that does not exist it takes as long as for one that does: always the same one for a name, so that neither
    /// one try nor many tell who exists.
    #[must_use]
    pub fn verify(&self, user: &str, password: &[u8]) -> bool {
        match self.find(user) {
            Ok(at) => self.entries.get(at).is_some_and(|(_, secret)| secret.verify(password)),
            Err(_) => {
                let number = self.stand_ins.hash_one(user);
                let among = u64::try_from(self.entries.len()).unwrap_or(u64::MAX).max(1);
                let at = usize::try_from(number % among).unwrap_or_default();
                let secret = self.entries.get(at).map(|(_, secret)| secret);
                // What comes out is of no use, and has to be worked out all the same.
                std::hint::black_box(secret.is_some_and(|secret| secret.verify(password)));
                false
            }
        }
    }

    /// Who of these is not there later, or has another password.
    pub fn lost<'a>(&'a self, later: &'a Self) -> impl Iterator<Item = &'a str> {
        let is_kept = |user: &str, secret: &Secret| {
            let at = later.find(user).ok();
            at.and_then(|at| later.entries.get(at))
                .is_some_and(|(_, now)| now.is_same(secret))
        };
        let lost = self.entries.iter().filter(move |(user, secret)| !is_kept(user, secret));
        lost.map(|(user, _)| user.as_str())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn add(users: &mut BTreeMap<String, Secret>, file: &Path, bytes: &[u8], report: &mut Report) {
    for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let place = Some(Place { line, column: 1 });
        match read_line(bytes) {
            Ok(None) => {}
            Ok(Some((user, secret))) => {
                if users.insert(user.to_owned(), secret).is_some() {
                    let message = format!("there is a line about the user \"{}\" already", user.escape_debug());
                    report.push(Problem::warning(
                        file,
                        place,
                        message,
                        "this one counts; remove the other one",
                    ));
                }
            }
            Err((message, advice)) => report.push(Problem::error(file, place, message, advice)),
        }
    }
}

/// What is wrong with a line, and what to do. A hash is never part of it.
type LineFault = (String, &'static str);

fn read_line(bytes: &[u8]) -> Result<Option<(&str, Secret)>, LineFault> {
    let Ok(line) = str::from_utf8(bytes) else {
        return Err(("this is not UTF-8".to_owned(), "save the file as UTF-8"));
    };
    let line = line.trim_end();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let Some((user, hash)) = line.split_once(':').filter(|(user, _)| !user.is_empty()) else {
        let message = "this is no user and hash with a colon between them".to_owned();
        return Err((message, "`mqtt passwd FILE USER` writes such lines; # begins a comment"));
    };
    match Secret::parse(hash) {
        Ok(secret) => Ok(Some((user, secret))),
        Err(fault) => {
            let message = format!("the user \"{}\" cannot come in: {fault}", user.escape_debug());
            Err((
                message,
                "set the password again with `mqtt passwd FILE USER`, or remove the line",
            ))
        }
    }
}
