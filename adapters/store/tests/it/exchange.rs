//! What two real machines give to their stores: a client with an inbox and a server, with messages of every QoS in both
//! directions, over connections that are cut.

use bytes::{Buf, BufMut, BytesMut};
use mqtt_session::{
    Accept, Client, ClientConfig, DeliveryId, Driver, Event, HandOver, Instant, Message, Next, QoS, ServerConfig,
    ServerConnection, ServerEvent, Session, SessionConfig,
};
use mqtt_store::{SessionName, Write};

use crate::model::Random;

pub(crate) fn client_name() -> SessionName {
    SessionName::new("sensor-7").unwrap()
}

pub(crate) fn server_name() -> SessionName {
    SessionName::new("server:sensor-7").unwrap()
}

/// Groups of writes as a store thread would find them: everything that was written before the group before was durable.
pub(crate) fn groups(rounds: usize, seed: u64) -> Vec<Vec<Write>> {
    let mut exchange = Exchange::new(seed);
    (0..rounds).filter_map(|round| exchange.round(round)).collect()
}

struct Exchange {
    now: Instant,
    random: Random,
    client: Driver<Client>,
    server: Driver<ServerConnection>,
    parked: Option<Session>,
    tag: u64,
    unread: Vec<DeliveryId>,
    group: Vec<Write>,
    stored: [Option<u64>; 2],
    pub(crate) acknowledged: u64,
}

impl Exchange {
    fn new(seed: u64) -> Self {
        let now = Instant::from_secs(1_000);
        let config = ClientConfig::new("sensor-7").unwrap();
        let client = Client::new(config.is_stored(true).hand_over(HandOver::Inbox), now);
        Self {
            now,
            random: Random::new(seed),
            client: Driver::new(client),
            server: accepted(now),
            parked: None,
            tag: 0,
            unread: Vec::new(),
            group: Vec::new(),
            stored: [None; 2],
            acknowledged: 0,
        }
    }

    /// Something is published, both machines do what they can without their stores, and then everything is stored.
    fn round(&mut self, round: usize) -> Option<Vec<Write>> {
        for _ in 0..self.random.below(4) {
            self.publish();
        }
        if round % 17 == 16 {
            self.cut();
        }
        for _ in 0..self.random.below(3) {
            if let Some(delivery) = self.unread.pop() {
                let _ = self.client.machine_mut().acknowledge(self.now, delivery);
            }
        }
        while self.step_client() | self.step_server() {}
        let [client, server] = std::mem::take(&mut self.stored);
        if let Some(number) = client {
            self.client.machine_mut().handle_stored(self.now, number);
        }
        if let Some(number) = server {
            self.server.machine_mut().handle_stored(self.now, number);
        }
        let group = std::mem::take(&mut self.group);
        (!group.is_empty()).then_some(group)
    }

    fn publish(&mut self) {
        self.tag += 1;
        let len = [0, 10, 64, 700, 6_000][self.random.below(5) as usize];
        let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][self.random.below(3) as usize];
        let payload = vec![self.tag as u8; len];
        let message = Message::new("home/kitchen", payload).unwrap().qos(qos);
        // A full queue is fine: there is enough on its way then.
        let _ = match self.random.below(2) {
            0 => self.client.machine_mut().publish(self.now, message, self.tag),
            _ => self.server.machine_mut().publish(self.now, message, self.tag),
        };
    }

    fn cut(&mut self) {
        self.client.closed(self.now);
        self.server.closed(self.now);
        while self.step_client() | self.step_server() {}
        self.now = self.now.saturating_add(core::time::Duration::from_secs(60));
        self.parked = self.server.machine_mut().take_session();
        self.server = accepted(self.now);
    }

    fn step_client(&mut self) -> bool {
        match self.client.next(self.now) {
            Next::Store(batch) => {
                self.group.push(Write::apply(client_name(), batch.changes().to_vec()));
                self.stored[0] = Some(batch.number());
                true
            }
            Next::Event(event) => {
                match event {
                    Event::Open => self.client.opened(self.now),
                    Event::Message(received) => self.unread.extend(received.delivery),
                    Event::Completed { .. } => self.acknowledged += 1,
                    _ => {}
                }
                true
            }
            Next::Wait(_) => {
                let moved = flow(&mut self.client, self.server.read_buffer());
                if moved {
                    self.server.received(self.now);
                }
                moved
            }
            _ => false,
        }
    }

    fn step_server(&mut self) -> bool {
        match self.server.next(self.now) {
            Next::Store(batch) => {
                self.group.push(Write::apply(server_name(), batch.changes().to_vec()));
                self.stored[1] = Some(batch.number());
                true
            }
            Next::Event(event) => {
                let machine = self.server.machine_mut();
                match event {
                    ServerEvent::Connect(_) => machine
                        .accept(self.now, Accept::new().session(self.parked.take()))
                        .unwrap(),
                    ServerEvent::Message(received) => {
                        if let Some(delivery) = received.delivery {
                            machine.acknowledge(self.now, delivery).unwrap();
                        }
                    }
                    ServerEvent::Completed { .. } => self.acknowledged += 1,
                    _ => {}
                }
                true
            }
            Next::Wait(_) => {
                let moved = flow(&mut self.server, self.client.read_buffer());
                if moved {
                    self.client.received(self.now);
                }
                moved
            }
            _ => false,
        }
    }
}

/// A connection whose session has a store.
fn accepted(now: Instant) -> Driver<ServerConnection> {
    let session = SessionConfig::default().is_stored(true).hand_over(HandOver::Manual);
    Driver::accepted(ServerConnection::new(ServerConfig::default().session(session), now))
}

/// What one end writes, the other one reads.
fn flow<M: mqtt_session::Machine>(from: &mut Driver<M>, to: &mut BytesMut) -> bool {
    let outbox = from.outbox();
    let moved = outbox.has_remaining();
    while outbox.has_remaining() {
        let len = outbox.chunk().len();
        to.put_slice(outbox.chunk());
        outbox.advance(len);
    }
    moved
}

#[test]
fn the_exchange_has_all_kinds_of_changes() {
    use mqtt_session::{Change, Key};
    use mqtt_store::Action;
    let groups = groups(150, 1);
    let mut seen = std::collections::BTreeSet::new();
    for write in groups.iter().flatten() {
        let Action::Apply(changes) = &write.action else {
            continue;
        };
        for change in changes {
            let kind = match change.key() {
                Key::Session => 0,
                Key::Outgoing(_) => 1,
                Key::Incoming(_) => 2,
                Key::Inbox(_) => 3,
                _ => 4,
            };
            seen.insert((kind, matches!(change, Change::Put(_)), write.session == client_name()));
        }
    }
    assert!(groups.len() > 100, "{}", groups.len());
    // Puts and deletes of each kind but the session, by client and server; only the client has an inbox.
    let expected = [1, 2, 4].into_iter().flat_map(|kind| {
        [
            (kind, true, true),
            (kind, false, true),
            (kind, true, false),
            (kind, false, false),
        ]
    });
    let inbox = [(3, true, true), (3, false, true)];
    for expected in expected.chain(inbox) {
        assert!(seen.contains(&expected), "{expected:?} is missing in {seen:?}");
    }
}
