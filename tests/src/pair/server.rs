//! The host of a server that serves one client: its sessions outlive their connections, and connections take over.

use core::time::Duration;

use bytes::Bytes;
use mqtt_session::proto::{
    AckProperties, ConnAckProperties, ConnAckReason, Connect, Disconnect, DisconnectReason, SubAckReason,
    UnsubAckReason,
};
use mqtt_session::{Accept, Instant, RequestId, ServerConfig, ServerConnection, Session, Timeout};

use super::machine::{Told, from_server, from_session};

/// A connection.
#[derive(Clone, Debug)]
struct Served {
    machine: ServerConnection,
    /// It has the session.
    holds: bool,
    /// Its last event was polled.
    is_over: bool,
}

/// Whatever has the session.
pub(super) enum Holder<'a> {
    Connection(&'a mut ServerConnection),
    Session(&'a mut Session),
    Nobody,
}

/// A server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) config: ServerConfig,
    /// The connection that has the stream.
    connection: Option<Served>,
    /// One whose client has opened another stream.
    old: Option<Served>,
    parked: Option<Session>,
    session_number: u64,
    /// The latest number that a session got.
    last_number: u64,
    /// The CONNECT that waits for an answer: whether it asks for a session that begins anew, and how long it is to outlive
    /// its connection.
    asks: Option<(bool, u32)>,
    /// How long the session outlives its connection.
    pub(super) expiry_seconds: u32,
}

/// What became of the session when a client was accepted.
#[derive(Debug)]
pub(super) enum Accepted {
    GoesOn,
    Began,
}

impl Server {
    pub(super) const fn new(config: ServerConfig, last_number: u64) -> Self {
        Self {
            config,
            connection: None,
            old: None,
            parked: None,
            session_number: 0,
            last_number,
            asks: None,
            expiry_seconds: u32::MAX,
        }
    }

    /// Goes on with the session that a store had, for as long as the host has written down.
    pub(super) fn park(&mut self, mut session: Session, number: u64, now: Instant) {
        if self.expiry_seconds != u32::MAX {
            session.set_end(Some(now + Duration::from_secs(self.expiry_seconds.into())));
        }
        self.parked = Some(session);
        self.session_number = number;
    }

    pub(super) fn park_again(&mut self, session: Session) {
        self.parked = Some(session);
    }

    pub(super) const fn session_number(&self) -> u64 {
        self.session_number
    }

    pub(super) const fn last_number(&self) -> u64 {
        self.last_number
    }

    pub(super) fn has_session(&self) -> bool {
        let holds = |served: &Option<Served>| served.as_ref().is_some_and(|served| served.holds);
        self.parked.is_some() || holds(&self.connection) || holds(&self.old)
    }

    /// Whether the session that nobody is connected to is over, and its records with it.
    pub(super) fn has_ended(&self) -> bool {
        self.parked.as_ref().is_some_and(Session::has_ended)
    }

    // ---- connections

    /// A stream was opened. The one before may not have been noticed to be gone.
    pub(super) fn open(&mut self, now: Instant) {
        if let Some(connection) = self.connection.take().filter(|served| !served.is_over) {
            // Only the one with the session, or with the last word of it, is of interest.
            if connection.holds || self.old.is_none() {
                self.old = Some(connection);
            }
        }
        self.asks = None;
        self.connection = Some(Served {
            machine: ServerConnection::new(self.config.clone(), now),
            holds: false,
            is_over: false,
        });
    }

    pub(super) fn asked(&mut self, connect: &Connect<Bytes>) {
        let expiry_seconds = match (connect.version.has_properties(), connect.clean_start) {
            (true, _) => connect.properties.session_expiry().unwrap_or(0),
            (false, true) => 0,
            (false, false) => u32::MAX,
        };
        self.asks = Some((connect.clean_start, expiry_seconds));
    }

    pub(super) const fn is_asked(&self) -> bool {
        self.asks.is_some()
    }

    pub(super) const fn asks_anew(&self) -> bool {
        matches!(self.asks, Some((true, _)))
    }

    /// Whether the connection that has the stream has told its end.
    pub(super) fn is_stream_over(&self) -> bool {
        self.connection.as_ref().is_some_and(|served| served.is_over)
    }

    /// An earlier connection of the client is ended, if there is one. Its last events are to be polled before the answer.
    pub(super) fn take_over(&mut self, now: Instant) -> bool {
        match &mut self.old {
            Some(old) => {
                old.machine
                    .disconnect(now, Disconnect::new(DisconnectReason::SessionTakenOver));
                true
            }
            None => false,
        }
    }

    pub(super) fn refuse(&mut self, now: Instant, reason: ConnAckReason) -> bool {
        self.asks = None;
        self.connection.as_mut().is_some_and(|served| {
            served
                .machine
                .refuse_client(now, reason, ConnAckProperties::empty())
                .is_ok()
        })
    }

    /// The session that the client asks to be given up, or that has ended. Whether it is lost to the client with that.
    pub(super) fn unwanted(&mut self, now: Instant) -> Option<(Session, bool)> {
        let asks_anew = self.asks_anew();
        let session = self.parked.as_mut()?;
        session.handle_timeout(now);
        if !asks_anew && !session.has_ended() {
            return None;
        }
        self.parked.take().map(|session| (session, !asks_anew))
    }

    pub(super) fn accept(&mut self, now: Instant) -> Option<Accepted> {
        let (_, expiry_seconds) = self.asks.take()?;
        let served = self.connection.as_mut()?;
        let session = self.parked.take();
        let accepted = if session.is_some() {
            Accepted::GoesOn
        } else {
            Accepted::Began
        };
        if let Err(error) = served.machine.accept(now, Accept::new().session(session)) {
            self.parked = error.accept.session;
            return None;
        }
        served.holds = true;
        self.expiry_seconds = expiry_seconds;
        if matches!(accepted, Accepted::Began) {
            self.last_number += 1;
            self.session_number = self.last_number;
        }
        Some(accepted)
    }

    pub(super) fn stream(&mut self) -> Option<&mut ServerConnection> {
        self.connection.as_mut().map(|served| &mut served.machine)
    }

    pub(super) fn holder(&mut self) -> Holder<'_> {
        for served in [&mut self.connection, &mut self.old].into_iter().flatten() {
            if served.holds {
                return Holder::Connection(&mut served.machine);
            }
        }
        match &mut self.parked {
            Some(session) => Holder::Session(session),
            None => Holder::Nobody,
        }
    }

    /// The host gives up the session of a client that is not there.
    pub(super) fn lose_parked(&mut self) -> Option<Session> {
        self.parked.take()
    }

    pub(super) fn disconnect(&mut self, now: Instant, reason: DisconnectReason) {
        if let Some(served) = &mut self.connection {
            served.machine.disconnect(now, Disconnect::new(reason));
        }
    }

    // ---- requests

    pub(super) fn subscribed(&mut self, now: Instant, request: RequestId, filters: usize, granted: bool) {
        let code = if granted {
            SubAckReason::GrantedQoS1
        } else {
            SubAckReason::UnspecifiedError
        };
        if let Some(stream) = self.stream() {
            let properties: AckProperties<Bytes> = AckProperties::empty();
            // The request may have ended with its connection.
            let _ = stream.subscribed(now, request, core::iter::repeat_n(code, filters), properties);
        }
    }

    pub(super) fn unsubscribed(&mut self, now: Instant, request: RequestId, filters: usize) {
        if let Some(stream) = self.stream() {
            let codes = core::iter::repeat_n(UnsubAckReason::Success, filters);
            let _ = stream.unsubscribed(now, request, codes, AckProperties::empty());
        }
    }

    // ---- what concerns all connections

    fn machines(&mut self) -> impl Iterator<Item = &mut ServerConnection> {
        let both = [&mut self.connection, &mut self.old].into_iter().flatten();
        both.map(|served| &mut served.machine)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.machines().for_each(|machine| machine.handle_timeout(now));
        if let Some(session) = &mut self.parked {
            session.handle_timeout(now);
        }
    }

    pub(super) fn handle_store_failed(&mut self, now: Instant) {
        self.machines().for_each(|machine| machine.handle_store_failed(now));
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Timeout> {
        let parked = self.parked.as_ref().and_then(Session::poll_timeout);
        let connections = self.machines().filter_map(|machine| machine.poll_timeout());
        connections.chain(parked).min_by_key(|timeout| timeout.at)
    }

    pub(super) fn poll_event(&mut self) -> Option<Told> {
        for place in [&mut self.old, &mut self.connection] {
            let Some(served) = place else { continue };
            let Some(event) = served.machine.poll_event() else {
                continue;
            };
            let told = from_server(event, || served.machine.take_session());
            if matches!(told, Told::Closed { .. }) {
                served.is_over = true;
                served.holds = false;
            }
            return Some(told);
        }
        if self.old.as_ref().is_some_and(|old| old.is_over) {
            self.old = None;
        }
        self.parked.as_mut().and_then(Session::poll_event).map(from_session)
    }

    /// Whether an earlier connection still has something to tell.
    pub(super) const fn has_old(&self) -> bool {
        self.old.is_some()
    }
}
