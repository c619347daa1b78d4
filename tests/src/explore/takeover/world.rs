//! The broker, its clients' streams, its store, its clock and its host; and the model beside them.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use bytes::{Buf, Bytes};
use mqtt_proto::{
    Binary, Connect, ConnectProperties, Disconnect, DisconnectReason, Filters, Packet, PacketId, PubAck, PubAckReason,
    Role, Rules, Subscribe, SubscribeProperties, Subscription, SubscriptionOptions, Text, TopicFilter, TopicName,
    Version, Will, WillProperties,
};
use mqtt_session::{
    Broker, BrokerBatch, BrokerChange, BrokerConfig, BrokerEvent, BrokerKey, BrokerRecord, ConnectionId, Instant,
    Message, Outbox, QoS,
};

use super::model::{DELAY, GRACE, Hello, Model, WillKind};

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The client connects, whether or not it is connected.
    Connect(Hello),
    /// DISCONNECT with reason 0.
    Leave,
    /// DISCONNECT with reason 4.
    LeaveWithWill,
    /// The stream ends.
    Cut,
    /// Time passes up to the next deadline.
    Wait,
    /// The host publishes a message of QoS 1 to what the client is subscribed to.
    Publish,
    /// The oldest batch is stored.
    Store,
    /// The process ends, and the next goes on with what is stored.
    Restart,
}

/// A wrong policy, played from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The store loses what it has about clients.
    ClientsNotStored,
    /// The store keeps what was deleted.
    NothingDeleted,
    /// Whoever is cut off says farewell.
    CutIsFarewell,
    /// No deadline is ever told.
    TimeoutsSwallowed,
    /// Who wants to go on begins anew.
    AlwaysClean,
    /// Batches count as stored and are not.
    StoredTooEarly,
}

#[derive(Debug)]
struct Stream {
    id: ConnectionId,
    outbox: Outbox,
    /// What CONNACK is to say, until it has.
    connack: Option<bool>,
    is_taken_over: bool,
    was_told: bool,
}

/// The broker and all around it.
#[derive(Debug)]
pub struct World {
    broker: Broker,
    /// What is right.
    pub model: Model,
    now: u64,
    disk: BTreeMap<BrokerKey, BrokerRecord>,
    /// Batches that are not stored, each with the model at that time.
    batches: VecDeque<(BrokerBatch, Model)>,
    durable: Model,
    streams: Vec<Stream>,
    numbers: u64,
    is_late: bool,
    sabotage: Option<Sabotage>,
    fault: Option<String>,
}

const START: u64 = 1_000;

fn config() -> BrokerConfig {
    BrokerConfig::new(7).restart_grace(Duration::from_secs(GRACE))
}

fn topic(text: &'static str) -> TopicName<Bytes> {
    TopicName::from_bytes(Bytes::from_static(text.as_bytes())).expect("the topic is valid")
}

impl World {
    /// Nobody is connected. With a late store batches are stored by [`Action::Store`], otherwise at once.
    #[must_use]
    pub fn new(is_late: bool, sabotage: Option<Sabotage>) -> Self {
        let start = Instant::from_secs(START);
        let (broker, _) = Broker::restore(config(), start).finish();
        let mut world = Self {
            broker,
            model: Model::default(),
            now: START,
            disk: BTreeMap::new(),
            batches: VecDeque::new(),
            durable: Model::default(),
            streams: Vec::new(),
            numbers: 0,
            is_late,
            sabotage,
            fault: None,
        };
        world.watch();
        world
    }

    /// The host wants to hear of wills.
    fn watch(&mut self) {
        let filter = TopicFilter::from_bytes(Bytes::from_static(b"w")).expect("the filter is valid");
        let options = SubscriptionOptions::new(QoS::AtMostOnce);
        let subscribed = self
            .broker
            .subscribe_local(self.instant(), &Subscription { filter, options });
        subscribed.expect("there is room");
    }

    fn instant(&self) -> Instant {
        Instant::from_secs(self.now)
    }

    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// How this state differs from others, as far as the model knows.
    #[must_use]
    pub fn fingerprint(&self) -> (u64, usize) {
        (self.model.fingerprint(self.now), self.batches.len())
    }

    /// What can happen next.
    #[must_use]
    pub fn actions(&self, hellos: &[Hello]) -> Vec<Action> {
        let mut actions: Vec<Action> = hellos.iter().copied().map(Action::Connect).collect();
        if self.model.is_connected() {
            actions.extend([Action::Leave, Action::LeaveWithWill, Action::Cut]);
        }
        if self.model.deadline().is_some() {
            actions.push(Action::Wait);
        }
        if self.model.session.is_some() {
            actions.extend([Action::Publish, Action::Restart]);
        }
        if !self.batches.is_empty() {
            actions.push(Action::Store);
        }
        actions
    }

    /// Does it, and looks at what comes of it.
    pub fn act(&mut self, action: Action) {
        self.numbers += 1;
        let (now, number) = (self.instant(), self.numbers);
        match action {
            Action::Connect(hello) => self.connect(hello, number),
            Action::Leave => self.leave(DisconnectReason::NormalDisconnection),
            Action::LeaveWithWill => self.leave(DisconnectReason::DisconnectWithWill),
            Action::Cut if self.sabotage == Some(Sabotage::CutIsFarewell) => {
                self.send_to_last(&Packet::Disconnect(Disconnect::new(
                    DisconnectReason::NormalDisconnection,
                )));
                self.model.disconnect(self.now, true);
            }
            Action::Cut => {
                if let Some(stream) = self.streams.pop() {
                    self.broker.handle_eof(now, stream.id);
                }
                self.model.disconnect(self.now, true);
            }
            Action::Wait => {
                self.now = self.model.deadline().unwrap_or(self.now).max(self.now);
                self.model.pass(self.now);
            }
            Action::Publish => {
                let message = Message::new("t", number.to_string()).expect("the topic is valid");
                self.broker.publish(now, message.qos(QoS::AtLeastOnce));
                self.model.publish(number);
            }
            Action::Store => self.store_one(),
            Action::Restart => self.restart(),
        }
        self.settle();
        self.check();
    }

    fn connect(&mut self, hello: Hello, number: u64) {
        for stream in &mut self.streams {
            stream.is_taken_over = true;
        }
        let is_present = self.model.connect(self.now, hello, number);
        let id = self.broker.handle_open(self.instant()).expect("there is room");
        self.streams.push(Stream {
            id,
            outbox: Outbox::default(),
            connack: Some(is_present),
            is_taken_over: false,
            was_told: false,
        });
        let clean = hello.clean || self.sabotage == Some(Sabotage::AlwaysClean);
        self.send_to_last(&Packet::Connect(connect(Hello { clean, ..hello }, number)));
    }

    fn leave(&mut self, reason: DisconnectReason) {
        self.send_to_last(&Packet::Disconnect(Disconnect::new(reason)));
        let with_will = reason != DisconnectReason::NormalDisconnection;
        self.model.disconnect(self.now, with_will);
    }

    fn send_to_last(&mut self, packet: &Packet<Bytes>) {
        if let Some(id) = self.streams.last().map(|stream| stream.id) {
            self.send(id, packet);
        }
    }

    fn send(&mut self, id: ConnectionId, packet: &Packet<Bytes>) {
        let mut bytes = Vec::new();
        packet.encode_to(Version::V5, &mut bytes).expect("the packet is valid");
        self.broker.handle_input(self.instant(), id, &mut bytes.as_slice());
    }

    fn store_one(&mut self) {
        let Some((batch, model)) = self.batches.pop_front() else {
            return;
        };
        if self.sabotage != Some(Sabotage::StoredTooEarly) {
            self.write(&batch);
        }
        self.durable = model;
        self.broker.handle_stored(self.instant(), batch.number());
    }

    fn write(&mut self, batch: &BrokerBatch) {
        for change in batch.changes() {
            match change {
                BrokerChange::Put(BrokerRecord::Client(_)) if self.sabotage == Some(Sabotage::ClientsNotStored) => {}
                BrokerChange::Put(record) => {
                    self.disk.insert(record.key(), record.clone());
                }
                BrokerChange::Delete(_) if self.sabotage == Some(Sabotage::NothingDeleted) => {}
                BrokerChange::Delete(key) => {
                    self.disk.remove(key);
                }
            }
        }
    }

    fn restart(&mut self) {
        let mut restore = Broker::restore(config(), self.instant());
        for record in self.disk.values() {
            restore.record(record.clone());
        }
        let (broker, report) = restore.finish();
        if !report.quarantined.is_empty() {
            self.break_(format!("records could not be used: {:?}", report.quarantined));
        }
        self.broker = broker;
        self.streams.clear();
        self.batches.clear();
        let seen = self.model.seen;
        self.model = self.durable.clone();
        self.model.seen = seen;
        self.model.restart(self.now);
        // A session whose time was over is left to its timer, which is due: its will goes before the host asks for it.
        self.fire();
        let wills = core::mem::take(&mut self.model.wills);
        let published = self.broker.figures().wills_published;
        if published != wills.len() as u64 {
            self.break_(format!(
                "WILL: a restart has published {published}, and {wills:?} was to be"
            ));
        }
        self.watch();
    }

    /// Until nobody has anything to say.
    fn settle(&mut self) {
        for _ in 0..100 {
            self.fire();
            let stored = self.take_batches();
            let read = self.read_streams();
            self.hear();
            if !stored && !read {
                return;
            }
        }
        self.break_("it never comes to rest".to_owned());
    }

    fn fire(&mut self) {
        if self.sabotage == Some(Sabotage::TimeoutsSwallowed) {
            return;
        }
        for _ in 0..100 {
            match self.broker.poll_timeout() {
                Some(timeout) if timeout.at <= self.instant() => self.broker.handle_timeout(self.instant()),
                _ => return,
            }
        }
        self.break_("something stays due".to_owned());
    }

    fn take_batches(&mut self) -> bool {
        let mut batch = BrokerBatch::new();
        let is_some = self.broker.poll_store(&mut batch);
        if is_some {
            self.batches.push_back((batch, self.model.clone()));
        }
        if !self.is_late {
            self.durable = self.model.clone();
            while !self.batches.is_empty() {
                self.store_one();
            }
        }
        is_some
    }

    fn hear(&mut self) {
        while let Some(event) = self.broker.poll_event() {
            let BrokerEvent::Delivered { message, .. } = event else {
                continue;
            };
            let expected = (!self.model.wills.is_empty()).then(|| self.model.wills.remove(0));
            let told = String::from_utf8_lossy(&message.payload).into_owned();
            if expected.map(|number| number.to_string()).as_ref() != Some(&told) {
                self.break_(format!("WILL {told} was published, and {expected:?} was to be"));
            }
        }
    }

    fn read_streams(&mut self) -> bool {
        let mut any = false;
        for index in 0..self.streams.len() {
            let stream = &mut self.streams[index];
            let id = stream.id;
            self.broker.poll_transmit(id, &mut stream.outbox);
            let len = stream.outbox.len();
            let mut bytes = stream.outbox.copy_to_bytes(len);
            let rules = Rules::new(Version::V5).sent_by(Role::Server);
            while !bytes.is_empty() {
                any = true;
                match Packet::take_from(&mut bytes, &rules) {
                    Ok(Some(packet)) => self.on_packet(index, id, &packet),
                    other => return self.break_(format!("what was sent is no packet: {other:?}")),
                }
            }
        }
        let broker = &self.broker;
        self.streams.retain(|stream| !broker.is_drained(stream.id));
        any
    }

    fn on_packet(&mut self, index: usize, id: ConnectionId, packet: &Packet<Bytes>) {
        match packet {
            Packet::ConnAck(connack) => {
                let expected = self.streams[index].connack.take();
                if expected != Some(connack.session_present) {
                    self.break_(format!("CONNACK says {}, {expected:?}", connack.session_present));
                }
                self.streams[index].was_told = true;
                let is_subscribed = self.model.session.as_ref().is_some_and(|session| session.is_subscribed);
                if !is_subscribed && !self.streams[index].is_taken_over {
                    self.subscribe(id);
                }
            }
            Packet::Publish(publish) => self.on_message(id, publish),
            Packet::Disconnect(farewell) => {
                let is_right =
                    self.streams[index].is_taken_over && farewell.reason == DisconnectReason::SessionTakenOver;
                if !is_right {
                    self.break_(format!("the client was told {:?}", farewell.reason));
                }
            }
            _ => {}
        }
    }

    fn subscribe(&mut self, id: ConnectionId) {
        if let Some(session) = &mut self.model.session {
            session.is_subscribed = true;
        }
        let filters = Filters::builder().filter("t", SubscriptionOptions::new(QoS::AtLeastOnce));
        let subscribe = Subscribe {
            id: PacketId::MIN,
            filters: filters.build().expect("the filter is valid"),
            properties: SubscribeProperties::empty(),
        };
        self.send(id, &Packet::Subscribe(subscribe));
    }

    fn on_message(&mut self, id: ConnectionId, publish: &mqtt_proto::Publish<Bytes>) {
        let queue = self.model.session.as_mut().map(|session| &mut session.queue);
        let expected = queue.filter(|queue| !queue.is_empty()).map(|queue| queue.remove(0));
        let told = String::from_utf8_lossy(&publish.payload).into_owned();
        if expected.map(|number| number.to_string()).as_ref() != Some(&told) {
            self.break_(format!("MESSAGE {told} came, and {expected:?} was to come"));
        }
        if let Some(number) = publish.delivery.id() {
            self.send(id, &Packet::PubAck(PubAck::new(number, PubAckReason::Success)));
        }
    }

    fn break_(&mut self, fault: String) -> bool {
        self.fault.get_or_insert(fault);
        false
    }

    /// What has to hold when everybody has said everything.
    fn check(&mut self) {
        if let Some(number) = self.model.wills.first() {
            self.break_(format!("WILL {number} was not published"));
        }
        let (has, expected) = (self.broker.has_session(b"c"), self.model.session.is_some());
        if has != expected {
            self.break_(format!("SESSION: {has}, and it was to be {expected}"));
        }
        let connection = self.broker.connection_of(b"c");
        let expected = self
            .model
            .is_connected()
            .then(|| self.streams.last().map(|stream| stream.id));
        if connection != expected.flatten() || self.broker.figures().clients_connected > 1 {
            self.break_(format!("CONNECTION: {connection:?}, and it was to be {expected:?}"));
        }
        let wakes = self.broker.poll_timeout().map(|timeout| timeout.at);
        let deadline = self.model.deadline().map(Instant::from_secs);
        if deadline.is_some_and(|deadline| wakes.is_none_or(|at| at > deadline)) {
            self.break_(format!("WAKES at {wakes:?}, and something is due at {deadline:?}"));
        }
        // What waits for the store comes later.
        if self.batches.is_empty() && self.model.is_connected() {
            let waits = self.model.session.as_ref().map_or(0, |session| session.queue.len());
            if waits > 0 || self.streams.last().is_some_and(|stream| !stream.was_told) {
                self.break_(format!("LOST: {waits} messages, or CONNACK"));
            }
        }
    }
}

fn connect(hello: Hello, number: u64) -> Connect<Bytes> {
    let properties = ConnectProperties::builder().session_expiry(u32::try_from(hello.expiry).unwrap_or(u32::MAX));
    let delay = WillProperties::builder().will_delay(DELAY as u32);
    let will = |properties| Will {
        topic: topic("w"),
        payload: Binary::new(Bytes::from(number.to_string())).expect("it is short"),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties,
    };
    Connect {
        version: Version::V5,
        clean_start: hello.clean,
        keep_alive: 0,
        client_id: Text::from_bytes(Bytes::from_static(b"c")).expect("the name is valid"),
        will: match hello.will {
            WillKind::Absent => None,
            WillKind::Prompt => Some(will(WillProperties::empty())),
            WillKind::Delayed => Some(will(delay.build().expect("the property is valid"))),
        },
        username: None,
        password: None,
        properties: properties.build().expect("the property is valid"),
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(Hello { clean, will, expiry }) => {
                let how = if *clean { "begins anew" } else { "goes on" };
                write!(f, "connect: {how}, will {will:?}, expiry {expiry} s")
            }
            other => write!(f, "{other:?}"),
        }
    }
}
