//! Groups whose members are on several shards.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use bytes::Bytes;
use mqtt_proto::{QoS, SubscriptionOptions, TopicFilter, TopicName};

use super::super::Broker;
use super::super::config::Share;
use super::super::records::ForwardId;
use super::super::routes::{GroupId, Wanted};
use super::super::sessions::Place;
use super::message::spread;
use super::{PeerMessage, ShardId};
use crate::Message;
use crate::slab::NONE;
use crate::time::Instant;

/// The groups that there are, by their names among the routes.
pub(super) type Views = BTreeMap<GroupId, View>;

/// The members of one group on all shards.
#[derive(Debug)]
pub(super) struct View {
    shards: Vec<Members>,
    turn: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Members {
    all: u32,
    connected: u32,
}

impl View {
    fn new(shards: u16) -> Self {
        Self {
            shards: vec![Members::default(); usize::from(shards)],
            turn: 0,
        }
    }

    fn of(&mut self, shard: ShardId) -> Option<&mut Members> {
        self.shards.get_mut(usize::from(shard.0))
    }

    fn is_empty(&self) -> bool {
        self.shards.iter().all(|members| members.all == 0)
    }

    /// The shard whose turn it is: each as often as it has connected members, or members if none is connected.
    fn choose(&mut self, share: Share, topic: &TopicName<Bytes>, random: impl FnOnce() -> u64) -> Option<ShardId> {
        let connected = |members: &Members| u64::from(members.connected);
        let all = |members: &Members| u64::from(members.all);
        self.choose_by(connected, share, topic, random)
            .or_else(|| self.choose_by(all, share, topic, || 0))
    }

    fn choose_by(
        &mut self,
        weight: impl Fn(&Members) -> u64,
        share: Share,
        topic: &TopicName<Bytes>,
        random: impl FnOnce() -> u64,
    ) -> Option<ShardId> {
        let total = NonZeroU64::new(self.shards.iter().map(&weight).fold(0, u64::saturating_add))?;
        let mut place = match share {
            Share::InTurn => {
                self.turn = self.turn.wrapping_add(1);
                self.turn
            }
            Share::Same => 0,
            Share::Random => random(),
            Share::ByTopic => spread(topic.as_bytes()),
        } % total;
        for (number, members) in (0..).zip(&self.shards) {
            let weight = weight(members);
            if place < weight {
                return Some(ShardId(number));
            }
            place = place.saturating_sub(weight);
        }
        None
    }
}

/// What a group on another shard is to get.
#[derive(Debug)]
pub(super) struct Handed {
    /// With which number it was published.
    pub(super) first: u64,
    message: Message,
    /// When the message was as old as it says.
    since: Instant,
    forward: Option<ForwardId>,
}

impl Handed {
    pub(super) const fn new(first: u64, message: Message, since: Instant, forward: Option<ForwardId>) -> Self {
        Self {
            first,
            message,
            since,
            forward,
        }
    }
}

impl Broker {
    /// Where a member of this group gets a message. `None`: here.
    pub(in super::super) fn elsewhere(
        &mut self,
        group: GroupId,
        topic: &TopicName<Bytes>,
    ) -> Option<(ShardId, TopicFilter<Bytes>)> {
        let view = self.peers.views.get_mut(&group)?;
        let random = &mut self.random;
        let shard = view.choose(self.config.share, topic, || random.next_u64())?;
        if shard == self.peers.shards.own() {
            return None;
        }
        Some((shard, self.routes.group_filter(group)?))
    }

    /// The subscriptions of a session to groups count as connected from now on, or not.
    pub(in super::super) fn members_moved(&mut self, session: u32, are_connected: bool) {
        if self.peers.is_alone() {
            return;
        }
        let shared: Vec<_> = self.routes.subscriptions(session).map(|(filter, _)| filter).collect();
        for filter in shared {
            if let Some(group) = self.routes.group_of(&filter) {
                let by = if are_connected { 1 } else { -1 };
                self.count_members(group, &filter, 0, by);
            }
        }
    }

    /// A session has become a member of a group.
    pub(in super::super) fn member_came(&mut self, session: u32, filter: &TopicFilter<Bytes>) {
        self.member_changed(session, filter, 1);
    }

    /// A session is a member of a group already. Whether the others know of it is not known: it may have asked before, on a
    /// connection that ended before it was answered.
    pub(in super::super) fn member_stays(&mut self, session: u32, filter: &TopicFilter<Bytes>) {
        self.member_changed(session, filter, 0);
    }

    /// A session is about to leave a group.
    pub(in super::super) fn member_goes(&mut self, session: u32, filter: &TopicFilter<Bytes>) {
        self.member_changed(session, filter, -1);
    }

    fn member_changed(&mut self, session: u32, filter: &TopicFilter<Bytes>, by: i32) {
        if self.peers.is_alone() || filter.shared().is_none() {
            return;
        }
        let place = self.sessions.get(session).map(|entry| &entry.place);
        let is_connected = matches!(place, Some(Place::Connected(_) | Place::Host));
        if let Some(group) = self.routes.group_of(filter) {
            self.count_members(group, filter, by, if is_connected { by } else { 0 });
        }
    }

    /// The members of a group here have changed: the others are told.
    fn count_members(&mut self, group: GroupId, filter: &TopicFilter<Bytes>, all: i32, connected: i32) {
        let (own, count) = (self.peers.shards.own(), self.peers.shards.count());
        let view = self.peers.views.entry(group).or_insert_with(|| View::new(count));
        let Some(members) = view.of(own) else {
            return;
        };
        members.all = members.all.saturating_add_signed(all);
        members.connected = members.connected.saturating_add_signed(connected);
        let (members, is_over) = (*members, view.is_empty());
        if is_over {
            self.peers.views.remove(&group);
        }
        let number = self.peers.number();
        for shard in self.peers.shards.others() {
            let message = PeerMessage::Group {
                number,
                group: filter.clone(),
                members: members.all,
                connected: members.connected,
            };
            self.peers.send(shard, message);
            self.peers.await_from(shard, number);
        }
    }

    /// The members of a group on another shard have changed.
    pub(super) fn note_group(&mut self, from: ShardId, filter: &TopicFilter<Bytes>, all: u32, connected: u32) {
        let session = self.peers.peer(from).map_or(NONE, |peer| peer.session);
        if filter.shared().is_none() || session == NONE {
            return;
        }
        if all > 0 {
            let wanted = Wanted {
                options: SubscriptionOptions::new(QoS::ExactlyOnce),
                identifier: None,
            };
            self.routes.join(session, filter, wanted);
        }
        let Some(group) = self.routes.group_of(filter) else {
            return;
        };
        let count = self.peers.shards.count();
        let view = self.peers.views.entry(group).or_insert_with(|| View::new(count));
        if let Some(members) = view.of(from) {
            *members = Members { all, connected };
        }
        if view.is_empty() {
            self.peers.views.remove(&group);
        }
        if all == 0 {
            self.routes.unsubscribe(session, filter);
        }
    }

    /// A shard has no members of a group any more, for which a message was there: another one gets it, or a member here.
    pub(super) fn hand_again(&mut self, from: ShardId, number: u64, filter: &TopicFilter<Bytes>) {
        let Some(peer) = self.peers.peer(from) else {
            return;
        };
        let Some(handed) = peer.handed.remove(&(number, filter.clone())) else {
            return;
        };
        let (first, mut message) = (handed.first, handed.message);
        message.has_waited(handed.since, self.now);
        let since = self.journal.mark();
        let group = self.routes.group_of(filter);
        let elsewhere = group.and_then(|group| self.elsewhere(group, &message.topic));
        // The one that refused has said before that it has no members.
        if let Some((shard, group)) = elsewhere.filter(|(shard, _)| *shard != from) {
            let groups = vec![(shard, group)];
            let forward = match handed.forward {
                Some(_) => self.forward(&message, None, &groups, false, None),
                None => None,
            };
            self.publish_to_peers(&message, None, groups, false, Some(first), forward);
            self.leave_out(handed.forward, from, filter);
            self.peers.has_been_handed(first);
            return;
        }
        if !group.is_some_and(|group| self.hand_to_member(group, &message)) {
            self.figures.messages_dropped = self.figures.messages_dropped.saturating_add(1);
        }
        self.leave_out(handed.forward, from, filter);
        let ticket = self.journal.ticket_since(since);
        self.peers.returned.push_back((ticket, first));
        self.peers_moved();
    }
}
