//! What a host can publish of its broker.

use std::collections::BTreeMap;

use mqtt_session::proto::Version;

use super::rig::{Rig, config, fleeting, lasting};

#[test]
fn the_figures_have_the_topics_that_other_brokers_give_them() {
    let mut rig = Rig::new(config());
    rig.join(lasting("s", Version::V5));
    rig.join(fleeting("p", Version::V5));
    rig.subscribe("s", "t", 1);
    rig.retain("p", "t", 1, "m");
    let sent: usize = rig.sent("s").len() + rig.sent("p").len();
    assert_eq!(sent, 2);
    rig.cut("s");
    rig.advance(60);
    let figures: BTreeMap<&str, u64> = rig.broker.figures().topics().collect();
    let of = |topic: &str| figures[&*format!("$SYS/broker/{topic}")];
    let expected = [
        ("clients/connected", 1),
        ("clients/maximum", 2),
        ("clients/total", 2),
        ("publish/messages/dropped", 0),
        ("publish/messages/received", 1),
        ("publish/messages/sent", 1),
        ("retained messages/count", 1),
        ("subscriptions/count", 1),
        ("uptime", 60),
    ];
    for (topic, value) in expected {
        assert_eq!(of(topic), value, "{topic}");
    }
    assert_eq!(figures.len(), expected.len() + 2);
}

#[test]
fn bytes_are_counted_when_they_are_read_and_when_they_are_handed_out() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("c", Version::V5));
    let before = rig.broker.figures();
    // PINGREQ, and the half of another one.
    assert_eq!(rig.feed_bytes("c", b"\xC0\x00\xC0"), 1);
    assert_eq!(rig.sent("c"), ["PINGRESP"]);
    let after = rig.broker.figures();
    assert_eq!(after.bytes_received - before.bytes_received, 2);
    assert_eq!(after.bytes_sent - before.bytes_sent, 2);
}
