//! A broker, and its driver, host and clients, who do what the acts of a run say.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, Bytes, BytesMut};
use mqtt_session::proto::{
    ConnAckProperties, ConnAckReason, Disconnect, DisconnectReason, Packet, PubAck, PubAckReason, PubComp,
    PubCompReason, PubRec, PubRecReason, PubRel, PubRelReason, Role, Rules, Version,
};
use mqtt_session::{
    Broker, BrokerBatch, BrokerChange, BrokerConfig, BrokerEvent, BrokerKey, BrokerRecord, ConnectionId, Figures,
    Instant, Message, Outbox, QoS, QuestionId, Scope, Verdict,
};

use super::script::{Act, CLIENTS};

pub(super) const START: Instant = Instant::from_secs(1000);
/// Everything has come to rest after so many rounds.
const ROUNDS: u32 = 2000;

/// What a driver does beside what he has to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manners {
    /// What else is drawn follows from this.
    pub(super) seed: u64,
    /// Brings parts of packets, also before their turn.
    pub(super) splits: bool,
    /// Polls anything at any time, with outboxes of any size.
    pub(super) polls: bool,
    /// Calls what is not to be called.
    pub(super) misuses: bool,
    /// Tells an earlier time in between.
    pub(super) turns_back: bool,
    /// Lets a few acts happen before everything comes to rest.
    pub(super) hurries: bool,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Heard {
    /// What each connection was sent.
    pub(super) sent: BTreeMap<u64, Vec<u8>>,
    /// What the host was told and asked, but for slots: which one is free depends on when output is taken.
    pub(super) told: Vec<String>,
    /// What was stored, after each act.
    pub(super) disks: Vec<u64>,
    pub(super) figures: Figures,
}

pub(super) struct Link {
    pub(super) id: ConnectionId,
    pub(super) version: Version,
    /// What the driver has received, and the broker has not taken.
    pub(super) held: BytesMut,
    /// How much of the next packet has come before its turn.
    pub(super) early: usize,
    outbox: Outbox,
    /// What the client has not read.
    unread: BytesMut,
}

pub(super) struct Stage {
    pub(super) broker: Broker,
    pub(super) now: Instant,
    pub(super) links: Vec<Link>,
    /// The stream of each client.
    pub(super) streams: [Option<usize>; CLIENTS],
    pub(super) disk: BTreeMap<BrokerKey, BrokerRecord>,
    flying: VecDeque<BrokerBatch>,
    pub(super) questions: Vec<BrokerEvent>,
    /// All that was told.
    pub(super) events: Vec<BrokerEvent>,
    /// Those that were answered.
    pub(super) answered: Vec<QuestionId>,
    pub(super) heard: Heard,
    pub(super) manners: Manners,
    pub(super) random: u64,
}

impl Stage {
    pub(super) fn new(config: BrokerConfig, manners: Manners) -> Self {
        Self {
            broker: Broker::new(config, START),
            now: START,
            links: Vec::new(),
            streams: [None; CLIENTS],
            disk: BTreeMap::new(),
            flying: VecDeque::new(),
            questions: Vec::new(),
            events: Vec::new(),
            answered: Vec::new(),
            heard: Heard::default(),
            manners,
            random: manners.seed | 1,
        }
    }

    /// A whole run.
    pub(super) fn play(config: BrokerConfig, acts: &[Act], manners: Manners) -> Heard {
        Self::played(config, acts, manners).heard
    }

    /// The same, with what is left on the stage.
    pub(super) fn played(config: BrokerConfig, acts: &[Act], manners: Manners) -> Self {
        let mut stage = Self::new(config, manners);
        for (place, act) in acts.iter().enumerate() {
            stage.meddle(&acts[place..]);
            stage.act(act);
            stage.meddle(&acts[place + 1..]);
            if !manners.hurries || place % 4 == 3 {
                stage.settle();
            }
            stage.heard.disks.push(digest(&stage.disk));
        }
        stage.settle();
        stage.heard.figures = stage.broker.figures();
        stage
    }

    // ---- acts

    pub(super) fn act(&mut self, act: &Act) {
        let now = self.told_now();
        match act {
            Act::Connect(who, connect) => {
                if let Some(id) = self.open(*who, connect.version) {
                    let packet = Packet::Connect((**connect).clone());
                    self.bring_packet(id, &packet);
                }
            }
            Act::Say(who, say) => {
                if let Some(link) = self.streams[*who] {
                    let packet = say.packet(self.links[link].version);
                    self.bring_packet(link, &packet);
                }
            }
            Act::Answer(who) => {
                if let Some(link) = self.streams[*who] {
                    self.answer(link);
                }
            }
            Act::Cut(who) => {
                if let Some(link) = self.streams[*who].take() {
                    let id = self.links[link].id;
                    self.broker.handle_eof(now, id);
                }
            }
            Act::Expel(who) => {
                if let Some(link) = self.streams[*who] {
                    let id = self.links[link].id;
                    let farewell = Disconnect::new(DisconnectReason::AdministrativeAction);
                    self.broker.disconnect(now, id, farewell);
                }
            }
            Act::Publish(to, bits, retain) => {
                let message = Message::new(*to, "of the host").unwrap();
                let message = message.qos(QoS::from_bits(*bits).unwrap()).retain(*retain);
                self.broker.publish(now, message);
            }
            Act::Policy => self.broker.policy_changed(now),
            Act::Pass(seconds) => {
                self.now = self.now.saturating_add(Duration::from_secs(*seconds));
                // It is told that time has passed, and nothing else.
                self.broker.handle_stored(self.now, 0);
            }
        }
    }

    /// Opens a stream. What the client had before goes on until the broker ends it.
    pub(super) fn open(&mut self, who: usize, version: Version) -> Option<usize> {
        let now = self.told_now();
        let id = self.broker.handle_open(now)?;
        let capacity = if self.manners.polls {
            [1, 30, 4096][self.draw(3)]
        } else {
            4096
        };
        self.links.push(Link {
            id,
            version,
            held: BytesMut::new(),
            early: 0,
            outbox: Outbox::new(capacity),
            unread: BytesMut::new(),
        });
        self.streams[who] = Some(self.links.len() - 1);
        self.streams[who]
    }

    fn bring_packet(&mut self, link: usize, packet: &Packet<Bytes>) {
        let mut bytes = Vec::new();
        packet.encode_to(self.links[link].version, &mut bytes).unwrap();
        let early = core::mem::take(&mut self.links[link].early);
        self.bring(link, &bytes[early..]);
    }

    /// Bytes come from a client.
    pub(super) fn bring(&mut self, link: usize, mut bytes: &[u8]) {
        while self.manners.splits && !bytes.is_empty() {
            let (part, rest) = bytes.split_at(1 + self.draw(bytes.len()));
            self.links[link].held.extend_from_slice(part);
            self.feed(link);
            bytes = rest;
        }
        self.links[link].held.extend_from_slice(bytes);
        self.feed(link);
    }

    /// Gives the broker what is there, as a slice or as a buffer.
    pub(super) fn feed(&mut self, link: usize) {
        let (now, is_owned) = (self.told_now(), self.manners.splits && self.draw(2) == 0);
        let link = &mut self.links[link];
        if is_owned {
            self.broker.handle_input_owned(now, link.id, &mut link.held);
        } else {
            let mut rest = &link.held[..];
            self.broker.handle_input(now, link.id, &mut rest);
            let taken = link.held.len() - rest.len();
            link.held.advance(taken);
        }
    }

    /// A client reads what it was sent, and acknowledges it.
    fn answer(&mut self, link: usize) {
        let known = &mut self.links[link];
        let rules = Rules::new(known.version).sent_by(Role::Server);
        let mut bytes = known.unread.split().freeze();
        let mut answers = Vec::new();
        while let Some(packet) = Packet::take_from(&mut bytes, &rules).expect("a server sends what it may") {
            let answer = match packet {
                Packet::Publish(publish) => publish.delivery.id().map(|id| match publish.delivery.qos() {
                    QoS::ExactlyOnce => Packet::PubRec(PubRec::new(id, PubRecReason::Success)),
                    _ => Packet::PubAck(PubAck::new(id, PubAckReason::Success)),
                }),
                Packet::PubRec(ack) => Some(Packet::PubRel(PubRel::new(ack.id, PubRelReason::Success))),
                Packet::PubRel(ack) => Some(Packet::PubComp(PubComp::new(ack.id, PubCompReason::Success))),
                _ => None,
            };
            answers.extend(answer);
        }
        known.unread.extend_from_slice(&bytes);
        for answer in answers {
            self.bring_packet(link, &answer);
        }
    }

    // ---- the driver and the host

    /// Takes everything, answers everything and stores everything, until nothing moves.
    pub(super) fn settle(&mut self) {
        self.come_to_rest(true);
    }

    /// The same, but nobody takes what is to be sent.
    pub(super) fn settle_but_output(&mut self) {
        self.come_to_rest(false);
    }

    fn come_to_rest(&mut self, takes_output: bool) {
        for _ in 0..ROUNDS {
            let mut moved = takes_output && self.take_output();
            moved |= self.take_events() | self.take_store();
            // The last question first: what is answered early waits for its turn.
            while let Some(question) = self.questions.pop() {
                self.decide(&question);
                if self.manners.misuses {
                    self.answer_again();
                }
                moved = true;
            }
            while let Some(batch) = self.flying.pop_front() {
                write(&mut self.disk, &batch);
                let now = self.told_now();
                self.broker.handle_stored(now, batch.number());
                moved = true;
            }
            for link in 0..self.links.len() {
                let before = self.links[link].held.len();
                if before > 0 {
                    self.feed(link);
                }
                moved |= self.links[link].held.len() != before;
            }
            if self.broker.poll_timeout().is_some_and(|next| next.at <= self.now) {
                self.broker.handle_timeout(self.now);
                moved = true;
            }
            if !moved {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.broker.poll_timeout());
    }

    /// By the list of those that are ready; nobody else has anything then.
    fn take_output(&mut self) -> bool {
        let mut moved = false;
        while let Some(id) = self.broker.poll_ready() {
            let Some(link) = self.links.iter().position(|link| link.id == id) else {
                panic!("{id:?} is ready, and was never opened");
            };
            while self.transmit(link) {
                moved = true;
            }
        }
        for link in 0..self.links.len() {
            while self.transmit(link) {
                assert!(
                    self.manners.polls,
                    "{:?} is not ready, and has output",
                    self.links[link].id
                );
                moved = true;
            }
        }
        moved
    }

    /// Fills the outbox of a connection, and takes what is in it.
    pub(super) fn transmit(&mut self, link: usize) -> bool {
        let link = &mut self.links[link];
        self.broker.poll_transmit(link.id, &mut link.outbox);
        let len = link.outbox.len();
        let bytes = link.outbox.copy_to_bytes(len);
        self.heard
            .sent
            .entry(link.id.number())
            .or_default()
            .extend_from_slice(&bytes);
        link.unread.extend_from_slice(&bytes);
        len > 0
    }

    pub(super) fn take_event(&mut self) -> bool {
        let Some(event) = self.broker.poll_event() else {
            return false;
        };
        self.heard.told.push(without_slot(&format!("{event:?}")));
        self.events.push(event.clone());
        match event {
            BrokerEvent::Connect { .. } | BrokerEvent::MayPublish { .. } | BrokerEvent::MaySubscribe { .. } => {
                self.questions.push(event);
            }
            _ => {}
        }
        true
    }

    fn take_events(&mut self) -> bool {
        let mut moved = false;
        while self.take_event() {
            moved = true;
        }
        moved
    }

    pub(super) fn take_store(&mut self) -> bool {
        let mut batch = BrokerBatch::new();
        let has_changes = self.broker.poll_store(&mut batch);
        if has_changes {
            self.flying.push_back(batch);
        }
        has_changes
    }

    /// All that was taken is stored.
    pub(super) fn is_stored_whole(&self) -> bool {
        self.flying.is_empty()
    }

    /// What the host says follows from what it is asked alone.
    pub(super) fn decide(&mut self, event: &BrokerEvent) {
        let now = self.told_now();
        let (question, is_allowed, scope) = match event {
            BrokerEvent::Connect { connection, connect } => {
                let none = ConnAckProperties::empty();
                // The connection may have ended.
                if connect.will.is_some() && connect.client_id == "c2" {
                    let _ = self.broker.refuse(now, *connection, ConnAckReason::NotAuthorized, none);
                } else {
                    let _ = self.broker.admit(now, *connection, none);
                }
                return;
            }
            BrokerEvent::MayPublish {
                question,
                topic,
                client_id,
                ..
            } => {
                let scope = if *topic == "a" { Scope::Topic } else { Scope::Once };
                (*question, *topic != "c" || client_id == "c0", scope)
            }
            BrokerEvent::MaySubscribe {
                question,
                filter,
                client_id,
                ..
            } => (*question, *filter != "+/b" || client_id == "c0", Scope::Once),
            _ => return,
        };
        let verdict = if is_allowed { Verdict::ALLOW } else { Verdict::DENY };
        self.broker.authorize(now, question, verdict.scope(scope));
        self.answered.push(question);
    }
}

pub(super) fn write(disk: &mut BTreeMap<BrokerKey, BrokerRecord>, batch: &BrokerBatch) {
    for change in batch.changes() {
        match change {
            BrokerChange::Put(record) => disk.insert(record.key(), record.clone()),
            BrokerChange::Delete(key) => disk.remove(key),
        };
    }
}

fn without_slot(line: &str) -> String {
    let mut parts = line.split("slot: ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.trim_start_matches(|sign: char| sign.is_ascii_digit())
    })
}

/// A number that is another one if anything else is stored.
fn digest(disk: &BTreeMap<BrokerKey, BrokerRecord>) -> u64 {
    let text = format!("{disk:?}");
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}
