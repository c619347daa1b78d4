//! Any split of the input gives the same, whatever comes from others in between.

use bytes::Bytes;
use mqtt_session::Ask;
use mqtt_session::proto::{
    Connect, Delivery, Packet, PubAck, PubAckReason, PubRec, PubRecReason, PubRel, PubRelReason, Publish,
    PublishProperties, RetainHandling, Version,
};
use proptest::prelude::*;

use super::script::{Act, Say, acts, configs};
use super::stage::{Heard, Manners, Stage};
use crate::rig::{VERSIONS, config, id, lasting, qos, topic, will};

/// All that a client says, from CONNECT to a violation, in parts between which everything comes to rest.
fn stream(version: Version) -> [Vec<u8>; 4] {
    let publish = |bits, number, payload: &'static str| {
        Packet::Publish(Publish {
            delivery: Delivery::first(qos(bits), id(number)),
            retain: bits == 1,
            topic: Some(topic("a")),
            properties: PublishProperties::empty(),
            payload: payload.as_bytes().into(),
        })
    };
    let handling = RetainHandling::Send;
    let subscribe = Say::Subscribe {
        filter: "#",
        bits: 2,
        handling,
    };
    let connect = Packet::Connect(Connect {
        will: will("gone", 0),
        ..lasting("c1", version)
    });
    let encoded = |packets: &[Packet<Bytes>]| {
        let mut bytes = Vec::new();
        for packet in packets {
            packet.encode_to(version, &mut bytes).unwrap();
        }
        bytes
    };
    [
        encoded(core::slice::from_ref(&connect)),
        encoded(&[
            subscribe.packet(version),
            publish(0, 1, "at most once"),
            publish(1, 1, "at least once"),
            publish(2, 2, "exactly once"),
            Packet::PingReq,
        ]),
        encoded(&[
            Packet::PubAck(PubAck::new(id(1), PubAckReason::Success)),
            Packet::PubRec(PubRec::new(id(2), PubRecReason::Success)),
            Packet::PubRel(PubRel::new(id(2), PubRelReason::Success)),
            Say::Unsubscribe("#").packet(version),
        ]),
        encoded(&[connect]),
    ]
}

/// What comes of a stream that is split at a byte, or everywhere. The host answers, and the store stores, when a part has come.
fn run(version: Version, at: Option<usize>) -> Heard {
    let asking = config().is_stored(true).ask(Ask::EVERYTHING);
    let mut stage = Stage::new(asking, Manners::default());
    stage.act(&Act::Connect(0, Box::new(lasting("c0", Version::V5))));
    let handling = RetainHandling::Send;
    let filter = "+";
    stage.settle();
    stage.act(&Act::Say(
        0,
        Say::Subscribe {
            filter,
            bits: 1,
            handling,
        },
    ));
    stage.settle();
    let link = stage.open(1, version).unwrap();
    let mut begins = 0;
    for part in stream(version) {
        match at {
            Some(at) => {
                let (first, second) = part.split_at(at.saturating_sub(begins).min(part.len()));
                stage.bring(link, first);
                stage.bring(link, second);
            }
            None => part.chunks(1).for_each(|byte| stage.bring(link, byte)),
        }
        begins += part.len();
        stage.settle();
    }
    stage.heard.figures = stage.broker.figures();
    stage.heard
}

#[test]
fn a_stream_that_is_split_at_any_byte_is_the_same_stream() {
    for version in VERSIONS {
        let whole = run(version, Some(0));
        let told = whole.told.join("\n");
        assert!(told.contains("Violation(SecondConnect,"), "{told}");
        assert_eq!(told.matches("MayPublish").count(), 4, "{told}");
        assert!(whole.figures.messages_delivered >= 7, "{:?}", whole.figures);
        let len: usize = stream(version).iter().map(Vec::len).sum();
        for at in 1..len {
            assert_eq!(run(version, Some(at)), whole, "split at {at}");
        }
        assert_eq!(run(version, None), whole);
    }
}

proptest! {
    #![proptest_config(super::runs(250))]

    /// Parts of packets, on several connections at once, as slices and as buffers: only whole packets count, in the order of
    /// their last bytes.
    #[test]
    fn streams_that_come_in_any_parts_are_the_same(
        config in configs(), acts in acts(40), seed in any::<u64>(), hurries in any::<bool>(),
    ) {
        let whole = Stage::play(config.clone(), &acts, Manners { hurries, ..Manners::default() });
        let split = Stage::play(config, &acts, Manners { seed, splits: true, hurries, ..Manners::default() });
        prop_assert_eq!(split, whole);
    }
}
