//! Several machines that are one broker together.
//!
//! Each client has its session on one of them, by its name, so a takeover is never between two. What is between them:
//!
//! ```text
//!   client ──PUBLISH──> shard 0 ──── Publish ────> shard 1 ──> sessions there, what is retained there
//!          <──PUBACK───         <──── Done ──────     when it is stored
//!
//!   client ─SUBSCRIBE─> shard 0 ──── Query ──────> shard 1     the retained messages that are kept there, a page at a time
//!          <──PUBLISH──         <──── Page ──────
//!
//!   client ─SUBSCRIBE─> shard 0 ──── Group ──────> all others  how many members of a group are here
//!          <──SUBACK───         <──── Done ──────
//! ```
//!
//! - A message goes to every shard, which looks up who of its own is subscribed. What waits for the store waits for all of
//!   them: for a set of tickets, the own one and that of the others.
//! - A retained message is kept by one shard, by its topic. A replay goes through the shards one after the other. Its
//!   question says which messages its shard had when the client subscribed, and is answered when these are there: so a
//!   message that came before the subscription is in the replay. One that came later is delivered, and passed over in the
//!   replay: each has a name, in the order of its shard, which is stored with what is retained and with the replay.
//! - A shard takes nothing from clients before all have said what they restored: which groups have members where.
//! - Who of a group gets a message is chosen where it was published: first the shard, each as often as it has connected
//!   members, and there a member. A shard whose last member has left in between refuses, and another one is chosen.
//! - A message of QoS 2 to a session in the store is not repeated by its client once its arrival is stored. So it is stored
//!   itself until the others have it, with a number; they store the number with its copies, and take nothing twice.

mod forwards;
mod groups;
mod message;
mod queries;

pub use message::{PeerMessage, PeerPublish, ShardId, Shards};

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{QoS, TopicFilter, TopicName};

use super::kept::Consent;
use super::party::Party;
use super::records::{BrokerRecord, ForwardId, Origin};
use super::routes::Routes;
use super::sessions::Place;
use super::{Broker, ConnectionId};
use crate::Message;
use crate::slab::NONE;
use crate::time::Instant;
use forwards::Forwards;
use groups::{Handed, Views};
use queries::Queries;

/// What this shard knows of the others, and has to say to them.
#[derive(Debug, Default)]
pub(super) struct Peers {
    shards: Shards,
    /// What is to be said, since when, and the batch that has to be stored before.
    queue: VecDeque<(u64, Instant, ShardId, PeerMessage)>,
    /// The last of these batches.
    gate: u64,
    /// The number that was given last.
    last: u64,
    /// The last message that was published here and was to be retained.
    retained: ForwardId,
    /// How often the policy has changed.
    policies: u64,
    /// All shards, this one too, by number. Empty if there are no others.
    known: Vec<Peer>,
    views: Views,
    /// How many groups elsewhere have not got the message with this number.
    open: BTreeMap<u64, u32>,
    /// Messages that came back and are with a group here now: with which batch they are stored, and their number.
    returned: VecDeque<(u64, u64)>,
    pub(super) forwards: Forwards,
    queries: Queries,
    /// Connections that say something when the others have answered.
    owing: VecDeque<(u64, ConnectionId)>,
}

/// Another shard.
#[derive(Debug, Default)]
struct Peer {
    /// Stands for its members of groups among the routes.
    session: u32,
    /// It has said what it restored.
    is_here: bool,
    /// The last number that it has to answer.
    asked: u64,
    /// The last number that it has answered.
    answered: u64,
    /// The last message that was published there and was to be retained.
    seen: ForwardId,
    /// How often the policy has changed there.
    policies: u64,
    /// What it has to be answered, and the batch that this waits for.
    due: VecDeque<(u64, u64)>,
    /// What a group there is to get, by the number with which it was sent.
    handed: BTreeMap<(u64, TopicFilter<Bytes>), Handed>,
}

/// What something waits for: a batch of the own store, and answers of other shards.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ticket {
    pub(super) store: u64,
    pub(super) peers: u64,
}

/// How much had changed, and was said to others, at some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    store: u64,
    peers: u64,
}

impl Peers {
    pub(super) const fn is_alone(&self) -> bool {
        self.shards.count() <= 1
    }

    /// Whether messages of this topic are retained here.
    pub(super) fn keeps(&self, topic: &TopicName<Bytes>) -> bool {
        self.is_alone() || self.shards.of(topic.as_bytes()) == self.shards.own()
    }

    /// Whether the session of this client is on another shard.
    pub(super) fn is_elsewhere(&self, client_id: &[u8]) -> bool {
        !self.is_alone() && self.shards.of_client(client_id) != self.shards.own()
    }

    /// What is retained here under this name, if it is.
    pub(super) fn origin(&self, name: Option<ForwardId>) -> Origin {
        Origin {
            shard: self.shards.own(),
            name: name.unwrap_or_default(),
        }
    }

    /// A message of a shard, under this name, has been here in this life or an earlier one.
    pub(super) fn note_seen(&mut self, shard: ShardId, name: ForwardId) {
        if shard == self.shards.own() {
            self.forwards.names.restore_given(name.0);
            self.retained = self.retained.max(name);
        } else if let Some(peer) = self.peer(shard) {
            peer.seen = peer.seen.max(name);
        }
    }

    fn peer(&mut self, shard: ShardId) -> Option<&mut Peer> {
        self.known.get_mut(usize::from(shard.0))
    }

    /// Whether all others have said what they restored.
    pub(super) fn are_here(&self) -> bool {
        self.known.iter().all(|peer| peer.is_here)
    }

    fn number(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// Says something with no message in it.
    fn send(&mut self, shard: ShardId, message: PeerMessage) {
        self.send_at(Instant::ZERO, shard, message);
    }

    /// Says something. The messages in it grow old from here on.
    fn send_at(&mut self, now: Instant, shard: ShardId, message: PeerMessage) {
        self.queue.push_back((self.gate, now, shard, message));
    }

    /// It has to answer this number.
    fn await_from(&mut self, shard: ShardId, number: u64) {
        if let Some(peer) = self.peer(shard) {
            peer.asked = number;
        }
    }

    /// Whether the others have done all that was asked of them up to this number.
    fn have_done(&self, number: u64) -> bool {
        let has_answered = |peer: &Peer| peer.answered >= number.min(peer.asked);
        let is_open = self.open.first_key_value().is_some_and(|(open, _)| *open <= number);
        number == 0 || !is_open && self.known.iter().all(has_answered)
    }

    /// A group elsewhere is to get a message.
    fn hand(&mut self, shard: ShardId, number: u64, group: TopicFilter<Bytes>, handed: Handed) {
        let first = handed.first;
        if let Some(peer) = self.peer(shard) {
            peer.handed.insert((number, group), handed);
            let open = self.open.entry(first).or_default();
            *open = open.saturating_add(1);
        }
    }

    /// A group has got the message with this number, or nobody is there to get it.
    fn has_been_handed(&mut self, first: u64) {
        if let Some(open) = self.open.get_mut(&first) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.open.remove(&first);
            }
        }
    }

    /// How many of the subscriptions stand for members of groups elsewhere.
    pub(super) fn memberships(&self, routes: &Routes) -> usize {
        self.known
            .iter()
            .map(|peer| routes.subscriptions_of(peer.session))
            .sum()
    }

    /// How many other shards there are.
    pub(super) fn others(&self) -> usize {
        usize::from(self.shards.count().saturating_sub(1))
    }

    /// How many messages wait to be taken.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }
}

impl Broker {
    /// The next thing to be said to another shard: the host carries it to that one's [`handle_peer`](Self::handle_peer). A
    /// broker that is alone says nothing. There may be more when a batch [is stored](Self::handle_stored).
    pub fn poll_peer(&mut self) -> Option<(ShardId, PeerMessage)> {
        let (gate, ..) = self.peers.queue.front()?;
        if !self.journal.is_stored(*gate) {
            return None;
        }
        let (_, since, shard, mut message) = self.peers.queue.pop_front()?;
        message.has_waited(since, self.now);
        Some((shard, message))
    }

    /// Another shard has said something. What comes from a shard that there is not, or is not awaited, is ignored.
    pub fn handle_peer(&mut self, now: Instant, from: ShardId, message: PeerMessage) {
        self.advance(now);
        if self.has_failed || from == self.peers.shards.own() || self.peers.peer(from).is_none() {
            return;
        }
        match message {
            PeerMessage::Here { seen } => self.peer_is_here(from, &seen),
            PeerMessage::Publish(publish) => self.take_publish(from, publish),
            PeerMessage::PolicyChanged => {
                if let Some(peer) = self.peers.peer(from) {
                    peer.policies = peer.policies.saturating_add(1);
                }
            }
            PeerMessage::Done { upto } => self.peer_has_done(from, upto),
            PeerMessage::Refused { number, group } => self.hand_again(from, number, &group),
            PeerMessage::Group {
                number,
                group,
                members,
                connected,
            } => {
                self.note_group(from, &group, members, connected);
                self.answer(from, number, 0);
            }
            PeerMessage::Query {
                query,
                filter,
                after,
                most,
                seen,
            } => self.take_query(from, queries::Query::new(query, filter, after, most, seen)),
            PeerMessage::Page { query, messages, upto } => self.take_page(query, messages, upto),
        }
        self.answer_peers();
    }

    /// Makes the shards known that this one is not.
    pub(super) fn meet_peers(&mut self, shards: Shards) {
        self.peers.shards = shards;
        if self.peers.is_alone() {
            return;
        }
        for number in 0..shards.count() {
            let is_own = ShardId(number) == shards.own();
            let session = if is_own {
                NONE
            } else {
                self.sessions.insert(Party::default(), Place::Peer, false)
            };
            self.peers.known.push(Peer {
                session,
                is_here: is_own,
                ..Peer::default()
            });
        }
    }

    /// Tells the others that this shard is there, and has said what it restored.
    pub(super) fn say_here(&mut self) {
        // Earlier lives have given no higher names.
        self.peers.retained = ForwardId(self.peers.forwards.names.last());
        for shard in self.peers.shards.others() {
            let seen = self.peers.seen();
            self.peers.send(shard, PeerMessage::Here { seen });
        }
    }

    /// Nothing is taken from clients before all are there: of a message that was published earlier, nobody would know which
    /// restored groups elsewhere have to get it.
    fn peer_is_here(&mut self, from: ShardId, seen: &[ForwardId]) {
        // It may know of names that the own store has lost: a message under one of them would pass for one that it has.
        for (shard, name) in (0..).map(ShardId).zip(seen) {
            self.peers.note_seen(shard, *name);
        }
        if let Some(peer) = self.peers.peer(from) {
            peer.is_here = true;
        }
        if self.peers.are_here() {
            self.answer_queries();
            for slot in self.connections.slots() {
                self.touch(slot);
            }
        }
    }

    pub(super) const fn mark(&self) -> Mark {
        Mark {
            store: self.journal.mark(),
            peers: self.peers.last,
        }
    }

    /// What waits for everything that has changed since then, here and elsewhere, waits for this.
    pub(super) fn ticket_since(&mut self, mark: Mark) -> Ticket {
        let has_said = self.peers.last != mark.peers;
        Ticket {
            store: self.journal.ticket_since(mark.store),
            peers: if has_said { self.peers.last } else { 0 },
        }
    }

    pub(super) fn is_done(&self, ticket: Ticket) -> bool {
        self.journal.is_stored(ticket.store) && self.peers.have_done(ticket.peers)
    }

    /// This connection says something when the ticket is done.
    pub(super) fn note_owing(&mut self, ticket: Ticket, connection: ConnectionId) {
        if !self.journal.is_stored(ticket.store) {
            self.owing.push_back((ticket.store, connection));
        }
        if !self.peers.have_done(ticket.peers) {
            self.peers.owing.push_back((ticket.peers, connection));
        }
    }

    /// Tells the other shards of a message. `handed`: which groups get it where. Not routed: these
    /// groups alone have not got it, and it was published with the number `first`.
    pub(super) fn publish_to_peers(
        &mut self,
        message: &Message,
        publisher: Option<&Party>,
        handed: Vec<(ShardId, TopicFilter<Bytes>)>,
        is_routed: bool,
        first: Option<u64>,
        forward: Option<ForwardId>,
    ) {
        if forward.is_some() {
            // Nobody else has it before the store does: a broker that ends would forget the name, and its client sends the
            // message again.
            self.peers.gate = self.journal.ticket();
        }
        let number = self.peers.number();
        // What is stored until it has arrived has the same name there, over restarts too.
        let name = forward.unwrap_or(self.peers.retained);
        let retained = (is_routed && message.retain).then_some(name);
        let waits = message.qos > QoS::AtMostOnce;
        for shard in self.peers.shards.others() {
            let here = handed.iter().filter(|(of, _)| *of == shard);
            let groups: Vec<_> = here.map(|(_, group)| group.clone()).collect();
            if !is_routed && groups.is_empty() {
                continue;
            }
            let is_awaited = forward.is_some() || waits && (self.journal.is_enabled() || !groups.is_empty());
            let publish = PeerPublish {
                number,
                message: message.clone(),
                publisher: publisher.cloned(),
                is_routed,
                groups,
                is_awaited,
                forward,
                retained,
            };
            self.peers.send_at(self.now, shard, PeerMessage::Publish(publish));
            if is_awaited {
                self.peers.await_from(shard, number);
            }
        }
        if let Some(forward) = forward {
            self.peers.forwards.is_on_its_way(number, forward);
        }
        if waits {
            for (shard, group) in handed {
                let handed = Handed::new(first.unwrap_or(number), message.clone(), self.now, forward);
                self.peers.hand(shard, number, group, handed);
            }
        }
    }

    /// A message of another shard.
    fn take_publish(&mut self, from: ShardId, publish: PeerPublish) {
        let since = self.journal.mark();
        if !self.peers.forwards.has_taken(from, publish.forward) {
            let mut message = publish.message;
            if publish.is_routed {
                let consent = self.consent_of(from);
                let origin = Origin {
                    shard: from,
                    name: publish.retained.unwrap_or_default(),
                };
                self.keep_if_ours(&mut message, publish.publisher.as_ref(), consent, origin);
                self.deliver_matching(&message, None);
            }
            let mut has_handed = false;
            for group in publish.groups {
                let is_handed = self
                    .routes
                    .group_of(&group)
                    .is_some_and(|group| self.hand_to_member(group, &message));
                has_handed |= is_handed;
                if !is_handed {
                    let number = publish.number;
                    self.peers.send(from, PeerMessage::Refused { number, group });
                }
            }
            if let Some(forward) = publish.forward {
                self.peers.forwards.take(from, forward);
                // A session that is not stored may hand on to one that is, and one that subscribes now gets it as retained.
                if has_handed || publish.retained.is_some() || self.journal.mark() != since {
                    self.journal.put(|| BrokerRecord::Shard {
                        shard: from,
                        upto: forward,
                    });
                }
            }
        }
        if let Some(name) = publish.retained {
            self.peers.note_seen(from, name);
            self.answer_queries();
        }
        if publish.is_awaited {
            let ticket = self.journal.ticket_since(since);
            self.answer(from, publish.number, ticket);
        }
    }

    /// What was published on another shard was allowed there. It has to be asked about again if the policy has changed here,
    /// and there not yet, or in an earlier life.
    fn consent_of(&mut self, from: ShardId) -> Consent {
        let (policies, epoch) = (self.peers.policies, self.epoch);
        match self.peers.peer(from) {
            Some(peer) if peer.is_here && peer.policies >= policies => Consent::Given(epoch),
            _ => Consent::Unknown,
        }
    }

    /// The other shards are told that the policy has changed.
    pub(super) fn tell_policy(&mut self) {
        self.peers.policies = self.peers.policies.saturating_add(1);
        for shard in self.peers.shards.others() {
            self.peers.send(shard, PeerMessage::PolicyChanged);
        }
    }

    fn answer(&mut self, to: ShardId, number: u64, ticket: u64) {
        if let Some(peer) = self.peers.peer(to) {
            peer.due.push_back((number, ticket));
        }
    }

    /// Says what is stored by now.
    pub(super) fn answer_peers(&mut self) {
        for shard in self.peers.shards.others() {
            let Some(peer) = self.peers.known.get_mut(usize::from(shard.0)) else {
                return;
            };
            let mut done = None;
            while let Some((number, ticket)) = peer.due.front().copied() {
                if !self.journal.is_stored(ticket) {
                    break;
                }
                peer.due.pop_front();
                done = Some(number);
            }
            if let Some(upto) = done {
                self.peers.send(shard, PeerMessage::Done { upto });
            }
        }
    }

    fn peer_has_done(&mut self, from: ShardId, upto: u64) {
        let Some(peer) = self.peers.peer(from) else {
            return;
        };
        peer.answered = peer.answered.max(upto.min(peer.asked));
        let answered = peer.answered;
        let mut got = Vec::new();
        while let Some(entry) = peer.handed.first_entry().filter(|entry| entry.key().0 <= answered) {
            got.push(entry.remove().first);
        }
        for first in got {
            self.peers.has_been_handed(first);
        }
        self.peers_moved();
    }

    /// Something that waited for other shards may have come to its end.
    pub(super) fn peers_moved(&mut self) {
        while let Some((ticket, first)) = self.peers.returned.front().copied() {
            if !self.journal.is_stored(ticket) {
                break;
            }
            self.peers.returned.pop_front();
            self.peers.has_been_handed(first);
        }
        self.forget_forwards();
        while let Some((number, id)) = self.peers.owing.front().copied() {
            if !self.peers.have_done(number) {
                break;
            }
            self.peers.owing.pop_front();
            if self.connections.named(id).is_some() {
                self.say_owed(id.slot);
                self.settle(id.slot);
            }
        }
    }
}
