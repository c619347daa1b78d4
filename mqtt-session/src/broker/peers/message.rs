//! What shards say to each other.

use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{TopicFilter, TopicName};

use super::super::party::Party;
use super::super::records::ForwardId;
use crate::Message;
use crate::time::Instant;

/// One of the machines that are one broker together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// Which of several machines this is, and how many there are. The default is one that is alone.
///
/// ```
/// use mqtt_session::Shards;
///
/// let shards = Shards::new(2, 4).expect("the third of four");
/// // Who accepts a stream reads CONNECT, and hands both to the shard of the client.
/// let shard = shards.of_client(b"sensor-17");
/// assert!(shard.0 < 4);
/// assert_eq!(Shards::new(4, 4), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shards {
    own: u16,
    count: u16,
}

impl Default for Shards {
    fn default() -> Self {
        Self { own: 0, count: 1 }
    }
}

impl Shards {
    /// The machine with this number, which begin at 0, among so many. `None` if there is no such one.
    #[must_use]
    pub const fn new(own: u16, count: u16) -> Option<Self> {
        if own < count { Some(Self { own, count }) } else { None }
    }

    /// This one.
    #[must_use]
    pub const fn own(self) -> ShardId {
        ShardId(self.own)
    }

    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.count
    }

    /// The shard that has the session of this client. It is the same one in each life and on each machine, as long as the
    /// number of shards is.
    #[must_use]
    pub fn of_client(self, client_id: &[u8]) -> ShardId {
        self.of(client_id)
    }

    /// The shard that some bytes belong to.
    pub(crate) fn of(self, bytes: &[u8]) -> ShardId {
        let place = spread(bytes).checked_rem(u64::from(self.count)).unwrap_or_default();
        ShardId(u16::try_from(place).unwrap_or_default())
    }

    /// All others.
    pub(crate) fn others(self) -> impl Iterator<Item = ShardId> {
        (0..self.count).filter(move |number| *number != self.own).map(ShardId)
    }
}

/// A number that follows from some bytes, everywhere in the same way: FNV-1a, with its bits mixed once more.
pub(super) fn spread(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, step);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ hash >> 33
}

/// What one shard says to another: the host carries it from [`poll_peer`](super::super::Broker::poll_peer) of the one to
/// [`handle_peer`](super::super::Broker::handle_peer) of the other. Between two shards the order is kept and nothing is lost.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PeerMessage {
    /// What was restored has been said: from here on this shard is a part of the broker.
    Here {
        /// The last message of each shard, by its name, that it knows of: that shard gives its next ones higher names, and
        /// all take what was retained in earlier lives for earlier.
        seen: Vec<ForwardId>,
    },
    /// A message was published.
    Publish(PeerPublish),
    /// The policy has changed: what was published before was allowed by one that is over.
    PolicyChanged,
    /// What was said with a number up to this one has been done, and is stored as far as it has to be.
    Done {
        /// The number.
        upto: u64,
    },
    /// A group was to get a message, and has no members here.
    Refused {
        /// With which number the message came.
        number: u64,
        /// The group.
        group: TopicFilter<Bytes>,
    },
    /// The members of a group on this shard.
    Group {
        /// The number of this message.
        number: u64,
        /// The filter, with the name of the group.
        group: TopicFilter<Bytes>,
        /// How many there are.
        members: u32,
        /// How many of them are connected.
        connected: u32,
    },
    /// Asks for retained messages.
    Query {
        /// Which question this is.
        query: u64,
        /// Those of these topics.
        filter: TopicFilter<Bytes>,
        /// Only those behind this topic.
        after: Option<TopicName<Bytes>>,
        /// At most so many.
        most: u16,
        /// The last retained message of each shard that the shard that asks had when the client subscribed: the answer has
        /// all up to these, and none behind them.
        seen: Vec<ForwardId>,
    },
    /// Retained messages.
    Page {
        /// The question.
        query: u64,
        /// The messages, in the order of their topics.
        messages: Vec<Message>,
        /// How far was looked; `None`: as far as there are any.
        upto: Option<TopicName<Bytes>>,
    },
}

impl PeerMessage {
    /// It has waited since then, and with it the messages in it.
    pub(super) fn has_waited(&mut self, since: Instant, now: Instant) {
        match self {
            Self::Publish(publish) => publish.message.has_waited(since, now),
            Self::Page { messages, .. } => messages.iter_mut().for_each(|message| message.has_waited(since, now)),
            _ => {}
        }
    }
}

/// A message from one shard for the clients of another.
#[derive(Clone, Debug)]
pub struct PeerPublish {
    /// The number of this message.
    pub number: u64,
    /// What was published.
    pub message: Message,
    /// Who published it, if it is to be retained and did not come from the host.
    pub publisher: Option<Party>,
    /// It is for all who are subscribed; otherwise for the groups alone.
    pub is_routed: bool,
    /// The groups of which a member on this shard gets it.
    pub groups: Vec<TopicFilter<Bytes>>,
    /// It is said when it is stored.
    pub is_awaited: bool,
    /// The name of the message in the store of its shard: what was taken once is not taken again.
    pub forward: Option<ForwardId>,
    /// The name of the message, if it is to be retained.
    pub retained: Option<ForwardId>,
}
