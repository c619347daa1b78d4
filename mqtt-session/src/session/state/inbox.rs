//! Messages on their way in: told at once, or when the store has what is promised.

use mqtt_proto::{PacketId, QoS, ReasonCode};

use super::{DELIVERY_BLOCK, SessionState};

use crate::AcknowledgeError;
use crate::journal::Ticket;
use crate::message::{DeliveryId, HandOver, Received};
use crate::qos::message_record;
use crate::queue::Queue;
use crate::session::SessionEvent;
use crate::store::{InboxRecord, IncomingRecord, PayloadOf, Record, SessionRecord};

impl SessionState {
    pub(crate) fn acknowledge(&mut self, delivery: DeliveryId, reason: ReasonCode) -> Result<(), AcknowledgeError> {
        self.incoming
            .acknowledge(delivery.number(), reason.value(), &mut self.journal)?;
        self.fill_inbox();
        Ok(())
    }

    /// Messages that were crowded out move into the inbox, as far as it has room.
    fn fill_inbox(&mut self) {
        while self.inbox_has_room() {
            let aside = self.aside.as_mut();
            let Some((received, id)) = aside.and_then(|aside| aside.crowded_out.pop_front()) else {
                return;
            };
            self.store_inbox(received, id);
        }
    }

    fn inbox_has_room(&self) -> bool {
        self.incoming.in_inbox() < self.manner.limits.inbox_messages.max(1)
    }

    /// The connection has ended: what was not acknowledged comes again.
    pub(crate) fn disconnected(&mut self) {
        if let Some(aside) = &mut self.aside {
            for (received, _) in core::mem::take(&mut aside.crowded_out) {
                if let Some(delivery) = received.delivery {
                    self.incoming.withdraw(delivery.number());
                }
            }
        }
        self.outgoing.disconnected();
        self.incoming.disconnected();
    }

    /// The event of this message, or of its end, has been polled.
    #[inline]
    pub(crate) fn handed_over(&mut self, delivery: &mut Option<DeliveryId>) {
        if self.manner.hand_over != HandOver::Automatic {
            return;
        }
        if let Some(delivery) = delivery.take() {
            // A delivery whose connection has ended is not acknowledged any more.
            let _ = self.incoming.acknowledge(delivery.number(), 0, &mut self.journal);
        }
    }

    /// Whether a message that has come in whole, under this number if it is to be acknowledged, waits for nothing before it
    /// is told.
    #[inline]
    pub(crate) fn tells_at_once(&self, delivery: Option<DeliveryId>) -> bool {
        self.manner.hand_over == HandOver::Automatic || delivery.is_none()
    }

    /// Tells a message that is to be acknowledged as soon as the store has what it promises.
    pub(crate) fn keep<E: From<SessionEvent>>(
        &mut self,
        received: Received,
        id: Option<PacketId>,
        told: &mut Queue<E>,
    ) {
        if let Some(received) = self.keep_back(received, id) {
            told.push_with(|| SessionEvent::Message(received).into());
        }
    }

    /// Keeps a message until the store has what it promises. `None`: it is told then.
    fn keep_back(&mut self, received: Received, id: Option<PacketId>) -> Option<Received> {
        match received.delivery {
            Some(_) if self.manner.hand_over == HandOver::Inbox && self.journal.is_enabled() => {
                self.aside.get_or_insert_default().crowded_out.push_back((received, id));
                self.fill_inbox();
                None
            }
            Some(_) if self.manner.hand_over == HandOver::Manual => {
                // The host may keep the number: it is told when no restart can use it again.
                self.reserve_deliveries();
                if self.is_quiet() {
                    return Some(received);
                }
                self.inbox.push_back((self.floor_ticket, received));
                None
            }
            _ => Some(received),
        }
    }

    /// Whether no message waits for the store, or for room in the inbox, before it is told, nor would another one wait for
    /// the store.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.inbox.is_empty()
            && self.aside.as_ref().is_none_or(|aside| aside.crowded_out.is_empty())
            && self.journal.is_stored(self.floor_ticket)
    }

    /// How many messages wait for the store before they are told.
    pub(crate) fn untold(&self) -> usize {
        self.inbox.len()
    }

    /// The message is told when the store has it, and with it everything that its acknowledgement promises.
    fn store_inbox(&mut self, received: Received, id: Option<PacketId>) {
        let Some(number) = received.delivery.map(DeliveryId::number) else {
            return;
        };
        self.reserve_deliveries();
        let message = &received.message;
        let expires_at = received.expires_at();
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
                message: message_record(message, expires_at, None),
            })
        });
        self.incoming.move_to_inbox(number, ticket);
        self.inbox.push_back((ticket, received));
    }

    /// Numbers of deliveries are set aside in blocks, so that none is used again after a restart.
    pub(crate) fn reserve_deliveries(&mut self) {
        if self.incoming.next_delivery() >= self.delivery_floor {
            self.write_session();
        }
    }

    /// Writes down that there is a session, and what its next life has to know.
    fn write_session(&mut self) {
        self.delivery_floor = self.incoming.next_delivery().saturating_add(DELIVERY_BLOCK);
        let record = SessionRecord {
            generation: self.generation,
            delivery_floor: self.delivery_floor,
            saved_at: self.now,
            is_kept: self.is_kept,
        };
        self.floor_ticket = self.journal.put(|| Record::Session(record));
        self.is_written = true;
    }

    /// Sees to it that the store knows of the session, and whether it outlives its connection. What waits for that has this
    /// ticket.
    pub(crate) fn write_down(&mut self, is_kept: bool) -> Ticket {
        if !self.is_written || self.is_kept != is_kept {
            self.is_kept = is_kept;
            self.write_session();
        }
        self.floor_ticket
    }
}
