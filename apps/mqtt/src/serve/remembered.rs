//! Logins that were right a short time ago, so that whoever comes again does not cost a check each time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::hmac::{Context, HMAC_SHA256, Key};
use ring::rand::SystemRandom;

/// So long after a check the same user name and password are right without another one.
const FOR: Duration = Duration::from_secs(600);
/// So many are remembered. Further ones are checked each time, until some are forgotten.
const MOST: usize = 65_536;
/// So long after it was looked for some to forget, it is looked again.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known of a login: by a key that is made anew for each set of rules, and told to nobody.
type Tag = [u8; 32];

/// They belong to the rules by which they were right, and are forgotten with them.
pub(super) struct Remembered {
    /// `None`: the system has no random bytes, and nothing is remembered.
    key: Option<Key>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    until: HashMap<Tag, Instant>,
    looked: Option<Instant>,
}

impl Remembered {
    pub(super) fn new() -> Self {
        Self {
            key: Key::generate(HMAC_SHA256, &SystemRandom::new()).ok(),
            known: Mutex::default(),
        }
    }

    /// Whether they were right a short time ago.
    pub(super) fn has(&self, user: &str, password: &[u8]) -> bool {
        self.has_at(user, password, Instant::now())
    }

    /// They are right.
    pub(super) fn add(&self, user: &str, password: &[u8]) {
        self.add_at(user, password, Instant::now());
    }

    fn has_at(&self, user: &str, password: &[u8], now: Instant) -> bool {
        let Some(tag) = self.tag(user, password) else {
            return false;
        };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.until.get(&tag).is_some_and(|until| now < *until)
    }

    fn add_at(&self, user: &str, password: &[u8], now: Instant) {
        let Some(tag) = self.tag(user, password) else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.until.len() >= MOST {
            let is_recent = |looked: Instant| now.saturating_duration_since(looked) < PAUSE;
            if known.looked.is_some_and(is_recent) {
                return;
            }
            known.looked = Some(now);
            known.until.retain(|_, until| now < *until);
            if known.until.len() >= MOST {
                return;
            }
        }
        known.until.insert(tag, now + FOR);
    }

    fn tag(&self, user: &str, password: &[u8]) -> Option<Tag> {
        let mut context = Context::with_key(self.key.as_ref()?);
        // A name that ends where a password begins is another name.
        context.update(&(user.len() as u64).to_be_bytes());
        context.update(user.as_bytes());
        context.update(password);
        context.sign().as_ref().try_into().ok()
    }
}

impl fmt::Debug for Remembered {
    /// Nothing of it is for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_remembered_for_a_while_and_no_other() {
        let (remembered, now) = (Remembered::new(), Instant::now());
        assert!(!remembered.has_at("alice", b"open", now));
        remembered.add_at("alice", b"open", now);
        assert!(remembered.has_at("alice", b"open", now));
        assert!(remembered.has_at("alice", b"open", now + FOR / 2));
        for (user, password) in [
            ("alice", &b"opem"[..]),
            ("aliceo", b"pen"),
            ("bob", b"open"),
            ("alice", b""),
        ] {
            assert!(!remembered.has_at(user, password, now), "{user}");
        }
        assert!(!remembered.has_at("alice", b"open", now + FOR));
        assert!(!Remembered::new().has_at("alice", b"open", now), "by other rules");
    }

    #[test]
    fn no_number_of_logins_takes_more_room() {
        let (remembered, now) = (Remembered::new(), Instant::now());
        for number in 0..=MOST {
            remembered.add_at(&number.to_string(), b"", now);
        }
        assert!(remembered.has_at("0", b"", now));
        assert!(!remembered.has_at(&MOST.to_string(), b"", now));
        // Those that count no more make room.
        let later = now + FOR;
        remembered.add_at("later", b"", later);
        assert!(remembered.has_at("later", b"", later));
        assert_eq!(remembered.known.lock().expect("nobody panics").until.len(), 1);
    }
}
