//! What the stores are given: messages that come, and go a moment later.

use bytes::Bytes;
use mqtt_session::proto::{PacketId, PublishProperties, TopicName};
use mqtt_session::{Change, MessageRecord, OutgoingRecord, OutgoingState, PayloadOf, QoS, Record};
use mqtt_store::{SessionName, Write};

/// How many messages are in flight.
const WINDOW: u64 = 100;

/// Messages of one session.
pub struct Load {
    session: SessionName,
    payload: Bytes,
    next: u64,
}

impl Load {
    /// With payloads of so many bytes.
    pub fn new(payload: usize) -> Self {
        // Nothing that compresses: each byte from a xorshift.
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let bytes = (0..payload).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        });
        Self {
            session: SessionName::new("sensor-7").expect("a short name"),
            payload: bytes.collect(),
            next: 0,
        }
    }

    /// The next so many batches: in each, one message comes, and the one that came a window before goes.
    pub fn group(&mut self, batches: usize) -> Vec<Write> {
        (0..batches).map(|_| self.batch()).collect()
    }

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

    /// How many records are live.
    pub fn live(&self) -> usize {
        2 * self.next.min(WINDOW) as usize
    }

    /// About how many bytes these records have.
    pub fn live_bytes(&self) -> u64 {
        self.next.min(WINDOW) * (self.payload.len() as u64 + 100)
    }
}
