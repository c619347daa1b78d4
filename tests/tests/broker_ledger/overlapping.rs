//! Several subscriptions of a client match one message.

use mqtt_session::proto::{SubscriptionId, Version};
use mqtt_session::{BrokerConfig, Overlap};
use mqtt_tests::ledger::covers;

use crate::rig::{Rig, config, fleeting, lasting};
use crate::scene::{BOTH, deliver, one_publish, options};

crate::trials_of_module![
    one_copy_has_the_highest_qos,
    one_copy_has_the_identifiers_of_all_that_match,
    equal_identifiers_are_repeated,
    a_copy_each_has_its_own_identifier,
];

/// A publisher `p` and a subscriber `s` with overlapping subscriptions: filter, QoS, identifier.
fn overlapping(config: BrokerConfig, version: Version, filters: &[(&str, u8, Option<u32>)]) -> Rig {
    let mut rig = Rig::new(config);
    rig.join(fleeting("p", version));
    rig.join(lasting("s", version));
    for (filter, bits, identifier) in filters {
        rig.subscribe_with("s", &[(filter, options(*bits))], *identifier);
    }
    rig
}

fn one_copy_has_the_highest_qos() {
    for version in BOTH {
        for filters in [
            [("t/#", 0, None), ("t/+", 2, None), ("t/a", 1, None)],
            [("t/#", 2, None), ("t/+", 1, None), ("t/a", 0, None)],
            [("t/#", 1, None), ("t/+", 0, None), ("t/a", 2, None)],
        ] {
            let mut rig = overlapping(config(), version, &filters);
            deliver(&mut rig, "p", "t/a", 2, "m");
            assert_eq!(rig.sent("s"), ["PUBLISH q2 #1 t/a: m"], "{filters:?}");
            deliver(&mut rig, "p", "t/b", 1, "m");
            assert_eq!(rig.sent("s"), ["PUBLISH q1 #2 t/b: m"], "{filters:?}");
        }
    }
    covers("v5:MQTT-3.3.4-2");
    covers("v311:MQTT-3.3.5-1");
}

fn identifiers(rig: &mut Rig) -> Vec<u32> {
    let publish = one_publish(rig, "s");
    let mut identifiers: Vec<u32> = publish.properties.subscription_ids().map(SubscriptionId::get).collect();
    identifiers.sort_unstable();
    identifiers
}

fn one_copy_has_the_identifiers_of_all_that_match() {
    let filters = [
        ("t/#", 0, Some(3)),
        ("t/+", 0, Some(268_435_455)),
        ("t/a", 0, None),
        ("u/#", 0, Some(9)),
        ("+/b", 0, Some(4)),
    ];
    let mut rig = overlapping(config(), Version::V5, &filters);
    for (topic, expected) in [
        ("t/a", &[3, 268_435_455][..]),
        ("t/b", &[3, 4, 268_435_455]),
        ("t/a/c", &[3]),
        ("u", &[9]),
    ] {
        rig.publish("p", topic, 0, "m");
        assert_eq!(identifiers(&mut rig), expected, "{topic}");
    }
    covers("v5:MQTT-3.3.4-3");
    covers("v5:MQTT-3.3.4-4");
    // What the publisher says of identifiers does not come into it, and one that has none gets none.
    rig.subscribe("p", "t/a", 0);
    rig.publish("p", "t/a", 0, "m");
    assert_eq!(rig.sent("p"), ["PUBLISH q0 t/a: m"]);
    covers("u5:U5-3.3.4-a");
}

fn equal_identifiers_are_repeated() {
    let filters = [("t/#", 0, Some(3)), ("t/+", 0, Some(3)), ("t/a", 0, Some(5))];
    let mut rig = overlapping(config(), Version::V5, &filters);
    rig.publish("p", "t/a", 0, "m");
    assert_eq!(identifiers(&mut rig), [3, 3, 5]);
    covers("u5:U5-3.3.4-b");
}

fn a_copy_each_has_its_own_identifier() {
    let filters = [("t/#", 0, Some(3)), ("t/+", 1, Some(7)), ("t/a", 2, None)];
    let mut rig = overlapping(config().overlap(Overlap::CopyEach), Version::V5, &filters);
    deliver(&mut rig, "p", "t/a", 1, "m");
    let mut sent: Vec<String> = rig.sent("s");
    sent.iter_mut()
        .for_each(|line| *line = line.replace(" #1", "").replace(" #2", ""));
    sent.sort();
    assert_eq!(
        sent,
        [
            "PUBLISH q0 t/a for 3: m",
            "PUBLISH q1 t/a for 7: m",
            "PUBLISH q1 t/a: m"
        ]
    );
    covers("v5:MQTT-3.3.4-5");
}
