//! Faults that other brokers had once they worked.

use mqtt_session::proto::{
    Connect, ConnectProperties, Delivery, Packet, Publish, PublishProperties, RetainHandling, Version,
};
use mqtt_tests::ledger::covers;

use crate::rig::{Rig, config, fleeting, lasting, topic};
use crate::scene::{as_published, deliver, handling, join_stored, options, pair, subscribe_stored};

crate::trials_of_module![
    restored_subscriptions_get_messages_before_their_clients_are_back,
    a_takeover_in_a_backlog_loses_nothing,
    an_alias_is_between_two_ends_of_a_connection,
    a_retained_message_is_sent_as_its_subscription_says,
];

fn restored_subscriptions_get_messages_before_their_clients_are_back() {
    for version in [Version::V5, Version::V3_1_1] {
        let stored = || config().is_stored(true);
        let mut rig = Rig::new(stored());
        join_stored(&mut rig, lasting("s", version));
        subscribe_stored(&mut rig, "s", "t/+", 1);
        rig.restart(stored());
        rig.join(fleeting("p", version));
        rig.publish("p", "t/a", 1, "early");
        rig.commit();
        assert_eq!(rig.sent("p"), ["PUBACK #5"]);
        assert_eq!(
            join_stored(&mut rig, lasting("s", version)),
            ["CONNACK present", "PUBLISH q1 #1 t/a: early"]
        );
    }
    covers("RG-13");
}

/// A client that takes two messages at once.
fn narrow() -> Connect<bytes::Bytes> {
    let properties = ConnectProperties::builder().session_expiry(3600).receive_maximum(2);
    Connect {
        properties: properties.build().expect("properties"),
        ..lasting("s", Version::V5)
    }
}

fn a_takeover_in_a_backlog_loses_nothing() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    rig.join(narrow());
    rig.subscribe("s", "t", 1);
    for number in 0..40 {
        deliver(&mut rig, "p", "t", 1, &format!("{number:02}"));
    }
    let mut came: Vec<String> = Vec::new();
    let mut sent = rig.sent("s");
    for round in 0..200 {
        // One is acknowledged; the other one comes again after each takeover.
        if let Some(line) = sent.iter().find(|line| line.starts_with("PUBLISH")) {
            let identifier = line.split(['#', ' ']).nth(3).and_then(|digits| digits.parse().ok());
            let payload = line.rsplit(' ').next().unwrap_or_default().to_owned();
            assert!(!came.contains(&payload), "it was acknowledged: {line}");
            came.push(payload);
            rig.puback("s", identifier.expect("an identifier"));
        }
        rig.rename("s", &format!("old {round}"));
        sent = rig.connect(narrow());
        assert_eq!(sent[0], "CONNACK present");
    }
    assert_eq!(came, (0..40).map(|number| format!("{number:02}")).collect::<Vec<_>>());
    covers("RG-14");
}

fn an_alias_is_between_two_ends_of_a_connection() {
    let mut rig = pair(Version::V5);
    rig.join(fleeting("old", Version::V3_1_1));
    rig.subscribe("s", "t/#", 0);
    rig.subscribe("old", "t/#", 0);
    let aliased = |name: Option<&str>, payload: &'static str| {
        Packet::Publish(Publish {
            delivery: Delivery::AtMostOnce,
            retain: true,
            topic: name.map(topic),
            properties: PublishProperties::builder().topic_alias(3).build().expect("an alias"),
            payload: payload.into(),
        })
    };
    rig.feed("p", &aliased(Some("t/a"), "first"));
    rig.feed("p", &aliased(None, "second"));
    for name in ["s", "old"] {
        assert_eq!(
            rig.sent(name),
            ["PUBLISH q0 t/a: first", "PUBLISH q0 t/a: second"],
            "{name}"
        );
    }
    let sent = rig.subscribe_with("s", &[("#", options(0))], None);
    assert_eq!(sent[1..], ["PUBLISH q0 retain t/a: second"], "nor is it kept");
    // It is worth nothing on another connection.
    rig.join(fleeting("q", Version::V5));
    rig.feed("q", &aliased(None, "third"));
    assert_eq!(rig.sent("q"), ["DISCONNECT 0x82"]);
    covers("RG-15");
}

fn a_retained_message_is_sent_as_its_subscription_says() {
    for published in 0..3 {
        for granted in 0..3 {
            let mut rig = pair(Version::V5);
            rig.retain("p", "t", published, "m");
            rig.sent("p");
            let lower = published.min(granted);
            let identifier = if lower > 0 { " #1" } else { "" };
            // RETAIN is set whether or not Retain As Published is.
            for wanted in [options(granted), as_published(granted)] {
                let sent = rig.subscribe_with("s", &[("t", wanted)], Some(6));
                assert_eq!(sent[1..].len(), 1, "{sent:?}");
                let line = sent[1].replace(" #2", " #1");
                assert_eq!(line, format!("PUBLISH q{lower}{identifier} retain t for 6: m"));
            }
            let sent = rig.subscribe_with("s", &[("t", handling(granted, RetainHandling::SendIfNew))], Some(7));
            assert_eq!(sent.len(), 1, "it is not new");
            let sent = rig.subscribe_with("s", &[("+", handling(granted, RetainHandling::DoNotSend))], Some(8));
            assert_eq!(sent.len(), 1, "it wants none");
        }
    }
    covers("RG-17");
}
