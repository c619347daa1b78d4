//! Two machines, what lies between them, and what can happen next.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use bytes::{Buf, Bytes};
use mqtt_proto::{FixedHeader, Packet, PubCompReason, Role, Rules, Version};
use mqtt_session::{
    Accept, Batch, Change, Client, ClientConfig, Closed, DeliveryId, Event, HandOver, Instant, Key, Limits, Message,
    Outbox, Outcome, QoS, Received, Reconnect, Record, ServerConfig, ServerConnection, ServerEvent, Session,
    SessionConfig, SessionEvent, Timer,
};

use super::{Disk, Setup};

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end with the client.
    Client,
    /// The end with the server.
    Server,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What the rig does wrong on purpose, to see that the search notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing.
    Nothing,
    /// The receiver hears that a message is stored when it hands out the batch.
    StoredTooEarly,
    /// The record of a release never reaches the store of the sender.
    ReleaseNotStored,
    /// The receiver loses the identifiers that it holds when a connection ends.
    IncomingForgotten,
    /// The sender starts again with an empty store, and goes on with the session of its peer.
    EmptySender,
    /// A PUBCOMP that says that its identifier is not known gets lost.
    PubCompSwallowed,
    /// The receiver stores batches in two writes, the first half first.
    BatchSplit,
    /// The receiver stores batches in two writes, the second half first.
    BatchSplitBackwards,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The application at this end publishes its next message.
    Publish(Side),
    /// The first packet under way to this end arrives.
    Arrive(Side),
    /// The first write of this end becomes durable.
    Commit(Side),
    /// The client opens the next connection, its delay being over.
    Reconnect,
    /// The link is cut: what is under way is lost.
    Cut,
    /// A deadline of this end passes.
    TimeOut(Side),
    /// The application at this end acknowledges the first delivery that it was told.
    Acknowledge(Side),
    /// This end crashes, and starts again with what is durable.
    Crash(Side),
}

/// An application: what it has sent and what it was told.
#[derive(Clone, Debug, Default)]
struct App {
    /// How many messages it has published.
    published: usize,
    /// How many of these the store has: they may not get lost any more.
    accepted: usize,
    /// Which of its messages ended well.
    ended: Vec<bool>,
    /// How many of its messages its own store has lost, by sabotage.
    excused: usize,
    /// Deliveries that it has not acknowledged.
    told: VecDeque<DeliveryId>,
    /// What it did for which delivery, in one transaction with the number of the delivery.
    effects: BTreeMap<u64, u64>,
}

/// Two machines and everything between them.
#[derive(Clone, Debug)]
pub struct World {
    setup: std::rc::Rc<Setup>,
    now: Instant,
    client: Client,
    connection: Option<ServerConnection>,
    session: Option<Session>,
    /// Packets under way, by the end that they go to.
    wires: [VecDeque<Bytes>; 2],
    disks: [Disk; 2],
    apps: [App; 2],
    cuts: u8,
    crashes: [u8; 2],
    fault: Option<String>,
}

/// Tags of messages from the server start here.
const DOWN: u64 = 100;
const IDS: u16 = 2;

fn limits() -> Limits {
    Limits::default().packet_ids(IDS)
}

fn client_config(setup: &Setup) -> ClientConfig {
    let delay = Duration::from_millis(1);
    ClientConfig::new("c")
        .expect("the name is valid")
        .version(setup.version)
        .keep_alive_seconds(0)
        .is_stored(true)
        .hand_over(HandOver::Inbox)
        .limits(limits())
        .reconnect(
            Reconnect::default()
                .first_delay(delay)
                .max_delay(delay)
                .jitter_percent(0),
        )
}

fn session_config() -> SessionConfig {
    SessionConfig::default()
        .is_stored(true)
        .hand_over(HandOver::Inbox)
        .limits(limits())
}

impl World {
    /// The beginning: nothing is stored, and the client opens its first connection.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let now = Instant::from_secs(1);
        let app = |messages: &[QoS]| App {
            ended: vec![false; messages.len()],
            ..App::default()
        };
        let mut world = Self {
            now,
            client: Client::new(client_config(&setup), now),
            connection: None,
            session: None,
            wires: [VecDeque::new(), VecDeque::new()],
            disks: [Disk::default(), Disk::default()],
            apps: [app(&setup.up), app(&setup.down)],
            cuts: setup.cuts,
            crashes: setup.crashes,
            fault: None,
            setup: std::rc::Rc::new(setup),
        };
        world.settle();
        world
    }

    /// What went wrong, if something has.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn messages(&self, side: Side) -> &[QoS] {
        match side {
            Side::Client => &self.setup.up,
            Side::Server => &self.setup.down,
        }
    }

    /// Everything that can happen next.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        let mut actions = self.peaceful_actions();
        if self.cuts > 0 {
            if self.connection.is_some() {
                actions.push(Action::Cut);
            }
            let times_out = [
                self.client.poll_timeout(),
                self.connection.as_ref().and_then(ServerConnection::poll_timeout),
            ];
            for (side, next) in Side::BOTH.into_iter().zip(times_out) {
                if next.is_some_and(|next| !matches!(next.timer, Timer::Reconnect)) {
                    actions.push(Action::TimeOut(side));
                }
            }
        }
        for side in Side::BOTH {
            if self.crashes[side as usize] > 0 {
                actions.push(Action::Crash(side));
            }
        }
        actions
    }

    /// What can happen next although nothing fails.
    fn peaceful_actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for side in Side::BOTH {
            let app = &self.apps[side as usize];
            let has_session = side == Side::Client || self.session.is_some() || self.is_served();
            if app.published < self.messages(side).len() && has_session {
                actions.push(Action::Publish(side));
            }
            if !self.wires[side as usize].is_empty() {
                actions.push(Action::Arrive(side));
            }
            if !app.told.is_empty() {
                actions.push(Action::Acknowledge(side));
            }
            if !self.disks[side as usize].pending.is_empty() {
                actions.push(Action::Commit(side));
            }
        }
        let next = self.client.poll_timeout();
        if next.is_some_and(|next| next.timer == Timer::Reconnect) {
            actions.push(Action::Reconnect);
        }
        actions
    }

    fn is_served(&self) -> bool {
        self.connection.as_ref().is_some_and(ServerConnection::is_connected)
    }

    /// Whether everything has come to its end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.peaceful_actions().is_empty()
    }

    /// Takes a step.
    pub fn act(&mut self, action: Action) {
        match action {
            Action::Publish(side) => self.publish(side),
            Action::Arrive(side) => self.arrive(side),
            Action::Commit(side) => self.commit(side),
            Action::Reconnect => self.pass(Side::Client),
            Action::Acknowledge(side) => {
                if let Some(delivery) = self.apps[side as usize].told.pop_front() {
                    self.acknowledge(side, delivery);
                }
            }
            Action::TimeOut(side) => {
                self.cuts -= 1;
                self.pass(side);
            }
            Action::Cut => {
                self.cuts -= 1;
                self.cut();
            }
            Action::Crash(side) => self.crash(side),
        }
        self.settle();
        if self.fault.is_none() {
            self.fault = self.judge();
        }
    }

    // ---- the steps

    fn publish(&mut self, side: Side) {
        let app = &mut self.apps[side as usize];
        let index = app.published;
        app.published += 1;
        let qos = self.messages(side)[index];
        let tag = tag(side, index);
        let message = Message::new("t", tag.to_string()).expect("the topic is valid").qos(qos);
        let taken = match (side, &mut self.connection, &mut self.session) {
            (Side::Client, ..) => self.client.publish(self.now, message, tag),
            (Side::Server, _, Some(session)) => session.publish(self.now, message, tag),
            (Side::Server, Some(connection), None) => connection.publish(self.now, message, tag),
            (Side::Server, None, None) => return,
        };
        if let Err(error) = taken {
            self.break_("a message was not taken", error);
        }
    }

    fn arrive(&mut self, side: Side) {
        let Some(packet) = self.wires[side as usize].pop_front() else {
            return;
        };
        if self.setup.sabotage == Sabotage::PubCompSwallowed && is_unknown_pubcomp(&packet, self.setup.version) {
            return;
        }
        let mut input = &packet[..];
        match (side, &mut self.connection) {
            (Side::Client, _) => self.client.handle_input(self.now, &mut input),
            (Side::Server, Some(connection)) => connection.handle_input(self.now, &mut input),
            (Side::Server, None) => return,
        }
        if !input.is_empty() {
            // The machine waits for its host, who owes it something that another step gives.
            self.wires[side as usize].push_front(packet.slice(packet.len() - input.len()..));
        }
    }

    fn commit(&mut self, side: Side) {
        let Some(write) = self.disks[side as usize].commit() else {
            return;
        };
        let stored = write.changes.iter().filter_map(|change| match change {
            Change::Put(Record::Outgoing(record)) => Some(record.tag),
            _ => None,
        });
        let app = &mut self.apps[side as usize];
        for tag in stored {
            app.accepted = app.accepted.max(index(tag) + 1);
        }
        if let Some(number) = write.number {
            self.say_stored(side, number);
        }
    }

    fn say_stored(&mut self, side: Side, number: u64) {
        match (side, &mut self.connection, &mut self.session) {
            (Side::Client, ..) => self.client.handle_stored(self.now, number),
            (Side::Server, _, Some(session)) => session.handle_stored(self.now, number),
            (Side::Server, Some(connection), None) => connection.handle_stored(self.now, number),
            (Side::Server, None, None) => {}
        }
    }

    /// The next deadline of this end passes.
    fn pass(&mut self, side: Side) {
        let next = match side {
            Side::Client => self.client.poll_timeout(),
            Side::Server => self.connection.as_ref().and_then(ServerConnection::poll_timeout),
        };
        let Some(next) = next else { return };
        self.now = self.now.max(next.at);
        match (side, &mut self.connection) {
            (Side::Client, _) => self.client.handle_timeout(self.now),
            (Side::Server, Some(connection)) => connection.handle_timeout(self.now),
            (Side::Server, None) => {}
        }
    }

    fn cut(&mut self) {
        self.hang_up();
        self.client.handle_eof(self.now);
    }

    /// The server's end of the stream is gone.
    fn hang_up(&mut self) {
        self.wires.iter_mut().for_each(VecDeque::clear);
        if let Some(connection) = &mut self.connection {
            connection.handle_eof(self.now);
        }
        self.drain_connection();
        self.connection = None;
    }

    fn crash(&mut self, side: Side) {
        self.crashes[side as usize] -= 1;
        self.disks[side as usize].crash();
        match side {
            Side::Client => self.crash_client(),
            Side::Server => self.crash_server(),
        }
        // What no store had is the application's to publish again.
        let app = &mut self.apps[side as usize];
        app.published = app.accepted;
        app.told.clear();
    }

    fn crash_client(&mut self) {
        self.hang_up();
        if self.setup.sabotage == Sabotage::EmptySender {
            self.disks[0].durable.clear();
            self.apps[0].excused = self.apps[0].accepted;
        }
        let mut config = client_config(&self.setup);
        // The application knows its store, and never asks the server to forget.
        config = config.clean_start(mqtt_session::CleanStart::Never);
        let mut restore = Client::restore(config, self.now);
        for record in self.disks[0].durable.values() {
            restore.record(record.clone());
        }
        let (client, report) = restore.finish();
        if !report.quarantined.is_empty() {
            self.break_("records could not be used", &report);
        }
        self.client = client;
    }

    fn crash_server(&mut self) {
        self.wires.iter_mut().for_each(VecDeque::clear);
        self.connection = None;
        self.session = self.restored_session(|_| true);
        self.client.handle_eof(self.now);
    }

    fn restored_session(&mut self, keeps: impl Fn(&Record) -> bool) -> Option<Session> {
        let durable = &self.disks[1].durable;
        if !durable.contains_key(&Key::Session) {
            return None;
        }
        let mut restore = Session::restore(&session_config(), self.now);
        for record in durable.values().filter(|record| keeps(record)) {
            restore.record(record.clone());
        }
        let (session, report) = restore.finish();
        if !report.quarantined.is_empty() {
            self.break_("records could not be used", &report);
        }
        Some(session)
    }

    // ---- what follows by itself

    /// Takes outputs until there is none: what leaves is under way, what is told has been heard.
    fn settle(&mut self) {
        while self.take_batches() | self.take_bytes() | self.take_events() {
            if self.fault.is_some() {
                return;
            }
        }
    }

    fn take_batches(&mut self) -> bool {
        let mut any = false;
        for side in Side::BOTH {
            let mut batch = Batch::new();
            loop {
                let taken = match (side, &mut self.connection, &mut self.session) {
                    (Side::Client, ..) => self.client.poll_store(&mut batch),
                    (Side::Server, _, Some(session)) => session.poll_store(&mut batch),
                    (Side::Server, Some(connection), None) => connection.poll_store(&mut batch),
                    (Side::Server, None, None) => false,
                };
                if !taken {
                    break;
                }
                any = true;
                self.keep_batch(side, &batch);
            }
        }
        any
    }

    fn keep_batch(&mut self, side: Side, batch: &Batch) {
        let receives = !self.messages(side.other()).is_empty();
        let disk = &mut self.disks[side as usize];
        match self.setup.sabotage {
            Sabotage::BatchSplit if receives => disk.take_split(batch, false),
            Sabotage::BatchSplitBackwards if receives => disk.take_split(batch, true),
            Sabotage::StoredTooEarly if receives && has_message(batch) => {
                disk.take(batch);
                self.say_stored(side, batch.number());
            }
            Sabotage::ReleaseNotStored => {
                disk.take(batch);
                if let Some(write) = disk.pending.back_mut() {
                    write.changes.retain(|change| {
                        !matches!(change, Change::Put(Record::Outgoing(record))
                            if matches!(record.state, mqtt_session::OutgoingState::Release { .. }))
                            && !matches!(change, Change::Delete(Key::Payload(_)))
                    });
                }
            }
            _ => disk.take(batch),
        }
    }

    fn take_bytes(&mut self) -> bool {
        let mut outbox = Outbox::default();
        self.client.poll_transmit(&mut outbox);
        let up = packets(&mut outbox);
        let mut outbox = Outbox::default();
        if let Some(connection) = &mut self.connection {
            connection.poll_transmit(&mut outbox);
        }
        let down = packets(&mut outbox);
        let any = !up.is_empty() || !down.is_empty();
        if self.connection.is_some() {
            self.wires[Side::Server as usize].extend(up);
            self.wires[Side::Client as usize].extend(down);
        }
        any
    }

    fn take_events(&mut self) -> bool {
        let mut any = false;
        while let Some(event) = self.client.poll_event() {
            any = true;
            self.on_client_event(event);
        }
        any |= self.drain_connection();
        while let Some(event) = self.session.as_mut().and_then(Session::poll_event) {
            any = true;
            self.on_session_event(Side::Server, event);
        }
        any
    }

    fn on_client_event(&mut self, event: Event) {
        match event {
            Event::Open => {
                self.hang_up();
                self.connection = Some(ServerConnection::new(
                    ServerConfig::default().session(session_config()),
                    self.now,
                ));
                self.client.handle_open(self.now);
            }
            Event::Connected { .. } => {}
            Event::Message(received) => self.on_session_event(Side::Client, SessionEvent::Message(received)),
            Event::Completed { op, tag, outcome } => {
                self.on_session_event(Side::Client, SessionEvent::Completed { op, tag, outcome });
            }
            Event::Closed { reason, .. } => self.on_closed(Side::Client, &reason),
            other => self.break_("the client tells what nobody expects", other),
        }
    }

    fn drain_connection(&mut self) -> bool {
        let mut any = false;
        while let Some(event) = self.connection.as_mut().and_then(ServerConnection::poll_event) {
            any = true;
            match event {
                ServerEvent::Connect(connect) => self.accept(connect.clean_start),
                ServerEvent::Message(received) => {
                    self.on_session_event(Side::Server, SessionEvent::Message(received));
                }
                ServerEvent::Completed { op, tag, outcome } => {
                    self.on_session_event(Side::Server, SessionEvent::Completed { op, tag, outcome });
                }
                ServerEvent::Closed { reason, .. } => {
                    self.on_closed(Side::Server, &reason);
                    self.park();
                }
                other => self.break_("the server tells what nobody expects", other),
            }
        }
        any
    }

    fn accept(&mut self, clean_start: bool) {
        if clean_start {
            self.session = None;
            self.disks[1] = Disk::default();
        }
        let accept = Accept::new().session(self.session.take());
        let Some(connection) = &mut self.connection else { return };
        if let Err(error) = connection.accept(self.now, accept) {
            self.break_("a client was not accepted", error);
        }
    }

    /// The connection has ended, and leaves its session.
    fn park(&mut self) {
        let session = self.connection.as_mut().and_then(ServerConnection::take_session);
        if session.is_some() {
            self.session = session;
        }
        if self.setup.sabotage == Sabotage::IncomingForgotten && self.session.is_some() {
            while self.disks[1].commit().is_some() {}
            self.session = self.restored_session(|record| !matches!(record, Record::Incoming(_)));
        }
    }

    fn on_closed(&mut self, side: Side, reason: &Closed) {
        if !matches!(reason, Closed::StreamEnded | Closed::TimedOut(_)) {
            self.break_(&format!("the {side:?} closed"), reason);
        }
        if side == Side::Client && self.connection.is_some() {
            self.hang_up();
        } else if side == Side::Server && matches!(reason, Closed::TimedOut(_)) {
            self.wires.iter_mut().for_each(VecDeque::clear);
            self.client.handle_eof(self.now);
        }
    }

    fn on_session_event(&mut self, side: Side, event: SessionEvent) {
        match event {
            SessionEvent::Message(received) => self.on_message(side, &received),
            SessionEvent::Completed { tag, outcome, .. } => match outcome {
                Outcome::Acknowledged(_) => {
                    self.apps[side as usize].ended[index(tag)] = true;
                    self.check_arrived(side, tag);
                }
                other => self.break_(&format!("message {tag} ended"), other),
            },
            other => self.break_("a session tells what nobody expects", other),
        }
    }

    /// The application does its work and remembers the delivery in one transaction, then acknowledges.
    fn on_message(&mut self, side: Side, received: &Received) {
        let tag = String::from_utf8_lossy(&received.message.payload)
            .parse()
            .unwrap_or(u64::MAX);
        let Some(delivery) = received.delivery else {
            return self.break_("nothing is to be acknowledged", received);
        };
        self.apps[side as usize].effects.insert(delivery.number(), tag);
        if self.setup.hesitates {
            self.apps[side as usize].told.push_back(delivery);
        } else {
            self.acknowledge(side, delivery);
        }
    }

    fn acknowledge(&mut self, side: Side, delivery: DeliveryId) {
        let taken = match (side, &mut self.connection, &mut self.session) {
            (Side::Client, ..) => self.client.acknowledge(self.now, delivery),
            (Side::Server, _, Some(session)) => session.acknowledge(self.now, delivery),
            (Side::Server, Some(connection), None) => connection.acknowledge(self.now, delivery),
            (Side::Server, None, None) => Ok(()),
        };
        if let Err(error) = taken {
            self.break_(&format!("{delivery:?} could not be acknowledged"), error);
        }
    }

    // ---- the invariants

    fn break_(&mut self, what: &str, why: impl fmt::Debug) {
        self.fault.get_or_insert_with(|| format!("{what}: {why:?}"));
    }

    /// The sender was told that its message has arrived: the receiver has it for good.
    fn check_arrived(&mut self, sender: Side, tag: u64) {
        let receiver = sender.other() as usize;
        let is_done = self.apps[receiver].effects.values().any(|done| *done == tag);
        let is_kept = self.disks[receiver]
            .inbox_texts()
            .iter()
            .any(|(_, text)| *text == tag.to_string());
        if !is_done && !is_kept {
            self.break_(
                "LOST",
                format!("message {tag} was acknowledged, and its receiver does not have it"),
            );
        }
    }

    fn judge(&self) -> Option<String> {
        for sender in Side::BOTH {
            let receiver = &self.apps[sender.other() as usize];
            for (index, qos) in self.messages(sender).iter().enumerate() {
                let tag = tag(sender, index);
                let times = receiver.effects.values().filter(|done| **done == tag).count();
                if *qos == QoS::ExactlyOnce && times > 1 {
                    return Some(format!("DUPLICATE: message {tag} was handed over {times} times"));
                }
                if times > 0 && index >= self.apps[sender as usize].published {
                    return Some(format!("message {tag} arrived before its sender had stored it"));
                }
                let is_over = self.is_over() && index >= self.apps[sender as usize].excused;
                if is_over && times == 0 {
                    return Some(format!("STUCK: message {tag} never arrives"));
                }
                if is_over && !self.apps[sender as usize].ended[index] {
                    return Some(format!("STUCK: message {tag} arrived, and never ends for its sender"));
                }
            }
        }
        None
    }

    /// A number that is the same for states that go on in the same way.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.client.fingerprint().hash(&mut hasher);
        let served = self.connection.as_ref().map(ServerConnection::fingerprint);
        let parked = self.session.as_ref().map(Session::fingerprint);
        (served, parked, self.cuts, self.crashes).hash(&mut hasher);
        self.wires.hash(&mut hasher);
        for side in Side::BOTH {
            let app = &self.apps[side as usize];
            (app.published, app.accepted, app.excused, &app.ended).hash(&mut hasher);
            app.told.len().hash(&mut hasher);
            let mut times = BTreeMap::<u64, usize>::new();
            for tag in app.effects.values() {
                // More than twice is as often as twice.
                let times = times.entry(*tag).or_default();
                *times = (*times + 1).min(2);
            }
            times.hash(&mut hasher);
            let is_done = |delivery| app.effects.contains_key(&delivery);
            self.disks[side as usize].fingerprint(&mut hasher, is_done);
        }
        hasher.finish()
    }

    /// What the two ends look like, in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        let side = |side: Side| {
            let disk = &self.disks[side as usize];
            let wire = self.wires[side as usize].iter().map(|packet| self.name(packet, side));
            format!(
                "{side:?} <- [{}] stored {} writing {}",
                wire.collect::<Vec<_>>().join(", "),
                disk.durable.len(),
                disk.pending.len()
            )
        };
        format!("{}; {}", side(Side::Client), side(Side::Server))
    }

    fn name(&self, packet: &Bytes, to: Side) -> String {
        let sender = match to {
            Side::Client => Role::Server,
            Side::Server => Role::Client,
        };
        let rules = Rules::new(self.setup.version).sent_by(sender);
        match mqtt_proto::decode(packet, &rules) {
            Ok(mqtt_proto::Decoded::Packet { packet, .. }) => match packet {
                Packet::Publish(publish) => format!(
                    "PUBLISH {} {}{}",
                    publish.delivery.id().map_or(0, |id| id.get()),
                    String::from_utf8_lossy(publish.payload),
                    if publish.delivery.dup() { " again" } else { "" }
                ),
                Packet::PubAck(ack) => format!("PUBACK {}", ack.id.get()),
                Packet::PubRec(ack) => format!("PUBREC {}", ack.id.get()),
                Packet::PubRel(ack) => format!("PUBREL {}", ack.id.get()),
                Packet::PubComp(ack) => format!("PUBCOMP {}", ack.id.get()),
                other => format!("{:?}", other.packet_type()),
            },
            other => format!("{other:?}"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(side) => write!(f, "{side:?} publishes"),
            Self::Arrive(side) => write!(f, "a packet arrives at the {side:?}"),
            Self::Commit(side) => write!(f, "a write of the {side:?} is durable"),
            Self::Reconnect => write!(f, "Client reconnects"),
            Self::Cut => write!(f, "the link is cut"),
            Self::Acknowledge(side) => write!(f, "the host of the {side:?} acknowledges"),
            Self::TimeOut(side) => write!(f, "a deadline of the {side:?} passes"),
            Self::Crash(side) => write!(f, "{side:?} crashes and starts again"),
        }
    }
}

fn has_message(batch: &Batch) -> bool {
    batch
        .changes()
        .iter()
        .any(|change| matches!(change.key(), Key::Inbox(_)))
}

const fn tag(side: Side, index: usize) -> u64 {
    match side {
        Side::Client => index as u64,
        Side::Server => DOWN + index as u64,
    }
}

const fn index(tag: u64) -> usize {
    (tag % DOWN) as usize
}

fn packets(outbox: &mut Outbox) -> Vec<Bytes> {
    let mut bytes = outbox.copy_to_bytes(outbox.remaining());
    let rules = Rules::new(Version::V5);
    let mut packets = Vec::new();
    while let Ok(Some(header)) = FixedHeader::decode(&bytes, &rules) {
        packets.push(bytes.split_to(header.packet_len()));
    }
    packets
}

fn is_unknown_pubcomp(packet: &[u8], version: Version) -> bool {
    let rules = Rules::new(version).sent_by(Role::Server);
    matches!(
        mqtt_proto::decode(packet, &rules),
        Ok(mqtt_proto::Decoded::Packet { packet: Packet::PubComp(ack), .. })
            if ack.reason == PubCompReason::PacketIdentifierNotFound
    )
}
