//! What connections tell, and what is done about it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use mqtt_proto::QoS;

use super::connections::{Connection, Owed};
use super::parked::{Parked, Waiting};
use super::peers::Mark;
use super::sessions::{Entry, Place};
use super::{Broker, BrokerEvent};
use crate::{DeliveryId, Limit, Outcome, Received, ServerEvent, SessionEvent};

impl Broker {
    /// Deals with what a connection has to tell, as far as the host has answered.
    pub(super) fn serve(&mut self, slot: u32) {
        self.take_events(slot);
        self.settle(slot);
    }

    /// The same after it has read something. `is_all`: it has read all that the driver has of it. If there is nothing to be
    /// done for it then, its driver need not come.
    pub(super) fn serve_reader(&mut self, slot: u32, is_all: bool) {
        self.take_events(slot);
        let is_quiet = |connection: &Connection| {
            let session = self.sessions.get(connection.session);
            connection.is_settled()
                && connection.machine.is_silent()
                && session.is_some_and(|session| session.replays.is_empty())
        };
        if !is_all || !self.connections.get(slot).is_some_and(is_quiet) {
            self.settle(slot);
        }
    }

    #[inline]
    fn take_events(&mut self, slot: u32) {
        let most = usize::from(self.config.limits.parked_per_connection.max(1));
        while let Some(connection) = self.connections.get_mut(slot) {
            if connection.parked.len() < most {
                // Messages that wait to be told have grown old, too.
                connection.machine.tell_time(self.now);
                if let Some(event) = connection.machine.poll_event() {
                    self.on_event(slot, event);
                    continue;
                }
            }
            let held = connection.machine.queued_bytes();
            self.queued.count(&mut connection.queued_bytes, held);
            break;
        }
    }

    fn on_event(&mut self, slot: u32, event: ServerEvent) {
        match event {
            ServerEvent::Connect(connect) => {
                self.rest_events(slot);
                self.on_connect(slot, connect);
            }
            ServerEvent::Authenticate { reason, properties } => {
                if let Some(connection) = self.connections.get(slot) {
                    self.told.push_back(BrokerEvent::Authenticate {
                        connection: connection.id,
                        reason,
                        properties,
                    });
                }
            }
            ServerEvent::Message(received) => self.on_message(slot, received),
            ServerEvent::Subscribe {
                request,
                filters,
                properties,
            } => {
                self.rest_events(slot);
                self.on_packet(
                    slot,
                    Waiting::Subscribe {
                        request,
                        filters,
                        properties,
                    },
                );
            }
            ServerEvent::Unsubscribe { request, filters, .. } => {
                self.rest_events(slot);
                self.on_packet(slot, Waiting::Unsubscribe { request, filters });
            }
            ServerEvent::Closed {
                reason,
                will,
                session_expiry_seconds,
            } => self.on_closed(slot, reason, will, session_expiry_seconds),
            ServerEvent::Completed { outcome, .. } => {
                let connection = self.connections.get(slot).filter(|_| is_drop(&outcome));
                if let Some(session) = connection.map(|connection| connection.session) {
                    self.count_drop_at(session, limit_of(&outcome));
                }
            }
            // Messages come in whole, and nothing is sent from a source or with a deadline.
            _ => {}
        }
    }

    /// A packet was told that comes once, or seldom.
    fn rest_events(&mut self, slot: u32) {
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.machine.rest_events();
        }
    }

    fn on_message(&mut self, slot: u32, received: Received) {
        self.figures.messages_received = self.figures.messages_received.saturating_add(1);
        let bytes = received.message.payload.len() as u64;
        self.figures.payload_bytes_received = self.figures.payload_bytes_received.saturating_add(bytes);
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        connection.pace.has_come();
        let may_go_on = !self.config.ask.publish && connection.parked.is_empty();
        if may_go_on {
            self.take_message(slot, received, true);
        } else {
            self.on_packet(slot, Waiting::Publish(received));
        }
    }

    /// A packet waits for its turn, and for the answers of the host.
    pub(super) fn on_packet(&mut self, slot: u32, what: Waiting) {
        let asked = self.ask(slot, &what);
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.parked.push_back(Parked { what, asked });
            if connection.parked.len() == usize::from(self.config.limits.parked_per_connection.max(1)) {
                self.figures.parks_full = self.figures.parks_full.saturating_add(1);
            }
        }
        self.take_parked(slot);
    }

    /// Takes what has its answers, in the order in which it came.
    pub(super) fn take_parked(&mut self, slot: u32) {
        while let Some(connection) = self.connections.get_mut(slot) {
            if !connection.parked.front().is_some_and(Parked::is_answered) {
                return;
            }
            if self.asks_again(slot) {
                return;
            }
            let Some(parked) = self
                .connections
                .get_mut(slot)
                .and_then(|connection| connection.parked.pop_front())
            else {
                return;
            };
            self.take(slot, parked);
        }
    }

    fn take(&mut self, slot: u32, parked: Parked) {
        let is_allowed = parked.is_allowed(0);
        match parked.what {
            Waiting::Publish(mut received) => {
                received.grows_old(self.now);
                self.take_message(slot, received, is_allowed);
            }
            Waiting::Subscribe {
                request,
                ref filters,
                ref properties,
            } => {
                let since = self.mark();
                let codes = self.subscribe(slot, filters, properties, &parked);
                self.owe(slot, since, Owed::Subscribed(request, codes));
                self.rest_parked(slot);
            }
            Waiting::Unsubscribe { request, ref filters } => {
                let since = self.mark();
                let codes = self.unsubscribe(slot, filters);
                self.owe(slot, since, Owed::Unsubscribed(request, codes));
                self.rest_parked(slot);
            }
            Waiting::Closed {
                reason,
                will,
                session_expiry_seconds,
            } => self.end_connection(slot, reason, will, session_expiry_seconds),
        }
    }

    fn rest_parked(&mut self, slot: u32) {
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.parked.rest();
        }
    }

    fn take_message(&mut self, slot: u32, received: Received, is_allowed: bool) {
        let Some(connection) = self.connections.get(slot) else {
            return;
        };
        let session = connection.session;
        let refusal = if !self.takes_topic(&received.message.topic) {
            self.count_topic(session, &received.message.topic);
            Some(mqtt_proto::PubAckReason::TopicNameInvalid)
        } else if is_allowed {
            None
        } else {
            self.figures.messages_refused = self.figures.messages_refused.saturating_add(1);
            Some(mqtt_proto::PubAckReason::NotAuthorized)
        };
        if let Some(reason) = refusal {
            if let Some(delivery) = received.delivery {
                self.refuse_delivery(slot, delivery, reason);
            }
            return;
        }
        let qos = received.message.qos;
        let since = self.mark();
        // Its session knows that it came, and tells nothing of a repetition.
        let is_lasting = |session: &Entry| session.is_stored || !self.journal.is_enabled();
        let is_once = qos == QoS::ExactlyOnce && self.sessions.get(session).is_some_and(is_lasting);
        let publisher = received.message.retain.then(|| self.party_of(session));
        self.route(received.message, Some(session), publisher.as_ref(), is_once);
        if let Some(delivery) = received.delivery {
            self.acknowledge(slot, since, delivery, is_once);
        }
    }

    /// The message is with all who get it. What the client is told waits until their copies are stored.
    fn acknowledge(&mut self, slot: u32, since: Mark, delivery: DeliveryId, is_once: bool) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        if is_once {
            // That the message came is stored with the copies, in one batch, and PUBREC waits for it. What other shards have
            // to get is in it too.
            let _ = connection.machine.acknowledge(self.now, delivery);
            self.touch(slot);
        } else {
            self.owe(slot, since, Owed::Acknowledge(delivery));
        }
    }

    /// Says something when all that has changed since then is stored.
    fn owe(&mut self, slot: u32, since: Mark, owed: Owed) {
        let ticket = self.ticket_since(since);
        let is_done = self.is_done(ticket);
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        if is_done && connection.owed.is_empty() {
            self.say(slot, owed);
        } else {
            connection.owed.push_back((ticket, owed));
            let id = connection.id;
            self.note_owing(ticket, id);
        }
    }

    /// Says what the store has by now.
    pub(super) fn say_owed(&mut self, slot: u32) {
        while let Some(connection) = self.connections.get(slot) {
            match connection.owed.front() {
                Some((ticket, _)) if self.is_done(*ticket) => {}
                _ => return,
            }
            let connection = self.connections.get_mut(slot);
            if let Some((_, owed)) = connection.and_then(|connection| connection.owed.pop_front()) {
                self.say(slot, owed);
            }
        }
    }

    fn say(&mut self, slot: u32, owed: Owed) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let (machine, none) = (&mut connection.machine, mqtt_proto::AckProperties::empty());
        // A connection that has ended in between is told nothing: its client asks again.
        match owed {
            Owed::Acknowledge(delivery) => {
                let _ = machine.acknowledge(self.now, delivery);
            }
            Owed::Subscribed(request, codes) => {
                let _ = machine.subscribed(self.now, request, codes, none);
            }
            Owed::Unsubscribed(request, codes) => {
                let _ = machine.unsubscribed(self.now, request, codes, none);
            }
        }
        self.touch(slot);
    }

    fn refuse_delivery(&mut self, slot: u32, delivery: DeliveryId, reason: mqtt_proto::PubAckReason) {
        if let Some(connection) = self.connections.get_mut(slot) {
            let _ = connection.machine.refuse(self.now, delivery, reason.into());
            self.touch(slot);
        }
    }

    /// Something was done to a connection: it may have output, changes for the store, and another deadline.
    pub(super) fn touch(&mut self, slot: u32) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        if !connection.is_ready {
            connection.is_ready = true;
            self.ready.push_back(connection.id);
        }
        let session = connection.session;
        if connection.machine.has_changes() {
            self.mark_dirty(session);
        }
    }

    pub(super) fn mark_dirty(&mut self, session: u32) {
        if let Some(entry) = self.sessions.get_mut(session) {
            if entry.is_stored {
                let is_known = core::mem::replace(&mut entry.is_dirty, true);
                self.journal.session_changed(session, is_known);
            }
        }
    }

    /// A connection has been served: it is seen to that it is called when it is due, and that it goes when it is over.
    pub(super) fn settle(&mut self, slot: u32) {
        self.touch(slot);
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        if connection.is_settled() {
            return;
        }
        let who = super::agenda::Who::Connection(slot);
        let is_over = connection.has_ended && connection.machine.is_drained() && connection.parked.is_empty();
        if is_over {
            self.agenda.disarm(who, &mut connection.armed);
            self.queued.count(&mut connection.queued_bytes, 0);
            self.connections.remove(slot);
        } else {
            let at = connection.machine.find_deadline();
            let until = connection.pace.until();
            self.agenda.arm(who, &mut connection.armed, at);
            self.agenda.arm(who, &mut connection.armed, until);
        }
    }

    /// The state of a session that nobody is connected to.
    pub(super) fn with_parked<R>(&mut self, slot: u32, act: impl FnOnce(&mut crate::Session) -> R) -> Option<R> {
        let entry = self.sessions.get_mut(slot)?;
        let Place::Parked(session) = &mut entry.place else {
            return None;
        };
        let session: &mut Box<crate::Session> = session;
        let result = act(session);
        let mut dropped = Vec::new();
        while let Some(event) = session.poll_event() {
            match event {
                SessionEvent::Completed { outcome, .. } if is_drop(&outcome) => dropped.push(limit_of(&outcome)),
                // It came before its session was stored, and is told now that it is: its client sends it again.
                SessionEvent::Message(received) if received.message.qos == QoS::ExactlyOnce => {
                    entry.parked.push_back(Parked::new(Waiting::Publish(received)));
                }
                _ => {}
            }
        }
        let at = session.poll_timeout().map(|timeout| timeout.at);
        let has_changes = session.has_changes();
        let held = session.queued_bytes();
        self.queued.count(&mut session.counted, held);
        self.agenda.arm(super::agenda::Who::Session(slot), &mut entry.armed, at);
        if has_changes {
            self.mark_dirty(slot);
        }
        for limit in dropped {
            self.count_drop_at(slot, limit);
        }
        Some(result)
    }
}

/// Whether a copy was given up.
const fn is_drop(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Dropped(_) | Outcome::TooLarge { .. })
}

/// The limit at which a copy was given up.
const fn limit_of(outcome: &Outcome) -> Option<Limit> {
    match outcome {
        Outcome::Dropped(limit) => Some(*limit),
        _ => None,
    }
}
