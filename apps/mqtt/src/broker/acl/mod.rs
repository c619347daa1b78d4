//! Who may publish and subscribe to what.
//!
//! Rules come from files in mosquitto's syntax and from the configuration, and mean what they mean to mosquitto:
//!
//! - Without any file or rule everybody may do everything, except to publish below `$SYS`.
//! - With one, what is not allowed is refused. Rules for a user name count for that name alone, those before any user for
//!   clients without a name, and patterns for everybody. A wildcard does not stand for a first level that begins with `$`.
//! - What denies goes before what allows, first among the rules of the user and then among the patterns: what the rules of a
//!   user allow, no pattern takes away.
//!
//! Where mosquitto lets everybody subscribe and looks at each message, a subscription is judged here as a whole: it is
//! allowed if *one* rule allows every topic that its filter stands for, and no rule that goes before denies one of them.
//!
//! What `%c` and `%u` stand for is compared as the text of one level and never read as a filter, so no `+`, `#` or `/` in
//! the name of a client or user makes a pattern match more. For a client whose name holds one of them, or would begin a topic
//! with `$`, a pattern with that name allows nothing, and one that denies denies everything from that level on.
//!
//! ```
//! use mqtt_program::broker::acl::{Permissions, Who};
//! use mqtt_proto::{TopicFilter, TopicName};
//! let file = "user alice\ntopic read news/#\npattern write sensor/%u/data\n";
//! let (permissions, report) = Permissions::parse(&[("acl".as_ref(), file.as_bytes())]);
//! assert!(report.is_empty());
//! let alice = Who { client_id: "a1", user: Some("alice") };
//! assert!(permissions.may_subscribe(alice, &TopicFilter::new("news/+")?));
//! assert!(!permissions.may_subscribe(alice, &TopicFilter::new("#")?));
//! assert!(permissions.may_publish(alice, &TopicName::new("sensor/alice/data")?));
//! assert!(!permissions.may_publish(alice, &TopicName::new("sensor/bob/data")?));
//! # Ok::<(), mqtt_proto::TextError>(())
//! ```

mod reading;
mod rule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use mqtt_proto::{TopicFilter, TopicName};

use self::rule::{Asked, RuleFilter};
use super::config::{Access, Rights, Rule};
use super::problem::Report;

pub(super) use self::rule::FilterFault;

/// Who wants something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who<'a> {
    /// The name of the client.
    pub client_id: &'a str,
    /// The name of its user. `None`: it is anonymous.
    pub user: Option<&'a str>,
}

/// Who may publish and subscribe to what.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    /// Whether there are rules; without any, everything is allowed.
    is_limited: bool,
    of_users: BTreeMap<String, Rules>,
    of_anonymous: Rules,
    of_everybody: Rules,
}

/// The rules of one user, or of everybody.
#[derive(Clone, Debug, Default)]
struct Rules {
    denied: Vec<RuleFilter>,
    read: Vec<RuleFilter>,
    written: Vec<RuleFilter>,
}

impl Rules {
    fn add(&mut self, access: Access, filter: RuleFilter) {
        match access {
            Access::Deny => self.denied.push(filter),
            Access::Read => self.read.push(filter),
            Access::Write => self.written.push(filter),
            Access::ReadWrite => {
                self.read.push(filter.clone());
                self.written.push(filter);
            }
        }
    }

    /// What these rules say. `None`: nothing, others decide.
    fn judge(&self, who: Who<'_>, is_write: bool, asked: Asked<'_>) -> Option<bool> {
        if self.denied.iter().any(|rule| rule.denies_some(who, asked)) {
            return Some(false);
        }
        let allowed = if is_write { &self.written } else { &self.read };
        allowed.iter().any(|rule| rule.allows_all(who, asked)).then_some(true)
    }
}

/// For whom a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For<'a> {
    Anonymous,
    User(&'a str),
    Everybody,
}

impl Permissions {
    /// Reads the files and rules of a configuration. What is wrong with a file is told, and left out.
    ///
    /// A rule that cannot be is an error of the configuration, told when that is read, and allows nothing here.
    #[must_use]
    pub fn load(rights: &Rights) -> (Self, Report) {
        let mut report = Report::default();
        let mut permissions = Self {
            // A file that is not there allows nothing, rather than everything.
            is_limited: !rights.is_empty(),
            ..Self::default()
        };
        for file in &rights.files {
            match super::config::read(file) {
                Ok(bytes) => reading::read(&mut permissions, file, &bytes, &mut report),
                Err(problem) => report.push(problem),
            }
        }
        rights.rules.iter().for_each(|rule| permissions.add_rule(rule));
        (permissions, report)
    }

    /// As [`load`](Self::load), of files whose content is there already.
    #[must_use]
    pub fn parse(files: &[(&Path, &[u8])]) -> (Self, Report) {
        let mut report = Report::default();
        let mut permissions = Self::default();
        for (file, bytes) in files {
            permissions.is_limited = true;
            reading::read(&mut permissions, file, bytes, &mut report);
        }
        (permissions, report)
    }

    fn add_rule(&mut self, rule: &Rule) {
        let users = rule.users.iter().map(|user| For::User(user));
        let anonymous = rule.anonymous.then_some(For::Anonymous);
        let everybody = rule.is_for_everybody().then_some(For::Everybody);
        for whose in users.chain(anonymous).chain(everybody) {
            for filter in &rule.filters {
                // The configuration has been refused otherwise.
                let _ = self.add(whose, rule.access, filter);
            }
        }
    }

    fn add(&mut self, whose: For<'_>, access: Access, filter: &str) -> Result<(), FilterFault> {
        let filter = RuleFilter::parse(filter, whose == For::Everybody)?;
        let rules = match whose {
            For::Anonymous => &mut self.of_anonymous,
            For::User(user) => self.of_users.entry(user.to_owned()).or_default(),
            For::Everybody => &mut self.of_everybody,
        };
        rules.add(access, filter);
        Ok(())
    }

    /// Whether this client may publish to this topic.
    #[must_use]
    pub fn may_publish<B: AsRef<[u8]>>(&self, who: Who<'_>, topic: &TopicName<B>) -> bool {
        let topic = topic.as_str();
        // A mosquitto that is a bridge says there how it is.
        let is_bridges = || {
            let mut levels = topic.split('/');
            levels.by_ref().take(3).eq(["$SYS", "broker", "connection"])
                && levels.next().is_some()
                && levels.eq(["state"])
        };
        if topic.starts_with("$share") || topic.starts_with("$SYS") && !is_bridges() {
            return false;
        }
        self.judge(who, true, Asked::Topic(topic))
    }

    /// Whether this client may receive messages to this topic.
    #[must_use]
    pub fn may_receive<B: AsRef<[u8]>>(&self, who: Who<'_>, topic: &TopicName<B>) -> bool {
        self.judge(who, false, Asked::Topic(topic.as_str()))
    }

    /// Whether this client may receive messages to every topic that this filter stands for. Of a shared subscription the name
    /// of the group makes no difference.
    #[must_use]
    pub fn may_subscribe<B: AsRef<[u8]>>(&self, who: Who<'_>, filter: &TopicFilter<B>) -> bool {
        match filter.shared() {
            Some(shared) => self.judge(who, false, Asked::Filter(shared.filter.as_str())),
            None => self.judge(who, false, Asked::Filter(filter.as_str())),
        }
    }

    fn judge(&self, who: Who<'_>, is_write: bool, asked: Asked<'_>) -> bool {
        if !self.is_limited {
            return true;
        }
        let own = match who.user {
            Some(user) => self.of_users.get(user),
            None => Some(&self.of_anonymous),
        };
        let judged = own.and_then(|rules| rules.judge(who, is_write, asked));
        judged
            .or_else(|| self.of_everybody.judge(who, is_write, asked))
            .unwrap_or(false)
    }
}

/// Whether a rule of the configuration can have this filter.
pub(super) fn check_filter(filter: &str, rule: &Rule) -> Result<(), FilterFault> {
    RuleFilter::parse(filter, rule.is_for_everybody()).map(|_| ())
}
