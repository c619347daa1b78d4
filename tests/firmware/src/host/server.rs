//! A server of one client, which sends back what the client publishes, in the same QoS.
//!
//! It keeps the session over connections: what was not acknowledged goes again, and a message of QoS 2 is taken once.

use std::collections::{BTreeSet, VecDeque};
use std::vec::Vec;

use mqtt_session::QoS;
use mqtt_session::proto::{
    AckProperties, ConnAck, ConnAckProperties, ConnAckReason, Connect, Decoded, Delivery, Packet, PacketId, Properties,
    PubAck, PubAckReason, PubComp, PubCompReason, PubRec, PubRecReason, PubRel, PubRelReason, Publish, Role, Rules,
    SubAck, SubAckCodes, SubAckReason, Subscribe, TopicName, Version, decode,
};

use crate::device::WINDOW;
use crate::{Report, program};

/// A message on its way to the device.
struct Outgoing {
    id: PacketId,
    qos: QoS,
    payload: Vec<u8>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Queued,
    /// PUBLISH was sent on this connection.
    Published,
    /// PUBREL was sent on this connection, or has to be sent again.
    Released {
        is_sent: bool,
    },
}

/// The server.
pub struct Server {
    version: Version,
    input: Vec<u8>,
    output: Vec<u8>,
    is_accepted: bool,
    has_session: bool,
    // Of the session:
    taken: BTreeSet<PacketId>,
    queue: VecDeque<Outgoing>,
    next_id: u16,
    repeats: BTreeSet<PacketId>,
    report: Option<Report>,
    sessions: u32,
    resumed: u32,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// A server without a session.
    #[must_use]
    pub fn new() -> Self {
        Self {
            version: Version::V5,
            input: Vec::new(),
            output: Vec::new(),
            is_accepted: false,
            has_session: false,
            taken: BTreeSet::new(),
            queue: VecDeque::new(),
            next_id: 1,
            repeats: BTreeSet::new(),
            report: None,
            sessions: 0,
            resumed: 0,
        }
    }

    /// A stream begins.
    pub fn open(&mut self) {
        self.input.clear();
        self.output.clear();
        self.is_accepted = false;
    }

    /// The last report of the device.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        self.report
    }

    /// How many connections ended with DISCONNECT.
    #[must_use]
    pub fn sessions(&self) -> u32 {
        self.sessions
    }

    /// How many connections resumed a session.
    #[must_use]
    pub fn resumed(&self) -> u32 {
        self.resumed
    }

    /// Whether nothing is on its way to the device.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes of the device.
    ///
    /// # Panics
    /// If the device breaks the protocol.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        let mut input = core::mem::take(&mut self.input);
        let mut start = 0;
        loop {
            let rules = Rules::new(self.version).sent_by(Role::Client);
            match decode(&input[start..], &rules) {
                Ok(Decoded::Packet { packet, len }) => {
                    self.take(&packet);
                    start += len;
                }
                Ok(Decoded::Incomplete { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        input.drain(..start);
        self.input = input;
    }

    /// What is to be sent to the device, after what `into` holds.
    pub fn send(&mut self, into: &mut impl Extend<u8>) {
        if self.is_accepted {
            self.fill();
        }
        into.extend(self.output.drain(..));
    }

    fn take(&mut self, packet: &Packet<&[u8]>) {
        match packet {
            Packet::Connect(connect) => self.accept(connect),
            Packet::Subscribe(subscribe) => self.grant(subscribe),
            Packet::Publish(publish) => self.publish(publish),
            Packet::PubAck(ack) => self.done(ack.id, QoS::AtLeastOnce),
            Packet::PubRec(ack) => self.recorded(ack.id),
            Packet::PubRel(ack) => {
                self.taken.remove(&ack.id);
                self.write(&Packet::PubComp(PubComp::new(ack.id, PubCompReason::Success)));
            }
            Packet::PubComp(ack) => self.done(ack.id, QoS::ExactlyOnce),
            Packet::PingReq => self.write(&Packet::PingResp),
            Packet::Disconnect(_) => {
                self.sessions += 1;
                self.has_session = false;
                self.is_accepted = false;
            }
            other => panic!("a client does not send {other:?}"),
        }
    }

    fn accept(&mut self, connect: &Connect<&[u8]>) {
        let session_present = self.has_session && !connect.clean_start;
        if session_present {
            self.resumed += 1;
        } else {
            self.taken.clear();
            self.queue.clear();
            self.repeats.clear();
        }
        self.version = connect.version;
        self.has_session = true;
        self.is_accepted = true;
        for message in &mut self.queue {
            message.stage = match message.stage {
                Stage::Queued => Stage::Queued,
                Stage::Published => {
                    self.repeats.insert(message.id);
                    Stage::Queued
                }
                Stage::Released { .. } => Stage::Released { is_sent: false },
            };
        }
        self.write(&Packet::ConnAck(ConnAck {
            session_present,
            reason: ConnAckReason::Success,
            properties: ConnAckProperties::empty(),
        }));
    }

    fn grant(&mut self, subscribe: &Subscribe<&[u8]>) {
        let mut buffer = [0; 8];
        let codes = subscribe.filters.iter().map(|_| SubAckReason::GrantedQoS2);
        let codes = SubAckCodes::build_in(&mut buffer, codes).expect("there are a few filters");
        self.write(&Packet::SubAck(SubAck {
            id: subscribe.id,
            codes,
            properties: AckProperties::empty(),
        }));
    }

    fn publish(&mut self, publish: &Publish<&[u8]>) {
        let is_new = match publish.delivery {
            Delivery::AtMostOnce => true,
            Delivery::AtLeastOnce { id, .. } => {
                self.write(&Packet::PubAck(PubAck::new(id, PubAckReason::Success)));
                true
            }
            Delivery::ExactlyOnce { id, .. } => {
                self.write(&Packet::PubRec(PubRec::new(id, PubRecReason::Success)));
                self.taken.insert(id)
            }
        };
        if !is_new {
            return;
        }
        if publish
            .topic
            .as_ref()
            .is_some_and(|topic| *topic == program::REPORT_TOPIC)
        {
            self.report = Report::from_bytes(publish.payload);
        } else {
            self.echo(publish.delivery.qos(), publish.payload);
        }
    }

    fn echo(&mut self, qos: QoS, payload: &[u8]) {
        let id = PacketId::new(self.next_id).expect("it is not 0");
        self.next_id = self.next_id % 1000 + 1;
        self.queue.push_back(Outgoing {
            id,
            qos,
            payload: payload.to_vec(),
            stage: Stage::Queued,
        });
    }

    /// Sends releases, and messages as far as the window of the device allows.
    fn fill(&mut self) {
        let mut queue = core::mem::take(&mut self.queue);
        let mut open = queue.iter().filter(|message| message.stage != Stage::Queued).count();
        for message in &mut queue {
            match message.stage {
                Stage::Released { is_sent: false } => {
                    self.write(&Packet::PubRel(PubRel::new(message.id, PubRelReason::Success)));
                    message.stage = Stage::Released { is_sent: true };
                }
                Stage::Queued if message.qos == QoS::AtMostOnce || open < usize::from(WINDOW) => {
                    self.write_message(message);
                    message.stage = Stage::Published;
                    open += usize::from(message.qos != QoS::AtMostOnce);
                }
                _ => {}
            }
        }
        queue.retain(|message| message.qos != QoS::AtMostOnce || message.stage == Stage::Queued);
        self.queue = queue;
    }

    fn write_message(&mut self, message: &Outgoing) {
        let delivery = match message.qos {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            qos => Delivery::first(qos, message.id).with_dup(self.repeats.contains(&message.id)),
        };
        self.write(&Packet::Publish(Publish {
            delivery,
            retain: false,
            topic: Some(TopicName::new(program::TOPIC).expect("it is valid")),
            properties: Properties::empty(),
            payload: &message.payload[..],
        }));
    }

    fn recorded(&mut self, id: PacketId) {
        if let Some(message) = self.queue.iter_mut().find(|message| message.id == id) {
            message.stage = Stage::Released { is_sent: false };
        }
    }

    fn done(&mut self, id: PacketId, qos: QoS) {
        self.repeats.remove(&id);
        self.queue.retain(|message| message.id != id || message.qos != qos);
    }

    fn write(&mut self, packet: &Packet<&[u8]>) {
        packet
            .encode_to(self.version, &mut self.output)
            .expect("the packet can be encoded");
    }
}
