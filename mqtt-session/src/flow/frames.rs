//! Messages of QoS 0 that are encoded already, one behind the other.
//!
//! A broker encodes a message once for all who get it as it stands. A copy is its bytes then: nothing is kept of it beside
//! them, and nothing is told of its end. It goes with its connection.

use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::ops::Range;

use bytes::Bytes;
use mqtt_proto::varint::{self, VARINT_MAX, Varint};
use mqtt_proto::{Delivery, PropertyId, SubscriptionId, Version};

use super::outline::Outline;
use super::{Flow, LARGEST_PACKET, Tells, size};
use crate::fingerprint::Fingerprint;
use crate::op::{Limit, Op, Outcome, PublishError};
use crate::outbox::{Outbox, packet_len};
use crate::qos::{Withdrawable, Withdrawn};
use crate::session::SessionEvent;
use crate::slab::NONE;
use crate::{Message, WhenFull};

/// A connection that has read everything keeps this much memory for what comes next.
const KEPT_BYTES: usize = 4096;

/// It keeps so much at most, where a quarter of it was needed: until it needs less, or comes due with nothing to do. A reader
/// to whom many publish gets that much at once.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// What became of an encoded message that had no room.
#[derive(Debug)]
pub(crate) enum Pressed {
    /// It is queued, and others are not any more.
    GaveWay,
    Refused(PublishError),
}

/// What waits for room in the outbox.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// So many of the bytes have gone.
    taken: usize,
    len: usize,
}

impl Frames {
    fn waiting(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    #[inline]
    fn push(&mut self, frame: &[u8], retain: bool) {
        // Those that have gone give their place back before more is asked for, if there is less to be moved than that.
        let is_full = self.bytes.len().saturating_add(frame.len()) > self.bytes.capacity();
        if is_full && self.taken > self.waiting().len() {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(frame);
        if let Some(first) = self.bytes.get_mut(start) {
            // [MQTT-3.3.1-12]
            *first = *first & !1 | u8::from(retain);
        }
        self.len = self.len.saturating_add(1);
    }

    /// Takes the first one away.
    fn drop_first(&mut self) {
        self.skip(packet_len(self.waiting()), 1);
    }

    fn skip(&mut self, bytes: usize, frames: usize) {
        self.taken = self.taken.saturating_add(bytes);
        self.len = self.len.saturating_sub(frames);
        if self.len == 0 {
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        if self.bytes.capacity() > KEPT_BYTES {
            self.shrink();
        }
        self.bytes.clear();
        self.taken = 0;
        self.len = 0;
    }

    #[cold]
    fn shrink(&mut self) {
        let kept = self.bytes.len().saturating_mul(4).min(KEPT_BYTES_MAX);
        if self.bytes.capacity() > kept {
            self.bytes = Vec::new();
        }
    }

    /// Gives the memory back, if nothing waits.
    pub(super) fn rest(&mut self) {
        if self.len == 0 {
            *self = Self::default();
        }
    }

    /// Moves them to the outbox, each whole, as long as it has room.
    fn transmit(&mut self, outbox: &mut Outbox) {
        let waiting = self.waiting();
        let room = outbox.limit_bytes().saturating_sub(outbox.len());
        let (mut bytes, mut frames) = (waiting.len(), self.len);
        if bytes > room {
            (bytes, frames) = outbox.fitting(waiting);
        }
        outbox
            .buffer()
            .extend_from_slice(waiting.get(..bytes).unwrap_or_default());
        outbox.count_messages(frames);
        self.skip(bytes, frames);
    }

    pub(super) fn fingerprint(&self, mark: &mut Fingerprint<'_>) {
        mark.bytes(self.waiting());
    }
}

/// The number that encoded bytes begin with, and how many of them are it.
#[inline]
fn number(bytes: &[u8]) -> Option<(usize, usize)> {
    match varint::read(bytes) {
        Varint::Value { value, len } => Some((size(value), usize::from(len))),
        Varint::Incomplete | Varint::TooLong => None,
    }
}

/// Appends a number.
#[inline]
fn push_number(number: u32, buffer: &mut Vec<u8>) {
    let (form, len) = varint::bytes(number);
    buffer.extend_from_slice(form.get(..usize::from(len)).unwrap_or_default());
}

/// The topic of an encoded message with its length, and what comes behind it.
#[inline]
fn split_topic(frame: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, len) = number(frame.get(1..)?)?;
    let body = frame.get(len.saturating_add(1)..)?;
    let topic = u16::from_be_bytes(*body.first_chunk()?);
    body.split_at_checked(usize::from(topic).saturating_add(2))
}

/// One message as it is encoded for all who get it, in memory that is used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    /// In MQTT 3 and in 5.0. Empty: nobody has got it in that version.
    whole: [Vec<u8>; 2],
    /// With the identifiers of the subscriptions that it went to last. Empty: it went to none that has one.
    named: Vec<u8>,
    /// Where they stand there.
    named_at: Range<usize>,
    identifiers: Vec<u8>,
    is_encoded: bool,
}

impl Copies {
    /// Another message. Its payload is to be no longer than this.
    pub(crate) fn begin(&mut self, message: &Message, inline_bytes: u32) {
        for whole in &mut self.whole {
            whole.clear();
        }
        self.named.clear();
        self.named_at = 0..0;
        let properties = &message.properties;
        let of_machine = [PropertyId::TopicAlias, PropertyId::MessageExpiryInterval];
        self.is_encoded = message.expiry_seconds.is_none()
            && message.payload.len() <= size(inline_bytes)
            && (properties.is_empty() || !of_machine.into_iter().any(|id| properties.has(id)));
    }

    /// Whether the bytes of a message of QoS 0 are the same for all: none has an expiry that goes on, and none is so large
    /// that its payload is shared.
    #[inline]
    pub(crate) const fn is_encoded(&self) -> bool {
        self.is_encoded
    }

    /// The message as it is sent with QoS 0, but for its RETAIN flag. `None`: it cannot be encoded.
    #[inline]
    pub(crate) fn encoded(
        &mut self,
        message: &Message,
        version: Version,
        identifiers: impl Iterator<Item = NonZeroU32>,
    ) -> Option<&[u8]> {
        let [three, five] = &mut self.whole;
        let whole = if version.has_properties() { five } else { three };
        if whole.is_empty() {
            outline(message, version).write_whole(LARGEST_PACKET, whole)?.ok()?;
        }
        if version.has_properties() {
            self.identifiers.clear();
            for identifier in identifiers {
                let identifier = SubscriptionId::new(identifier.get())?;
                self.identifiers.push(PropertyId::SubscriptionIdentifier.number());
                push_number(identifier.get(), &mut self.identifiers);
            }
            if !self.identifiers.is_empty() {
                // Those of most subscriptions are as long as those of the one before.
                if self.identifiers.len() != self.named_at.len() {
                    self.named.clear();
                    self.named_at = write_named(whole, &self.identifiers, &mut self.named)?;
                }
                let place = self.named.get_mut(self.named_at.clone())?;
                place.copy_from_slice(&self.identifiers);
                return Some(&self.named);
            }
        }
        Some(whole)
    }
}

fn outline(message: &Message, version: Version) -> Outline<'_> {
    Outline {
        version,
        delivery: Delivery::AtMostOnce,
        message,
        with_topic: true,
        expiry: None,
        alias: None,
        source_bytes: None,
    }
}

/// Appends an encoded message of MQTT 5.0 with the identifiers of the subscriptions that it goes to in front of its other
/// properties. Returns where they stand; `None`: it would be too long. [MQTT-3.3.4-3, MQTT-3.3.4-4]
fn write_named(frame: &[u8], identifiers: &[u8], buffer: &mut Vec<u8>) -> Option<Range<usize>> {
    let (topic, rest) = split_topic(frame)?;
    let (others, len) = number(rest)?;
    let rest = rest.get(len..)?;
    let properties = u32::try_from(others.saturating_add(identifiers.len())).ok()?;
    let lengths = [
        topic.len(),
        usize::from(varint::len(properties)),
        identifiers.len(),
        rest.len(),
    ];
    let body = u32::try_from(lengths.into_iter().fold(0, usize::saturating_add)).ok()?;
    if body > VARINT_MAX {
        return None;
    }
    buffer.push(*frame.first()?);
    push_number(body, buffer);
    buffer.extend_from_slice(topic);
    push_number(properties, buffer);
    let at = buffer.len();
    buffer.extend_from_slice(identifiers);
    let place = at..buffer.len();
    buffer.extend_from_slice(rest);
    Some(place)
}

impl<E: Tells> Flow<E> {
    /// Whether a message of QoS 0 may be queued as it is encoded for a version, and which that is: it overtakes nothing that
    /// waits to be sent, and the connection has nothing to add to it.
    #[inline]
    pub(crate) fn takes_frames(&self) -> Option<Version> {
        let takes = self.link.is_open && self.link.send_aliases.is_none() && !self.session.outgoing.has_due();
        takes.then_some(self.link.version)
    }

    /// Queues an encoded message. All sessions of the broker together have so many bytes `left`. An error says that it was
    /// not queued, or that others gave way to it.
    #[inline]
    pub(crate) fn queue_frame(&mut self, frame: &[u8], retain: bool, left: u64) -> Result<(), Pressed> {
        let (bytes, limit) = (
            u32::try_from(frame.len()).unwrap_or(u32::MAX),
            self.link.peer_packet_bytes,
        );
        if bytes > limit {
            return Err(Pressed::Refused(PublishError::TooLarge { bytes, limit }));
        }
        if let Err(limit) = self.has_room_beside(u64::from(bytes), left) {
            if let Err(error) = self.give_way(limit, u64::from(bytes), left) {
                return Err(Pressed::Refused(error));
            }
            self.link.frames.push(frame, retain);
            return Err(Pressed::GaveWay);
        }
        self.link.frames.push(frame, retain);
        Ok(())
    }

    /// Whether encoded messages wait.
    #[inline]
    pub(super) const fn has_frames(&self) -> bool {
        self.link.frames.len > 0
    }

    /// What is left to this session for a message of this size, of what all sessions may hold, when encoded ones have given way
    /// to it as far as they are to.
    #[inline]
    pub(super) fn left_beside_frames(&mut self, bytes: u64, left: u64) -> u64 {
        if bytes <= left || self.link.frames.len == 0 || self.session.manner.when_full == WhenFull::Refuse {
            return left;
        }
        let most = left.saturating_add(self.queued_bytes());
        while bytes > most.saturating_sub(self.queued_bytes()) && self.link.frames.len > 0 && bytes <= most {
            self.drop_frame(Limit::QueuedBytesOfAll);
        }
        most.saturating_sub(self.queued_bytes())
    }

    /// Whether there is room for a message of this size, which the session has room for, beside the encoded ones.
    #[inline]
    pub(super) fn room_beside_frames(&mut self, bytes: u64) -> Result<(), PublishError> {
        if self.link.frames.len == 0 {
            return Ok(());
        }
        match self.has_room_beside(bytes, u64::MAX) {
            Ok(()) => Ok(()),
            Err(limit) => self.give_way(limit, bytes, u64::MAX),
        }
    }

    /// The encoded ones are the oldest.
    #[cold]
    fn give_way(&mut self, mut limit: Limit, bytes: u64, left: u64) -> Result<(), PublishError> {
        // What gives way here is left to this session.
        let most = left.saturating_add(self.queued_bytes());
        loop {
            if self.session.manner.when_full == WhenFull::Refuse || self.link.frames.len == 0 || bytes > most {
                return Err(PublishError::QueueFull(limit));
            }
            self.drop_frame(limit);
            let left = most.saturating_sub(self.queued_bytes());
            match self.has_room_beside(bytes, left) {
                Ok(()) => return Ok(()),
                Err(next) => limit = next,
            }
        }
    }

    #[inline]
    fn has_room_beside(&self, bytes: u64, left: u64) -> Result<(), Limit> {
        let limits = &self.session.manner.limits;
        if self.outgoing_len() >= size(limits.queued_messages) {
            return Err(Limit::QueuedMessages);
        }
        if self.queued_bytes().saturating_add(bytes) > limits.queued_bytes {
            return Err(Limit::QueuedBytes);
        }
        if bytes > left {
            return Err(Limit::QueuedBytesOfAll);
        }
        Ok(())
    }

    /// How many bytes the messages take that have not ended.
    #[inline]
    pub(crate) fn queued_bytes(&self) -> u64 {
        let frames = &self.link.frames;
        let waiting = frames.bytes.len().wrapping_sub(frames.taken) as u64;
        self.session.outgoing.bytes().wrapping_add(waiting)
    }

    #[cold]
    fn drop_frame(&mut self, limit: Limit) {
        self.link.frames.drop_first();
        // Nobody has a name for it.
        let op = Op {
            session: self.session.generation,
            key: NONE,
            serial: 0,
        };
        let outcome = Outcome::Dropped(limit);
        self.tell(SessionEvent::Completed { op, tag: 0, outcome });
    }

    /// How many messages have not ended.
    #[inline]
    pub(crate) fn outgoing_len(&self) -> usize {
        self.session.outgoing.len().saturating_add(self.link.frames.len)
    }

    /// Whether there is nothing to be sent, be it later.
    #[inline]
    pub(crate) fn is_silent(&self) -> bool {
        self.outgoing_len() == 0 && self.link.replies.is_empty() && !self.session.incoming.has_answers()
    }

    /// How many encoded messages wait, and how many bytes they take.
    pub(crate) fn frames_waiting(&self) -> (usize, u64) {
        let frames = &self.link.frames;
        (frames.len, frames.waiting().len() as u64)
    }

    #[inline]
    pub(super) fn transmit_frames(&mut self, outbox: &mut Outbox) {
        if self.link.frames.len > 0 && !self.session.outgoing.is_held() {
            self.link.frames.transmit(outbox);
        }
    }

    /// Takes out what waits and is not wanted any more. Without their topics, nothing is known of these messages.
    pub(crate) fn withdraw_frames(
        &mut self,
        mut is_wanted: impl FnMut(Withdrawable<'_>) -> bool,
        withdrawn: &mut Vec<Withdrawn>,
    ) {
        let frames = core::mem::take(&mut self.link.frames);
        let mut waiting = frames.waiting();
        while !waiting.is_empty() {
            let Some((frame, rest)) = waiting.split_at_checked(packet_len(waiting)) else {
                return;
            };
            waiting = rest;
            let topic = split_topic(frame).and_then(|(topic, _)| topic.get(2..));
            let message = topic.map(|topic| Message::new(Bytes::copy_from_slice(topic), Bytes::new()));
            let Some(Ok(message)) = message else {
                continue;
            };
            let found = Withdrawable {
                message: &message,
                tag: 0,
                was_sent: false,
            };
            if is_wanted(found) {
                let retain = frame.first().is_some_and(|first| first & 1 == 1);
                self.link.frames.push(frame, retain);
            } else {
                withdrawn.push(Withdrawn { message, tag: 0 });
            }
        }
    }
}
