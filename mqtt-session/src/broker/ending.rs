//! The end of connections and of sessions.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{Connect, QoS, Text, Will};

use super::agenda::Who;
use super::parked::{Parked, Waiting};
use super::records::BrokerKey;
use super::sessions::Place;
use super::{Broker, BrokerEvent, ConnectionId};
use crate::Closed;
use crate::ServerEvent;
use crate::slab::NONE;

impl Broker {
    /// A connection has ended. What its client had sent before an orderly end takes effect before that; after another end
    /// its client sends again what was not acknowledged.
    pub(super) fn on_closed(
        &mut self,
        slot: u32,
        reason: Closed,
        will: Option<Box<Will<Bytes>>>,
        session_expiry_seconds: u32,
    ) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let is_orderly = matches!(reason, Closed::Disconnected { .. });
        if is_orderly && !connection.parked.is_empty() {
            let closed = Waiting::Closed {
                reason,
                will,
                session_expiry_seconds,
            };
            connection.parked.push_back(Parked::new(closed));
            return;
        }
        self.end_connection(slot, reason, will, session_expiry_seconds);
    }

    /// A connection ends without waiting for anything.
    pub(super) fn end_at_once(&mut self, slot: u32) {
        let mut last = None;
        while let Some(connection) = self.connections.get_mut(slot) {
            // What was read before the end is behind what waits.
            if let Some(Parked {
                what: Waiting::Closed { .. },
                ..
            }) = connection.parked.back()
            {
                last = connection.parked.pop_back().map(|parked| parked.what);
            }
            match connection.machine.poll_event() {
                Some(ServerEvent::Message(received)) => {
                    connection.parked.push_back(Parked::new(Waiting::Publish(received)));
                }
                Some(ServerEvent::Closed {
                    reason,
                    will,
                    session_expiry_seconds,
                }) => {
                    last = Some(Waiting::Closed {
                        reason,
                        will,
                        session_expiry_seconds,
                    });
                }
                Some(_) => {}
                None => break,
            }
        }
        if let Some(Waiting::Closed {
            reason,
            will,
            session_expiry_seconds,
        }) = last
        {
            self.end_connection(slot, reason, will, session_expiry_seconds);
        }
        self.settle(slot);
    }

    pub(super) fn end_connection(
        &mut self,
        slot: u32,
        reason: Closed,
        will: Option<Box<Will<Bytes>>>,
        session_expiry_seconds: u32,
    ) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        connection.has_ended = true;
        connection.owed.clear();
        self.figures.has_closed(&reason);
        let parked = core::mem::take(&mut connection.parked);
        let (id, session) = (connection.id, core::mem::replace(&mut connection.session, NONE));
        let connect = connection.connect.take();
        // Its end may have waited for the host, and what it leaves to groups has waited with it.
        connection.machine.tell_time(self.now);
        let state = connection.machine.take_session();
        let held = connection.machine.queued_bytes();
        self.queued.count(&mut connection.queued_bytes, held);
        if session == NONE {
            return self.was_not_admitted(id, connect.as_deref(), reason);
        }
        self.members_moved(session, false);
        let (Some(entry), Some(mut state)) = (self.sessions.get_mut(session), state) else {
            return;
        };
        state.rest();
        let has_ended = state.has_ended();
        entry.place = Place::Parked(Box::new(state));
        entry.session_expiry_seconds = session_expiry_seconds;
        entry.since = Some(self.now);
        let mut given_up: u64 = 0;
        for item in parked {
            match &item.what {
                // The session knows that it came, and its repetition is not told again.
                Waiting::Publish(received) if received.message.qos == QoS::ExactlyOnce => entry.parked.push_back(item),
                Waiting::Publish(received) if received.delivery.is_none() => given_up = given_up.saturating_add(1),
                _ => {}
            }
        }
        self.figures.messages_dropped = self.figures.messages_dropped.saturating_add(given_up);
        self.figures.clients_connected = self.figures.clients_connected.saturating_sub(1);
        let client_id = entry.who.shared_client_id();
        self.inform(|| BrokerEvent::Disconnected {
            connection: id,
            client_id,
            reason,
        });
        self.arm_will(session, will, session_expiry_seconds);
        if has_ended {
            self.end_session(session);
        } else {
            self.with_parked(session, |_| ());
            self.write_client(session, None);
        }
    }

    /// A connection has ended whose client was not let in.
    fn was_not_admitted(&mut self, connection: ConnectionId, connect: Option<&Connect<Bytes>>, reason: Closed) {
        self.figures.has_not_admitted(&reason);
        let named = |name: &Text<Bytes>| Bytes::copy_from_slice(name.as_bytes());
        self.inform(|| BrokerEvent::NotAdmitted {
            connection,
            client_id: connect.map(|connect| named(&connect.client_id)).unwrap_or_default(),
            username: connect.and_then(|connect| connect.username.as_ref().map(named)),
            reason,
        });
    }

    /// A session ends: nothing of it is left. [MQTT-4.1.0-2]
    pub(super) fn end_session(&mut self, session: u32) {
        self.publish_pending_will(session);
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        let place = core::mem::replace(&mut entry.place, Place::Leaving);
        self.agenda.disarm(Who::Session(session), &mut entry.armed);
        entry.parked.clear();
        let (id, is_stored, client_id) = (entry.id, entry.is_stored, entry.who.shared_client_id());
        let mut left = Vec::new();
        if let Place::Parked(mut state) = place {
            self.queued.count(&mut state.counted, 0);
            state.tell_time(self.now);
            state.end();
            left = state.take_left_to_groups();
            if is_stored {
                self.journal.collect(id, |batch| state.poll_store(batch));
            }
        }
        if is_stored {
            self.journal.delete(|| BrokerKey::Client(id));
        }
        self.sessions.forget_client(session);
        self.figures.sessions_ended = self.figures.sessions_ended.saturating_add(1);
        self.inform(|| BrokerEvent::SessionEnded { client_id });
        self.hand_on(left);
        self.leave(session);
    }

    /// Drops the subscriptions of a session, and then the session.
    pub(super) fn leave(&mut self, session: u32) {
        if let Some(entry) = self.sessions.get_mut(session) {
            entry.place = Place::Leaving;
            entry.replays.clear();
            self.leaving.push_back(session);
            self.work();
        }
    }
}
