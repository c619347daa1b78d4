//! A server's end among clients that do anything, a host that does anything, and a store that fails.

use core::time::Duration;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use mqtt_proto::{Connect, Packet, Properties, SubAckReason, UnsubAckReason, Version};
use mqtt_session::{
    Accept, HandOver, Instant, Key, PayloadOf, RequestId, RestoreReport, ServerConfig, ServerConnection, Session,
    SessionConfig,
};

use super::client::pass_next;
use super::connects::{Asked, config, connect, lasting_connect, name};
use super::disk::Disk;
use super::draws::{self, Peer};
use super::ledger::{Ledger, Story};
use super::machine::{Machine, ServerEnd, Told};
use super::rig::{Rig, pass};

/// After so many rounds with a client that does everything right, every operation has ended.
const ROUNDS: usize = 3_000;

/// Bytes as a configuration and a sequence of operations.
///
/// # Panics
/// If the server's machine breaks a promise: see `fuzz/README.md`.
pub fn server(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(mut life) = Life::draw(&mut u) else { return };
    while !u.is_empty() && life.step(&mut u).is_ok() {}
    life.ends();
}

/// A server's end over its connections and lives.
struct Life {
    config: ServerConfig,
    rig: Rig<ServerEnd>,
    /// What the client that waits for an answer wants.
    asks: Option<Asked>,
    /// For how long the host has agreed to keep the session without a connection.
    expiry_seconds: u32,
    requests: Vec<(RequestId, usize, bool)>,
}

impl Life {
    fn of(config: ServerConfig, version: Version, now: Instant) -> Self {
        let session = config.session;
        Self {
            rig: Rig::new(
                ServerEnd::default(),
                version,
                session.limits,
                keeps_numbers(&session),
                now,
            ),
            config,
            asks: None,
            expiry_seconds: u32::MAX,
            requests: Vec::new(),
        }
    }

    fn draw(u: &mut Unstructured<'_>) -> Result<Self> {
        Ok(Self::of(config(u)?, Version::V5, Instant::from_secs(1_000)))
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=31_u8)? {
            0..=3 => self.rig.publish(u)?,
            4 | 5 => self.rig.command(u)?,
            6 => self.rig.acknowledge(u)?,
            7 | 8 => self.answers_request(u)?,
            9 => {
                let connect = connect(u)?;
                self.connects(&connect);
            }
            10 | 11 => self.decides(u)?,
            12 => self.breaks(),
            13 | 14 => self.rig.passes(u)?,
            15..=17 => {
                let packet = draws::packet(u, self.rig.version)?;
                self.rig.feed(&packet, u)?;
            }
            18 => {
                let len = u.int_in_range(0..=20)?.min(u.len());
                let bytes = u.bytes(len)?;
                self.rig.feed(bytes, u)?;
            }
            19..=21 => self.is_answered(u)?,
            22 | 23 => drop(self.rig.commit(u.ratio(7, 8)?)),
            24 => drop(self.rig.poll_store()),
            25 => {
                let taken = u.int_in_range(0..=40)?;
                self.rig.poll_transmit(taken);
            }
            26 | 27 => self.settle(),
            28 => self.leaves(u)?,
            29 => self.restarts(u)?,
            _ => drop(self.rig.take_in(&[], u.arbitrary()?)),
        }
        Ok(())
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Connect(connect) => self.asks = Some(Asked::of(&connect, &self.config)),
            Told::Subscribe(request, filters) => self.requests.push((request, filters, true)),
            Told::Unsubscribe(request, filters) => self.requests.push((request, filters, false)),
            Told::Closed(_) => {
                self.asks = None;
                self.requests.clear();
            }
            _ => {}
        }
    }

    fn settle(&mut self) {
        let mut told = Vec::new();
        self.rig.settle(|_, one| told.push(one));
        told.into_iter().for_each(|one| self.hear(one));
    }

    fn hear_all(&mut self) {
        while let Some(told) = self.rig.poll_event() {
            self.hear(told);
        }
    }

    /// A client connects, and an earlier connection ends.
    fn connects(&mut self, connect: &Connect<Bytes>) {
        self.breaks();
        self.rig.version = connect.version;
        self.rig.streams(None);
        self.rig.machine.connection = Some(ServerConnection::new(self.config.clone(), self.rig.now));
        let bytes = draws::encoded(&Packet::Connect(connect.clone()), connect.version);
        self.rig.take_in(&bytes, false);
        self.hear_all();
    }

    /// The stream ends, and leaves its session.
    fn breaks(&mut self) {
        self.rig.machine.handle_eof(self.rig.now);
        self.hear_all();
        assert!(self.rig.story.is_closed(), "the stream has ended, and nobody was told");
        self.rig.forget_stream();
        assert!(!self.rig.poll_transmit(usize::MAX), "bytes for a stream that has ended");
        if let Some(mut connection) = self.rig.machine.connection.take() {
            let session = connection.take_session();
            assert!(connection.take_session().is_none(), "a session is taken twice");
            if session.is_some() {
                assert!(self.rig.machine.session.is_none(), "two sessions of one client");
                self.rig.machine.session = session;
            }
        }
        self.forgets_the_expired();
    }

    /// A session that nobody is connected to may have come to its end: with it its operations have, and all that stands in
    /// the store is the inbox.
    fn forgets_the_expired(&mut self) {
        let now = self.rig.now;
        let is_over = |session: &Session| session.has_ended() || session.ends_at().is_some_and(|at| at <= now);
        if !self.rig.machine.session.as_ref().is_some_and(is_over) {
            return;
        }
        pass(&mut self.rig.machine, now);
        self.settle();
        let session = self.rig.machine.session.take();
        assert!(session.is_some_and(|session| session.has_ended()), "it goes on");
        assert!(
            self.rig.ledger.is_done(),
            "operations outlive their session: {:?}",
            self.rig.ledger
        );
        while self.rig.disk.commit().is_some() {}
        let is_inbox = |key: &Key| matches!(key, Key::Inbox(_) | Key::Payload(PayloadOf::Inbox(_)));
        let left = self.rig.disk.durable.keys().find(|key| !is_inbox(key));
        assert!(
            left.is_none() || !self.rig.is_intact,
            "of a session that has ended: {left:?}"
        );
        self.forgets();
    }

    /// There is no session any more, and nothing of it in the store.
    fn forgets(&mut self) {
        self.rig.old_ops.extend(self.rig.ledger.ops());
        self.rig.ledger.restored(&[]);
        self.rig.disk = Disk::default();
        self.rig.is_intact = true;
        self.rig.deliveries.clear();
        self.rig.story = Story::new(keeps_numbers(&self.config.session));
    }

    /// The host answers CONNECT.
    fn decides(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        self.hear_all();
        let now = self.rig.now;
        match u.int_in_range(0..=7_u8)? {
            0 => {
                let (reason, properties) = (u.arbitrary()?, u.arbitrary()?);
                if let Some(connection) = &mut self.rig.machine.connection {
                    let _ = connection.refuse_client(now, reason, properties);
                }
            }
            1 => {
                if let Some(connection) = &mut self.rig.machine.connection {
                    let _ = connection.authenticate(now, Some(b"data"));
                }
            }
            2 => {
                if let Some(connection) = &mut self.rig.machine.connection {
                    let _ = connection.authenticated(now, None);
                }
            }
            3 => self.accepts(Accept::new().properties(u.arbitrary()?)),
            4 => self.accepts(Accept::new().assigned_client_id(name("other"))),
            _ => self.accepts(Accept::new()),
        }
        Ok(())
    }

    /// The client is accepted, under a new name if it has none.
    fn accepts(&mut self, mut accept: Accept) {
        let Some(asked) = self.asks else { return };
        let machine = &mut self.rig.machine;
        let Some(connection) = &mut machine.connection else {
            return;
        };
        if asked.is_nameless {
            accept = accept.assigned_client_id(name("given"));
        }
        let kept = machine.session.take();
        let is_fresh = asked.clean_start || kept.is_none();
        let (handed, kept) = if asked.clean_start { (None, kept) } else { (kept, None) };
        match connection.accept(self.rig.now, accept.session(handed)) {
            Ok(()) => {
                self.asks = None;
                self.expiry_seconds = asked.expiry_seconds;
                if is_fresh {
                    self.forgets();
                    self.rig.story.begins();
                }
            }
            Err(error) => self.rig.machine.session = error.accept.session.or(kept),
        }
    }

    fn answers_request(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if self.requests.is_empty() {
            return Ok(());
        }
        let place = u.choose_index(self.requests.len())?;
        let (request, filters, subscribes) = self.requests[place];
        let codes = if u.ratio(7, 8)? {
            filters
        } else {
            u.int_in_range(0..=3)?
        };
        let subscribes = subscribes ^ u.ratio(1, 8)?;
        let (now, properties) = (
            self.rig.now,
            if u.ratio(1, 4)? {
                u.arbitrary()?
            } else {
                Properties::empty()
            },
        );
        let Some(connection) = &mut self.rig.machine.connection else {
            return Ok(());
        };
        let answered = if subscribes {
            let codes = std::iter::repeat_n(SubAckReason::GrantedQoS0, codes);
            connection.subscribed(now, request, codes, properties)
        } else {
            let codes = std::iter::repeat_n(UnsubAckReason::Success, codes);
            connection.unsubscribed(now, request, codes, properties)
        };
        if answered.is_ok() {
            self.requests.remove(place);
        }
        Ok(())
    }

    /// The client answers the first or any packet rightly.
    fn is_answered(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let rig = &mut self.rig;
        rig.poll_transmit(usize::MAX);
        let place = if u.ratio(3, 4)? {
            0
        } else {
            u.choose_index(rig.unanswered.len().max(1))?
        };
        let Some(packet) = rig.unanswered.remove(place) else {
            return Ok(());
        };
        match draws::answer(&packet, rig.version, Peer::default()) {
            Some(bytes) => rig.feed(&bytes, u),
            None => Ok(()),
        }
    }

    fn leaves(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let farewell = u.arbitrary()?;
        if let Some(connection) = &mut self.rig.machine.connection {
            connection.disconnect(self.rig.now, farewell);
        }
        Ok(())
    }

    /// The server is gone, perhaps because its store failed, and begins again with what is durable.
    fn restarts(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if u.arbitrary()? {
            if let Some(connection) = &mut self.rig.machine.connection {
                connection.handle_store_failed(self.rig.now);
            }
            self.hear_all();
            assert!(
                self.rig.story.is_closed(),
                "the store failed, and the connection goes on"
            );
        }
        let rig = &mut self.rig;
        let ends_at = match &rig.machine.session {
            Some(session) => session.ends_at(),
            None if self.expiry_seconds == u32::MAX => None,
            None => Some(rig.now.saturating_add(Duration::from_secs(self.expiry_seconds.into()))),
        };
        rig.crashes();
        self.asks = None;
        self.requests.clear();
        rig.machine = ServerEnd::default();
        let damaged = if u.ratio(1, 3)? { rig.disk.damage(u)? } else { None };
        if damaged.is_some() {
            rig.is_intact = false;
            rig.story.forgets_numbers();
        }
        if !rig.disk.durable.contains_key(&Key::Session) {
            self.forgets();
            return Ok(());
        }
        let mut restore = Session::restore(&self.config.session, rig.now);
        for (key, bytes) in &rig.disk.durable {
            restore.encoded(*key, bytes);
        }
        let (mut session, report) = restore.finish();
        session.set_end(ends_at);
        match damaged {
            Some(key) => assert!(
                report.quarantined.iter().any(|one| one.key == key),
                "damaged, and not told: {key:?}"
            ),
            None => assert!(
                !rig.is_intact || report.quarantined.is_empty() && !report.session_ended,
                "nothing is damaged: {report:?}"
            ),
        }
        rig.machine.session = Some(session);
        rig.ledger.restored(&report.live);
        self.forgets_the_expired();
        Ok(())
    }

    /// Everything does what is right from here on: every operation ends.
    fn ends(&mut self) {
        self.breaks();
        self.forgets_the_expired();
        if self.rig.machine.session.is_none()
            || self
                .config
                .session
                .limits
                .packet_bytes
                .min(self.config.session.limits.connect_bytes)
                < 64
        {
            // Its operations went with it; or packets of the client may be larger than what is accepted.
            return;
        }
        let version = self.rig.version;
        self.rig.machine.handle_stored(self.rig.now, self.rig.disk.stored);
        for _ in 0..ROUNDS {
            if self.rig.ledger.is_done() {
                return;
            }
            if self.rig.machine.connection.is_none() || self.rig.story.is_closed() {
                self.connects(&lasting_connect(version));
                if self.rig.machine.session.is_none() {
                    return;
                }
                assert!(self.asks.is_some(), "a valid CONNECT is not told");
                self.accepts(Accept::new());
            }
            if !self.goes_on() {
                pass_next(&mut self.rig);
                self.hear_all();
            }
        }
        panic!("operations do not end: {:?}", self.rig.ledger);
    }

    /// One round of everything. `false`: time has to pass.
    fn goes_on(&mut self) -> bool {
        self.settle();
        let mut any = self.rig.wanted.is_some() || !self.rig.deliveries.is_empty();
        while self.rig.commit(true) {
            any = true;
        }
        self.rig.supply();
        self.rig.acknowledge_all();
        while let Some(packet) = self.rig.unanswered.pop_front() {
            any = true;
            if let Some(bytes) = draws::answer(&packet, self.rig.version, Peer::default()) {
                self.rig.take_in(&bytes, false);
            }
        }
        any | self.rig.take_again() | self.rig.poll_transmit(usize::MAX)
    }
}

fn keeps_numbers(session: &SessionConfig) -> bool {
    session.is_stored && session.hand_over != HandOver::Automatic
}

/// A session that was restored sends everything that it says is on its way.
pub(super) fn sends_all(
    session: SessionConfig,
    restored: Session,
    report: &RestoreReport,
    version: Version,
    now: Instant,
) {
    let mut life = Life::of(ServerConfig::default().session(session.is_stored(true)), version, now);
    life.rig.story.forgets_numbers();
    life.rig.machine.session = Some(restored);
    life.rig.ledger = Ledger::of_anybody();
    life.rig.ledger.restored(&report.live);
    life.ends();
}
