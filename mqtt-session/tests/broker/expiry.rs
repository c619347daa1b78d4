//! The time that is left to a message goes on wherever the message waits (I-23).

use mqtt_session::proto::{Connect, ConnectProperties, Packet, PublishProperties, SubscriptionOptions, Version};
use mqtt_session::{
    Ask, Broker, BrokerEvent, BrokerLimits, Instant, Message, PeerMessage, QuestionId, Shards, Verdict,
};

use super::rig::{LASTING_SECONDS, Rig, config, fleeting, lasting, qos};

/// The payloads that a client was sent, with the interval of each.
fn got(rig: &mut Rig, name: &str) -> Vec<(String, Option<u32>)> {
    let packets = rig.sent_packets(name);
    let publishes = packets.iter().filter_map(|packet| match packet {
        Packet::Publish(publish) => {
            let payload = String::from_utf8_lossy(&publish.payload).into_owned();
            Some((payload, publish.properties.message_expiry()))
        }
        _ => None,
    });
    publishes.collect()
}

fn left(payload: &str, seconds: u32) -> Vec<(String, Option<u32>)> {
    vec![(payload.to_owned(), Some(seconds))]
}

fn publish(rig: &mut Rig, name: &str, bits: u8, payload: &str, seconds: u32) {
    let properties = PublishProperties::builder().message_expiry(seconds).build();
    rig.publish_with(name, "t", bits, payload, false, properties.unwrap());
}

fn questions(rig: &mut Rig) -> Vec<QuestionId> {
    let events = rig.events();
    let asked = events.iter().filter_map(|event| match event {
        BrokerEvent::MayPublish { question, .. } => Some(*question),
        _ => None,
    });
    asked.collect()
}

#[test]
fn it_goes_on_while_the_driver_takes_nothing() {
    for bits in 0..3 {
        let mut rig = Rig::new(config());
        rig.join(fleeting("s", Version::V5));
        rig.subscribe("s", "t", bits);
        rig.join(fleeting("p", Version::V5));
        publish(&mut rig, "p", bits, "in time", 10);
        // It is told what time it is, and nothing is due.
        rig.advance(4);
        rig.broker.handle_timeout(rig.now);
        assert_eq!(got(&mut rig, "s"), left("in time", 6));
        publish(&mut rig, "p", bits, "too late", 10);
        rig.advance(10);
        rig.broker.handle_timeout(rig.now);
        assert_eq!(got(&mut rig, "s"), []);
    }
}

#[test]
fn it_goes_on_while_the_host_is_asked() {
    for bits in 0..3 {
        let ask = Ask {
            publish: true,
            ..Ask::default()
        };
        let mut rig = Rig::new(config().ask(ask));
        rig.join(fleeting("s", Version::V5));
        rig.subscribe("s", "t", bits);
        rig.join(fleeting("p", Version::V5));
        for (waits, expected) in [(4, left("m", 6)), (10, vec![]), (20, vec![])] {
            publish(&mut rig, "p", bits, "m", 10);
            rig.advance(waits);
            for question in questions(&mut rig) {
                assert!(rig.broker.authorize(rig.now, question, Verdict::ALLOW));
            }
            assert_eq!(got(&mut rig, "s"), expected, "after {waits} s");
            let told = rig.sent("p");
            assert_eq!(
                told.len(),
                usize::from(bits > 0),
                "it is accepted all the same: {told:?}"
            );
            if bits == 1 && !expected.is_empty() {
                rig.puback("s", 1);
            }
            if bits == 2 && !expected.is_empty() {
                rig.pubrec("s", 1);
                rig.pubcomp("s", 1);
                rig.sent("s");
            }
            if bits == 2 {
                rig.pubrel("p", 5);
                rig.sent("p");
            }
        }
    }
}

/// Only so many packets of a client wait with the host; what it sent behind them waits unread by the broker, and grows old as well.
#[test]
fn it_goes_on_behind_what_the_host_is_asked() {
    let ask = Ask {
        publish: true,
        ..Ask::default()
    };
    let limits = BrokerLimits::default().parked_per_connection(1);
    let mut rig = Rig::new(config().ask(ask).limits(limits));
    rig.join(fleeting("s", Version::V5));
    rig.subscribe("s", "t", 0);
    rig.join(fleeting("p", Version::V5));
    for payload in ["first", "second", "third"] {
        publish(&mut rig, "p", 0, payload, 10);
    }
    publish(&mut rig, "p", 0, "too late", 4);
    for (waits, expected) in [
        (2, left("first", 8)),
        (3, left("second", 5)),
        (4, left("third", 1)),
        (0, vec![]),
    ] {
        rig.advance(waits);
        let [question] = questions(&mut rig)[..] else {
            panic!("one at a time");
        };
        assert!(rig.broker.authorize(rig.now, question, Verdict::ALLOW));
        assert_eq!(got(&mut rig, "s"), expected);
    }
}

#[test]
fn it_goes_on_while_the_store_is_waited_for() {
    let mut rig = Rig::new(config().is_stored(true));
    rig.connect(fleeting("s", Version::V5));
    let options = SubscriptionOptions::new(qos(1));
    rig.subscribe_with("s", &[("t", options)], None);
    rig.commit();
    rig.sent("s");
    // Nothing is promised before the store knows of the session of the publisher: its message waits.
    rig.connect(lasting("p", Version::V5));
    publish(&mut rig, "p", 1, "m", 10);
    rig.advance(4);
    assert_eq!(got(&mut rig, "s"), []);
    rig.commit();
    assert_eq!(got(&mut rig, "s"), left("m", 6));
}

#[test]
fn it_goes_on_behind_a_window_and_over_a_restart() {
    let narrow = ConnectProperties::builder()
        .session_expiry(LASTING_SECONDS)
        .receive_maximum(1)
        .build()
        .unwrap();
    let narrow = Connect {
        properties: narrow,
        ..lasting("s", Version::V5)
    };
    let mut rig = Rig::new(config().is_stored(true));
    rig.connect(narrow.clone());
    rig.subscribe_with("s", &[("t", SubscriptionOptions::new(qos(1)))], None);
    rig.connect(fleeting("p", Version::V5));
    rig.commit();
    for (payload, seconds) in [("first", 100), ("second", 100), ("third", 5)] {
        publish(&mut rig, "p", 1, payload, seconds);
        rig.commit();
    }
    assert_eq!(got(&mut rig, "s"), left("first", 100));
    rig.advance(10);
    rig.puback("s", 1);
    rig.commit();
    assert_eq!(got(&mut rig, "s"), left("second", 90), "the third has ended");
    rig.restart(config().is_stored(true));
    rig.advance(10);
    rig.connect(narrow);
    rig.commit();
    assert_eq!(
        got(&mut rig, "s"),
        left("second", 80),
        "what is on its way is sent again"
    );
}

/// Two machines that know each other.
fn pair(now: Instant) -> [Broker; 2] {
    let shards = |own| Shards::new(own, 2).unwrap();
    let mut brokers = [0, 1].map(|own| Broker::new(config().shards(shards(own)), now));
    for own in [0_u16, 1] {
        while let Some((to, message)) = brokers[usize::from(own)].poll_peer() {
            brokers[usize::from(to.0)].handle_peer(now, shards(own).own(), message);
        }
    }
    brokers
}

#[test]
fn it_goes_on_between_machines() {
    for (waits, expected) in [(0, 10), (4, 6), (10, 0), (20, 0)] {
        let now = Instant::from_secs(1000);
        let [mut broker, _] = pair(now);
        broker.publish(now, Message::new("t", "m").unwrap().expiry_seconds(10));
        broker.handle_timeout(Instant::from_secs(1000 + waits));
        let Some((_, PeerMessage::Publish(told))) = broker.poll_peer() else {
            panic!("the other machine is told");
        };
        assert_eq!(told.message.expiry_seconds, Some(expected), "after {waits} s");
    }
}
