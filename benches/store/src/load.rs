//! What the stores are given: messages that come, and go a moment later.

mod broker;

use bytes::Bytes;
use mqtt_session::proto::{PacketId, PublishProperties, TopicName};
use mqtt_session::{Change, MessageRecord, OutgoingRecord, OutgoingState, PayloadOf, QoS, Record};
use mqtt_store::{SessionName, Write};

pub use broker::Fanout;

/// How many messages are in flight.
const WINDOW: u64 = 100;

/// One batch after the other.
pub trait Load {
    /// In each batch one message comes, and the one that came a window before goes.
    fn batch(&mut self) -> Write;

    /// How many records are live.
    fn live(&self) -> usize;

    /// About how many bytes these records have.
    fn live_bytes(&self) -> u64;

    /// The next so many batches.
    fn group(&mut self, batches: usize) -> Vec<Write> {
        (0..batches).map(|_| self.batch()).collect()
    }
}

/// What makes a load, with payloads of so many bytes.
type Make = fn(usize) -> Box<dyn Load>;

/// All of them, with what they are in the tables.
pub const LOADS: [(&str, Make); 2] = [
    ("a session", |payload| Box::new(Session::new(payload))),
    ("a broker", |payload| Box::new(Fanout::new(payload))),
];

/// A payload of so many bytes, in which nothing compresses: each byte from a xorshift.
fn payload(len: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let bytes = (0..len).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    bytes.collect()
}

/// Messages of one session.
pub struct Session {
    session: SessionName,
    payload: Bytes,
    next: u64,
}

impl Session {
    fn new(len: usize) -> Self {
        Self {
            session: SessionName::new("sensor-7").expect("a short name"),
            payload: payload(len),
            next: 0,
        }
    }
}

impl Load for Session {
    fn batch(&mut self) -> Write {
        let serial = self.next;
        self.next += 1;
        let message = MessageRecord {
            qos: QoS::ExactlyOnce,
            retain: false,
            topic: TopicName::new("home/kitchen/temperature").expect("a topic").to_owned(),
            properties: PublishProperties::empty(),
            expires_at: None,
            source_bytes: None,
        };
        let id = PacketId::new((serial % WINDOW) as u16 + 1);
        let outgoing = Record::Outgoing(OutgoingRecord {
            serial,
            tag: serial,
            state: OutgoingState::Publish { id, message },
        });
        let of = PayloadOf::Outgoing(serial);
        let bytes = self.payload.clone();
        let mut changes = vec![Change::Put(outgoing), Change::Put(Record::Payload { of, bytes })];
        if let Some(done) = serial.checked_sub(WINDOW) {
            changes.push(Change::Delete(mqtt_session::Key::Outgoing(done)));
            changes.push(Change::Delete(mqtt_session::Key::Payload(PayloadOf::Outgoing(done))));
        }
        Write::apply(self.session.clone(), changes)
    }

    fn live(&self) -> usize {
        2 * self.next.min(WINDOW) as usize
    }

    fn live_bytes(&self) -> u64 {
        self.next.min(WINDOW) * (self.payload.len() as u64 + 100)
    }
}
