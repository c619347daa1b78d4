//! A reader of everything that one side sends and takes: it knows the rules of MQTT, and nothing of the machine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mqtt_session::proto::{
    ConnAck, Connect, Decoded, DecodedHead, Packet, PacketId, Publish, QoS, ReasonCode, Role, Rules, Version, decode,
    decode_publish_head,
};
use mqtt_session::{Instant, Key};

use super::Side;
use super::counts::Counts;
use super::ledger::{Ledger, tag_of};
use super::store::Store;

/// What the watcher may look at.
pub(super) struct View<'a> {
    pub(super) ledger: &'a mut Ledger,
    pub(super) counts: &'a mut Counts,
    /// The store of the side, if what leaves is to be held against it.
    pub(super) store: Option<&'a Store>,
    /// Which session of the store is meant.
    pub(super) session: u64,
    pub(super) now: Instant,
}

/// What an identifier stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Publish(u64),
    /// PUBREL was sent.
    Release,
    Request,
}

/// What one end has said that it takes.
#[derive(Clone, Copy, Debug)]
struct Announced {
    receive_maximum: usize,
    packet_bytes: usize,
    alias_maximum: u16,
}

impl Announced {
    const ANYTHING: Self = Self {
        receive_maximum: usize::MAX,
        packet_bytes: usize::MAX,
        alias_maximum: 0,
    };
}

/// Watches one side.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    side: Side,
    version: Version,
    peer: Announced,
    // As long as the session:
    uses: BTreeMap<u16, Use>,
    newest_id: u16,
    /// The last CONNECT asked for a session that begins anew.
    began_anew: bool,
    // As long as the connection:
    sent: Vec<u8>,
    taken: Vec<u8>,
    is_over: bool,
    charged: BTreeSet<u16>,
    aliases: BTreeMap<u16, Vec<u8>>,
    last_order: u64,
    owed_pubacks: VecDeque<u16>,
    owed_pubrecs: VecDeque<u16>,
    owed_pubrels: VecDeque<u16>,
    owed_pubcomps: Vec<u16>,
}

impl Watch {
    pub(super) const fn new(side: Side, version: Version) -> Self {
        Self {
            side,
            version,
            peer: Announced::ANYTHING,
            uses: BTreeMap::new(),
            newest_id: 0,
            began_anew: false,
            sent: Vec::new(),
            taken: Vec::new(),
            is_over: false,
            charged: BTreeSet::new(),
            aliases: BTreeMap::new(),
            last_order: 0,
            owed_pubacks: VecDeque::new(),
            owed_pubrecs: VecDeque::new(),
            owed_pubrels: VecDeque::new(),
            owed_pubcomps: Vec::new(),
        }
    }

    /// A connection begins.
    pub(super) fn opened(&mut self) {
        // The peer has nothing of a packet that was cut, and its identifier is in use all the same.
        if let Ok(DecodedHead::Head { publish, .. }) = decode_publish_head(&self.sent, &Rules::new(self.version)) {
            if let Some(id) = publish.delivery.id() {
                self.uses.entry(id.get()).or_insert(Use::Publish(0));
            }
        }
        // A request may end without being sent again.
        self.uses.retain(|_, use_| *use_ != Use::Request);
        *self = Self {
            uses: core::mem::take(&mut self.uses),
            newest_id: self.newest_id,
            began_anew: self.began_anew,
            ..Self::new(self.side, self.version)
        };
    }

    /// A session begins: what was sent in the one before means nothing in it.
    pub(super) fn session_began(&mut self) {
        self.uses.retain(|_, use_| *use_ == Use::Request);
    }

    /// Another life of the machine has found this in its store.
    pub(super) fn restored(&mut self, store: Option<&Store>) {
        self.uses.clear();
        let outgoing = store.into_iter().flat_map(Store::outgoing);
        for (_, outgoing) in outgoing {
            if let Some(id) = outgoing.id {
                let use_ = if outgoing.is_release {
                    Use::Release
                } else {
                    Use::Publish(outgoing.tag)
                };
                self.uses.insert(id, use_);
            }
        }
    }

    /// How many messages wait for PUBACK or PUBREC.
    pub(super) fn in_flight(&self) -> usize {
        self.uses
            .values()
            .filter(|use_| matches!(use_, Use::Publish(_)))
            .count()
    }

    /// Answers that this side owes on its connection.
    pub(super) fn owes(&self) -> usize {
        self.owed_pubacks.len() + self.owed_pubrecs.len() + self.owed_pubrels.len() + self.owed_pubcomps.len()
    }

    /// Whether a packet has begun to leave and not ended.
    pub(super) fn is_in_packet(&self) -> bool {
        !self.sent.is_empty()
    }

    // ---- what leaves

    pub(super) fn sends(&mut self, bytes: &[u8], view: &mut View<'_>) {
        let mut buffer = core::mem::take(&mut self.sent);
        buffer.extend_from_slice(bytes);
        let role = if self.side == Side::Client {
            Role::Client
        } else {
            Role::Server
        };
        let mut rest = &buffer[..];
        while !rest.is_empty() {
            match decode(rest, &Rules::new(self.version).sent_by(role)) {
                Ok(Decoded::Packet { packet, len }) => {
                    self.sends_packet(&packet, len, view);
                    rest = &rest[len..];
                }
                Ok(Decoded::Incomplete { .. }) => break,
                Err(error) => {
                    view.ledger
                        .fault(|| format!("{:?} sends what is no packet: {error}", self.side));
                    break;
                }
            }
        }
        self.sent = rest.to_vec();
    }

    fn sends_packet(&mut self, packet: &Packet<&[u8]>, len: usize, view: &mut View<'_>) {
        let side = self.side;
        if core::mem::replace(&mut self.is_over, matches!(packet, Packet::Disconnect(_))) {
            view.ledger
                .fault(|| format!("{side:?} sends {packet:?} after DISCONNECT"));
        }
        if len > self.peer.packet_bytes {
            view.ledger
                .fault(|| format!("{side:?} sends {len} bytes, and the peer takes fewer: {packet:?}"));
        }
        let fault = match packet {
            Packet::Publish(publish) => self.sends_publish(publish, view),
            Packet::PubAck(ack) => self.answers(|watch| &mut watch.owed_pubacks, ack.id.get()),
            Packet::PubRec(ack) => self.sends_pubrec(ack.id, ack.reason.into(), view),
            Packet::PubRel(ack) => self.sends_pubrel(ack.id.get(), view),
            Packet::PubComp(ack) => self.sends_pubcomp(ack.id, view),
            Packet::Subscribe(subscribe) => self.asks(subscribe.id.get(), view),
            Packet::Unsubscribe(unsubscribe) => self.asks(unsubscribe.id.get(), view),
            Packet::ConnAck(connack) => sends_connack(connack, view),
            Packet::Connect(connect) => {
                self.began_anew = connect.clean_start;
                None
            }
            _ => None,
        };
        if let Some(fault) = fault {
            view.ledger.fault(|| format!("{side:?} sends {packet:?}: {fault}"));
        }
    }

    /// Before MQTT 5.0 a session that began anew ends with its connection. Whether it did.
    pub(super) fn closed(&mut self) -> bool {
        let is_passing = self.began_anew && !self.version.has_properties();
        if is_passing {
            self.session_began();
        }
        is_passing
    }

    /// Whether an accepted connection goes on with the session although the version cannot say so.
    pub(super) fn goes_on_unsaid(&self) -> bool {
        self.version == Version::V3_1 && !self.began_anew
    }

    fn asks(&mut self, id: u16, view: &View<'_>) -> Option<&'static str> {
        match self.uses.insert(id, Use::Request) {
            None | Some(Use::Request) => None,
            Some(Use::Publish(before)) if self.may_be_given_up(before, view.ledger) => None,
            Some(_) => Some("its identifier is in use"),
        }
    }

    /// I-10, I-12 to I-15, I-23.
    fn sends_publish(&mut self, publish: &Publish<&[u8]>, view: &mut View<'_>) -> Option<&'static str> {
        let Some(tag) = tag_of(publish.payload) else {
            return Some("its payload is not what was published");
        };
        let Some(entry) = view.ledger.entry(tag).cloned() else {
            return Some("nobody published it");
        };
        let expiry = publish.properties.message_expiry();
        let left = entry.expires_at.map(|at| seconds_until(at, view.now));
        // The head of a message from a source left before its payload.
        if self.version.has_properties() && !entry.is_source && expiry != left {
            return Some("its expiry is not what is left of it");
        }
        if let Some(fault) = self.uses_alias(publish) {
            return Some(fault);
        }
        let Some(id) = publish.delivery.id() else {
            view.ledger.sent(tag);
            return (entry.qos != QoS::AtMostOnce).then_some("its QoS was another one");
        };
        let fault = self.sends_with_id(id.get(), tag, publish, view);
        view.ledger.sent(tag);
        fault
    }

    fn sends_with_id(
        &mut self,
        id: u16,
        tag: u64,
        publish: &Publish<&[u8]>,
        view: &mut View<'_>,
    ) -> Option<&'static str> {
        let entry = view.ledger.entry(tag).cloned()?;
        match self.uses.insert(id, Use::Publish(tag)) {
            None => {
                view.counts.id_wraps += u64::from(id < self.newest_id);
                self.newest_id = id;
            }
            Some(Use::Publish(before)) if before == tag => {}
            // A message that was given up has freed its identifier; its outcome may not have been polled.
            Some(Use::Publish(before)) if self.may_be_given_up(before, view.ledger) => {}
            Some(Use::Release) => return Some("its identifier waits for PUBCOMP"),
            Some(_) => return Some("its identifier is in use"),
        }
        self.charged.insert(id);
        let is_stored = view.store.is_none_or(|store| store.has_outgoing(id));
        let last = core::mem::replace(&mut self.last_order, tag);
        match publish.delivery.dup() {
            _ if publish.delivery.qos() != entry.qos => Some("its QoS was another one"),
            _ if self.charged.len() > self.peer.receive_maximum => Some("the peer takes fewer at a time"),
            _ if !is_stored => Some("the store does not have it"),
            _ if last >= tag => Some("it overtakes"),
            true if !entry.was_sent && !entry.may_be_repeated && !entry.is_source => Some("it says DUP at first"),
            false if entry.was_sent => Some("it does not say DUP again"),
            _ => None,
        }
    }

    fn may_be_given_up(&self, tag: u64, ledger: &Ledger) -> bool {
        let Some(entry) = ledger.entry(tag) else { return true };
        let might_not_fit = entry.payload_bytes + 64 > self.peer.packet_bytes;
        !ledger.is_live(tag) || entry.qos == QoS::AtLeastOnce && (entry.is_source || might_not_fit)
    }

    fn uses_alias(&mut self, publish: &Publish<&[u8]>) -> Option<&'static str> {
        let Some(alias) = publish.properties.topic_alias() else {
            return publish.topic.is_none().then_some("it has no topic");
        };
        let alias = alias.get();
        if alias > self.peer.alias_maximum {
            return Some("its topic alias is above the maximum");
        }
        match &publish.topic {
            Some(topic) => {
                self.aliases.insert(alias, topic.as_bytes().to_vec());
                None
            }
            None => (!self.aliases.contains_key(&alias)).then_some("its topic alias stands for nothing"),
        }
    }

    /// I-9: answers leave in the order of what they answer, and only on its connection.
    fn answers(&mut self, line: impl Fn(&mut Self) -> &mut VecDeque<u16>, id: u16) -> Option<&'static str> {
        match line(self).pop_front() {
            Some(first) if first == id => None,
            Some(_) => Some("it is not the next in line"),
            None => Some("it answers nothing of this connection"),
        }
    }

    fn sends_pubrec(&mut self, id: PacketId, reason: ReasonCode, view: &View<'_>) -> Option<&'static str> {
        let is_stored = view.store.is_none_or(|store| store.has(Key::Incoming(id)));
        if reason.value() < 0x80 && !is_stored {
            return Some("the store does not have it");
        }
        self.answers(|watch| &mut watch.owed_pubrecs, id.get())
    }

    fn sends_pubrel(&mut self, id: u16, view: &View<'_>) -> Option<&'static str> {
        let is_known = self.uses.contains_key(&id);
        let is_stored = view.store.is_none_or(|store| store.releases(id));
        if is_known && !is_stored {
            return Some("the store does not have it");
        }
        if is_known {
            self.uses.insert(id, Use::Release);
        }
        match self.owed_pubrels.iter().position(|owed| *owed == id) {
            Some(0) => {
                self.owed_pubrels.pop_front();
                None
            }
            Some(_) => Some("it is not the next in line"),
            None if is_known => None,
            None => Some("it releases nothing"),
        }
    }

    fn sends_pubcomp(&mut self, id: PacketId, view: &View<'_>) -> Option<&'static str> {
        if view.store.is_some_and(|store| store.has(Key::Incoming(id))) {
            return Some("the store still has its identifier");
        }
        match self.owed_pubcomps.iter().position(|owed| *owed == id.get()) {
            Some(place) => {
                self.owed_pubcomps.remove(place);
                None
            }
            None => Some("it answers nothing of this connection"),
        }
    }

    // ---- what is taken

    pub(super) fn takes(&mut self, bytes: &[u8], view: &mut View<'_>) {
        let mut buffer = core::mem::take(&mut self.taken);
        buffer.extend_from_slice(bytes);
        let role = if self.side == Side::Client {
            Role::Server
        } else {
            Role::Client
        };
        let mut rest = &buffer[..];
        while let Ok(Decoded::Packet { packet, len }) = decode(rest, &Rules::new(self.version).sent_by(role)) {
            self.takes_packet(&packet, view);
            rest = &rest[len..];
        }
        self.taken = rest.to_vec();
    }

    fn takes_packet(&mut self, packet: &Packet<&[u8]>, view: &mut View<'_>) {
        match packet {
            Packet::Connect(connect) => self.meets(announced_by_client(connect), view.counts),
            Packet::ConnAck(connack) => self.takes_connack(connack, view),
            Packet::Publish(publish) => match (publish.delivery.qos(), publish.delivery.id()) {
                (QoS::AtLeastOnce, Some(id)) => self.owed_pubacks.push_back(id.get()),
                (QoS::ExactlyOnce, Some(id)) => self.owed_pubrecs.push_back(id.get()),
                _ => {}
            },
            Packet::PubAck(ack) => self.ends(ack.id.get()),
            Packet::PubRec(ack) if ReasonCode::from(ack.reason).value() >= 0x80 => self.ends(ack.id.get()),
            Packet::PubRec(ack) => self.owed_pubrels.push_back(ack.id.get()),
            Packet::PubRel(ack) => self.owed_pubcomps.push(ack.id.get()),
            Packet::PubComp(ack) => self.ends(ack.id.get()),
            Packet::SubAck(ack) => self.ends(ack.id.get()),
            Packet::UnsubAck(ack) => self.ends(ack.id.get()),
            _ => {}
        }
    }

    fn takes_connack(&mut self, connack: &ConnAck<&[u8]>, view: &mut View<'_>) {
        if connack.reason.is_error() {
            return;
        }
        if !connack.session_present && !self.goes_on_unsaid() {
            self.session_began();
            view.ledger.session_began(self.side);
        }
        view.counts.resumes += u64::from(connack.session_present && !self.uses.is_empty());
        self.meets(announced_by_server(connack), view.counts);
    }

    fn meets(&mut self, peer: Announced, counts: &mut Counts) {
        self.peer = peer;
        counts.window_shrinks += u64::from(self.in_flight() > peer.receive_maximum);
    }

    fn ends(&mut self, id: u16) {
        self.uses.remove(&id);
        self.charged.remove(&id);
    }
}

/// I-9: the client learns of a session that the store has. What was earned may leave after the connection has ended, and its
/// session with it.
fn sends_connack(connack: &ConnAck<&[u8]>, view: &View<'_>) -> Option<&'static str> {
    let is_stored = view.store.is_none_or(|store| store.keeps(view.session));
    (!connack.reason.is_error() && !is_stored).then_some("the store does not have the session")
}

fn announced_by_client(connect: &Connect<&[u8]>) -> Announced {
    let properties = &connect.properties;
    Announced {
        receive_maximum: properties
            .receive_maximum()
            .map_or(65_535, |maximum| maximum.get().into()),
        packet_bytes: properties
            .maximum_packet_size()
            .map_or(usize::MAX, |bytes| bytes.get() as usize),
        alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
    }
}

fn announced_by_server(connack: &ConnAck<&[u8]>) -> Announced {
    let properties = &connack.properties;
    Announced {
        receive_maximum: properties
            .receive_maximum()
            .map_or(65_535, |maximum| maximum.get().into()),
        packet_bytes: properties
            .maximum_packet_size()
            .map_or(usize::MAX, |bytes| bytes.get() as usize),
        alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
    }
}

/// What is left, rounded up, and never nothing.
fn seconds_until(at: Instant, now: Instant) -> u32 {
    let left = at.saturating_since(now).as_micros().div_ceil(1_000_000);
    u32::try_from(left).unwrap_or(u32::MAX).max(1)
}
