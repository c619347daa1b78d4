//! Fixed work for counting instructions: `workload NAME ROUNDS` handles one packet, one message between two machines, or one
//! message through a broker, a hundred times each round.
//!
//! `.ci/instructions` runs each workload with two numbers of rounds, so that what start-up costs cancels out.

mod flow;
mod hub;

use std::hint::black_box;
use std::process::ExitCode;

use bytes::{Bytes, BytesMut};
use mqtt_proto::{
    Connect, ConnectProperties, Decoded, Delivery, Filters, Packet, PacketId, Properties, PubAck, PubAckReason,
    Publish, PublishProperties, QoS, Rules, Subscribe, SubscriptionOptions, Text, TopicName, Version, decode,
};

const PACKETS_A_ROUND: usize = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, rounds] = arguments.as_slice() else {
        eprintln!("usage: workload NAME ROUNDS; names: {}", names().join(" "));
        return ExitCode::FAILURE;
    };
    let (Some((kind, of)), Ok(rounds)) = (name.split_once('-'), rounds.parse::<usize>()) else {
        eprintln!("no such workload: {name} {rounds}");
        return ExitCode::FAILURE;
    };
    let has_run = match kind {
        "decode" => of_packet(of).map(|(version, packet)| decode_stream(version, &packet, rounds)),
        "encode" => of_packet(of).map(|(version, packet)| encode_stream(version, &packet, rounds)),
        "flow" => flow::run(of, rounds * PACKETS_A_ROUND),
        "broker" => hub::run(of, rounds * PACKETS_A_ROUND),
        // Compared with each other by a test, and with no committed figure.
        "beside" => hub::run_beside(of, rounds * PACKETS_A_ROUND),
        _ => None,
    };
    match has_run {
        Some(()) => ExitCode::SUCCESS,
        None => {
            eprintln!("no workload {name}; names: {}", names().join(" "));
            ExitCode::FAILURE
        }
    }
}

fn names() -> Vec<String> {
    let of_packets = |kind: &'static str| packets().into_iter().map(move |(name, ..)| format!("{kind}-{name}"));
    of_packets("decode")
        .chain(of_packets("encode"))
        .chain(flow::names().map(|name| format!("flow-{name}")))
        .chain(hub::names().map(|name| format!("broker-{name}")))
        .collect()
}

fn of_packet(name: &str) -> Option<(Version, Packet<Bytes>)> {
    let (_, version, packet) = packets().into_iter().find(|(known, ..)| *known == name)?;
    Some((version, packet))
}

fn packets() -> Vec<(&'static str, Version, Packet<Bytes>)> {
    vec![
        ("publish-v311", Version::V3_1_1, publish(PublishProperties::empty())),
        ("publish-v5", Version::V5, publish(PublishProperties::empty())),
        ("publish-v5-properties", Version::V5, publish(five_properties())),
        (
            "puback-v5",
            Version::V5,
            PubAck::new(PacketId::MIN, PubAckReason::Success).into(),
        ),
        ("connect-v5", Version::V5, connect().into()),
        ("subscribe-v311", Version::V3_1_1, subscribe().into()),
    ]
}

fn publish(properties: PublishProperties<Bytes>) -> Packet<Bytes> {
    Packet::Publish(Publish {
        delivery: Delivery::AtLeastOnce {
            id: PacketId::MIN,
            dup: false,
        },
        retain: false,
        topic: TopicName::from_bytes(Bytes::from_static(b"site/12/hall/3/machine/7/temperature")).ok(),
        properties,
        payload: Bytes::from_static(&[b'x'; 256]),
    })
}

fn five_properties() -> PublishProperties<Bytes> {
    let builder = PublishProperties::<Bytes>::builder()
        .message_expiry(60)
        .content_type("application/json");
    let builder = builder
        .correlation_data([1, 2, 3, 4, 5, 6, 7, 8])
        .user_property("unit", "celsius");
    builder.user_property("plant", "north-4").build().unwrap_or_default()
}

fn connect() -> Connect<Bytes> {
    let properties = ConnectProperties::<Bytes>::builder()
        .receive_maximum(20)
        .session_expiry(3600)
        .build();
    Connect {
        version: Version::V5,
        clean_start: false,
        keep_alive: 60,
        client_id: Text::from_bytes(Bytes::from_static(b"machine-7")).unwrap_or_default(),
        will: None,
        username: Text::from_bytes(Bytes::from_static(b"plant")).ok(),
        password: None,
        properties: properties.unwrap_or_default(),
    }
}

fn subscribe() -> Subscribe<Bytes> {
    let mut builder = Filters::builder();
    for machine in 0..10 {
        let filter = format!("site/12/hall/+/machine/{machine}/temperature");
        builder = builder.filter(filter, SubscriptionOptions::new(QoS::AtLeastOnce));
    }
    #[expect(clippy::expect_used, reason = "the filters are fixed and valid")]
    let filters = builder.build().expect("the filters are valid");
    Subscribe {
        id: PacketId::MIN,
        filters,
        properties: Properties::empty(),
    }
}

#[inline(never)]
fn decode_stream(version: Version, packet: &Packet<Bytes>, rounds: usize) {
    let mut stream = BytesMut::new();
    for _ in 0..PACKETS_A_ROUND {
        assert!(packet.encode_to(version, &mut stream).is_ok());
    }
    let rules = Rules::new(version);
    for _ in 0..rounds {
        let mut rest = black_box(&stream[..]);
        while !rest.is_empty() {
            match black_box(decode(rest, &rules)) {
                Ok(Decoded::Packet { len, .. }) => rest = &rest[len..],
                other => panic!("an encoded packet does not decode: {other:?}"),
            }
        }
    }
}

#[inline(never)]
fn encode_stream(version: Version, packet: &Packet<Bytes>, rounds: usize) {
    let mut buffer = BytesMut::with_capacity(1 << 20);
    for _ in 0..rounds {
        buffer.clear();
        for _ in 0..PACKETS_A_ROUND {
            assert!(black_box(packet).encode_to(version, &mut buffer).is_ok());
        }
        black_box(&buffer);
    }
}
