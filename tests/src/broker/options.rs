//! What clients asked for beside filters: no messages of their own, and a name for each subscription.

use std::collections::{BTreeMap, BTreeSet};

use mqtt_session::proto::{RetainHandling, SubscriptionOptions};

use super::watch::matches;
use super::world::FILTERS;

/// What the flag RETAIN of a message may be that comes to a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    /// A subscription sees it as it was published.
    pub(super) may_stay: bool,
    /// All that match do.
    pub(super) has_to_stay: bool,
    /// It may come since it is retained.
    pub(super) may_be_replay: bool,
}

/// What a client has ever asked for, by filter.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    /// With No Local.
    quiet: BTreeSet<&'static str>,
    /// Without it.
    loud: BTreeSet<&'static str>,
    /// With Retain As Published, and without it.
    as_published: BTreeMap<&'static str, [bool; 2]>,
    /// Such that retained messages may come.
    replayed: BTreeSet<&'static str>,
    /// With an identifier, and without one.
    named: BTreeMap<&'static str, [bool; 2]>,
}

/// The identifier that a filter always has, if it has one.
pub(super) fn identifier_of(filter: &str) -> u32 {
    let place = FILTERS.iter().position(|known| *known == filter);
    u32::try_from(place.unwrap_or(FILTERS.len()) + 1).unwrap_or(u32::MAX)
}

/// Whether a SUBSCRIBE with these options may get retained messages, and whether it surely does.
pub(super) const fn replays(handling: RetainHandling) -> (bool, bool) {
    match handling {
        RetainHandling::Send => (true, true),
        RetainHandling::SendIfNew => (true, false),
        RetainHandling::DoNotSend => (false, false),
    }
}

impl Options {
    pub(super) fn asked(&mut self, filter: &'static str, options: SubscriptionOptions, has_identifier: bool) {
        if options.no_local {
            self.quiet.insert(filter);
        } else {
            self.loud.insert(filter);
        }
        self.as_published.entry(filter).or_default()[usize::from(!options.retain_as_published)] = true;
        if !filter.starts_with("$share") && replays(options.retain_handling).0 {
            self.replayed.insert(filter);
        }
        self.named.entry(filter).or_default()[usize::from(!has_identifier)] = true;
    }

    /// Whether a client may get what it has published itself.
    pub(super) fn may_get_own(&self, topic: &str) -> bool {
        self.loud.iter().any(|filter| matches(filter, topic))
    }

    /// Whether a client may miss what it has published itself.
    pub(super) fn may_miss_own(&self, filter: &str) -> bool {
        self.quiet.contains(filter)
    }

    /// What may become of the flag of a message to this topic that was published to be retained.
    pub(super) fn flag(&self, topic: &str) -> Flag {
        let matching = || self.as_published.iter().filter(|(filter, _)| matches(filter, topic));
        Flag {
            may_stay: matching().any(|(_, [with, _])| *with),
            // A group may have got it by way of another member.
            has_to_stay: matching().all(|(filter, [_, without])| !without && !filter.starts_with("$share")),
            may_be_replay: self.replayed.iter().any(|filter| matches(filter, topic)),
        }
    }

    /// The identifiers of a message are those of subscriptions that match it, and there is one if all of these have one.
    pub(super) fn judge(&self, topic: &str, identifiers: &[u32]) -> Result<(), String> {
        let matching = || self.named.iter().filter(|(filter, _)| matches(filter, topic));
        let is_known =
            |identifier: &u32| matching().any(|(filter, [has, _])| *has && identifier_of(filter) == *identifier);
        let has_to = matching().all(|(_, [_, without])| !without);
        if !identifiers.iter().all(is_known) || has_to && identifiers.is_empty() {
            return Err(format!(
                "{topic} comes with the identifiers {identifiers:?}, and asked was {:?}",
                self.named
            ));
        }
        Ok(())
    }
}
