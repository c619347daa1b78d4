//! What waits in the queues of all sessions together has a bound, and comes back however it ends.
//!
//! That the figure is the sum of what each session has is looked at by the rig, in all tests of a broker.

use mqtt_session::proto::{Disconnect, DisconnectReason, PublishProperties, SubscriptionOptions, Version};
use mqtt_session::{BrokerConfig, BrokerLimits, Limits, ServerConfig, SessionConfig, WhenFull};

use super::rig::{LASTING_SECONDS, NOTHING, Rig, VERSIONS, config, expiring, fleeting, lasting, line, qos};

/// What the tests send: with the topic "t" it takes 10 bytes in a queue.
const NINE: &str = "nine long";

fn bounded(queued_bytes: u64) -> BrokerConfig {
    config().limits(BrokerLimits::default().queued_bytes(queued_bytes))
}

/// A publisher, and clients that were there, subscribed, and are away.
fn sleepers(config: BrokerConfig, names: &[&str], version: Version) -> Rig {
    let mut rig = Rig::new(config);
    rig.connect(fleeting("p", version));
    for name in names {
        rig.connect(lasting(name, version));
        rig.commit();
        rig.sent(name);
        rig.subscribe_with(name, &[("t", SubscriptionOptions::new(qos(2)))], None);
        rig.commit();
        rig.cut(name);
    }
    rig.commit();
    rig.sent("p");
    rig.events();
    rig
}

fn publish(rig: &mut Rig, bits: u8, payload: &str) {
    rig.publish("p", "t", bits, payload);
    rig.commit();
    if bits == 2 {
        rig.pubrel("p", 5);
        rig.commit();
    }
    rig.sent("p");
}

fn queued(rig: &Rig) -> u64 {
    rig.broker.figures().queued_bytes
}

fn events(rig: &mut Rig) -> Vec<String> {
    rig.events().iter().map(line).collect()
}

#[test]
fn above_the_bound_of_all_a_copy_is_dropped_told_and_counted() {
    for version in VERSIONS {
        let mut rig = sleepers(bounded(50), &["a", "b"], version);
        publish(&mut rig, 1, NINE);
        publish(&mut rig, 1, NINE);
        assert_eq!(queued(&rig), 40, "what two share counts for each");
        assert_eq!(events(&mut rig), NOTHING);
        // There is room for one of two, and then for none.
        publish(&mut rig, 1, NINE);
        publish(&mut rig, 2, NINE);
        assert_eq!(queued(&rig), 50);
        assert_eq!(rig.broker.figures().messages_dropped, 3);
        let mut told = events(&mut rig);
        let hit = told.pop().expect("the bound is told");
        assert!(hit.starts_with("- QueuedBytes met 3 times, by "), "{hit}");
        told.sort();
        let dropped: u64 = told
            .iter()
            .map(|line| line.split(' ').nth(1).and_then(|count| count.parse().ok()))
            .map(|count: Option<u64>| count.expect("copies were dropped"))
            .sum();
        assert_eq!((told.len(), dropped), (2, 3), "{told:?}");
        // A shorter one has no more room than it needs.
        publish(&mut rig, 1, "");
        assert_eq!(queued(&rig), 50);
        assert_eq!(rig.broker.figures().messages_dropped, 5);
    }
}

#[test]
fn a_bound_that_is_met_to_the_byte_takes_the_message() {
    for (bound, dropped) in [(20, 0), (19, 1)] {
        let mut rig = sleepers(bounded(bound), &["a", "b"], Version::V5);
        publish(&mut rig, 1, NINE);
        assert_eq!(rig.broker.figures().messages_dropped, dropped, "{bound}");
    }
}

/// Messages of QoS 0 wait too, for a client that does not read.
#[test]
fn what_waits_for_a_client_that_is_there_counts() {
    for version in VERSIONS {
        let mut rig = Rig::new(bounded(100));
        rig.connect(fleeting("p", version));
        for name in ["slow", "quick"] {
            rig.join(fleeting(name, version));
            rig.subscribe(name, "t", 0);
        }
        let mut got = 0;
        for _ in 0..20 {
            publish(&mut rig, 0, NINE);
            got += rig.sent("quick").len();
        }
        assert!(queued(&rig) > 80 && queued(&rig) <= 100, "{}", queued(&rig));
        let slow = rig.sent("slow").len();
        assert_eq!(queued(&rig), 0);
        assert_eq!(got + slow + rig.broker.figures().messages_dropped as usize, 40);
        assert!(rig.broker.figures().messages_dropped > 0);
        assert!(
            events(&mut rig)
                .iter()
                .any(|line| line.starts_with("- QueuedBytes met "))
        );
        publish(&mut rig, 0, NINE);
        assert_eq!((rig.sent("quick").len(), rig.sent("slow").len()), (1, 1));
        // What waits for a connection goes with it.
        publish(&mut rig, 0, NINE);
        assert!(queued(&rig) > 0);
        rig.cut("slow");
        rig.cut("quick");
        assert_eq!(queued(&rig), 0);
    }
}

/// Fills the bound with what waits for "a", does this, and finds room again.
fn comes_back(what: &str, version: Version, bits: u8, ends: impl FnOnce(&mut Rig)) {
    let mut rig = sleepers(bounded(30), &["a"], version);
    for _ in 0..4 {
        publish(&mut rig, bits, NINE);
    }
    assert_eq!((queued(&rig), rig.broker.figures().messages_dropped), (30, 1), "{what}");
    ends(&mut rig);
    assert_eq!(queued(&rig), 0, "{what}");
    // Whoever comes next has all the room.
    rig.connect(lasting("z", version));
    rig.subscribe("z", "t", 1);
    rig.cut("z");
    let before = rig.broker.figures().messages_dropped;
    for _ in 0..3 {
        publish(&mut rig, 1, NINE);
    }
    assert_eq!(rig.broker.figures().messages_dropped, before, "{what}");
    assert_eq!(queued(&rig), 30, "{what}");
}

/// The client comes back and does not subscribe any more: what it gets is what has waited.
fn back(rig: &mut Rig, version: Version) -> usize {
    assert_eq!(
        rig.connect(lasting("a", version)).len(),
        4,
        "CONNACK and three messages"
    );
    assert_eq!(rig.unsubscribe("a", "t").len(), 1);
    3
}

#[test]
fn bytes_come_back_when_messages_are_acknowledged() {
    for version in VERSIONS {
        comes_back("PUBACK", version, 1, |rig| {
            let sent = back(rig, version);
            assert_eq!(queued(rig), 30, "what is on its way counts");
            for number in 1..=sent {
                rig.puback("a", u16::try_from(number).unwrap());
            }
        });
        comes_back("PUBREC", version, 2, |rig| {
            let sent = back(rig, version);
            for number in 1..=sent {
                rig.pubrec("a", u16::try_from(number).unwrap());
                assert_eq!(queued(rig), 30 - 10 * number as u64, "only a release is left of it");
            }
            for number in 1..=sent {
                rig.pubcomp("a", u16::try_from(number).unwrap());
            }
        });
    }
}

#[test]
fn bytes_come_back_when_a_session_ends() {
    for version in VERSIONS {
        comes_back("a clean start", version, 1, |rig| {
            rig.join(fleeting("a", version));
        });
        comes_back("a clean start beside an open connection", version, 1, |rig| {
            back(rig, version);
            rig.rename("a", "old");
            assert_eq!(rig.connect(fleeting("a", version)), ["CONNACK"]);
        });
        comes_back("the host", version, 1, |rig| {
            let farewell = Disconnect::new(DisconnectReason::AdministrativeAction);
            assert!(rig.broker.remove_session(rig.now, b"a", farewell));
        });
        comes_back("the host, of one that is there", version, 2, |rig| {
            back(rig, version);
            let farewell = Disconnect::new(DisconnectReason::AdministrativeAction);
            assert!(rig.broker.remove_session(rig.now, b"a", farewell));
        });
    }
    comes_back("its time", Version::V5, 1, |rig| {
        rig.advance(u64::from(LASTING_SECONDS));
    });
    comes_back(
        "the end of a connection that it does not outlive",
        Version::V5,
        1,
        |rig| {
            assert_eq!(rig.connect(expiring("a", Version::V5, 0)).len(), 4);
            rig.cut("a");
        },
    );
}

#[test]
fn bytes_come_back_when_messages_expire() {
    let mut rig = sleepers(bounded(30), &["a"], Version::V5);
    for seconds in [10, 20, 30] {
        let properties = PublishProperties::builder().message_expiry(seconds).build().unwrap();
        rig.publish_with("p", "t", 1, NINE, false, properties);
    }
    for left in [30, 20, 10] {
        assert_eq!(queued(&rig), left);
        rig.advance(10);
    }
    assert_eq!(queued(&rig), 0);
    assert_eq!(rig.broker.figures().messages_dropped, 0);
}

#[test]
fn a_restart_counts_what_it_finds_and_keeps_what_is_more() {
    let mut rig = sleepers(bounded(1000).is_stored(true), &["a", "b"], Version::V5);
    for _ in 0..3 {
        publish(&mut rig, 2, NINE);
    }
    assert_eq!(queued(&rig), 60);
    rig.restart(bounded(50).is_stored(true));
    assert_eq!(queued(&rig), 60, "more than there may be now");
    rig.commit();
    rig.connect(fleeting("p", Version::V5));
    rig.commit();
    rig.sent("p");
    publish(&mut rig, 1, NINE);
    assert_eq!(rig.broker.figures().messages_dropped, 2);
    for name in ["a", "b"] {
        rig.connect(lasting(name, Version::V5));
        rig.commit();
        let sent = rig.sent(name);
        let messages = sent.iter().filter(|packet| packet.starts_with("PUBLISH"));
        assert_eq!(messages.count(), 3, "nothing that was stored is thrown away: {sent:?}");
        for number in 1..=3 {
            rig.pubrec(name, number);
        }
    }
    assert_eq!(queued(&rig), 0);
    publish(&mut rig, 1, NINE);
    assert_eq!(queued(&rig), 20);
    assert_eq!(rig.broker.figures().messages_dropped, 2);
}

fn dropping(queued_bytes: u64) -> BrokerConfig {
    let session = SessionConfig::default()
        .when_full(WhenFull::DropOldest)
        .limits(Limits::default().queued_messages(100));
    bounded(queued_bytes).client(ServerConfig::default().session(session))
}

/// Where the oldest give way in a queue that is full, they do so at the bound of all: those of the same session.
#[test]
fn the_oldest_of_the_same_session_give_way() {
    for version in VERSIONS {
        let mut rig = sleepers(dropping(40), &["a"], version);
        for number in 0..4 {
            publish(&mut rig, 1, &format!("number {number}"));
        }
        assert_eq!(queued(&rig), 36);
        rig.connect(lasting("b", version));
        rig.subscribe("b", "u", 1);
        rig.cut("b");
        // Nothing of "b" could give way to it.
        rig.publish("p", "u", 1, NINE);
        rig.sent("p");
        assert_eq!(events(&mut rig).last().unwrap(), "- QueuedBytes met 1 times, by b");
        publish(&mut rig, 1, "number 4");
        assert_eq!(queued(&rig), 36);
        assert_eq!(events(&mut rig), ["dropped 1 to a", "- QueuedBytes met 1 times, by a"]);
        let sent = rig.connect(lasting("a", version));
        assert_eq!(sent.len(), 5, "{sent:?}");
        assert!(
            sent[1].ends_with("number 1") && sent[4].ends_with("number 4"),
            "{sent:?}"
        );
    }
}

/// The same where messages of QoS 0 wait as bytes, and others behind them.
#[test]
fn encoded_messages_give_way_too() {
    for version in VERSIONS {
        let mut rig = Rig::new(dropping(64));
        rig.connect(fleeting("p", version));
        rig.join(fleeting("s", version));
        rig.subscribe("s", "t", 1);
        rig.events();
        for number in 0..7 {
            publish(&mut rig, 0, &format!("plain {number}"));
            assert!(queued(&rig) <= 64, "{}", queued(&rig));
        }
        publish(&mut rig, 1, &"x".repeat(40));
        assert!(queued(&rig) <= 64, "{}", queued(&rig));
        let sent = rig.sent("s");
        assert!(rig.broker.figures().messages_dropped > 3, "{sent:?}");
        assert_eq!(sent.len() as u64 + rig.broker.figures().messages_dropped, 8, "{sent:?}");
        assert!(sent.last().unwrap().ends_with("40 bytes"), "{sent:?}");
        // One that has no room at all takes nobody's.
        publish(&mut rig, 0, "plain 7");
        publish(&mut rig, 0, &"x".repeat(70));
        assert_eq!(rig.sent("s").len(), 1);
    }
}
