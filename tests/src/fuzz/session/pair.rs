//! A client and a server with a link and two stores between them and what can go wrong.

use arbitrary::{Result, Unstructured};
use mqtt_proto::{DisconnectReason, Version};
use mqtt_session::{
    Accept, CleanStart, Client, ClientConfig, Closed, HandOver, Instant, Key, Outcome, ServerConfig, ServerConnection,
    Session, SessionConfig,
};

use super::application::{App, publish, tag_of};
use super::draws;
use super::machine::{Machine, Outputs, ServerEnd, Told};
use super::rig::{Rig, pass};

/// After so many rounds without faults, everything has come to its end.
const ROUNDS: usize = 3_000;

/// Bytes as what happens to two machines and what lies between them.
///
/// # Panics
/// If a message is lost, doubled or stuck: see `fuzz/README.md`.
pub fn pair(data: &[u8]) {
    plays(data, Sabotage::Nothing);
}

/// What the rig does wrong on purpose, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sabotage {
    Nothing,
    /// Machines hear that a batch is stored when they hand it out.
    StoredTooEarly,
    /// A server that starts again knows no identifiers of messages that it has received.
    IncomingForgotten,
    /// The server's end of the link swallows every packet once faults have stopped.
    LinkDead,
}

fn plays(data: &[u8], sabotage: Sabotage) {
    let mut u = Unstructured::new(data);
    let Ok(mut world) = World::draw(&mut u, sabotage) else {
        return;
    };
    while !u.is_empty() && world.step(&mut u).is_ok() {}
    world.drains();
}

struct World {
    client: Rig<Client>,
    server: Rig<ServerEnd>,
    config: ClientConfig,
    session: SessionConfig,
    apps: [App; 2],
    sabotage: Sabotage,
}

const UP: usize = 0;
const DOWN: usize = 1;

impl World {
    fn draw(u: &mut Unstructured<'_>, sabotage: Sabotage) -> Result<Self> {
        let mut limits = mqtt_session::Limits::default();
        let choices: u8 = u.arbitrary()?;
        if choices & 1 != 0 {
            limits = limits.packet_ids(u.int_in_range(1..=3)?);
        }
        if choices & 2 != 0 {
            limits = limits
                .receive_maximum(u.int_in_range(1..=3)?)
                .batches(u.int_in_range(1..=3)?);
        }
        if choices & 4 != 0 {
            limits = limits
                .events(u.int_in_range(1..=3)?)
                .inbox_messages(u.int_in_range(1..=3)?);
        }
        if choices & 8 != 0 {
            limits = limits
                .inline_bytes(u.int_in_range(0..=10)?)
                .chunk_bytes(u.int_in_range(1..=20)?);
        }
        let now = Instant::from_secs(1_000);
        let version = *u.choose(&Version::ALL)?;
        let config = ClientConfig::new("c")
            .expect("the name is valid")
            .version(version)
            .keep_alive_seconds(u.int_in_range(0..=20)?)
            .session_expiry_seconds(u32::MAX)
            .is_stored(true)
            // The host knows its store, and never asks the server to forget.
            .clean_start(CleanStart::Never)
            .hand_over(HandOver::Inbox)
            .limits(limits);
        let session = SessionConfig::default()
            .is_stored(true)
            .hand_over(HandOver::Inbox)
            .limits(limits);
        let client = Client::new(config.clone(), now);
        Ok(Self {
            client: Rig::new(client, version, limits, true, now),
            server: Rig::new(ServerEnd::default(), version, limits, true, now),
            config,
            session,
            apps: [App::default(), App::default()],
            sabotage,
        })
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=15_u8)? {
            0 | 1 => publish(&mut self.client, &mut self.apps[UP], u)?,
            2 | 3 => publish(&mut self.server, &mut self.apps[DOWN], u)?,
            4..=6 => self.carries_up(u.int_in_range(1..=80)?, u.arbitrary()?),
            7..=9 => self.carries_down(u.int_in_range(1..=80)?, u.arbitrary()?),
            10 => drop(self.commits(UP)),
            11 => drop(self.commits(DOWN)),
            12 => {
                let at = draws::time(u, self.client.now, self.client.machine.next_deadline())?;
                self.passes(at);
            }
            13 => self.cuts(),
            14 => self.crashes(u.arbitrary()?),
            _ => self.acknowledges(),
        }
        self.settles();
        Ok(())
    }

    /// The same time for both.
    fn passes(&mut self, at: Instant) {
        let now = self.client.now.max(at);
        (self.client.now, self.server.now) = (now, now);
        pass(&mut self.client.machine, now);
        pass(&mut self.server.machine, now);
    }

    fn carries_up(&mut self, bytes: usize, is_owned: bool) {
        let len = bytes.min(self.client.output.len());
        let piece = self.client.output.split_to(len);
        if self.sabotage == Sabotage::LinkDead && bytes == usize::MAX {
            return;
        }
        if self.server.machine.connection.is_some() {
            self.server.take_in(&piece, is_owned);
        }
    }

    fn carries_down(&mut self, bytes: usize, is_owned: bool) {
        let len = bytes.min(self.server.output.len());
        let piece = self.server.output.split_to(len);
        if !self.client.story.is_closed() {
            self.client.take_in(&piece, is_owned);
        }
    }

    /// The next batch of an end becomes durable, and with it what its application may rely on.
    fn commits(&mut self, end: usize) -> bool {
        let any = if end == UP {
            self.client.commit(true)
        } else {
            self.server.commit(true)
        };
        self.keeps_safe(end);
        any
    }

    fn keeps_safe(&mut self, end: usize) {
        let disk = if end == UP {
            &self.client.disk
        } else {
            &self.server.disk
        };
        let app = &mut self.apps[end];
        let durable = disk
            .durable
            .values()
            .filter_map(|bytes| mqtt_session::Record::decode(bytes).ok());
        for record in durable {
            if let mqtt_session::Record::Outgoing(outgoing) = record {
                app.safe.insert(outgoing.tag);
            }
        }
    }

    fn acknowledges(&mut self) {
        self.client.acknowledge_all();
        self.server.acknowledge_all();
    }

    fn cuts(&mut self) {
        self.hangs_up();
        self.client.machine.handle_eof(self.client.now);
        self.client.forget_stream();
    }

    /// The server's end of the stream is gone, and leaves its session.
    fn hangs_up(&mut self) {
        self.server.machine.handle_eof(self.server.now);
        while let Some(told) = self.server.poll_event() {
            self.hears_server(told);
        }
        self.server.forget_stream();
        if let Some(mut connection) = self.server.machine.connection.take() {
            let session = connection.take_session();
            if session.is_some() {
                self.server.machine.session = session;
            }
        }
    }

    fn crashes(&mut self, server: bool) {
        let end = usize::from(server);
        if server {
            self.server.crashes();
            self.server.machine = ServerEnd::default();
            self.restores_session();
            self.client.machine.handle_eof(self.client.now);
            self.client.forget_stream();
        } else {
            self.hangs_up();
            self.client.crashes();
            // The application knows its store, and never asks the server to forget.
            let mut restore = Client::restore(self.config.clone().clean_start(CleanStart::Never), self.client.now);
            for (key, bytes) in &self.client.disk.durable {
                restore.encoded(*key, bytes);
            }
            let (client, report) = restore.finish();
            assert!(report.quarantined.is_empty(), "{report:?}");
            self.client.machine = client;
            self.client.ledger.restored(&report.live);
        }
        self.apps[end].forgets_the_unsafe();
    }

    fn restores_session(&mut self) {
        let rig = &mut self.server;
        if !rig.disk.durable.contains_key(&Key::Session) {
            rig.ledger.restored(&[]);
            return;
        }
        let mut restore = Session::restore(&self.session, rig.now);
        for (key, bytes) in &rig.disk.durable {
            if self.sabotage == Sabotage::IncomingForgotten && matches!(key, Key::Incoming(_)) {
                continue;
            }
            restore.encoded(*key, bytes);
        }
        let (session, report) = restore.finish();
        assert!(report.quarantined.is_empty(), "{report:?}");
        rig.machine.session = Some(session);
        rig.ledger.restored(&report.live);
    }

    /// Takes all outputs of both. Returns whether an application was told something.
    fn settles(&mut self) -> bool {
        let mut ever = false;
        for _ in 0..ROUNDS {
            let mut told = Vec::new();
            self.client.settle(|_, one| told.push(one));
            let mut any = !told.is_empty();
            for one in told {
                self.hears_client(one);
            }
            let mut told = Vec::new();
            self.server.settle(|_, one| told.push(one));
            any |= !told.is_empty();
            for one in told {
                self.hears_server(one);
            }
            any |= self.client.wanted.is_some() || self.server.wanted.is_some();
            self.client.supply();
            self.server.supply();
            if self.sabotage == Sabotage::StoredTooEarly {
                let (now, all) = (self.client.now, u64::MAX);
                self.client.machine.handle_stored(now, all);
                self.server.machine.handle_stored(now, all);
            }
            if !any {
                return ever;
            }
            ever = true;
        }
        panic!("events without an end");
    }

    fn hears_client(&mut self, told: Told) {
        match told {
            Told::Open => {
                self.hangs_up();
                self.client.streams(Some(self.config.version));
                self.client.machine.handle_open(self.client.now);
                self.server.streams(None);
                let config = ServerConfig::default().session(self.session);
                self.server.machine.connection = Some(ServerConnection::new(config, self.server.now));
            }
            Told::Closed(reason) => {
                is_a_fault_of_the_world(&reason);
                self.hangs_up();
                self.client.machine.handle_eof(self.client.now);
                self.client.forget_stream();
            }
            told => self.hears(UP, told),
        }
    }

    fn hears_server(&mut self, told: Told) {
        match told {
            Told::Connect(connect) => {
                assert!(!connect.clean_start, "the client forgets");
                let accept = Accept::new().session(self.server.machine.session.take());
                let connection = self.server.machine.connection.as_mut().expect("it asked");
                connection
                    .accept(self.server.now, accept)
                    .expect("the client is accepted");
            }
            Told::Closed(reason) => {
                is_a_fault_of_the_world(&reason);
                // What it has sent is still under way; nothing more comes to it.
                self.client.output.clear();
            }
            told => self.hears(DOWN, told),
        }
    }

    fn hears(&mut self, end: usize, told: Told) {
        match told {
            Told::Message(received) => self.apps[end].hears(&received),
            Told::Completed(_, tag, outcome) => self.is_ended(end, tag, &outcome),
            Told::Connected | Told::Dropped => {}
            told => panic!("nobody expects {told:?}"),
        }
    }

    /// What ended well is with the other end, and durable there.
    fn is_ended(&mut self, end: usize, tag: u64, outcome: &Outcome) {
        match outcome {
            Outcome::Acknowledged(_) => {
                self.keeps_safe(1 - end);
                let has_arrived = self.apps[1 - end].arrivals(tag) > 0 || self.stands_in_inbox(1 - end, tag);
                assert!(has_arrived, "{tag} is acknowledged, and was never received");
            }
            Outcome::Sent | Outcome::Interrupted => {}
            other => panic!("{tag} ends with {other:?}"),
        }
    }

    fn stands_in_inbox(&self, end: usize, tag: u64) -> bool {
        let disk = if end == UP {
            &self.client.disk
        } else {
            &self.server.disk
        };
        disk.durable.iter().any(|(key, bytes)| {
            matches!(key, Key::Payload(mqtt_session::PayloadOf::Inbox(_)))
                && matches!(mqtt_session::Record::decode(bytes), Ok(mqtt_session::Record::Payload { bytes, .. }) if tag_of(&bytes) == tag)
        })
    }

    /// Faults have stopped: everything that was taken arrives, and every operation ends.
    fn drains(&mut self) {
        self.settles();
        for _ in 0..ROUNDS {
            let mut any = false;
            while self.commits(UP) | self.commits(DOWN) {
                any = true;
            }
            any |= !self.client.output.is_empty() || !self.server.output.is_empty();
            self.carries_up(usize::MAX, false);
            self.carries_down(usize::MAX, false);
            any |= self.client.take_again() | self.server.take_again();
            any |= !self.client.deliveries.is_empty() || !self.server.deliveries.is_empty();
            self.acknowledges();
            any |= self.settles() | self.client.disk.is_writing() | self.server.disk.is_writing();
            if any {
                continue;
            }
            if self.client.ledger.is_done() && self.server.ledger.is_done() {
                let [up, down] = &self.apps;
                up.reached(down);
                return down.reached(up);
            }
            let next = self
                .client
                .machine
                .next_deadline()
                .into_iter()
                .chain(self.server.machine.next_deadline())
                .min();
            self.passes(next.expect("something is waited for"));
            self.settles();
        }
        panic!(
            "operations do not end: {:?} and {:?}",
            self.client.ledger, self.server.ledger
        );
    }
}

/// Neither machine does anything that the other one objects to: what ends a connection is time, or a cut.
fn is_a_fault_of_the_world(reason: &Closed) {
    let is_late = |reason: DisconnectReason| {
        matches!(
            reason,
            DisconnectReason::KeepAliveTimeout | DisconnectReason::UnspecifiedError
        )
    };
    match reason {
        Closed::StreamEnded | Closed::TimedOut(_) => {}
        Closed::Disconnected { reason, .. } if is_late(*reason) => {}
        other => panic!("closed: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::{Sabotage, plays};
    use crate::generate::random_bytes;

    /// Whether one of many random inputs fails.
    fn is_noticed(sabotage: Sabotage) -> bool {
        (0..2_000).any(|seed| catch_unwind(|| plays(&random_bytes(seed, 600), sabotage)).is_err())
    }

    #[test]
    fn a_promise_before_the_store_has_it_is_noticed() {
        assert!(is_noticed(Sabotage::StoredTooEarly));
    }

    #[test]
    fn forgotten_identifiers_are_noticed() {
        assert!(is_noticed(Sabotage::IncomingForgotten));
    }

    #[test]
    fn messages_that_never_arrive_are_noticed() {
        assert!(is_noticed(Sabotage::LinkDead));
    }
}
