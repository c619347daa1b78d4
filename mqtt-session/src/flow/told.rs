//! What a flow tells, as events of its role.

use bytes::Bytes;

use super::Flow;
use crate::message::DeliveryId;
use crate::session::SessionEvent;
use crate::{Message, Op, Received};

/// What a flow tells beside what its session tells.
#[derive(Debug)]
pub(crate) enum Traffic {
    Start { message: Message, payload_bytes: u32 },
    Chunk(Bytes),
    End { delivery: Option<DeliveryId> },
    Aborted,
    PayloadWanted { op: Op, tag: u64, offset: u32, bytes: u32 },
}

/// The events of a role.
pub(crate) trait Tells: From<SessionEvent> + From<Traffic> {
    /// So many messages of QoS 0 were dropped. `None`: the role drops none.
    fn dropped(messages: u64) -> Option<Self>;

    /// A message has arrived.
    fn message(received: Received) -> Self;

    /// Whether it asks for a part of a payload.
    fn asks_payload(&self) -> bool;

    /// What it means that the host takes it.
    fn polled(&mut self) -> Polled<'_>;
}

/// What it means that the host takes an event.
pub(crate) enum Polled<'e> {
    /// This has been handed over.
    Message(&'e mut Received),
    /// So has what goes by this name.
    HandOver(&'e mut Option<DeliveryId>),
    /// So many bytes of a payload wait no more.
    Chunk(usize),
    Other,
}

/// Both roles name what they have in common in the same way.
macro_rules! tells {
    ($event:ident, $dropped:expr) => {
        impl From<$crate::session::SessionEvent> for $event {
            fn from(event: $crate::session::SessionEvent) -> Self {
                use $crate::session::SessionEvent;
                match event {
                    SessionEvent::Message(received) => Self::Message(received),
                    SessionEvent::Completed { op, tag, outcome } => Self::Completed { op, tag, outcome },
                    SessionEvent::Late { op, tag } => Self::Late { op, tag },
                }
            }
        }

        impl From<$crate::flow::Traffic> for $event {
            fn from(traffic: $crate::flow::Traffic) -> Self {
                use $crate::flow::Traffic;
                match traffic {
                    Traffic::Start {
                        message,
                        payload_bytes,
                    } => Self::MessageStart {
                        message,
                        payload_bytes,
                    },
                    Traffic::Chunk(bytes) => Self::Chunk(bytes),
                    Traffic::End { delivery } => Self::MessageEnd { delivery },
                    Traffic::Aborted => Self::MessageAborted,
                    Traffic::PayloadWanted {
                        op,
                        tag,
                        offset,
                        bytes,
                    } => Self::PayloadWanted {
                        op,
                        tag,
                        offset,
                        bytes,
                    },
                }
            }
        }

        impl $crate::flow::Tells for $event {
            fn dropped(messages: u64) -> Option<Self> {
                let dropped: fn(u64) -> Option<Self> = $dropped;
                dropped(messages)
            }

            #[inline(always)]
            fn message(received: $crate::Received) -> Self {
                Self::Message(received)
            }

            fn asks_payload(&self) -> bool {
                matches!(self, Self::PayloadWanted { .. })
            }

            #[inline]
            fn polled(&mut self) -> $crate::flow::Polled<'_> {
                use $crate::flow::Polled;
                match self {
                    Self::Message(received) => Polled::Message(received),
                    Self::MessageEnd { delivery } => Polled::HandOver(delivery),
                    Self::Chunk(chunk) => Polled::Chunk(chunk.len()),
                    _ => Polled::Other,
                }
            }
        }
    };
}

pub(crate) use tells;

impl<E: Tells> Flow<E> {
    pub(crate) fn tell(&mut self, event: impl Into<E>) {
        self.flush_dropped();
        self.events.push_with(|| event.into());
    }

    pub(super) fn flush_dropped(&mut self) {
        if self.dropped > 0 {
            let messages = core::mem::take(&mut self.dropped);
            self.events.extend(E::dropped(messages));
        }
    }

    /// The next event, where it stands.
    #[inline]
    pub(crate) fn next_event(&self) -> Option<&E> {
        self.events.front()
    }

    /// Takes the next event. With that, what it tells has been handed over, if nobody else has to say so.
    #[inline]
    pub(crate) fn poll_event(&mut self) -> Option<E> {
        if self.events.is_empty() {
            self.flush_dropped();
        }
        // It is looked at where it stands, so that it moves once.
        match self.events.front_mut()?.polled() {
            Polled::Message(received) => {
                received.grows_old(self.session.now);
                self.session.handed_over(&mut received.delivery);
            }
            Polled::HandOver(delivery) => self.session.handed_over(delivery),
            Polled::Chunk(bytes) => self.chunk_bytes = self.chunk_bytes.saturating_sub(bytes),
            Polled::Other => {}
        }
        self.events.pop_front()
    }

    /// Whether there is nothing to tell.
    #[inline]
    pub(crate) fn is_told(&self) -> bool {
        self.events.is_empty() && self.dropped == 0
    }
}
