//! The flow of messages in both directions: a session and the connection that carries it. It knows no role.

mod chunks;
#[cfg(feature = "broker")]
mod frames;
mod input;
mod outline;
mod output;
mod publish;
mod source;
mod told;

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use bytes::BytesMut;
use mqtt_proto::{PacketId, PubCompReason, PubRelReason, VARINT_MAX, Version};

use crate::alias::{ReceiveAliases, SendAliases};
use crate::capabilities::Capabilities;
use crate::closed::Violation;
use crate::fingerprint::Fingerprint;
use crate::journal::Ticket;
use crate::qos::ReleaseMark;
use crate::queue::Queue;
use crate::session::{Manner, Records, RestoreReport, Session, SessionEvent, SessionState};
use crate::shared::Shared;
use crate::time::Instant;

use chunks::Receiving;
#[cfg(feature = "broker")]
use frames::Frames;
#[cfg(feature = "broker")]
pub(crate) use frames::{Copies, Pressed};
pub(crate) use input::Kept;
use source::Sending;
pub(crate) use told::{Polled, Tells, Traffic, tells};

/// No packet is longer, whatever the peer takes: a fixed header of 5 bytes, and the largest Remaining Length.
const LARGEST_PACKET: u32 = VARINT_MAX + 5;

/// An answer that leaves as soon as the store allows.
#[derive(Clone, Copy, Debug)]
enum Reply {
    /// Behind a release that was earned before it. [MQTT-4.6.0-4]
    PubRel(PacketId, PubRelReason, Option<ReleaseMark>),
    PubComp(PacketId, PubCompReason, Ticket),
}

/// What lives as long as the connection.
#[derive(Clone, Debug)]
struct Link {
    version: Version,
    is_open: bool,
    /// The largest packet that the peer takes.
    peer_packet_bytes: u32,
    capabilities: Capabilities,
    /// If the peer allows any.
    send_aliases: Option<Box<SendAliases>>,
    receive_aliases: ReceiveAliases,
    replies: VecDeque<Reply>,
    /// Encoded messages of QoS 0, which are the first to be sent.
    #[cfg(feature = "broker")]
    frames: Frames,
    /// How long the packet is at least of which only a part has come.
    expected_bytes: usize,
    /// The message that comes in chunks.
    receiving: Option<Receiving>,
    /// A message in chunks is next, and waits for what is to be told before it.
    receiving_soon: bool,
    /// The message that is sent from a source.
    sending: Option<Box<Sending>>,
}

impl Link {
    fn closed() -> Self {
        Self {
            version: Version::V5,
            is_open: false,
            peer_packet_bytes: LARGEST_PACKET,
            capabilities: Capabilities::default(),
            send_aliases: None,
            receive_aliases: ReceiveAliases::new(0),
            replies: VecDeque::new(),
            #[cfg(feature = "broker")]
            frames: Frames::default(),
            expected_bytes: 0,
            receiving: None,
            receiving_soon: false,
            sending: None,
        }
    }
}

/// What the other end has announced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) version: Version,
    pub(crate) packet_bytes: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) alias_maximum: u16,
    /// What it says that it supports; a client supports everything.
    pub(crate) capabilities: Capabilities,
}

/// How much the host may owe: at each of these nothing more is read. It is asked for with every packet and event, and so
/// worked out beforehand.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    events: usize,
    chunk_bytes: usize,
    batches: u64,
    /// Acknowledgements. MQTT 5.0 has the Receive Maximum for that.
    owed: u32,
}

impl Bounds {
    fn new(manner: &Manner, version: Version) -> Self {
        let limits = &manner.limits;
        let events = size(limits.events).max(1);
        Self {
            // Beyond the bound messages of QoS 0 are dropped, and all others go on for as much again.
            events: if manner.drops_plain {
                events.saturating_mul(2)
            } else {
                events
            },
            chunk_bytes: size(limits.whole_packet_bytes).max(1),
            batches: u64::from(limits.batches.max(1)),
            owed: if version.has_properties() {
                u32::MAX
            } else {
                u32::from(limits.receive_maximum.max(1))
            },
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Flow<E> {
    pub(crate) session: SessionState,
    link: Link,
    bounds: Bounds,
    events: Queue<E>,
    /// Bytes of chunks among the events.
    chunk_bytes: usize,
    dropped: u64,
    /// Small messages are copied together here, and share the memory until all are gone.
    pool: BytesMut,
    /// The block before that, which is used again when its messages are gone.
    rested_pool: Option<Box<BytesMut>>,
}

impl<E: Tells> Flow<E> {
    pub(crate) fn new(manner: Shared<Manner>, is_stored: bool, now: Instant) -> Self {
        Self {
            bounds: Bounds::new(&manner, Link::closed().version),
            session: SessionState::new(manner, is_stored, now),
            link: Link::closed(),
            events: Queue::new(),
            chunk_bytes: 0,
            dropped: 0,
            pool: BytesMut::new(),
            rested_pool: None,
        }
    }

    pub(crate) const fn now(&self) -> Instant {
        self.session.now
    }

    /// The connection is established: everything that lives as long as it starts anew.
    pub(crate) fn open(&mut self, peer: Peer) {
        let limits = &self.session.manner.limits;
        let version = peer.version;
        let (aliases_used, aliases_accepted) = match version {
            Version::V5 => (peer.alias_maximum.min(limits.aliases_used), limits.aliases_accepted),
            _ => (0, 0),
        };
        let maximum = if version.has_properties() {
            // 0 cannot be announced: the peer was told 1.
            limits.receive_maximum.max(1).saturating_add(limits.receive_tolerance)
        } else {
            u16::MAX
        };
        let window = peer.receive_maximum.min(limits.send_maximum).max(1);
        self.link = Link {
            version,
            is_open: true,
            peer_packet_bytes: peer.packet_bytes.min(LARGEST_PACKET),
            capabilities: peer.capabilities,
            send_aliases: (aliases_used > 0).then(|| Box::new(SendAliases::new(aliases_used))),
            receive_aliases: ReceiveAliases::new(aliases_accepted),
            replies: core::mem::take(&mut self.link.replies),
            ..Link::closed()
        };
        self.link.replies.clear();
        self.bounds = Bounds::new(&self.session.manner, version);
        self.session.may_refuse = version.has_properties();
        self.session.outgoing.connected(window);
        self.session
            .incoming
            .connected(self.session.outgoing.connection(), maximum);
    }

    pub(crate) fn close(&mut self) {
        self.interrupt();
        self.abort_chunks();
        self.link.is_open = false;
        self.link.receiving_soon = false;
        self.link.replies.clear();
        #[cfg(feature = "broker")]
        self.link.frames.clear();
        self.session.disconnected();
    }

    /// A packet that is taken in whole is at least this long. Zero: none has begun.
    pub(crate) fn expect_bytes(&mut self, len: usize) {
        self.link.expected_bytes = len;
    }

    /// How many bytes the driver may have to hold: a packet that is taken in whole has to fit, also one that is no PUBLISH.
    pub(crate) fn input_bytes(&self) -> usize {
        self.session.manner.limits.input_bytes().max(self.link.expected_bytes)
    }

    /// The largest packet that the peer takes.
    pub(crate) const fn peer_packet_bytes(&self) -> u32 {
        self.link.peer_packet_bytes
    }

    pub(crate) fn lose_session(&mut self) {
        self.session.lose(&mut self.events);
    }

    // ---- events

    /// Takes the session out, and with it what was told of it and not polled; the other events are left.
    pub(crate) fn into_session(self, keep: impl Fn(&E) -> Option<SessionEvent>) -> (Session, Queue<E>) {
        let mut told = Queue::new();
        let mut rest = Queue::new();
        for event in self.events {
            match keep(&event) {
                Some(event) => told.push_with(|| event),
                None => rest.push_with(|| event),
            }
        }
        (Session::of(self.session, told), rest)
    }

    /// Takes a session in, and tells what it had to tell.
    pub(crate) fn put_session(&mut self, session: Session) {
        let (now, manner) = (self.session.now, Shared::clone(&self.session.manner));
        self.session = session.state;
        self.session.manner = manner;
        self.bounds = Bounds::new(&self.session.manner, self.link.version);
        self.session.advance(now);
        self.events.extend(session.told.into_iter().map(E::from));
    }

    /// Gives back the memory of what holds nothing.
    #[cfg(feature = "broker")]
    pub(crate) fn rest(&mut self) {
        self.rest_events();
        crate::rest::queue(&mut self.link.replies);
        self.link.frames.rest();
        self.pool = BytesMut::new();
        self.rested_pool = None;
        self.session.rest();
    }

    #[cfg(feature = "broker")]
    pub(crate) fn rest_events(&mut self) {
        self.events.rest();
    }

    /// Whether the host owes so much that nothing more is read.
    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        let bounds = &self.bounds;
        let waiting = self.events.len().wrapping_add(self.session.untold());
        waiting >= bounds.events
            || self.chunk_bytes >= bounds.chunk_bytes
            || self.waits_to_receive()
            || self.session.journal.pending() >= bounds.batches
            || self.session.incoming.owed_by_host() >= bounds.owed
    }

    // ---- time

    pub(crate) fn advance(&mut self, now: Instant) {
        self.session.advance(now);
    }

    /// Ends messages that expired before they were sent, and tells which operations are late.
    #[inline]
    pub(crate) fn expire(&mut self) {
        self.session.expire(&mut self.events);
    }

    /// Batches up to this one are durable.
    pub(crate) fn on_stored(&mut self, upto: u64) {
        self.session.stored(upto, &mut self.events);
    }

    /// Whether a packet has begun and not ended.
    pub(crate) const fn is_in_packet(&self) -> bool {
        self.link.sending.is_some()
    }

    /// Takes over what an earlier life had stored.
    pub(crate) fn restore(&mut self, records: Records) -> RestoreReport {
        records.restore(&mut self.session, &mut self.events)
    }

    pub(crate) fn fingerprint(&self, mark: &mut Fingerprint<'_>) {
        self.session.fingerprint(mark);
        let link = &self.link;
        mark.number(link.is_open);
        mark.number(link.version.level());
        mark.number(link.peer_packet_bytes);
        if let Some(aliases) = &link.send_aliases {
            aliases.fingerprint(mark);
        }
        link.receive_aliases.fingerprint(mark);
        mark.count(link.replies.len());
        for reply in &link.replies {
            match *reply {
                Reply::PubRel(id, reason, behind) => {
                    mark.number(id.get());
                    mark.number(reason.value());
                    mark.number(behind.is_some_and(|release| !self.session.outgoing.is_released(release)));
                }
                Reply::PubComp(id, reason, ticket) => {
                    mark.number(u64::from(id.get()) | 1 << 16);
                    mark.number(reason.value());
                    mark.ticket(ticket);
                }
            }
        }
        #[cfg(feature = "broker")]
        link.frames.fingerprint(mark);
        self.fingerprint_chunks(mark);
        self.fingerprint_source(mark);
        mark.count(self.events.len());
        mark.number(self.dropped);
    }

    /// One answer more, if it has room.
    fn reply(&mut self, reply: Reply) -> Result<(), Violation> {
        if self.link.replies.len() >= size(self.session.manner.limits.replies) {
            return Err(Violation::RepliesNotRead);
        }
        self.link.replies.push_back(reply);
        Ok(())
    }
}

/// A number of bytes or things as a length in memory.
pub(crate) fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
