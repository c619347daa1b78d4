//! One message of QoS 2 in each direction, and a connection that is cut between PUBREC and PUBREL.

use bytes::{Buf, Bytes};
use mqtt_proto::{
    ConnAck, ConnAckProperties, ConnAckReason, Delivery, Packet, PacketId, PubComp, PubCompReason, PubRec,
    PubRecReason, PubRel, PubRelReason, Publish, PublishProperties, QoS, Role, Rules, TopicName, Version,
};
use mqtt_session::{CleanStart, Client, ClientConfig, Event, Instant, Message, Outbox, Outcome};

const TAG: u64 = 1 << 40;

/// A client, and the server in the test's hand.
struct Exchange {
    client: Client,
    outbox: Outbox,
    version: Version,
    now: Instant,
}

/// Both messages arrive once if the server keeps the session; if not, a check fails.
pub(crate) fn check(version: Version, session_is_kept: bool) {
    let mut exchange = Exchange::new(version);
    exchange.connect(false);
    let outgoing = Message::new("out", "to the server")
        .expect("it is valid")
        .qos(QoS::ExactlyOnce);
    let now = exchange.now;
    exchange.client.publish(now, outgoing, TAG).expect("there is room");
    let sent = exchange.sent();
    let [Packet::Publish(publish)] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(
        (publish.payload.as_ref(), publish.delivery.dup()),
        (&b"to the server"[..], false)
    );
    let id = publish.delivery.id().expect("QoS 2 has one");
    exchange.feed(&incoming(false));
    assert_eq!(exchange.told(), ["message: to the client"]);
    assert_eq!(
        exchange.sent(),
        [Packet::PubRec(PubRec::new(incoming_id(), PubRecReason::Success))]
    );
    exchange.feed(&Packet::PubRec(PubRec::new(id, PubRecReason::Success)));
    let pubrel = Packet::PubRel(PubRel::new(id, PubRelReason::Success));
    // The release is lost with the connection.
    assert_eq!(exchange.sent(), std::slice::from_ref(&pubrel));

    exchange.cut();
    exchange.connect(session_is_kept);
    assert_eq!(exchange.sent(), [pubrel]);
    exchange.feed(&incoming(true));
    exchange.feed(&Packet::PubComp(PubComp::new(id, PubCompReason::Success)));
    assert_eq!(exchange.told(), ["completed: 1099511627776"]);
    assert_eq!(
        exchange.sent(),
        [Packet::PubRec(PubRec::new(incoming_id(), PubRecReason::Success))]
    );
    exchange.feed(&Packet::PubRel(PubRel::new(incoming_id(), PubRelReason::Success)));
    assert_eq!(
        exchange.sent(),
        [Packet::PubComp(PubComp::new(incoming_id(), PubCompReason::Success))]
    );
    assert!(exchange.told().is_empty());
}

fn incoming_id() -> PacketId {
    PacketId::MAX
}

fn incoming(is_repeated: bool) -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery: Delivery::first(QoS::ExactlyOnce, incoming_id()).with_dup(is_repeated),
        retain: false,
        topic: Some(TopicName::from_bytes(Bytes::from_static(b"in")).expect("it is valid")),
        properties: PublishProperties::empty(),
        payload: Bytes::from_static(b"to the client"),
    })
}

impl Exchange {
    fn new(version: Version) -> Self {
        let now = Instant::from_secs(1);
        let config = ClientConfig::new("wasm")
            .expect("it is valid")
            .version(version)
            .clean_start(CleanStart::Never);
        Self {
            client: Client::new(config, now),
            outbox: Outbox::default(),
            version,
            now,
        }
    }

    /// Waits until the client asks for a stream, opens it and accepts the client.
    fn connect(&mut self, session_present: bool) {
        while self.client.poll_event() != Some(Event::Open) {
            let timeout = self.client.poll_timeout().expect("it connects again");
            self.now = self.now.max(timeout.at);
            self.client.handle_timeout(self.now);
        }
        self.client.handle_open(self.now);
        let sent = self.sent();
        assert!(matches!(&sent[..], [Packet::Connect(_)]), "{sent:?}");
        self.feed(&Packet::ConnAck(ConnAck {
            session_present,
            reason: ConnAckReason::Success,
            properties: ConnAckProperties::empty(),
        }));
        assert!(self.client.is_connected());
    }

    /// The stream breaks, and what was under way is gone.
    fn cut(&mut self) {
        self.client.handle_eof(self.now);
        self.outbox.clear();
    }

    fn feed(&mut self, packet: &Packet<Bytes>) {
        let mut bytes = Vec::new();
        packet.encode_to(self.version, &mut bytes).expect("it can be encoded");
        let mut rest = &bytes[..];
        self.client.handle_input(self.now, &mut rest);
        assert!(rest.is_empty());
    }

    /// The packets that the client sends.
    fn sent(&mut self) -> Vec<Packet<Bytes>> {
        self.client.poll_transmit(&mut self.outbox);
        let len = self.outbox.remaining();
        let mut bytes = self.outbox.copy_to_bytes(len);
        let rules = Rules::new(self.version).sent_by(Role::Client);
        let take = || Packet::take_from(&mut bytes, &rules).expect("it is valid");
        std::iter::from_fn(take).collect()
    }

    /// What the client tells of messages.
    fn told(&mut self) -> Vec<String> {
        let events = std::iter::from_fn(|| self.client.poll_event());
        let texts = events.filter_map(|event| match event {
            Event::Message(received) => {
                let payload = received.message.payload;
                Some(format!("message: {}", String::from_utf8_lossy(&payload)))
            }
            Event::Completed { tag, outcome, .. } => {
                assert!(matches!(outcome, Outcome::Acknowledged(_)), "{outcome:?}");
                Some(format!("completed: {tag}"))
            }
            _ => None,
        });
        texts.collect()
    }
}
