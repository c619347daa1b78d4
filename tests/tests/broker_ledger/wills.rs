//! Wills: kept, published once or thrown away.

use bytes::Bytes;
use mqtt_session::proto::{Connect, DisconnectReason, PayloadFormat, Version, WillProperties};
use mqtt_tests::ledger::covers;

use crate::rig::{NOTHING, Rig, config, expiring, fleeting};
use crate::scene::{BOTH, as_published, last_words, one_publish, options, with_will};

crate::trials_of_module![
    a_will_is_kept_and_published_when_the_connection_closes,
    a_will_waits_for_its_delay_or_the_end_of_the_session,
    a_will_is_published_once,
    an_orderly_end_throws_the_will_away,
    without_a_will_none_is_published,
    a_will_is_published_with_retain_as_it_says,
    a_client_that_is_back_within_the_delay_has_no_will_published,
    the_user_properties_of_a_will_keep_their_order,
    the_payload_of_a_will_goes_on_with_its_format,
];

/// A broker with a watcher `w` of wills, which is told RETAIN as it was published.
fn watched(version: Version) -> Rig {
    let mut rig = Rig::new(config());
    rig.join(fleeting("w", version));
    let wanted = if version == Version::V5 {
        as_published(2)
    } else {
        options(2)
    };
    assert_eq!(rig.subscribe_with("w", &[("w", wanted)], None), ["SUBACK #9 0x02"]);
    rig
}

/// A client `c` with a will after a delay, and a session that lasts for a while.
fn delayed(delay_seconds: u32, expiry_seconds: u32) -> Connect<Bytes> {
    let properties = WillProperties::builder().will_delay(delay_seconds);
    Connect {
        will: last_words("w", "gone", 0, false, properties.build().expect("a delay")),
        ..expiring("c", Version::V5, expiry_seconds)
    }
}

const GONE: [&str; 1] = ["PUBLISH q0 w: gone"];

fn a_will_is_kept_and_published_when_the_connection_closes() {
    for version in BOTH {
        let mut rig = watched(version);
        rig.join(with_will(fleeting("c", version), false));
        rig.advance(1000);
        assert_eq!(rig.sent("w"), NOTHING, "not before");
        rig.cut("c");
        assert_eq!(rig.sent("w"), ["PUBLISH q1 #1 w: gone"]);
    }
    covers("v5:MQTT-3.1.2-7");
    covers("v5:MQTT-3.1.2-8");
    covers("v311:MQTT-3.1.2-8");
}

fn a_will_waits_for_its_delay_or_the_end_of_the_session() {
    for (delay, expiry) in [(10, 100), (100, 10), (10, 10)] {
        let mut rig = watched(Version::V5);
        rig.join(delayed(delay, expiry));
        rig.cut("c");
        rig.advance(9);
        assert_eq!(rig.sent("w"), NOTHING, "{delay} {expiry}");
        rig.advance(1);
        assert_eq!(rig.sent("w"), GONE, "{delay} {expiry}");
    }
    covers("v5:MQTT-3.1.2-8");
}

fn a_will_is_published_once() {
    for version in BOTH {
        let mut rig = watched(version);
        rig.join(with_will(expiring("c", version, 100), false));
        rig.cut("c");
        assert_eq!(rig.sent("w").len(), 1);
        // The session goes on: nothing of the will is left in it.
        assert_eq!(rig.connect(expiring("c", version, 100)), ["CONNACK present"]);
        rig.cut("c");
        rig.advance(1000);
        assert_eq!(rig.sent("w"), NOTHING);
        assert_eq!(rig.broker.figures().wills_published, 1);
    }
    covers("v5:MQTT-3.1.2-10");
    covers("v311:MQTT-3.1.2-10");
}

fn an_orderly_end_throws_the_will_away() {
    for version in BOTH {
        let mut rig = watched(version);
        rig.join(with_will(expiring("c", version, 100), false));
        rig.leave("c", DisconnectReason::NormalDisconnection);
        rig.advance(1000);
        assert_eq!(rig.sent("w"), NOTHING);
    }
    for reason in [DisconnectReason::DisconnectWithWill, DisconnectReason::UnspecifiedError] {
        let mut rig = watched(Version::V5);
        rig.join(with_will(fleeting("c", Version::V5), false));
        rig.leave("c", reason);
        assert_eq!(rig.sent("w").len(), 1, "{reason:?} is no orderly end");
    }
    covers("v5:MQTT-3.1.2-10");
    covers("v5:MQTT-3.14.4-3");
    covers("v311:MQTT-3.14.4-3");
    covers("v311:MQTT-3.1.2-10");
}

fn without_a_will_none_is_published() {
    let mut rig = watched(Version::V3_1_1);
    rig.join(with_will(expiring("c", Version::V3_1_1, 100), false));
    rig.leave("c", DisconnectReason::NormalDisconnection);
    assert_eq!(rig.connect(expiring("c", Version::V3_1_1, 100)), ["CONNACK present"]);
    rig.cut("c");
    rig.advance(1000);
    assert_eq!(rig.sent("w"), NOTHING);
    assert_eq!(rig.broker.figures().wills_published, 0);
    covers("v311:MQTT-3.1.2-12");
}

fn a_will_is_published_with_retain_as_it_says() {
    for version in BOTH {
        for retain in [false, true] {
            let mut rig = watched(version);
            rig.join(with_will(fleeting("c", version), retain));
            rig.cut("c");
            let flag = if retain && version == Version::V5 {
                " retain"
            } else {
                ""
            };
            assert_eq!(rig.sent("w"), [format!("PUBLISH q1 #1{flag} w: gone")]);
            rig.join(fleeting("later", version));
            let sent = rig.subscribe_with("later", &[("w", options(1))], None);
            let kept: &[&str] = if retain { &["PUBLISH q1 #1 retain w: gone"] } else { &[] };
            assert_eq!(&sent[1..], kept);
        }
    }
    covers("v5:MQTT-3.1.2-14");
    covers("v5:MQTT-3.1.2-15");
    covers("v311:MQTT-3.1.2-16");
    covers("v311:MQTT-3.1.2-17");
}

fn a_client_that_is_back_within_the_delay_has_no_will_published() {
    let mut rig = watched(Version::V5);
    rig.join(delayed(10, 100));
    rig.cut("c");
    rig.advance(9);
    assert_eq!(rig.connect(expiring("c", Version::V5, 100)), ["CONNACK present"]);
    rig.advance(1000);
    rig.cut("c");
    rig.advance(1000);
    assert_eq!(rig.sent("w"), NOTHING);
    // One that comes a second later is too late.
    rig.join(delayed(10, 100));
    rig.cut("c");
    rig.advance(10);
    assert_eq!(rig.connect(expiring("c", Version::V5, 100)), ["CONNACK present"]);
    assert_eq!(rig.sent("w"), GONE);
    covers("v5:MQTT-3.1.3-9");
}

fn the_user_properties_of_a_will_keep_their_order() {
    let mut rig = watched(Version::V5);
    let pairs = [("b", "1"), ("a", "2"), ("b", "0"), ("", "")];
    let mut properties = WillProperties::builder().will_delay(0);
    for (name, value) in pairs {
        properties = properties.user_property(name, value);
    }
    let properties = properties.content_type("text").build().expect("properties");
    rig.join(Connect {
        will: last_words("w", "gone", 0, false, properties),
        ..fleeting("c", Version::V5)
    });
    rig.cut("c");
    let publish = one_publish(&mut rig, "w");
    let came = publish.properties.user_properties();
    let came: Vec<(Vec<u8>, Vec<u8>)> = came
        .map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()))
        .collect();
    assert_eq!(came, pairs.map(|(name, value)| (name.into(), value.into())));
    covers("v5:MQTT-3.1.3-10");
}

/// The broker does not look into payloads: what says of itself to be text goes on, and says so to its receiver.
fn the_payload_of_a_will_goes_on_with_its_format() {
    let mut rig = watched(Version::V5);
    let properties = WillProperties::builder().payload_format(PayloadFormat::Utf8);
    rig.join(Connect {
        will: last_words("w", "grüße", 0, false, properties.build().expect("a format")),
        ..fleeting("c", Version::V5)
    });
    rig.cut("c");
    let publish = one_publish(&mut rig, "w");
    assert_eq!(publish.properties.payload_format(), Some(PayloadFormat::Utf8));
    assert_eq!(publish.payload, "grüße");
    covers("u5:U5-3.1.3-b");
}
