//! What a machine sends on one connection, packet by packet, beside what it was sent.

use core::num::{NonZeroU16, NonZeroU32};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use mqtt_proto::{
    DecodedHead, Delivery, Packet, PacketId, PacketType, PubAck, PubRec, PubRelReason, Role, Rules, Version,
    decode_publish_head,
};

/// One connection, seen from between its ends.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    sender: Role,
    version: Option<Version>,
    sent: BytesMut,
    received: BytesMut,
    /// The sender has read something that is no packet: it reads nothing more.
    is_deaf: bool,
    pub(super) packets: usize,
    /// No packet can follow the last one.
    has_left: bool,
    /// The largest packet that the receiver takes, and how many messages it has open at most.
    bounds: Option<(usize, usize)>,
    own_maximum: u16,
    /// The session goes on after the connection, however long that is ago.
    pub(super) outlives: bool,
    /// Whether PUBREC was received for it.
    publishing: BTreeMap<PacketId, bool>,
    releasing: BTreeSet<PacketId>,
    asked: BTreeSet<PacketId>,
    /// How many PUBRECs came for something that was not sent on this connection.
    strange: BTreeMap<PacketId, usize>,
    /// Answers to a message whose last part is still under way.
    early: Vec<Packet<Bytes>>,
    puback_owed: VecDeque<PacketId>,
    pubrec_owed: VecDeque<PacketId>,
    pubcomp_owed: Vec<PacketId>,
    /// Whether acknowledgements can be compared with what was received.
    counts_answers: bool,
}

impl Watch {
    /// A connection that begins. `own_maximum` is how many messages the sender wants open at most.
    pub(super) fn new(sender: Role, version: Option<Version>, own_maximum: u16, counts_answers: bool) -> Self {
        Self {
            sender,
            version,
            sent: BytesMut::new(),
            received: BytesMut::new(),
            is_deaf: false,
            packets: 0,
            has_left: false,
            bounds: None,
            own_maximum,
            outlives: true,
            publishing: BTreeMap::new(),
            releasing: BTreeSet::new(),
            asked: BTreeSet::new(),
            strange: BTreeMap::new(),
            early: Vec::new(),
            puback_owed: VecDeque::new(),
            pubrec_owed: VecDeque::new(),
            pubcomp_owed: Vec::new(),
            counts_answers,
        }
    }

    /// The sender has taken these bytes. Returns the packets that they complete.
    pub(super) fn received(&mut self, bytes: &[u8]) -> Vec<Packet<Bytes>> {
        self.received.extend_from_slice(bytes);
        let mut packets = Vec::new();
        while !self.is_deaf {
            let rules = Rules::new(self.version.unwrap_or(Version::V5));
            match Packet::take(&mut self.received, &rules) {
                Ok(Some(packet)) => {
                    self.takes(&packet);
                    packets.push(packet);
                }
                Ok(None) => break,
                Err(_) => self.is_deaf = true,
            }
        }
        packets
    }

    fn takes(&mut self, packet: &Packet<Bytes>) {
        self.outlives &= lasts(packet);
        match packet {
            Packet::Connect(connect) if self.version.is_none() => {
                self.version = Some(connect.version);
                let properties = &connect.properties;
                self.bounded(
                    properties.maximum_packet_size().map(NonZeroU32::get),
                    properties.receive_maximum().map(NonZeroU16::get),
                );
            }
            Packet::ConnAck(connack) if !connack.reason.is_error() && self.bounds.is_none() => {
                let properties = &connack.properties;
                self.bounded(
                    properties.maximum_packet_size().map(NonZeroU32::get),
                    properties.receive_maximum().map(NonZeroU16::get),
                );
            }
            Packet::Publish(publish) => match publish.delivery {
                Delivery::AtLeastOnce { id, .. } => self.puback_owed.push_back(id),
                Delivery::ExactlyOnce { id, .. } if !self.pubrec_owed.contains(&id) => self.pubrec_owed.push_back(id),
                _ => {}
            },
            Packet::PubAck(PubAck { id, .. }) | Packet::PubRec(PubRec { id, .. }) if self.is_sending(*id) => {
                self.early.push(packet.clone());
            }
            Packet::PubAck(ack) => drop(self.publishing.remove(&ack.id)),
            Packet::PubRec(ack) if ack.reason.is_error() => drop(self.publishing.remove(&ack.id)),
            Packet::PubRec(ack) => match self.publishing.get_mut(&ack.id) {
                Some(is_held) => *is_held = true,
                None if !self.releasing.contains(&ack.id) => *self.strange.entry(ack.id).or_default() += 1,
                None => {}
            },
            Packet::PubRel(ack) => self.pubcomp_owed.push(ack.id),
            Packet::PubComp(ack) => {
                self.publishing.remove(&ack.id);
                self.releasing.remove(&ack.id);
            }
            Packet::SubAck(ack) => drop(self.asked.remove(&ack.id)),
            Packet::UnsubAck(ack) => drop(self.asked.remove(&ack.id)),
            _ => {}
        }
    }

    /// Whether this message has begun and not ended. Its sender may have its last part, and takes an answer then.
    fn is_sending(&self, id: PacketId) -> bool {
        let rules = Rules::new(self.version.unwrap_or(Version::V5));
        match decode_publish_head(&self.sent, &rules) {
            Ok(DecodedHead::Head { publish, .. }) => publish.delivery.id() == Some(id),
            _ => false,
        }
    }

    fn bounded(&mut self, bytes: Option<u32>, maximum: Option<u16>) {
        let bytes = bytes.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let open = maximum.unwrap_or(u16::MAX).min(self.own_maximum).max(1);
        self.bounds = Some((bytes, usize::from(open)));
    }

    /// The sender sends these bytes. Returns the packets that they complete.
    pub(super) fn sends(&mut self, bytes: &[u8]) -> Vec<Packet<Bytes>> {
        self.sent.extend_from_slice(bytes);
        let mut packets = Vec::new();
        loop {
            let before = self.sent.len();
            let Some(packet) = self.take_sent() else { return packets };
            self.judge(&packet, before - self.sent.len());
            packets.push(packet);
        }
    }

    /// The next packet, by the strict rules of its sender. A server that knows no version yet may use any.
    fn take_sent(&mut self) -> Option<Packet<Bytes>> {
        let versions = match &self.version {
            Some(version) => std::slice::from_ref(version),
            None => &Version::ALL[..],
        };
        let mut faults = Vec::new();
        for version in versions {
            match Packet::take(&mut self.sent, &Rules::new(*version).sent_by(self.sender)) {
                Ok(packet) => return packet,
                Err(error) => faults.push(error),
            }
        }
        panic!("the {:?} sent {:02X?}: {faults:?}", self.sender, &self.sent[..]);
    }

    fn judge(&mut self, packet: &Packet<Bytes>, len: usize) {
        self.outlives &= lasts(packet);
        assert!(!self.has_left, "{packet:?} after the last packet");
        let kind = packet.packet_type();
        let may_begin = match self.sender {
            Role::Client => kind == PacketType::Connect,
            Role::Server => matches!(kind, PacketType::ConnAck | PacketType::Auth),
        };
        assert!(self.packets > 0 || may_begin, "the first packet is {packet:?}");
        assert!(self.packets == 0 || kind != PacketType::Connect, "a second CONNECT");
        self.packets += 1;
        if let Some((limit, _)) = self.bounds {
            assert!(len <= limit, "{len} bytes to somebody who takes {limit}: {packet:?}");
        }
        match packet {
            Packet::Publish(publish) => {
                if let Some(id) = publish.delivery.id() {
                    self.uses(id, packet);
                    self.publishing.insert(id, false);
                    let maximum = self.bounds.map_or(0, |(_, maximum)| maximum);
                    let open = self.publishing.len();
                    assert!(open <= maximum, "{open} messages are open, {maximum} may be");
                    for answer in std::mem::take(&mut self.early) {
                        self.takes(&answer);
                    }
                }
            }
            Packet::Subscribe(ask) => {
                self.uses(ask.id, packet);
                self.asked.insert(ask.id);
            }
            Packet::Unsubscribe(ask) => {
                self.uses(ask.id, packet);
                self.asked.insert(ask.id);
            }
            Packet::PubRel(ack) => match self.publishing.get(&ack.id).copied() {
                Some(is_held) => assert!(is_held, "PUBREL before PUBREC: {ack:?}"),
                None if self.is_strange(ack.id) || ack.reason != PubRelReason::Success => {}
                None => {
                    assert!(!self.asked.contains(&ack.id), "an identifier in use: {ack:?}");
                    self.releasing.insert(ack.id);
                }
            },
            Packet::PubAck(ack) => self.answers(self.puback_owed.front().copied(), ack.id, packet),
            Packet::PubRec(ack) => self.answers(self.pubrec_owed.front().copied(), ack.id, packet),
            Packet::PubComp(ack) => {
                let place = self.pubcomp_owed.iter().position(|id| *id == ack.id);
                assert!(
                    place.is_some() || !self.counts_answers,
                    "no PUBREL asked for {packet:?}"
                );
                place.map(|place| self.pubcomp_owed.remove(place));
            }
            Packet::Disconnect(_) => self.has_left = true,
            Packet::ConnAck(connack) => self.has_left = connack.reason.is_error(),
            _ => {}
        }
    }

    fn uses(&self, id: PacketId, packet: &Packet<Bytes>) {
        let is_used = self.publishing.contains_key(&id) || self.releasing.contains(&id) || self.asked.contains(&id);
        assert!(!is_used, "an identifier in use: {packet:?}");
    }

    /// Whether this release answers a PUBREC for something that was not sent. Each answers one.
    fn is_strange(&mut self, id: PacketId) -> bool {
        let count = self.strange.entry(id).or_default();
        let is_some = *count > 0;
        *count = count.saturating_sub(1);
        is_some
    }

    /// Acknowledgements leave in the order in which their messages came.
    fn answers(&mut self, next: Option<PacketId>, id: PacketId, packet: &Packet<Bytes>) {
        if !self.counts_answers {
            return;
        }
        assert_eq!(next, Some(id), "{packet:?} is not the next acknowledgement");
        match packet {
            Packet::PubAck(_) => drop(self.puback_owed.pop_front()),
            _ => drop(self.pubrec_owed.pop_front()),
        }
    }
}

/// Whether this packet leaves it to the session to go on for ever.
fn lasts(packet: &Packet<Bytes>) -> bool {
    let is_forever = |seconds: u32| seconds == u32::MAX;
    match packet {
        Packet::Connect(connect) if connect.version.has_properties() => {
            connect.properties.session_expiry().is_some_and(is_forever)
        }
        Packet::Connect(connect) => !connect.clean_start,
        Packet::ConnAck(connack) => connack.properties.session_expiry().is_none_or(is_forever),
        Packet::Disconnect(farewell) => farewell.properties.session_expiry().is_none_or(is_forever),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const CONNECT: &[u8] = b"\x10\x0E\0\x04MQTT\x05\x02\0\0\0\0\x01c";
    const PUBLISH_1: &[u8] = b"\x32\x07\0\x01t\0\x01\0x";
    const PUBLISH_2: &[u8] = b"\x34\x07\0\x01t\0\x02\0x";
    /// Receive Maximum 1, Maximum Packet Size 14.
    const CONNACK: &[u8] = b"\x20\x0B\0\0\x08\x21\0\x01\x27\0\0\0\x0E";

    fn connected(connack: &[u8]) -> Watch {
        let mut watch = Watch::new(Role::Client, Some(Version::V5), u16::MAX, true);
        assert_eq!(watch.sends(CONNECT).len(), 1);
        assert_eq!(watch.received(connack).len(), 1);
        watch
    }

    fn open() -> Watch {
        connected(b"\x20\x03\0\0\0")
    }

    fn is_noticed(watch: &mut Watch, bytes: &[u8]) -> bool {
        catch_unwind(AssertUnwindSafe(|| watch.sends(bytes))).is_err()
    }

    #[test]
    fn what_is_right_passes() {
        let mut watch = open();
        let (first, rest) = PUBLISH_1.split_at(3);
        assert_eq!(watch.sends(first).len(), 0);
        assert_eq!(watch.sends(rest).len(), 1);
        watch.received(b"\x40\x02\0\x01");
        watch.sends(PUBLISH_1);
        watch.sends(PUBLISH_2);
        watch.received(b"\x50\x02\0\x02");
        watch.sends(b"\x62\x02\0\x02\xE0\0");
    }

    #[test]
    fn another_packet_than_connect_is_no_beginning() {
        let mut watch = Watch::new(Role::Client, Some(Version::V5), 1, true);
        assert!(is_noticed(&mut watch, b"\xC0\0"));
        assert!(is_noticed(&mut open(), CONNECT));
    }

    #[test]
    fn bytes_that_are_no_packet_of_this_end_are_noticed() {
        assert!(is_noticed(&mut open(), b"\xD0\0"), "PINGRESP");
        assert!(is_noticed(&mut open(), b"\x32\x07\0\x01t\0\0\0x"), "identifier zero");
    }

    #[test]
    fn identifiers_in_use_are_not_used_again() {
        let mut watch = open();
        watch.sends(PUBLISH_1);
        assert!(is_noticed(&mut watch, PUBLISH_1));
        let mut watch = open();
        watch.sends(b"\x82\x07\0\x01\0\0\x01t\0");
        assert!(is_noticed(&mut watch, PUBLISH_1));
        let mut watch = open();
        watch.sends(b"\x62\x02\0\x02");
        assert!(is_noticed(&mut watch, PUBLISH_2));
    }

    #[test]
    fn a_release_before_it_is_due_is_noticed() {
        let mut watch = open();
        watch.sends(PUBLISH_2);
        assert!(is_noticed(&mut watch, b"\x62\x02\0\x02"));
    }

    #[test]
    fn each_answer_to_nothing_allows_one_release() {
        let mut watch = open();
        watch.received(b"\x50\x02\0\x02\x50\x02\0\x02");
        watch.sends(b"\x62\x02\0\x02\x62\x02\0\x02");
        watch.sends(b"\x62\x02\0\x02");
        assert!(is_noticed(&mut watch, PUBLISH_2), "the third is a release of its own");
    }

    #[test]
    fn an_answer_to_the_last_part_of_a_message_counts() {
        let mut watch = open();
        let (first, rest) = PUBLISH_2.split_at(PUBLISH_2.len() - 1);
        watch.sends(first);
        watch.received(b"\x50\x02\0\x02");
        watch.sends(rest);
        watch.sends(b"\x62\x02\0\x02");
    }

    #[test]
    fn the_window_and_the_size_of_the_receiver_hold() {
        let mut watch = connected(CONNACK);
        watch.sends(PUBLISH_1);
        assert!(is_noticed(&mut watch, PUBLISH_2), "two are open");
        let mut watch = connected(CONNACK);
        assert!(is_noticed(&mut watch, b"\x30\x0D\0\x01t\0xxxxxxxxx"), "15 bytes");
    }

    #[test]
    fn nothing_follows_a_farewell() {
        let mut watch = open();
        watch.sends(b"\xE0\0");
        assert!(is_noticed(&mut watch, b"\xC0\0"));
    }

    #[test]
    fn acknowledgements_out_of_turn_are_noticed() {
        assert!(is_noticed(&mut open(), b"\x40\x02\0\x01"), "nothing came");
        let mut watch = open();
        watch.received(PUBLISH_1);
        watch.received(b"\x32\x07\0\x01t\0\x03\0x");
        assert!(is_noticed(&mut watch, b"\x40\x02\0\x03"), "the second before the first");
        assert!(is_noticed(&mut open(), b"\x70\x02\0\x01"), "PUBCOMP without PUBREL");
    }
}
