//! Subscription identifiers: by which one the server knows each filter, since MQTT 5.0.

use std::collections::BTreeMap;

use bytes::Bytes;
use mqtt_session::Message;
use mqtt_session::proto::{EncodeError, PropertyId, SubscribeProperties, SubscriptionId, TopicFilter};

use crate::options::random;

/// Identifiers are assigned from a place here on, another one in each life: those of an earlier life, which the server may
/// still use, and the small ones that applications choose, are not assigned again. They take three bytes.
const FIRST: u32 = 1 << 14;
const SPREAD: u32 = 1 << 20;
/// How many identifiers of a filter are known. More than two take requests that have some filters in common and not others,
/// again and again.
const KNOWN: usize = 16;

/// The filters that the server knows by an identifier. For a filter that is asked for twice the server uses the last one; what
/// waits there may still come by the one before.
#[derive(Debug)]
pub(super) struct Names {
    next: u32,
    known: Known,
}

/// The last identifier stands at the end.
type Known = BTreeMap<TopicFilter<Bytes>, Vec<SubscriptionId>>;

impl Names {
    pub(super) fn new() -> Self {
        Self {
            next: FIRST + (random() as u32) % SPREAD,
            known: Known::new(),
        }
    }

    /// What is asked for, under an identifier if it has none: the one that exactly these filters have, or another.
    pub(super) fn assign(
        &mut self,
        filters: &[TopicFilter<Bytes>],
        asked: &SubscribeProperties<Bytes>,
    ) -> Result<SubscribeProperties<Bytes>, EncodeError> {
        if asked.subscription_id().is_some() {
            return Ok(asked.clone());
        }
        // A number that is too large is none, and then the filters alone decide.
        let id = self.common(filters).or_else(|| SubscriptionId::new(self.next));
        let Some(id) = id else { return Ok(asked.clone()) };
        self.next += u32::from(id.get() == self.next);
        let named = SubscribeProperties::builder().subscription_id(id);
        asked
            .iter()
            .fold(named, |named, property| named.property(&property))
            .build()
    }

    /// The identifier that these filters have in common, and no other.
    fn common(&self, filters: &[TopicFilter<Bytes>]) -> Option<SubscriptionId> {
        let id = *self.known.get(filters.first()?)?.last()?;
        let has_it = |ids: &Vec<SubscriptionId>| ids.last() == Some(&id);
        let all_have = filters.iter().all(|filter| self.known.get(filter).is_some_and(has_it));
        let mut others = self.known.iter().filter(|(filter, _)| !filters.contains(filter));
        (id.get() >= FIRST && all_have && !others.any(|(_, ids)| ids.contains(&id))).then_some(id)
    }

    /// From here on the server knows these filters by this identifier, or by none.
    pub(super) fn asked(&mut self, filters: &[TopicFilter<Bytes>], id: Option<SubscriptionId>) {
        for filter in filters {
            let Some(id) = id else {
                self.known.remove(filter);
                continue;
            };
            let ids = self.known.entry(filter.clone()).or_default();
            ids.retain(|other| *other != id);
            ids.push(id);
            if ids.len() > KNOWN {
                ids.remove(0);
            }
        }
    }

    /// The server does not know this filter any more.
    pub(super) fn forget(&mut self, filter: &TopicFilter<Bytes>) {
        self.known.remove(filter);
    }

    /// The server has forgotten everything; what is `wanted` is asked for again.
    pub(super) fn retain(&mut self, wanted: impl Fn(&TopicFilter<Bytes>) -> bool) {
        self.known.retain(|filter, _| wanted(filter));
    }

    /// What the server says about the subscriptions that a message belongs to.
    pub(super) fn told(&self, message: &Message) -> Told<'_> {
        let ids: Vec<SubscriptionId> = match message.properties.has(PropertyId::SubscriptionIdentifier) {
            true => message.properties.subscription_ids().collect(),
            false => Vec::new(),
        };
        let is_told = |known: &[SubscriptionId]| known.iter().any(|id| ids.contains(id));
        let mut known = self.known.iter();
        let is_known = !ids.is_empty() && known.any(|(filter, known)| is_told(known) && filter.matches(&message.topic));
        Told {
            ids: is_known.then_some((ids, &self.known)),
        }
    }
}

/// By which filters a message came.
pub(super) struct Told<'n> {
    /// Nothing: the server does not say, or means a subscription of an earlier life.
    ids: Option<(Vec<SubscriptionId>, &'n Known)>,
}

impl Told<'_> {
    /// Whether a message came by this filter, which it belongs to. One without an identifier may be meant at any time.
    pub(super) fn means(&self, filter: &TopicFilter<Bytes>) -> bool {
        let Some((ids, known)) = &self.ids else { return true };
        let known = known.get(filter);
        known.is_none_or(|known| known.iter().any(|id| ids.contains(id)))
    }
}

#[cfg(test)]
mod tests {
    use mqtt_session::proto::PublishProperties;

    use super::*;

    fn filter(text: &'static str) -> TopicFilter<Bytes> {
        TopicFilter::from_bytes(Bytes::from(text)).unwrap_or_else(|error| panic!("{error}"))
    }

    fn id(number: u32) -> SubscriptionId {
        SubscriptionId::new(number).unwrap_or_else(|| panic!("{number} is allowed"))
    }

    fn came_by(ids: &[u32]) -> Message {
        let properties = ids.iter().fold(PublishProperties::builder(), |properties, number| {
            properties.subscription_id(id(*number))
        });
        let properties = properties.build().unwrap_or_else(|error| panic!("{error}"));
        let message = Message::new("a/b", "").unwrap_or_else(|error| panic!("{error}"));
        message.properties(properties)
    }

    fn names() -> Names {
        let mut names = Names::new();
        names.asked(&[filter("a/b")], Some(id(1)));
        names.asked(&[filter("a/#"), filter("c")], Some(id(2)));
        names
    }

    fn meant(names: &Names, ids: &[u32]) -> [bool; 3] {
        let message = came_by(ids);
        let told = names.told(&message);
        ["a/b", "a/#", "+/b"].map(|text| told.means(&filter(text)))
    }

    #[test]
    fn a_message_is_meant_for_the_filters_it_came_by_and_for_those_without_a_name() {
        let names = names();
        assert_eq!(meant(&names, &[1]), [true, false, true]);
        assert_eq!(meant(&names, &[2]), [false, true, true]);
        assert_eq!(meant(&names, &[2, 1]), [true, true, true]);
    }

    #[test]
    fn what_the_server_says_counts_only_if_it_is_known() {
        let mut names = names();
        assert_eq!(meant(&names, &[]), [true; 3]);
        assert_eq!(meant(&names, &[3]), [true; 3]);
        // What waits at the server comes by the identifier before the last.
        names.asked(&[filter("a/b")], Some(id(4)));
        assert_eq!(meant(&names, &[1]), [true, false, true]);
        assert_eq!(meant(&names, &[4]), [true, false, true]);
        assert_eq!(meant(&names, &[1, 2]), [true; 3]);
        names.forget(&filter("a/b"));
        assert_eq!(meant(&names, &[4]), [true; 3]);
        names.asked(&[filter("a/b")], None);
        assert_eq!(meant(&names, &[2]), [true; 3]);
        // An identifier whose filters do not match says nothing.
        names.retain(|filter| filter.as_bytes() == b"c");
        assert_eq!(meant(&names, &[2]), [true; 3]);
    }

    #[test]
    fn an_identifier_that_the_application_has_chosen_stays() {
        let mut names = names();
        let chosen = SubscribeProperties::builder().subscription_id(id(7)).build();
        let chosen = chosen.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(names.assign(&[filter("a/b")], &chosen).as_ref(), Ok(&chosen));
    }

    #[test]
    fn the_same_filters_are_asked_for_by_the_same_identifier() {
        let mut names = names();
        let mut ask = |filters: &[&'static str]| {
            let filters: Vec<_> = filters.iter().map(|text| filter(text)).collect();
            let named = names.assign(&filters, &SubscribeProperties::empty());
            let named = named.unwrap_or_else(|error| panic!("{error}")).subscription_id();
            names.asked(&filters, named);
            named.map(SubscriptionId::get)
        };
        let pair = ask(&["x", "y"]);
        assert!(pair >= Some(FIRST));
        assert_eq!(ask(&["y", "x"]), pair);
        let one = ask(&["x"]);
        assert_ne!(one, pair);
        assert_eq!(ask(&["x"]), one);
        assert!(![pair, one].contains(&ask(&["x", "y"])));
        // What the application has chosen for others is not assigned.
        assert!(ask(&["a/b"]) >= Some(FIRST));
        for _ in 0..100 {
            ask(&["x"]);
            ask(&["x", "y"]);
        }
        assert!(names.known.values().all(|ids| ids.len() <= KNOWN));
    }
}
