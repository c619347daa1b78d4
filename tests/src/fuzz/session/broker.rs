//! A broker among clients that send anything, a host that does anything, and a store that loses what it had not said.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use arbitrary::{Result, Unstructured};
use bytes::{Buf, Bytes};
use mqtt_proto::{
    ConnAckProperties, ConnAckReason, Connect, Delivery, Disconnect, DisconnectReason, Filters, Packet, PacketId,
    Properties, PubAck, PubAckReason, PubComp, PubCompReason, PubRec, PubRecReason, PubRel, PubRelReason, Publish,
    PublishProperties, Role, Rules, Subscribe, SubscribeProperties, SubscriptionOptions, TopicFilter, TopicFilters,
    TopicName, Unsubscribe, Version, Will,
};
use mqtt_session::{
    Ask, Broker, BrokerBatch, BrokerChange, BrokerConfig, BrokerEvent, BrokerKey, BrokerLimits, BrokerRecord,
    ConnectionId, Instant, LocalId, Outbox, Overlap, QuestionId, Scope, Share, Verdict,
};

use super::connects::{config as server_config, connect as any_connect, name};
use super::draws;

const TOPICS: [&str; 4] = ["a", "a/b", "$x", "a//c"];
const FILTERS: [&str; 7] = ["a", "#", "+/b", "$share/g/#", "$share/h/a", "$x", "a/+/c"];
/// The broker comes to rest after so many calls.
const CALLS: usize = 10_000;

/// Bytes as a configuration and a sequence of operations.
///
/// # Panics
/// If the broker breaks a promise: see `fuzz/README.md`.
pub fn broker(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(mut world) = World::draw(&mut u) else { return };
    while !u.is_empty() && world.step(&mut u).is_ok() {}
    world.ends();
}

struct Stream {
    id: ConnectionId,
    version: Version,
    outbox: Outbox,
    sent: Vec<u8>,
}

struct World {
    config: BrokerConfig,
    broker: Broker,
    now: Instant,
    streams: Vec<Stream>,
    gone: Vec<ConnectionId>,
    questions: Vec<QuestionId>,
    connects: Vec<ConnectionId>,
    locals: Vec<LocalId>,
    disk: BTreeMap<BrokerKey, BrokerRecord>,
    flying: VecDeque<BrokerBatch>,
}

fn limits(u: &mut Unstructured<'_>) -> Result<BrokerLimits> {
    let mut limits = BrokerLimits::default();
    let choices: u8 = u.arbitrary()?;
    if choices & 1 != 0 {
        limits = limits
            .connections(u.int_in_range(0..=3)?)
            .sessions(u.int_in_range(0..=3)?);
    }
    if choices & 2 != 0 {
        limits = limits
            .subscriptions(u.int_in_range(0..=3)?)
            .filter_levels(u.int_in_range(0..=2)?);
    }
    if choices & 4 != 0 {
        limits = limits
            .retained_messages(u.int_in_range(0..=2)?)
            .retained_bytes(u.int_in_range(0..=500)?);
    }
    if choices & 8 != 0 {
        limits = limits
            .parked_per_connection(u.int_in_range(0..=2)?)
            .remembered_topics(u.int_in_range(0..=1)?)
            .parked_wills(u.int_in_range(0..=1)?);
    }
    if choices & 16 != 0 {
        limits = limits
            .replay_window(u.int_in_range(0..=2)?)
            .steps_per_call(u.int_in_range(0..=2)?)
            .timers_per_call(u.int_in_range(0..=1)?);
    }
    if choices & 32 != 0 {
        limits = limits.events(u.int_in_range(0..=2)?);
    }
    if choices & 64 != 0 {
        limits = limits.queued_bytes(u.int_in_range(0..=300)?);
    }
    Ok(limits)
}

impl World {
    fn draw(u: &mut Unstructured<'_>) -> Result<Self> {
        let choices: u8 = u.arbitrary()?;
        let ask = Ask {
            connect: choices & 1 != 0,
            publish: choices & 2 != 0,
            subscribe: choices & 4 != 0,
        };
        let overlap = *u.choose(&[Overlap::OneCopy, Overlap::CopyEach])?;
        let share = *u.choose(&[Share::InTurn, Share::Same, Share::Random, Share::ByTopic])?;
        let config = BrokerConfig::new(u.arbitrary()?)
            .client(server_config(u)?)
            .ask(ask)
            .limits(limits(u)?)
            .overlap(overlap)
            .share(share)
            .dollar_topics(choices & 16 != 0)
            .is_stored(choices & 8 != 0);
        let now = Instant::from_secs(1_000);
        Ok(Self {
            broker: Broker::new(config.clone(), now),
            config,
            now,
            streams: Vec::new(),
            gone: Vec::new(),
            questions: Vec::new(),
            connects: Vec::new(),
            locals: Vec::new(),
            disk: BTreeMap::new(),
            flying: VecDeque::new(),
        })
    }

    fn step(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=23_u8)? {
            0..=2 => self.opens(u)?,
            3..=8 => self.sends(u)?,
            9 => self.sends_bytes(u)?,
            10 => self.ends_stream(u)?,
            11 | 12 => self.transmits(u)?,
            13 => self.polls(),
            14 => self.answers(u)?,
            15 => self.decides(u)?,
            16 => self.passes(u)?,
            17 => self.stores(u)?,
            18 => self.restarts(u)?,
            19 => self.subscribes_itself(u)?,
            20 => self.broker.publish(self.now, draws::message(u, 7)?),
            21 => self.broker.policy_changed(self.now),
            22 => self.misuses(u)?,
            _ => self.disconnects(u)?,
        }
        self.looks();
        Ok(())
    }

    fn opens(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let Some(id) = self.broker.handle_open(self.now) else {
            return Ok(());
        };
        assert!(!self.gone.contains(&id), "a name of a connection is used again");
        let connect = connect(u)?;
        let stream = Stream {
            id,
            version: connect.version,
            outbox: Outbox::default(),
            sent: Vec::new(),
        };
        self.streams.push(stream);
        self.gives(self.streams.len() - 1, &Packet::Connect(connect));
        Ok(())
    }

    fn gives(&mut self, index: usize, packet: &Packet<Bytes>) {
        let stream = &self.streams[index];
        let mut bytes = Vec::new();
        if packet.encode_to(stream.version, &mut bytes).is_ok() {
            let mut rest = &bytes[..];
            self.broker.handle_input(self.now, stream.id, &mut rest);
        }
    }

    fn sends(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if self.streams.is_empty() {
            return Ok(());
        }
        let index = u.choose_index(self.streams.len())?;
        let packet = packet(u)?;
        self.gives(index, &packet);
        Ok(())
    }

    fn sends_bytes(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if self.streams.is_empty() {
            return Ok(());
        }
        let id = self.streams[u.choose_index(self.streams.len())?].id;
        let len = u.int_in_range(0..=20)?;
        let mut bytes = u.bytes(len.min(u.len()))?;
        self.broker.handle_input(self.now, id, &mut bytes);
        Ok(())
    }

    fn ends_stream(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if !self.streams.is_empty() {
            let stream = self.streams.remove(u.choose_index(self.streams.len())?);
            self.broker.handle_eof(self.now, stream.id);
            self.gone.push(stream.id);
        }
        Ok(())
    }

    /// Whatever is sent is what a server may send.
    fn transmits(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if self.streams.is_empty() {
            return Ok(());
        }
        let index = u.choose_index(self.streams.len())?;
        let stream = &mut self.streams[index];
        self.broker.poll_transmit(stream.id, &mut stream.outbox);
        let len = stream.outbox.len();
        stream.sent.extend_from_slice(&stream.outbox.copy_to_bytes(len));
        let mut bytes = Bytes::from(core::mem::take(&mut stream.sent));
        let rules = Rules::new(stream.version).sent_by(Role::Server);
        while !bytes.is_empty() {
            let packet = Packet::take_from(&mut bytes, &rules);
            assert!(packet.is_ok_and(|packet| packet.is_some()), "no packet of a server");
        }
        Ok(())
    }

    fn polls(&mut self) {
        while let Some(id) = self.broker.poll_ready() {
            if self.broker.is_drained(id) {
                self.streams
                    .retain(|stream| stream.id != id || !stream.outbox.is_empty());
            }
        }
    }

    fn looks(&mut self) {
        while let Some(event) = self.broker.poll_event() {
            match event {
                BrokerEvent::Connect { connection, .. } | BrokerEvent::Authenticate { connection, .. } => {
                    self.connects.push(connection);
                }
                BrokerEvent::MayPublish { question, .. } | BrokerEvent::MaySubscribe { question, .. } => {
                    self.questions.push(question);
                }
                _ => {}
            }
        }
    }

    fn answers(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if !self.questions.is_empty() {
            let question = self.questions.remove(u.choose_index(self.questions.len())?);
            let scope = *u.choose(&[Scope::Once, Scope::Topic, Scope::Connection])?;
            let verdict = *u.choose(&[Verdict::ALLOW, Verdict::DENY])?;
            self.broker.authorize(self.now, question, verdict.scope(scope));
            assert!(
                !self.broker.authorize(self.now, question, verdict),
                "a question is answered twice"
            );
        }
        Ok(())
    }

    fn decides(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if !self.connects.is_empty() {
            let id = self.connects.remove(u.choose_index(self.connects.len())?);
            let none = ConnAckProperties::empty();
            let _ = match u.int_in_range(0..=5_u8)? {
                0..=2 => self.broker.admit(self.now, id, none).is_ok(),
                3 => self
                    .broker
                    .refuse(self.now, id, ConnAckReason::NotAuthorized, none)
                    .is_ok(),
                4 => self.broker.challenge(self.now, id, Some(b"x")).is_ok(),
                _ => self.broker.authenticated(self.now, id, None).is_ok(),
            };
        }
        Ok(())
    }

    fn passes(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let far = Duration::from_secs(*u.choose(&[0, 1, 5, 100, 1_000_000])?);
        let later = self.now.saturating_add(far);
        self.now = match self.broker.poll_timeout() {
            Some(next) if u.arbitrary()? => self.now.max(next.at),
            _ => later,
        };
        self.fires();
        Ok(())
    }

    /// Once nothing is due, the next deadline is later than now.
    fn fires(&mut self) {
        for _ in 0..CALLS {
            match self.broker.poll_timeout() {
                Some(next) if next.at <= self.now => self.broker.handle_timeout(self.now),
                _ => return,
            }
            self.looks();
        }
        panic!("something stays due: {:?}", self.broker.poll_timeout());
    }

    fn stores(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let mut batch = BrokerBatch::new();
        if u.arbitrary()? {
            if self.broker.poll_store(&mut batch) {
                assert!(self.config.is_stored, "there is no store");
                self.flying.push_back(batch);
            }
        } else if let Some(batch) = self.flying.pop_front() {
            self.write(&batch);
            self.broker.handle_stored(self.now, batch.number());
        } else if u.ratio(1, 20)? {
            self.broker.handle_store_failed(self.now);
        }
        Ok(())
    }

    fn write(&mut self, batch: &BrokerBatch) {
        for change in batch.changes() {
            match change {
                BrokerChange::Put(record) => {
                    self.disk.insert(record.key(), record.clone());
                }
                BrokerChange::Delete(key) => {
                    self.disk.remove(key);
                }
            }
        }
    }

    /// The broker comes back with what the store has, of which some is damaged.
    fn restarts(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let kept = u.int_in_range(0..=self.flying.len())?;
        let flying: Vec<BrokerBatch> = self.flying.drain(..).take(kept).collect();
        for batch in &flying {
            self.write(batch);
        }
        let damage: u8 = u.arbitrary()?;
        let mut restore = Broker::restore(self.config.clone(), self.now);
        for (index, (key, record)) in self.disk.iter().enumerate() {
            match damage {
                0..128 => restore.record(record.clone()),
                _ if index % 5 == usize::from(damage % 5) => restore.damaged(key.clone()),
                // Some are just missing.
                _ if damage > 200 && index % 7 == 3 => {}
                _ => restore.record(record.clone()),
            }
        }
        self.broker = restore.finish().0;
        self.config.is_stored = true;
        self.streams.clear();
        self.gone.clear();
        self.questions.clear();
        self.connects.clear();
        self.locals.clear();
        Ok(())
    }

    fn subscribes_itself(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if u.arbitrary()? {
            let filter = TopicFilter::from_bytes(Bytes::from_static(u.choose(&FILTERS)?.as_bytes()));
            let subscription = mqtt_proto::Subscription {
                filter: filter.expect("a valid filter"),
                options: SubscriptionOptions::new(draws::qos(u)?),
            };
            self.locals.extend(self.broker.subscribe_local(self.now, &subscription));
        } else if let Some(local) = self.locals.pop() {
            assert!(self.broker.unsubscribe_local(self.now, local));
            assert!(!self.broker.unsubscribe_local(self.now, local));
        }
        Ok(())
    }

    /// What is not asked for does no harm.
    fn misuses(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let Some(id) = self.gone.last().copied() else {
            return Ok(());
        };
        let mut input = u.bytes(u.len().min(4))?;
        self.broker.handle_input(self.now, id, &mut input);
        assert!(input.is_empty());
        self.broker.handle_eof(self.now, id);
        assert!(self.broker.admit(self.now, id, ConnAckProperties::empty()).is_err());
        self.broker.handle_stored(self.now, u64::MAX >> 1);
        self.broker.handle_timeout(Instant::ZERO);
        Ok(())
    }

    fn disconnects(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        if !self.streams.is_empty() {
            let id = self.streams[u.choose_index(self.streams.len())?].id;
            let farewell = Disconnect::new(DisconnectReason::AdministrativeAction);
            self.broker.disconnect(self.now, id, farewell);
        }
        Ok(())
    }

    /// All streams end, all questions are answered, the store stores, and time passes: no connection is left.
    fn ends(&mut self) {
        while let Some(stream) = self.streams.pop() {
            self.broker.handle_eof(self.now, stream.id);
        }
        for _ in 0..CALLS {
            self.looks();
            let Some(question) = self.questions.pop() else { break };
            self.broker.authorize(self.now, question, Verdict::DENY);
        }
        let mut batch = BrokerBatch::new();
        while self.broker.poll_store(&mut batch) {
            self.broker.handle_stored(self.now, batch.number());
        }
        self.now = self.now.saturating_add(Duration::from_secs(1 << 33));
        self.fires();
        let figures = self.broker.figures();
        assert_eq!((figures.connections, figures.clients_connected), (0, 0), "{figures:?}");
    }
}

fn connect(u: &mut Unstructured<'_>) -> Result<Connect<Bytes>> {
    let mut connect = any_connect(u)?;
    if !connect.client_id.is_empty() {
        connect.client_id = name(u.choose(&["a", "b", "c"])?);
    }
    if u.arbitrary()? {
        connect.will = Some(Will {
            topic: topic(u)?,
            payload: mqtt_proto::Binary::new(Bytes::from_static(b"w")).expect("short"),
            qos: draws::qos(u)?,
            retain: u.arbitrary()?,
            properties: if connect.version.has_properties() {
                let builder = mqtt_proto::WillProperties::builder().will_delay(u.int_in_range(0..=3)?);
                builder.build().expect("valid properties")
            } else {
                Properties::empty()
            },
        });
    }
    Ok(connect)
}

fn topic(u: &mut Unstructured<'_>) -> Result<TopicName<Bytes>> {
    let topic = u.choose(&TOPICS)?;
    Ok(TopicName::from_bytes(Bytes::from_static(topic.as_bytes())).expect("a valid topic"))
}

fn packet(u: &mut Unstructured<'_>) -> Result<Packet<Bytes>> {
    let id = PacketId::new(u.int_in_range(1..=3)?).expect("not zero");
    Ok(match u.int_in_range(0..=9_u8)? {
        0..=3 => Packet::Publish(Publish {
            delivery: Delivery::first(draws::qos(u)?, id),
            retain: u.arbitrary()?,
            topic: Some(topic(u)?),
            properties: PublishProperties::empty(),
            payload: Bytes::from_static(u.choose(&["", "m", "another message"])?.as_bytes()),
        }),
        4 => Packet::Subscribe(Subscribe {
            id,
            filters: Filters::builder()
                .filter(u.choose(&FILTERS)?, SubscriptionOptions::new(draws::qos(u)?))
                .filter(u.choose(&FILTERS)?, SubscriptionOptions::new(draws::qos(u)?))
                .build()
                .expect("valid filters"),
            properties: SubscribeProperties::empty(),
        }),
        5 => Packet::Unsubscribe(Unsubscribe {
            id,
            filters: TopicFilters::builder()
                .filter(u.choose(&FILTERS)?)
                .build()
                .expect("a valid filter"),
            properties: Properties::empty(),
        }),
        6 => Packet::PubAck(PubAck::new(id, PubAckReason::Success)),
        7 => Packet::PubRec(PubRec::new(id, PubRecReason::Success)),
        8 => match u.arbitrary()? {
            true => Packet::PubRel(PubRel::new(id, PubRelReason::Success)),
            false => Packet::PubComp(PubComp::new(id, PubCompReason::Success)),
        },
        _ => Packet::Disconnect(Disconnect::new(DisconnectReason::NormalDisconnection)),
    })
}
