//! Topic aliases of one connection, those that are sent and those that are received.
//!
//! Aliases end with the connection: a reconnect makes both anew. The two directions know nothing of each other.

use alloc::vec::Vec;
use core::num::NonZeroU16;

use bytes::Bytes;
use mqtt_proto::TopicName;

use crate::fingerprint::Fingerprint;

/// How to send a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alias {
    /// As it is, without an alias.
    None,
    /// The topic together with an alias, which stands for it from then on.
    New(NonZeroU16),
    /// The alias alone.
    Known(NonZeroU16),
}

/// The topics that the peer knows an alias for.
///
/// When all aliases are taken, the topic that was not sent for the longest time gives up its own. A packet may be chosen
/// for and then not be sent, so choosing changes nothing: [`commit`](Self::commit) does, when the packet is written.
#[derive(Clone, Debug)]
pub(crate) struct SendAliases {
    limit: usize,
    /// A hash of each topic, apart from the topics, so that a search reads little. Alias 1 stands first.
    tags: Vec<u32>,
    topics: Vec<SentTopic>,
    /// How many packets with an alias were written.
    clock: u64,
}

#[derive(Clone, Debug)]
struct SentTopic {
    /// A copy, whose memory the next topic under this alias takes over.
    topic: Vec<u8>,
    last_used: u64,
}

impl SendAliases {
    pub(crate) fn fingerprint(&self, mark: &mut Fingerprint<'_>) {
        mark.count(self.limit);
        mark.count(self.topics.len());
        for sent in &self.topics {
            mark.bytes(&sent.topic);
            let older = self.topics.iter().filter(|other| other.last_used < sent.last_used);
            mark.count(older.count());
        }
    }

    /// The most aliases in use, however many the peer allows: a search passes over all.
    pub(crate) const MOST: u16 = 64;

    /// A topic is worth an alias if it is longer than the property that holds the alias.
    const PROPERTY_BYTES: usize = 3;

    /// For a connection whose peer allows so many aliases. [`MOST`](Self::MOST) is the most that are used.
    pub(crate) fn new(limit: u16) -> Self {
        Self {
            limit: usize::from(limit.min(Self::MOST)),
            tags: Vec::new(),
            topics: Vec::new(),
            clock: 0,
        }
    }

    /// How to send this topic.
    #[inline]
    pub(crate) fn choose(&self, topic: &[u8]) -> Alias {
        if self.limit == 0 || topic.len() <= Self::PROPERTY_BYTES {
            return Alias::None;
        }
        self.find(topic)
    }

    fn find(&self, topic: &[u8]) -> Alias {
        let tag = tag(topic);
        for (place, (known, entry)) in self.tags.iter().zip(&self.topics).enumerate() {
            if *known == tag && entry.topic == topic {
                return alias(place).map_or(Alias::None, Alias::Known);
            }
        }
        alias(self.vacant()).map_or(Alias::None, Alias::New)
    }

    /// The packet with this topic was written as it was chosen.
    #[inline]
    pub(crate) fn commit(&mut self, topic: &[u8], alias: Alias) {
        let (Alias::New(number) | Alias::Known(number)) = alias else {
            return;
        };
        self.used(number, matches!(alias, Alias::New(_)), topic);
    }

    fn used(&mut self, number: NonZeroU16, is_new: bool, topic: &[u8]) {
        let place = usize::from(number.get()).saturating_sub(1);
        self.clock = self.clock.saturating_add(1);
        if is_new {
            self.bind(place, topic);
        }
        if let Some(entry) = self.topics.get_mut(place) {
            entry.last_used = self.clock;
        }
    }

    fn bind(&mut self, place: usize, topic: &[u8]) {
        if place == self.topics.len() && place < self.limit {
            self.tags.push(tag(topic));
            self.topics.push(SentTopic {
                topic: topic.to_vec(),
                last_used: 0,
            });
        } else if let (Some(tag), Some(entry)) = (self.tags.get_mut(place), self.topics.get_mut(place)) {
            *tag = self::tag(topic);
            entry.topic.clear();
            entry.topic.extend_from_slice(topic);
        }
    }

    /// The place for another topic: behind the last, or that of the topic that was not sent for the longest time.
    fn vacant(&self) -> usize {
        if self.topics.len() < self.limit {
            return self.topics.len();
        }
        let places = self.topics.iter().enumerate();
        places
            .min_by_key(|(_, entry)| entry.last_used)
            .map_or(0, |(place, _)| place)
    }
}

#[inline]
fn alias(place: usize) -> Option<NonZeroU16> {
    NonZeroU16::new(u16::try_from(place.checked_add(1)?).ok()?)
}

/// A hash of a topic, eight bytes a step. Topics that share one only cost a comparison.
#[inline]
fn tag(topic: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let step = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let mut hash = topic.len() as u64;
    let mut words = topic.chunks_exact(8);
    for word in &mut words {
        hash = step(hash, word.try_into().map_or(0, u64::from_le_bytes));
    }
    let last = words
        .remainder()
        .iter()
        .fold(0, |word: u64, byte| (word << 8) | u64::from(*byte));
    (step(hash, last) >> 32) as u32
}

/// What is wrong with a received alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AliasFault {
    /// It stands alone, and was never sent together with a topic.
    Unknown,
    /// It is above the Topic Alias Maximum that was announced.
    AboveMaximum,
}

/// The topics that the peer's aliases stand for.
///
/// The peer decides how much memory this takes, up to the announced maximum times the longest topic.
#[derive(Clone, Debug)]
pub(crate) struct ReceiveAliases {
    maximum: u16,
    /// Alias 1 stands first. It grows to the highest alias that was seen.
    topics: Vec<Option<TopicName<Bytes>>>,
}

impl ReceiveAliases {
    pub(crate) fn fingerprint(&self, mark: &mut Fingerprint<'_>) {
        mark.number(self.maximum);
        mark.count(self.topics.len());
        for topic in &self.topics {
            mark.bytes(topic.as_ref().map_or(&[], TopicName::as_bytes));
        }
    }

    /// For a connection on which this Topic Alias Maximum was announced; 0 refuses every alias.
    pub(crate) const fn new(maximum: u16) -> Self {
        Self {
            maximum,
            topics: Vec::new(),
        }
    }

    /// Takes the alias of a received PUBLISH.
    ///
    /// With a topic the alias stands for it from then on, and `None` is returned: the packet has its topic. Without one
    /// the topic that the alias stands for is returned. Topics are copied, so they pin no receive buffer.
    ///
    /// # Errors
    /// Either fault ends the connection.
    #[inline]
    pub(crate) fn resolve<B: AsRef<[u8]>>(
        &mut self,
        alias: NonZeroU16,
        topic: Option<&TopicName<B>>,
    ) -> Result<Option<TopicName<Bytes>>, AliasFault> {
        // [MQTT-3.3.2-9], [MQTT-3.3.2-11]
        if alias.get() > self.maximum {
            return Err(AliasFault::AboveMaximum);
        }
        let place = usize::from(alias.get()).saturating_sub(1);
        if let Some(topic) = topic {
            self.bind(place, topic);
            return Ok(None);
        }
        match self.topics.get(place) {
            Some(Some(topic)) => Ok(Some(topic.clone())),
            _ => Err(AliasFault::Unknown),
        }
    }

    fn bind<B: AsRef<[u8]>>(&mut self, place: usize, topic: &TopicName<B>) {
        if self.topics.len() <= place {
            self.topics.resize(place.saturating_add(1), None);
        }
        match self.topics.get_mut(place) {
            // Some senders repeat the topic with every alias.
            Some(Some(known)) if known.as_bytes() == topic.as_bytes() => {}
            Some(entry) => *entry = Some(topic.to_owned()),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::collections::{BTreeMap, BTreeSet};
    use std::format;

    fn number(alias: u16) -> NonZeroU16 {
        NonZeroU16::new(alias).unwrap()
    }

    fn send(aliases: &mut SendAliases, topic: &str) -> Alias {
        let alias = aliases.choose(topic.as_bytes());
        aliases.commit(topic.as_bytes(), alias);
        alias
    }

    #[test]
    fn a_topic_is_sent_once_and_then_by_its_alias() {
        let mut aliases = SendAliases::new(2);
        assert_eq!(send(&mut aliases, "home/a"), Alias::New(number(1)));
        assert_eq!(send(&mut aliases, "home/b"), Alias::New(number(2)));
        assert_eq!(send(&mut aliases, "home/a"), Alias::Known(number(1)));
        assert_eq!(send(&mut aliases, "home/b"), Alias::Known(number(2)));
    }

    #[test]
    fn choosing_alone_changes_nothing() {
        let mut aliases = SendAliases::new(1);
        assert_eq!(aliases.choose(b"home/a"), Alias::New(number(1)));
        assert_eq!(aliases.choose(b"home/a"), Alias::New(number(1)));
        send(&mut aliases, "home/b");
        assert_eq!(aliases.choose(b"home/a"), Alias::New(number(1)));
        assert_eq!(aliases.choose(b"home/b"), Alias::Known(number(1)));
    }

    #[test]
    fn the_topic_sent_longest_ago_gives_up_its_alias() {
        let mut aliases = SendAliases::new(3);
        for topic in ["home/a", "home/b", "home/c", "home/a"] {
            send(&mut aliases, topic);
        }
        assert_eq!(send(&mut aliases, "home/d"), Alias::New(number(2)));
        assert_eq!(send(&mut aliases, "home/b"), Alias::New(number(3)));
        assert_eq!(send(&mut aliases, "home/a"), Alias::Known(number(1)));
    }

    #[test]
    fn no_alias_is_used_where_none_is_allowed_or_worth_it() {
        assert_eq!(SendAliases::new(0).choose(b"home/a"), Alias::None);
        let mut aliases = SendAliases::new(9);
        assert_eq!(send(&mut aliases, "a/b"), Alias::None);
        assert_eq!(send(&mut aliases, "a/bc"), Alias::New(number(1)));
    }

    #[test]
    fn at_most_64_aliases_are_used() {
        let mut aliases = SendAliases::new(u16::MAX);
        let used: BTreeSet<u16> = (0..1_000)
            .map(|topic| match send(&mut aliases, &format!("topic/{topic}")) {
                Alias::New(alias) => alias.get(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(used.into_iter().eq(1..=64));
        assert_eq!((aliases.tags.len(), aliases.topics.len()), (64, 64));
    }

    #[test]
    fn an_alias_that_was_not_chosen_is_ignored() {
        let mut aliases = SendAliases::new(2);
        aliases.commit(b"home/a", Alias::New(number(2)));
        aliases.commit(b"home/a", Alias::Known(number(1)));
        aliases.commit(b"home/a", Alias::New(number(u16::MAX)));
        assert_eq!(aliases.choose(b"home/a"), Alias::New(number(1)));
        assert!(aliases.topics.is_empty());
        let mut none = SendAliases::new(0);
        none.commit(b"home/a", Alias::New(number(1)));
        assert!(none.topics.is_empty());
    }

    #[test]
    fn topics_that_share_a_tag_are_told_apart() {
        let mut aliases = SendAliases::new(4);
        send(&mut aliases, "home/a");
        aliases.tags[0] = tag(b"home/b");
        assert_eq!(aliases.choose(b"home/b"), Alias::New(number(2)));
    }

    #[test]
    fn tags_differ_for_topics_that_differ_in_one_byte() {
        let topic = b"plant/7/line/3/temperature";
        let mut tags = BTreeSet::from([tag(topic), tag(&topic[1..]), tag(&topic[..25])]);
        for place in 0..topic.len() {
            let mut other = *topic;
            other[place] ^= 1;
            tags.insert(tag(&other));
        }
        assert_eq!(tags.len(), topic.len() + 3);
    }

    #[test]
    fn the_receiver_finds_the_topic_that_the_sender_meant() {
        let mut random = Random::new(3);
        let (mut sender, mut receiver) = (SendAliases::new(8), ReceiveAliases::new(8));
        let mut kinds = BTreeMap::new();
        for _ in 0..3_000 {
            let topic = format!("topic/{}", random.below(12));
            let name = TopicName::new(&topic).unwrap();
            let alias = send(&mut sender, &topic);
            let resolved = match alias {
                Alias::None => panic!("{topic} without alias"),
                Alias::New(alias) => receiver.resolve(alias, Some(&name)),
                Alias::Known(alias) => receiver.resolve(alias, None::<&TopicName<Bytes>>),
            };
            match alias {
                Alias::Known(_) => assert_eq!(resolved.unwrap().unwrap(), name),
                _ => assert_eq!(resolved, Ok(None)),
            }
            *kinds.entry(matches!(alias, Alias::New(_))).or_insert(0) += 1;
        }
        assert!(kinds[&true] > 100 && kinds[&false] > 1_000, "{kinds:?}");
    }

    fn alone(aliases: &mut ReceiveAliases, alias: u16) -> Result<Option<TopicName<Bytes>>, AliasFault> {
        aliases.resolve(number(alias), None::<&TopicName<Bytes>>)
    }

    #[test]
    fn an_alias_stands_for_the_topic_it_was_sent_with_last() {
        let mut aliases = ReceiveAliases::new(5);
        for text in ["first", "second", "second"] {
            let topic = TopicName::new(text).unwrap();
            assert_eq!(aliases.resolve(number(5), Some(&topic)), Ok(None));
            assert_eq!(alone(&mut aliases, 5).unwrap().unwrap(), topic);
        }
    }

    #[test]
    fn an_alias_without_a_topic_is_unknown() {
        let mut aliases = ReceiveAliases::new(5);
        assert_eq!(alone(&mut aliases, 1), Err(AliasFault::Unknown));
        let topic = TopicName::new("a").unwrap();
        aliases.resolve(number(4), Some(&topic)).unwrap();
        assert_eq!(alone(&mut aliases, 3), Err(AliasFault::Unknown));
        assert_eq!(alone(&mut aliases, 5), Err(AliasFault::Unknown));
    }

    #[test]
    fn an_alias_above_the_maximum_is_refused_and_takes_no_memory() {
        let mut aliases = ReceiveAliases::new(5);
        let topic = TopicName::new("a").unwrap();
        assert_eq!(aliases.resolve(number(6), Some(&topic)), Err(AliasFault::AboveMaximum));
        assert_eq!(alone(&mut aliases, 6), Err(AliasFault::AboveMaximum));
        assert_eq!(
            ReceiveAliases::new(0).resolve(number(1), Some(&topic)),
            Err(AliasFault::AboveMaximum)
        );
        assert!(aliases.topics.is_empty());
    }

    #[test]
    fn a_bound_topic_does_not_share_the_memory_of_its_packet() {
        let packet = Bytes::from_static(b"some/topic");
        let mut aliases = ReceiveAliases::new(1);
        let topic = TopicName::from_bytes(packet.clone()).unwrap();
        aliases.resolve(number(1), Some(&topic)).unwrap();
        let bound = alone(&mut aliases, 1).unwrap().unwrap();
        assert_eq!(bound, topic);
        assert_ne!(bound.as_bytes().as_ptr(), packet.as_ptr());
    }
}
