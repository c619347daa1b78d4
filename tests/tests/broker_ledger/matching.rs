//! Which filters a topic matches.

use mqtt_session::Message;
use mqtt_session::proto::Version;
use mqtt_tests::ledger::covers;

use crate::rig::{NOTHING, Rig, qos};
use crate::scene::{BOTH, options, pair};

crate::trials_of_module![
    wildcards_in_front_do_not_match_dollar_topics,
    texts_are_compared_as_they_are,
];

/// The host publishes, which has all topics.
fn by_host(rig: &mut Rig, topic: &'static str, retain: bool) {
    let message = Message::new(topic, "m").expect("a topic").qos(qos(0)).retain(retain);
    rig.broker.publish(rig.now, message);
}

fn wildcards_in_front_do_not_match_dollar_topics() {
    for version in BOTH {
        for (filter, matches) in [
            ("#", false),
            ("+/b", false),
            ("+/#", false),
            ("+/+", false),
            ("$sys/#", true),
            ("$sys/+", true),
            ("$sys/b", true),
        ] {
            let mut rig = pair(version);
            rig.subscribe("s", filter, 0);
            by_host(&mut rig, "$sys/b", false);
            let expected: &[&str] = if matches { &["PUBLISH q0 $sys/b: m"] } else { &[] };
            assert_eq!(rig.sent("s"), expected, "{filter}");
            // A dollar that stands elsewhere is a character like any other.
            by_host(&mut rig, "a$/b", false);
            let expected: &[&str] = if matches { &[] } else { &["PUBLISH q0 a$/b: m"] };
            assert_eq!(rig.sent("s"), expected, "{filter}");
        }
    }
    covers("v5:MQTT-4.7.2-1");
    covers("v311:MQTT-4.7.2-1");
}

fn texts_are_compared_as_they_are() {
    // Two ways to write é, letters of both cases, empty levels, spaces, and what some take for the unknown.
    let texts = [
        "é",
        "e\u{301}",
        "T",
        "t",
        "t/",
        "/t",
        "t//a",
        "t/a",
        " t",
        "\u{FFFD}",
        "\u{FEFF}t",
    ];
    for version in BOTH {
        for filter in texts {
            let mut rig = pair(version);
            rig.subscribe("s", filter, 0);
            for topic in texts {
                rig.publish("p", topic, 0, "m");
            }
            assert_eq!(rig.sent("s"), [format!("PUBLISH q0 {filter}: m")]);
        }
        let mut rig = pair(version);
        for topic in texts {
            rig.retain("p", topic, 0, "m");
        }
        for filter in texts {
            let sent = rig.subscribe_with("s", &[(filter, options(0))], None);
            assert_eq!(
                sent[1..],
                [format!("PUBLISH q0 retain {filter}: m")],
                "retained ones too"
            );
        }
    }
    let mut rig = pair(Version::V5);
    rig.subscribe("s", "t", 0);
    rig.publish("p", "u", 0, "m");
    assert_eq!(rig.sent("s"), NOTHING);
    covers("v5:MQTT-4.7.3-4");
    covers("v311:MQTT-4.7.3-4");
}
