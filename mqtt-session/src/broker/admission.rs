//! CONNECT: who is let in, and with which session.

use alloc::boxed::Box;
use alloc::format;

use bytes::Bytes;
use mqtt_proto::{ConnAckProperties, ConnAckReason, Connect, Disconnect, DisconnectReason, Text};

use super::party::Party;
use super::records::{BrokerRecord, WillRecord};
use super::sessions::Place;
use super::{Broker, BrokerBound, BrokerEvent, ConnectionId};
use crate::slab::NONE;
use crate::time::Instant;
use crate::{Accept, AcceptErrorKind, AuthenticateError};

impl Broker {
    pub(super) fn on_connect(&mut self, slot: u32, connect: Box<Connect<Bytes>>) {
        let Some(id) = self.connections.get(slot).map(|connection| connection.id) else {
            return;
        };
        // A method that nobody looks at proves nothing, and success would say that it did. [MQTT-4.12.0-1]
        let has_method = connect.properties.authentication_method().is_some();
        let is_unknown = (has_method && !self.config.ask.connect).then_some(ConnAckReason::BadAuthenticationMethod);
        let refusal = is_unknown
            .or_else(|| connect.will.as_ref().and_then(|will| self.refuses_will(will)))
            .or_else(|| self.refuses_keep_alive(&connect));
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let is_asked = refusal.is_none() && self.config.ask.connect;
        let question = is_asked.then(|| connect.clone());
        connection.connect = Some(connect);
        if let Some(reason) = refusal {
            // It waits for an answer, and nothing stands in this one that could not be said.
            let _ = self.turn_away(slot, reason);
        } else if let Some(connect) = question {
            self.told.push_back(BrokerEvent::Connect {
                connection: id,
                connect,
            });
        } else {
            // There are no words of the host: what cannot be said is too large for the client.
            if self.admit_client(slot, None, ConnAckProperties::empty()).is_err() {
                let _ = self.turn_away(slot, ConnAckReason::PacketTooLarge);
            }
        }
    }

    /// Lets a client in. `properties` are what CONNACK says beside what the broker says itself, since MQTT 5.0.
    ///
    /// # Errors
    /// If no client of this connection waits for an answer, or it cannot be given. Nothing has changed then.
    pub fn admit(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        properties: ConnAckProperties<Bytes>,
    ) -> Result<(), AcceptErrorKind> {
        self.admit_as(now, connection, None, properties)
    }

    /// As [`admit`](Self::admit), and says whose the client is: the name of a user that it has proved, say.
    ///
    /// Its session belongs to this owner from then on, over restarts too, and the [questions](super::Ask) about what the client
    /// sends, and has subscribed to or had retained, tell the owner. A session that is nobody's ends when a client of somebody
    /// comes with its name, who begins anew: what nobody was allowed may be more than what this one is.
    ///
    /// # Errors
    /// As of `admit`, and if the session of this name belongs to another owner. Nothing has changed then: the client is to be
    /// refused.
    pub fn admit_as(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        owner: Option<&[u8]>,
        properties: ConnAckProperties<Bytes>,
    ) -> Result<(), AcceptErrorKind> {
        self.advance(now);
        if self.connections.named(connection).is_none() {
            return Err(AcceptErrorKind::NotAsked);
        }
        self.admit_client(connection.slot, owner, properties)?;
        self.serve(connection.slot);
        Ok(())
    }

    /// Refuses a client, and ends its connection. MQTT 3 is told the nearest return code, if there is one.
    ///
    /// # Errors
    /// If no client of this connection waits for an answer, or the properties cannot be encoded. Nothing has changed then.
    pub fn refuse(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        reason: ConnAckReason,
        properties: ConnAckProperties<Bytes>,
    ) -> Result<(), AcceptErrorKind> {
        self.act_on(now, connection, |known, now| {
            known.machine.refuse_client(now, reason, properties)
        })
        .unwrap_or(Err(AcceptErrorKind::NotAsked))
    }

    /// Asks a client for a further step of authentication. [MQTT-4.12.0-2]
    ///
    /// # Errors
    /// If the client has named no method, or no step is due. Nothing has changed then.
    pub fn challenge(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        data: Option<&[u8]>,
    ) -> Result<(), AuthenticateError> {
        self.act_on(now, connection, |known, now| known.machine.authenticate(now, data))
            .unwrap_or(Err(AuthenticateError::NotAsked))
    }

    /// Ends an authentication that a client began on its open connection: it succeeded. [MQTT-4.12.1-1]
    ///
    /// # Errors
    /// If none is under way. Nothing has changed then.
    pub fn authenticated(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        data: Option<&[u8]>,
    ) -> Result<(), AuthenticateError> {
        self.act_on(now, connection, |known, now| known.machine.authenticated(now, data))
            .unwrap_or(Err(AuthenticateError::NotAsked))
    }

    fn admit_client(
        &mut self,
        slot: u32,
        owner: Option<&[u8]>,
        properties: ConnAckProperties<Bytes>,
    ) -> Result<(), AcceptErrorKind> {
        let Some(connection) = self.connections.get(slot) else {
            return Err(AcceptErrorKind::NotAsked);
        };
        let Some(connect) = &connection.connect else {
            return Err(AcceptErrorKind::NotAsked);
        };
        let mut accept = Accept::new().properties(properties);
        let (asked, clean_start, version) = (connect.client_id.clone(), connect.clean_start, connect.version);
        let is_nameless = asked.is_empty();
        let name = if is_nameless { self.new_name() } else { asked };
        if is_nameless && version.has_properties() {
            accept = accept.assigned_client_id(name.clone());
        }
        let who = Party::new(name.as_bytes(), owner).ok_or(AcceptErrorKind::OwnerTooLong)?;
        let client_id = who.client_id();
        let found = self.sessions.of_client(client_id);
        if found.is_some_and(|session| !self.is_open_to(session, owner)) {
            return Err(AcceptErrorKind::SessionOfAnother);
        }
        let earlier = found.and_then(|session| self.sessions.connection_of(session));
        let Some(connection) = self.connections.get_mut(slot) else {
            return Err(AcceptErrorKind::NotAsked);
        };
        connection.machine.can_accept(&accept)?;
        let connect = connection.connect.as_ref();
        let will = connect.and_then(|connect| connect.will.as_ref().map(super::wills::record));
        if self.peers.is_elsewhere(client_id) {
            self.figures.clients_misdirected = self.figures.clients_misdirected.saturating_add(1);
            return self.turn_away(slot, ConnAckReason::ImplementationSpecificError);
        }
        if let Some(earlier) = earlier {
            if !self.may_take_over(earlier) {
                return self.turn_away(slot, ConnAckReason::ConnectionRateExceeded);
            }
            self.hand_on_pace(earlier, slot);
        }
        let before = self.mark();
        self.make_way(&who, clean_start);
        let found = self.sessions.of_client(client_id);
        if found.is_none() && self.sessions.len() >= crate::flow::size(self.config.limits.sessions) {
            self.figures.sessions_refused = self.figures.sessions_refused.saturating_add(1);
            self.hit(BrokerBound::Sessions, who.shared_client_id());
            return self.turn_away(slot, ConnAckReason::QuotaExceeded);
        }
        self.seat(slot, found, &who, accept, will)?;
        let gate = self.ticket_since(before).store;
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.gate = gate;
            if gate > 0 {
                // A session that goes on may have nothing to store, and then nobody else says that CONNACK can go.
                self.owing.push_back((gate, connection.id));
            }
        }
        Ok(())
    }

    /// MQTT 3 cannot be told a shorter keep-alive than it asks for: it would hold its place for as long as it wants. What it is
    /// told is the code for which a client does not come again at once.
    fn refuses_keep_alive(&self, connect: &Connect<Bytes>) -> Option<ConnAckReason> {
        let longest = self.config.client.keep_alive_seconds_max?;
        let is_longer = connect.keep_alive == 0 || connect.keep_alive > longest;
        (is_longer && !connect.version.has_properties()).then_some(ConnAckReason::ClientIdentifierNotValid)
    }

    fn turn_away(&mut self, slot: u32, reason: ConnAckReason) -> Result<(), AcceptErrorKind> {
        match self.connections.get_mut(slot) {
            Some(connection) => {
                let none = ConnAckProperties::empty();
                connection.machine.refuse_client(self.now, reason, none)
            }
            None => Err(AcceptErrorKind::NotAsked),
        }
    }

    /// Ends an earlier connection of this client, which is not waited for, and a session that it does not go on with.
    /// [MQTT-3.1.4-3, MQTT-3.1.4-4]
    fn make_way(&mut self, who: &Party, clean_start: bool) {
        let client_id = who.client_id();
        let Some(session) = self.sessions.of_client(client_id) else {
            return;
        };
        if let Some(old) = self.sessions.connection_of(session) {
            self.figures.takeovers = self.figures.takeovers.saturating_add(1);
            if let Some(connection) = self.connections.get_mut(old) {
                let farewell = Disconnect::new(DisconnectReason::SessionTakenOver);
                connection.machine.disconnect(self.now, farewell);
            }
            self.end_at_once(old);
        }
        // The session may have ended with the connection.
        let Some(session) = self.sessions.of_client(client_id) else {
            return;
        };
        let is_anothers = self.sessions.get(session).is_some_and(|entry| entry.who != *who);
        if clean_start || is_anothers || self.is_over(session) {
            self.end_session(session);
        }
    }

    /// Whether a session has ended, and nobody has noticed yet.
    fn is_over(&self, session: u32) -> bool {
        self.sessions.get(session).is_some_and(|entry| match &entry.place {
            Place::Parked(state) => state.has_ended_by(self.now),
            _ => false,
        })
    }

    fn is_open_to(&self, session: u32, owner: Option<&[u8]>) -> bool {
        let entry = self.sessions.get(session);
        entry.is_none_or(|entry| entry.who.is_open_to(owner)) || self.is_over(session)
    }

    /// Gives a connection its session: one that is found, or a new one.
    fn seat(
        &mut self,
        slot: u32,
        found: Option<u32>,
        who: &Party,
        mut accept: Accept,
        will: Option<WillRecord>,
    ) -> Result<(), AcceptErrorKind> {
        let entry = found.and_then(|session| self.sessions.get_mut(session));
        let session = entry.map(|entry| core::mem::replace(&mut entry.place, Place::Connected(slot)));
        let is_present = session.is_some();
        if let Some(Place::Parked(mut state)) = session {
            // The connection is counted with what it takes over when it is served.
            self.queued.count(&mut state.counted, 0);
            accept = accept.session(*state);
        }
        let Some(connection) = self.connections.get_mut(slot) else {
            return Err(AcceptErrorKind::NotAsked);
        };
        // All that could be refused has been looked at.
        connection
            .machine
            .accept_as(self.now, accept, self.config.is_stored)
            .map_err(|error| error.kind)?;
        let expiry = connection.machine.session_expiry_seconds();
        let (id, version) = (connection.id, connection.machine.version());
        let session = match found {
            Some(session) => session,
            None => {
                let is_stored = self.config.is_stored && expiry > 0;
                if is_stored && self.sessions.names.set_aside() {
                    self.write_broker();
                }
                self.sessions.insert(who.clone(), Place::Connected(slot), is_stored)
            }
        };
        if session == NONE {
            return self.turn_away(slot, ConnAckReason::QuotaExceeded);
        }
        if let (Some(connection), Some(entry)) = (self.connections.get_mut(slot), self.sessions.get_mut(session)) {
            connection.session = session;
            connection.connect = None;
            entry.session_expiry_seconds = expiry;
            entry.since = Some(self.now);
            if !is_present {
                entry.standing.epoch = self.epoch;
            }
            // The client is back in time. [MQTT-3.1.3-9]
            entry.will = None;
            self.agenda
                .disarm(super::agenda::Who::Session(session), &mut entry.armed);
            connection.parked.append(&mut entry.parked);
            // Whoever was asked for its sake before answers nobody.
            entry.replays.iter_mut().for_each(|replay| replay.asked = None);
        }
        self.members_moved(session, true);
        let connected = self.figures.clients_connected.saturating_add(1);
        self.figures.clients_connected = connected;
        self.figures.clients_maximum = self.figures.clients_maximum.max(connected);
        self.write_client(session, will);
        self.inform(|| BrokerEvent::Connected {
            connection: id,
            client_id: who.shared_client_id(),
            version: version.unwrap_or(mqtt_proto::Version::V5),
            session_present: is_present,
        });
        self.ask_parked(slot);
        self.touch(slot);
        Ok(())
    }

    /// A name that no client has. [MQTT-3.1.3-6]
    fn new_name(&mut self) -> Text<Bytes> {
        loop {
            let name = format!("auto-{:016x}", self.random.next_u64());
            let is_free = self.sessions.of_client(name.as_bytes()).is_none();
            if is_free && !self.peers.is_elsewhere(name.as_bytes()) {
                return Text::from_bytes(Bytes::from(name)).unwrap_or_default();
            }
        }
    }

    /// Writes down which names are taken.
    pub(super) fn write_broker(&mut self) {
        let record = BrokerRecord::Broker {
            saved_at: self.now,
            sessions: self.sessions.names.named(),
            forwards: self.peers.forwards.names.named(),
        };
        self.journal.put(|| record);
    }

    /// Writes down what a restart has to know of a client.
    pub(super) fn write_client(&mut self, session: u32, will: Option<WillRecord>) {
        let Some(entry) = self.sessions.get(session) else {
            return;
        };
        if entry.is_stored {
            self.journal.put(|| BrokerRecord::Client(entry.record(will)));
        }
    }
}
