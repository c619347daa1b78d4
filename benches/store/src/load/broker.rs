//! Messages of a broker, each for clients that are away.

use std::collections::HashMap;

use bytes::Bytes;
use mqtt_session::proto::{
    Connect, ConnectProperties, Filters, Packet, PacketId, Properties, Subscribe, SubscriptionOptions, Text, Version,
};
use mqtt_session::{
    Broker, BrokerBatch, BrokerChange, BrokerConfig, BrokerKey, Instant, Limits, Message, Outbox, QoS, ServerConfig,
    SessionConfig, WhenFull,
};
use mqtt_store::{SessionName, Write};

use super::{Load, WINDOW, payload};

const NOW: Instant = Instant::from_secs(1_700_000_000);
/// How many clients have subscribed, and are away.
const CLIENTS: usize = 10;
const TOPIC: &str = "home/kitchen/temperature";

/// A broker that publishes to sessions whose clients are away. The queue of each is as long as the window, and the oldest goes.
pub struct Fanout {
    broker: Broker,
    batch: BrokerBatch,
    name: SessionName,
    payload: Bytes,
    /// The records that are live, with their lengths.
    live: HashMap<BrokerKey, usize>,
    /// What made the sessions, which goes with the first batch.
    before: Vec<BrokerChange>,
}

impl Fanout {
    pub(super) fn new(len: usize) -> Self {
        let limits = Limits::default().queued_messages(WINDOW as u32);
        let session = SessionConfig::default().limits(limits).when_full(WhenFull::DropOldest);
        let config = BrokerConfig::new(7)
            .client(ServerConfig::default().session(session))
            .is_stored(true);
        let mut fanout = Self {
            broker: Broker::new(config, NOW),
            batch: BrokerBatch::new(),
            name: SessionName::new("broker").expect("a short name"),
            payload: payload(len),
            live: HashMap::new(),
            before: Vec::new(),
        };
        for number in 0..CLIENTS {
            fanout.comes_and_goes(number);
        }
        fanout.before = fanout.take();
        fanout
    }

    /// A client subscribes, and leaves its session.
    fn comes_and_goes(&mut self, number: usize) {
        let id = self.broker.handle_open(NOW).expect("there is room");
        let connect = Connect {
            version: Version::V5,
            clean_start: true,
            keep_alive: 0,
            client_id: Text::from_bytes(Bytes::from(format!("client-{number}"))).expect("text"),
            will: None,
            username: None,
            password: None,
            properties: ConnectProperties::<Bytes>::builder()
                .session_expiry(u32::MAX)
                .build()
                .expect("they are few"),
        };
        let filter = Filters::builder()
            .filter(TOPIC, SubscriptionOptions::new(QoS::AtLeastOnce))
            .build();
        let subscribe = Subscribe {
            id: PacketId::MIN,
            filters: filter.expect("a filter"),
            properties: Properties::empty(),
        };
        let mut outbox = Outbox::default();
        for packet in [Packet::Connect(connect), Packet::Subscribe(subscribe)] {
            let mut bytes = Vec::new();
            packet.encode_to(Version::V5, &mut bytes).expect("it is short");
            self.broker.handle_input(NOW, id, &mut &bytes[..]);
            let changes = self.take();
            self.before.extend(changes);
            self.broker.poll_transmit(id, &mut outbox);
            while self.broker.poll_event().is_some() {}
        }
        self.broker.handle_eof(NOW, id);
    }

    /// What is to be stored, which counts as stored.
    fn take(&mut self) -> Vec<BrokerChange> {
        let mut changes = std::mem::take(&mut self.before);
        while self.broker.poll_store(&mut self.batch) {
            changes.extend_from_slice(self.batch.changes());
            self.broker.handle_stored(NOW, self.batch.number());
        }
        while self.broker.poll_event().is_some() {}
        changes
    }
}

impl Load for Fanout {
    fn batch(&mut self) -> Write {
        // One of its own: the broker would store a payload once that several messages share.
        let payload = Bytes::copy_from_slice(&self.payload);
        let message = Message::new(TOPIC, payload).expect("a topic");
        self.broker.publish(NOW, message.qos(QoS::AtLeastOnce));
        let changes = self.take();
        for change in &changes {
            match change {
                BrokerChange::Put(record) => self.live.insert(record.key(), record.encoded_len()),
                BrokerChange::Delete(key) => self.live.remove(key),
            };
        }
        Write::apply_broker(self.name.clone(), changes)
    }

    fn live(&self) -> usize {
        self.live.len()
    }

    fn live_bytes(&self) -> u64 {
        self.live.values().map(|len| *len as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_session::Key;

    /// The records of sessions, and of the broker itself.
    fn sessions_of(load: &Fanout) -> usize {
        let is_of_session = |key: &&BrokerKey| match key {
            BrokerKey::Payload(_) => false,
            BrokerKey::Session(_, key) => matches!(key, Key::Session),
            _ => true,
        };
        load.live.keys().filter(is_of_session).count()
    }

    #[test]
    fn a_message_of_a_broker_is_one_payload_and_a_place_in_each_queue() {
        for len in [64, 4096] {
            let mut load = Fanout::new(len);
            for _ in 0..3 * WINDOW {
                load.batch();
            }
            let is_payload = |key: &&BrokerKey| matches!(key, BrokerKey::Payload(_));
            let payloads: Vec<_> = load.live.keys().filter(is_payload).collect();
            assert_eq!(
                payloads.len() as u64,
                WINDOW,
                "{:?}",
                load.live.keys().take(5).collect::<Vec<_>>()
            );
            assert!(payloads.iter().all(|key| load.live[key] > len));
            let messages = |load: &Fanout| load.live() - sessions_of(load);
            assert_eq!(messages(&load), WINDOW as usize * (1 + 2 * CLIENTS));
        }
    }
}
