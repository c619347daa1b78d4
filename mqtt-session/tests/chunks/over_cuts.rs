//! A large message from a client to a server connection, with the stream cut at each byte in turn.

use bytes::{Buf, BytesMut};
use mqtt_session::proto::Version;
use mqtt_session::{
    Accept, CleanStart, Client, ClientConfig, Event, Instant, Limits, Message, Outbox, Outcome, QoS, ServerConfig,
    ServerConnection, ServerEvent, SessionConfig,
};

const PAYLOAD: usize = 150;

fn limits() -> Limits {
    Limits::default().whole_packet_bytes(64).chunk_bytes(32)
}

fn server(now: Instant) -> ServerConnection {
    ServerConnection::new(
        ServerConfig::default().session(SessionConfig::default().limits(limits())),
        now,
    )
}

fn payload() -> Vec<u8> {
    (0..PAYLOAD).map(|index| u8::try_from(index).unwrap()).collect()
}

struct Pair {
    now: Instant,
    client: Client,
    server: ServerConnection,
    to_server: Outbox,
    to_client: Outbox,
    input: BytesMut,
    /// How many bytes may still pass in each direction before the cut.
    budget: [usize; 2],
    arriving: Vec<u8>,
    arrived: Vec<Vec<u8>>,
    outcomes: Vec<Outcome>,
    cuts: u32,
}

impl Pair {
    fn new(version: Version, qos: QoS, budget: [usize; 2]) -> Self {
        let now = Instant::ZERO;
        let config = ClientConfig::new("c")
            .unwrap()
            .version(version)
            .limits(limits())
            .clean_start(CleanStart::Never);
        let mut client = Client::new(config, now);
        let message = Message::new("t", "").unwrap().qos(qos);
        client
            .publish_source(now, message, u32::try_from(PAYLOAD).unwrap(), 1)
            .unwrap();
        Self {
            now,
            client,
            server: server(now),
            to_server: Outbox::default(),
            to_client: Outbox::default(),
            input: BytesMut::new(),
            budget,
            arriving: Vec::new(),
            arrived: Vec::new(),
            outcomes: Vec::new(),
            cuts: 0,
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Open => self.client.handle_open(self.now),
                Event::PayloadWanted { op, offset, bytes, .. } => {
                    let rest = payload().split_off(offset as usize);
                    let part = rest[..rest.len().min(bytes as usize)].to_vec();
                    self.client.supply(self.now, op, offset, part).unwrap();
                }
                Event::Completed { outcome, .. } => self.outcomes.push(outcome),
                Event::Closed { reason, .. } => {
                    assert_eq!(reason, mqtt_session::Closed::StreamEnded, "nobody breaks the protocol");
                }
                _ => {}
            }
        }
        while let Some(event) = self.server.poll_event() {
            match event {
                ServerEvent::Connect(_) => self.server.accept(self.now, Accept::new()).unwrap(),
                ServerEvent::MessageStart { .. } => self.arriving.clear(),
                ServerEvent::Chunk(chunk) => self.arriving.extend_from_slice(&chunk),
                ServerEvent::MessageEnd { .. } => self.arrived.push(self.arriving.clone()),
                _ => {}
            }
        }
    }

    fn step(&mut self) {
        self.events();
        self.client.poll_transmit(&mut self.to_server);
        let room = self.server.input_room().saturating_sub(self.input.len());
        let len = self.to_server.chunk().len().min(room).min(self.budget[0]);
        self.input.extend_from_slice(&self.to_server.chunk()[..len]);
        self.to_server.advance(len);
        self.budget[0] -= len;
        self.server.handle_input_owned(self.now, &mut self.input);
        self.events();
        self.server.poll_transmit(&mut self.to_client);
        let len = self.to_client.chunk().len().min(self.budget[1]);
        let bytes = self.to_client.copy_to_bytes(len);
        self.budget[1] -= len;
        let mut rest = &bytes[..];
        self.client.handle_input(self.now, &mut rest);
        if self.budget.contains(&0) {
            self.cut();
        }
    }

    /// The stream breaks, and the server knows the session if there is one.
    fn cut(&mut self) {
        self.cuts += 1;
        self.budget = [usize::MAX; 2];
        self.client.handle_eof(self.now);
        self.server.handle_eof(self.now);
        self.events();
        let session = self.server.take_session();
        self.to_server.clear();
        self.to_client.clear();
        self.input.clear();
        self.now = self.client.poll_timeout().unwrap().at;
        self.client.handle_timeout(self.now);
        self.server = server(self.now);
        self.events();
        self.client.poll_transmit(&mut self.to_server);
        let len = self.to_server.remaining();
        let connect = self.to_server.copy_to_bytes(len);
        self.server.handle_input(self.now, &mut &connect[..]);
        let Some(ServerEvent::Connect(connect)) = self.server.poll_event() else {
            panic!()
        };
        // A client that was never answered begins anew.
        let session = session.filter(|_| !connect.clean_start);
        self.server.accept(self.now, Accept::new().session(session)).unwrap();
    }
}

#[test]
fn wherever_the_stream_is_cut_the_message_arrives() {
    for version in [Version::V5, Version::V3_1_1] {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut cuts = 0;
            for direction in 0..2 {
                for at in 1..300 {
                    let mut budget = [usize::MAX; 2];
                    budget[direction] = at;
                    let mut pair = Pair::new(version, qos, budget);
                    let mut steps = 0;
                    while pair.outcomes.is_empty() {
                        pair.step();
                        steps += 1;
                        assert!(steps < 200, "{version:?} {qos:?} cut at {at} of {direction}: stuck");
                    }
                    assert!(
                        matches!(pair.outcomes[..], [Outcome::Acknowledged(_)]),
                        "{:?}",
                        pair.outcomes
                    );
                    let most = if qos == QoS::ExactlyOnce { 1 } else { 2 };
                    let times = pair.arrived.len();
                    assert!(
                        (1..=most).contains(&times),
                        "{qos:?} cut at {at} of {direction}: {times} times"
                    );
                    assert!(pair.arrived.iter().all(|arrived| *arrived == payload()));
                    cuts += pair.cuts;
                }
            }
            assert!(cuts > 160, "{cuts} cuts came");
        }
    }
}
