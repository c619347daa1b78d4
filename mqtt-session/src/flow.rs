//! The flow of messages in both directions: session, connection and journal together. It knows no role.

mod output;

use alloc::collections::VecDeque;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use mqtt_proto::{
    Delivery, PacketId, PropertyId, PubCompReason, PubRelReason, Publish, PublishHead, QoS, ReasonCode, SharedPublish,
    TopicName, Version,
};

use crate::alias::{AliasFault, ReceiveAliases, SendAliases};
use crate::closed::Violation;
use crate::journal::{Journal, Ticket};
use crate::message::{DeliveryId, HandOver, Message, Received};
use crate::op::{Limit, Op, Outcome, PublishError};
use crate::qos::{Answered, Arrival, Exchange, Incoming, Loss, LossCursor, Outgoing, message_record};
use crate::store::{InboxRecord, IncomingRecord, PayloadOf, Record, SessionRecord};
use crate::time::Instant;
use crate::{AcknowledgeError, Limits, WhenFull};

/// How many delivery numbers one record sets aside.
const DELIVERY_BLOCK: u64 = 1024;
/// Properties of one packet that the machine writes itself take at most this.
const OWN_PROPERTIES: usize = 8;
const MICROS: u128 = 1_000_000;
/// Small received messages are kept together in blocks of this size.
const POOL_BYTES: usize = 4096;

use output::own_properties;
pub(crate) use output::write;

/// What the flow tells, for either role.
#[derive(Debug)]
pub(crate) enum Traffic {
    Message(Received),
    Completed { op: Op, tag: u64, outcome: Outcome },
    Dropped { messages: u64 },
}

/// An answer that leaves as soon as the store allows.
#[derive(Clone, Copy, Debug)]
enum Reply {
    PubRel(PacketId, PubRelReason),
    PubComp(PacketId, PubCompReason, Ticket),
}

/// What lives as long as the connection.
#[derive(Clone, Debug)]
struct Link {
    version: Version,
    /// The largest packet that the peer takes.
    peer_packet_bytes: u32,
    send_aliases: SendAliases,
    receive_aliases: ReceiveAliases,
    replies: VecDeque<Reply>,
}

/// What the other end has announced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) version: Version,
    pub(crate) packet_bytes: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) alias_maximum: u16,
}

/// How a flow is to behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) limits: Limits,
    pub(crate) hand_over: HandOver,
    pub(crate) when_full: WhenFull,
    pub(crate) loss: Loss,
    /// Messages of QoS 0 beyond the bound for events are dropped.
    pub(crate) drops_plain: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Flow<E> {
    pub(crate) manner: Manner,
    pub(crate) journal: Journal,
    pub(crate) generation: u32,
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
    /// Delivery numbers below this one are set aside, as soon as the store has that.
    delivery_floor: u64,
    floor_ticket: Ticket,
    link: Link,
    is_open: bool,
    events: VecDeque<E>,
    /// Messages that are told when the store has them.
    inbox: VecDeque<(Ticket, Received)>,
    dropped: u64,
    /// Small messages are copied together here, and share the memory until all are gone.
    pool: BytesMut,
    pub(crate) now: Instant,
}

impl<E: From<Traffic>> Flow<E> {
    pub(crate) fn new(manner: Manner, is_stored: bool, now: Instant) -> Self {
        Self {
            manner,
            journal: Journal::new(is_stored),
            generation: 1,
            outgoing: Outgoing::new(manner.limits.packet_ids),
            incoming: Incoming::new(),
            delivery_floor: 1,
            floor_ticket: Ticket::NONE,
            link: Link {
                version: Version::V5,
                peer_packet_bytes: u32::MAX,
                send_aliases: SendAliases::new(0),
                receive_aliases: ReceiveAliases::new(0),
                replies: VecDeque::new(),
            },
            is_open: false,
            events: VecDeque::new(),
            inbox: VecDeque::new(),
            dropped: 0,
            pool: BytesMut::new(),
            now,
        }
    }

    /// The connection is established: everything that lives as long as it starts anew.
    pub(crate) fn open(&mut self, peer: Peer) {
        let limits = &self.manner.limits;
        let version = peer.version;
        let (aliases_used, aliases_accepted) = match version {
            Version::V5 => (peer.alias_maximum.min(limits.aliases_used), limits.aliases_accepted),
            _ => (0, 0),
        };
        self.outgoing
            .connected(peer.receive_maximum.min(limits.send_maximum).max(1));
        let maximum = if version.has_properties() {
            limits.receive_maximum
        } else {
            u16::MAX
        };
        self.incoming.connected(self.outgoing.connection(), maximum);
        self.link.version = version;
        self.link.peer_packet_bytes = peer.packet_bytes;
        self.link.send_aliases = SendAliases::new(aliases_used);
        self.link.receive_aliases = ReceiveAliases::new(aliases_accepted);
        self.link.replies.clear();
        self.is_open = true;
    }

    pub(crate) fn close(&mut self) {
        self.is_open = false;
        self.outgoing.disconnected();
        self.incoming.disconnected();
        self.link.replies.clear();
    }

    /// The largest packet that the peer takes.
    pub(crate) const fn peer_packet_bytes(&self) -> u32 {
        self.link.peer_packet_bytes
    }

    /// The peer has no session for us. [MQTT-3.2.2-5]
    pub(crate) fn lose_session(&mut self) {
        let mut cursor = LossCursor::Start;
        while let Some((key, exchange)) = self
            .outgoing
            .lose_next(self.manner.loss, &mut cursor, &mut self.journal)
        {
            self.tell_end(key, &exchange, Outcome::SessionLost);
        }
        self.incoming.lose(&mut self.journal);
    }

    // ---- events

    pub(crate) fn tell(&mut self, event: E) {
        self.flush_dropped();
        self.events.push_back(event);
    }

    fn flush_dropped(&mut self) {
        if self.dropped > 0 {
            let messages = core::mem::take(&mut self.dropped);
            self.events.push_back(Traffic::Dropped { messages }.into());
        }
    }

    #[inline]
    pub(crate) fn next_event(&mut self) -> Option<E> {
        if self.events.is_empty() {
            self.flush_dropped();
        }
        self.events.pop_front()
    }

    /// The event of this message has been polled.
    #[inline]
    pub(crate) fn handed_over(&mut self, received: &mut Received) {
        if self.manner.hand_over != HandOver::Automatic {
            return;
        }
        if let Some(delivery) = received.delivery.take() {
            // A delivery whose connection has ended is not acknowledged any more.
            let _ = self.incoming.acknowledge(delivery.0, 0, &mut self.journal);
        }
    }

    fn tell_end(&mut self, key: u32, exchange: &Exchange, outcome: Outcome) {
        if exchange.has_op() {
            self.tell_outcome(key, exchange.serial, exchange.tag, outcome);
        }
    }

    fn tell_outcome(&mut self, key: u32, serial: u64, tag: u64, outcome: Outcome) {
        let op = self.op(key, serial);
        self.events.push_back(Traffic::Completed { op, tag, outcome }.into());
    }

    pub(crate) const fn op(&self, key: u32, serial: u64) -> Op {
        Op {
            session: self.generation,
            key,
            serial,
        }
    }

    /// Whether the host owes so much that nothing more is read.
    pub(crate) fn is_blocked(&self) -> bool {
        let limits = &self.manner.limits;
        let waiting = self.events.len().saturating_add(self.inbox.len());
        let events = usize::try_from(limits.events).unwrap_or(usize::MAX).max(1);
        let bound = if self.manner.drops_plain {
            events.saturating_mul(2)
        } else {
            events
        };
        waiting >= bound
            || self.journal.pending() >= u64::from(limits.batches.max(1))
            || self.incoming.in_inbox() >= limits.inbox_messages.max(1)
            || !self.link.version.has_properties()
                && self.incoming.owed_by_host() >= u32::from(limits.receive_maximum.max(1))
    }

    // ---- commands

    pub(crate) fn publish(&mut self, message: Message, tag: u64) -> Result<Op, PublishError> {
        for id in [
            PropertyId::TopicAlias,
            PropertyId::MessageExpiryInterval,
            PropertyId::SubscriptionIdentifier,
        ] {
            if message.properties.has(id) {
                return Err(PublishError::PropertyNotAllowed(id));
            }
        }
        if self.is_open {
            self.fits_link(&message)?;
        }
        let size = message.size();
        if size > self.manner.limits.queued_bytes {
            return Err(PublishError::QueueFull(Limit::QueuedBytes));
        }
        while let Err(limit) = self.outgoing.room(size, &self.manner.limits) {
            let when = self.manner.when_full;
            let Some((key, exchange)) = self.outgoing.displace(when, &mut self.journal) else {
                return Err(PublishError::QueueFull(limit));
            };
            self.tell_end(key, &exchange, Outcome::Dropped(limit));
        }
        let expires_at = message.expiry_seconds.map(|seconds| self.after(seconds));
        let (key, serial) = self.outgoing.insert(message, tag, expires_at, &mut self.journal);
        Ok(self.op(key, serial))
    }

    /// Whether this connection can carry the message at all.
    fn fits_link(&self, message: &Message) -> Result<(), PublishError> {
        if !self.link.version.has_properties() && !message.properties.is_empty() {
            return Err(PublishError::NotInVersion);
        }
        // A head takes at most: type and length 5, topic length 2, id 2, property length 4, own properties 8.
        let upper = message.size().saturating_add(21);
        let limit = self.link.peer_packet_bytes;
        if upper > u64::from(limit) {
            let probe = Delivery::first(message.qos, PacketId::MAX);
            let bytes = self.packet_len(message, probe, message.expiry_seconds);
            if bytes > limit {
                return Err(PublishError::TooLarge { bytes, limit });
            }
        }
        Ok(())
    }

    fn packet_len(&self, message: &Message, delivery: Delivery, expiry: Option<u32>) -> u32 {
        let mut own = [0; OWN_PROPERTIES];
        let version = self.link.version;
        let properties = own_properties(&mut own, expiry.filter(|_| version.has_properties()), None);
        let head = PublishHead {
            delivery,
            retain: message.retain,
            topic: Some(message.topic.as_view()),
            own: properties,
        };
        let shared = SharedPublish::new(version, message.properties.as_view(), &message.payload[..]);
        let len = shared.and_then(|shared| shared.encoded_len(&head));
        len.map_or(u32::MAX, |(_, total)| u32::try_from(total).unwrap_or(u32::MAX))
    }

    pub(crate) fn cancel(&mut self, op: Op) -> bool {
        if op.session != self.generation {
            return false;
        }
        match self.outgoing.cancel(op.key, op.serial, &mut self.journal) {
            Some(exchange) => {
                self.tell_end(op.key, &exchange, Outcome::Cancelled);
                true
            }
            None => false,
        }
    }

    pub(crate) fn acknowledge(&mut self, delivery: DeliveryId, reason: ReasonCode) -> Result<(), AcknowledgeError> {
        self.incoming.acknowledge(delivery.0, reason.value(), &mut self.journal)
    }

    // ---- input

    /// A PUBLISH came in whole.
    #[inline]
    pub(crate) fn on_publish(&mut self, publish: &Publish<&[u8]>, frame: &Bytes) -> Result<(), Violation> {
        let topic = self.resolve(publish)?;
        let arrival = match publish.delivery {
            Delivery::AtMostOnce => {
                let events = usize::try_from(self.manner.limits.events).unwrap_or(usize::MAX).max(1);
                if self.manner.drops_plain && self.events.len() >= events {
                    self.dropped = self.dropped.saturating_add(1);
                    return Ok(());
                }
                None
            }
            Delivery::AtLeastOnce { id, .. } => Some(self.incoming.at_least_once(id)),
            Delivery::ExactlyOnce { id, .. } => Some(self.incoming.exactly_once(id, &self.journal)),
        };
        let number = match arrival {
            None => None,
            Some(Arrival::New(number)) => Some(number),
            Some(Arrival::Repeated) => return Ok(()),
            Some(Arrival::TooMany) => return Err(Violation::ReceiveMaximumExceeded),
        };
        let Some(message) = self.keep(publish, topic, frame) else {
            return Err(Violation::TopicAliasUnknown);
        };
        let received = Received {
            message,
            delivery: number.map(DeliveryId),
            redelivered: false,
        };
        match number {
            Some(number) if self.manner.hand_over == HandOver::Inbox && self.journal.is_enabled() => {
                self.store_inbox(received, number, publish.delivery.id());
            }
            Some(_) if self.manner.hand_over == HandOver::Manual => {
                // The host may keep the number: it is told when no restart can use it again.
                self.reserve_deliveries();
                if self.inbox.is_empty() && self.journal.is_stored(self.floor_ticket) {
                    self.tell(Traffic::Message(received).into());
                } else {
                    self.inbox.push_back((self.floor_ticket, received));
                }
            }
            Some(_) => self.tell(Traffic::Message(received).into()),
            None => self.tell(Traffic::Message(received).into()),
        }
        Ok(())
    }

    /// What topic a PUBLISH is about, if not the one it carries. [MQTT-3.3.2-7, U5-3.3.2-b]
    fn resolve(&mut self, publish: &Publish<&[u8]>) -> Result<Option<TopicName<Bytes>>, Violation> {
        match publish.properties.topic_alias() {
            None => Ok(None),
            Some(alias) => self
                .link
                .receive_aliases
                .resolve(alias, publish.topic.as_ref())
                .map_err(|fault| match fault {
                    AliasFault::Unknown => Violation::TopicAliasUnknown,
                    AliasFault::AboveMaximum => Violation::TopicAliasAboveMaximum,
                }),
        }
    }

    /// A PUBLISH in memory that a message can share: a small one beside others, a large one on its own.
    pub(crate) fn copy_frame(&mut self, frame: &[u8]) -> Bytes {
        if frame.len() > POOL_BYTES / 4 {
            return Bytes::copy_from_slice(frame);
        }
        if self.pool.capacity() < frame.len() {
            // Takes the memory back if all messages in it are gone.
            self.pool.reserve(POOL_BYTES);
        }
        self.pool.extend_from_slice(frame);
        self.pool.split().freeze()
    }

    /// The message of a PUBLISH, which shares the memory of its frame.
    fn keep(&self, publish: &Publish<&[u8]>, topic: Option<TopicName<Bytes>>, frame: &Bytes) -> Option<Message> {
        let expiry_seconds = publish.properties.message_expiry();
        let properties = publish
            .properties
            .without(PropertyId::TopicAlias)
            .without(PropertyId::MessageExpiryInterval);
        let owned = Publish { properties, ..*publish }.to_owned_in(frame);
        Some(Message {
            topic: topic.or(owned.topic)?,
            payload: owned.payload,
            qos: owned.delivery.qos(),
            retain: owned.retain,
            expiry_seconds,
            properties: owned.properties,
        })
    }

    /// The message is told when the store has it, and with it everything that its acknowledgement promises.
    fn store_inbox(&mut self, received: Received, number: u64, id: Option<PacketId>) {
        self.reserve_deliveries();
        let message = &received.message;
        let expires_at = message.expiry_seconds.map(|seconds| self.after(seconds));
        let exactly_once = id.filter(|_| message.qos == QoS::ExactlyOnce);
        if let Some(id) = exactly_once {
            self.journal.put(|| Record::Incoming(IncomingRecord { id }));
        }
        let of = PayloadOf::Inbox(number);
        let bytes = message.payload.clone();
        self.journal.put(|| Record::Payload { of, bytes });
        let ticket = self.journal.put(|| {
            Record::Inbox(InboxRecord {
                delivery: number,
                id: exactly_once,
                message: message_record(message, expires_at),
            })
        });
        self.incoming.move_to_inbox(number, ticket);
        self.inbox.push_back((ticket, received));
    }

    /// Numbers of deliveries are set aside in blocks, so that none is used again after a restart.
    fn reserve_deliveries(&mut self) {
        if self.incoming.next_delivery() < self.delivery_floor {
            return;
        }
        self.delivery_floor = self.incoming.next_delivery().saturating_add(DELIVERY_BLOCK);
        self.write_session();
    }

    fn write_session(&mut self) {
        let record = SessionRecord {
            generation: self.generation,
            delivery_floor: self.delivery_floor,
            saved_at: self.now,
        };
        self.floor_ticket = self.journal.put(|| Record::Session(record));
    }

    fn after(&self, seconds: u32) -> Instant {
        self.now.saturating_add(Duration::from_secs(u64::from(seconds)))
    }

    pub(crate) fn on_puback(&mut self, id: PacketId, reason: ReasonCode) -> Result<(), Violation> {
        let answered = self.outgoing.puback(id, &mut self.journal);
        self.on_answer(answered, reason).map(|_| ())
    }

    /// A PUBREC is answered by PUBREL, also one for an id that is not known, unless it refuses. [MQTT-4.3.3-4]
    pub(crate) fn on_pubrec(&mut self, id: PacketId, reason: ReasonCode) -> Result<(), Violation> {
        let is_error = reason.value() >= 0x80;
        let answered = self.outgoing.pubrec(id, is_error, &mut self.journal);
        match self.on_answer(answered, reason)? {
            Met::Repeated => self.reply(Reply::PubRel(id, PubRelReason::Success)),
            Met::Nothing if !is_error => self.reply(Reply::PubRel(id, PubRelReason::PacketIdentifierNotFound)),
            Met::Nothing | Met::Exchange => Ok(()),
        }
    }

    pub(crate) fn on_pubcomp(&mut self, id: PacketId, reason: ReasonCode) -> Result<(), Violation> {
        let answered = self.outgoing.pubcomp(id, &mut self.journal);
        self.on_answer(answered, reason).map(|_| ())
    }

    fn on_answer(&mut self, answered: Answered, reason: ReasonCode) -> Result<Met, Violation> {
        match answered {
            Answered::Done(key, exchange) => {
                // Only PUBACK and PUBREC refuse; a PUBCOMP ends the exchange whatever it says.
                let refuses = reason.value() >= 0x80 && exchange.message().is_some();
                let outcome = if refuses {
                    Outcome::Refused(reason)
                } else {
                    Outcome::Acknowledged(reason)
                };
                self.tell_end(key, &exchange, outcome);
                Ok(Met::Exchange)
            }
            Answered::Released => Ok(Met::Exchange),
            Answered::Repeated => Ok(Met::Repeated),
            Answered::Unknown => Ok(Met::Nothing),
            Answered::OtherQoS => Err(Violation::AcknowledgementOfOtherQoS),
        }
    }

    pub(crate) fn on_pubrel(&mut self, id: PacketId) -> Result<(), Violation> {
        let released = self.incoming.pubrel(id, &mut self.journal);
        let reason = if released.found {
            PubCompReason::Success
        } else {
            PubCompReason::PacketIdentifierNotFound
        };
        self.reply(Reply::PubComp(id, reason, released.ticket))
    }

    fn reply(&mut self, reply: Reply) -> Result<(), Violation> {
        let bound = usize::try_from(self.manner.limits.replies).unwrap_or(usize::MAX);
        if self.link.replies.len() >= bound {
            return Err(Violation::RepliesNotRead);
        }
        self.link.replies.push_back(reply);
        Ok(())
    }

    /// Batches up to this one are durable.
    pub(crate) fn on_stored(&mut self, upto: u64) {
        self.journal.stored(upto);
        while let Some((ticket, received)) = self.inbox.pop_front() {
            if !self.journal.is_stored(ticket) {
                self.inbox.push_front((ticket, received));
                break;
            }
            self.tell(Traffic::Message(received).into());
        }
    }

    /// Messages that an earlier life left in the inbox are told again.
    pub(crate) fn tell_again(&mut self, message: Message, delivery: u64) {
        self.incoming.restore_inbox(delivery);
        let received = Received {
            message,
            delivery: Some(DeliveryId(delivery)),
            redelivered: true,
        };
        self.tell(Traffic::Message(received).into());
    }

    pub(crate) fn restore_session(&mut self, record: &SessionRecord) {
        self.generation = record.generation;
        self.delivery_floor = record.delivery_floor;
        self.incoming.skip_deliveries(record.delivery_floor);
        self.advance(record.saved_at);
    }

    pub(crate) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}

/// What an acknowledgement met.
enum Met {
    Exchange,
    Repeated,
    Nothing,
}

#[cfg(test)]
mod tests;
