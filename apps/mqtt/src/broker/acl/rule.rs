//! The topics that a rule is about, and how they lie to those that a client asks for.

use std::fmt::{self, Display};

use mqtt_proto::{TopicFilter, Version};

use super::Who;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    /// A topic.
    Topic(&'a str),
    /// Every topic that a filter stands for.
    Filter(&'a str),
}

impl<'a> Asked<'a> {
    const fn text(self) -> &'a str {
        match self {
            Self::Topic(text) | Self::Filter(text) => text,
        }
    }

    fn levels(self) -> impl Iterator<Item = AskedLevel<'a>> + Clone {
        self.text().split('/').map(move |level| match (self, level) {
            (Self::Filter(_), "+") => AskedLevel::One,
            (Self::Filter(_), "#") => AskedLevel::Rest,
            _ => AskedLevel::Text(level),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AskedLevel<'a> {
    Text(&'a str),
    One,
    Rest,
}

/// The topics that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RuleFilter {
    levels: Vec<Level>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Level {
    Text(String),
    One,
    Rest,
    /// A name, with text around it.
    Name {
        name: Name,
        before: String,
        after: String,
    },
}

/// What `%c` and `%u` stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Client,
    User,
}

impl Name {
    const ALL: [(Self, &'static str); 2] = [(Self::Client, "%c"), (Self::User, "%u")];

    const fn of(self, who: Who<'_>) -> Option<&str> {
        match self {
            Self::Client => Some(who.client_id),
            Self::User => who.user,
        }
    }
}

/// Why a rule cannot be about this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) enum FilterFault {
    /// It is no topic filter.
    NoFilter,
    /// Two names in one level, where the end of one may be the beginning of the other.
    TwoNamesInALevel,
}

impl FilterFault {
    pub(in crate::broker) const fn advice(self) -> &'static str {
        match self {
            Self::NoFilter => "+ and # stand alone in their level, and # in the last one: \"home/+/light\", \"home/#\"",
            Self::TwoNamesInALevel => "give each a level of its own: \"sensor/%u/%c\"",
        }
    }
}

impl Display for FilterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFilter => "this is no topic filter",
            Self::TwoNamesInALevel => "two names in one level: one client could pass for another",
        })
    }
}

/// A level of a rule for one client.
#[derive(Clone, Copy, Debug)]
enum Resolved<'a> {
    Text(&'a str, &'a str, &'a str),
    One,
    Rest,
    /// The client's name cannot stand in a level.
    Unusable,
    /// The client has no such name.
    Nameless,
}

impl RuleFilter {
    /// Reads a filter. In a pattern `%c` and `%u` are names.
    pub(super) fn parse(text: &str, is_pattern: bool) -> Result<Self, FilterFault> {
        // `$share/` means nothing to a rule.
        let filter = TopicFilter::from_bytes_for(Version::V3_1_1, text.as_bytes());
        filter.map_err(|_| FilterFault::NoFilter)?;
        let levels = text.split('/').map(|level| Level::parse(level, is_pattern));
        Ok(Self {
            levels: levels.collect::<Result<_, _>>()?,
        })
    }

    /// Whether it stands for every topic that is asked for.
    pub(super) fn allows_all(&self, who: Who<'_>, asked: Asked<'_>) -> bool {
        // The one filter that stands for all topics beside `#`.
        let is_everything = matches!(self.levels[..], [Level::One, Level::Rest]);
        if is_everything && asked == Asked::Filter("#") {
            return true;
        }
        if asked.text().starts_with('$') && !self.names_a_dollar() {
            return false;
        }
        let mut levels = asked.levels();
        for (depth, level) in self.levels.iter().enumerate() {
            match (level.of(who, depth), levels.next()) {
                (Resolved::Unusable | Resolved::Nameless, _) => return false,
                (Resolved::Rest, _) => return true,
                (Resolved::One, Some(AskedLevel::Text(_) | AskedLevel::One)) => {}
                (Resolved::Text(..), Some(AskedLevel::Text(asked))) if level.of(who, depth).is_text(asked) => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }

    /// Whether it stands for one of the topics that are asked for.
    pub(super) fn denies_some(&self, who: Who<'_>, asked: Asked<'_>) -> bool {
        let names = self
            .levels
            .iter()
            .enumerate()
            .map(|(depth, level)| level.of(who, depth));
        if names.clone().any(|level| matches!(level, Resolved::Nameless)) {
            return false;
        }
        let wildcard_asked = matches!(asked.levels().next(), Some(AskedLevel::One | AskedLevel::Rest));
        let is_unusable_at_once = names
            .clone()
            .next()
            .is_some_and(|level| matches!(level, Resolved::Unusable));
        if !is_unusable_at_once
            && (asked.text().starts_with('$') && !self.names_a_dollar() || wildcard_asked && self.names_a_dollar())
        {
            return false;
        }
        let mut levels = asked.levels();
        for level in names {
            match (level, levels.next()) {
                (Resolved::Rest, _) | (Resolved::Unusable, Some(_)) | (_, Some(AskedLevel::Rest)) => return true,
                (Resolved::One, Some(_)) | (_, Some(AskedLevel::One)) => {}
                (level, Some(AskedLevel::Text(asked))) if level.is_text(asked) => {}
                _ => return false,
            }
        }
        matches!(levels.next(), None | Some(AskedLevel::Rest))
    }

    /// Whether its first level begins with `$`: a wildcard does not, and a name may not.
    fn names_a_dollar(&self) -> bool {
        match self.levels.first() {
            Some(Level::Text(text)) => text.starts_with('$'),
            Some(Level::Name { before, .. }) => before.starts_with('$'),
            _ => false,
        }
    }
}

impl Level {
    fn parse(text: &str, is_pattern: bool) -> Result<Self, FilterFault> {
        let mut names = Name::ALL
            .into_iter()
            .filter(|(_, written)| is_pattern && text.contains(written));
        match (text, names.next(), names.next()) {
            ("+", ..) => Ok(Self::One),
            ("#", ..) => Ok(Self::Rest),
            (_, None, _) => Ok(Self::Text(text.to_owned())),
            (_, Some((name, written)), None) if text.matches(written).count() == 1 => {
                let (before, after) = text.split_once(written).unwrap_or_default();
                Ok(Self::Name {
                    name,
                    before: before.to_owned(),
                    after: after.to_owned(),
                })
            }
            _ => Err(FilterFault::TwoNamesInALevel),
        }
    }

    fn of<'a>(&'a self, who: Who<'a>, depth: usize) -> Resolved<'a> {
        match self {
            Self::Text(text) => Resolved::Text(text, "", ""),
            Self::One => Resolved::One,
            Self::Rest => Resolved::Rest,
            Self::Name { name, before, after } => match name.of(who) {
                None => Resolved::Nameless,
                Some(name) if name.contains(['+', '#', '/']) => Resolved::Unusable,
                Some(name) if depth == 0 && before.is_empty() && name.starts_with('$') => Resolved::Unusable,
                // A name of no letters would let what stands behind it begin with `$`.
                Some("") if depth == 0 && before.is_empty() && after.starts_with('$') => Resolved::Unusable,
                Some(name) => Resolved::Text(before, name, after),
            },
        }
    }
}

impl Resolved<'_> {
    fn is_text(&self, level: &str) -> bool {
        let Self::Text(before, name, after) = self else {
            return false;
        };
        let rest = level.strip_prefix(before).and_then(|rest| rest.strip_prefix(name));
        rest == Some(after)
    }
}
