//! Whose a session is: what the host has said of its client, for as long as the session lives.

use mqtt_session::proto::{ConnAckProperties, SubscriptionOptions, Version};
use mqtt_session::{AcceptErrorKind, Ask, BrokerConfig, BrokerEvent, Verdict};

use super::rig::{NOTHING, Rig, config, fleeting, lasting, line, qos, will};

fn asking() -> BrokerConfig {
    config().ask(Ask::EVERYTHING).is_stored(true)
}

/// A client connects, and the host says whose it is.
fn join_as(rig: &mut Rig, name: &str, owner: Option<&str>) -> Result<(), AcceptErrorKind> {
    admit(rig, lasting(name, Version::V5), name, owner)
}

fn admit(
    rig: &mut Rig,
    connect: mqtt_session::proto::Connect<bytes::Bytes>,
    name: &str,
    owner: Option<&str>,
) -> Result<(), AcceptErrorKind> {
    rig.connect(connect);
    rig.events();
    let owner = owner.map(str::as_bytes);
    let answer = rig
        .broker
        .admit_as(rig.now, rig.id(name), owner, ConnAckProperties::empty());
    rig.commit();
    rig.sent(name);
    answer
}

/// What the host is asked, and says yes to.
fn allowed(rig: &mut Rig) -> Vec<String> {
    rig.run();
    let mut asked = Vec::new();
    for event in rig.events() {
        if let BrokerEvent::MayPublish { question, .. } | BrokerEvent::MaySubscribe { question, .. } = &event {
            asked.push(line(&event));
            assert!(rig.broker.authorize(rig.now, *question, Verdict::ALLOW));
        }
    }
    rig.commit();
    asked
}

#[test]
fn a_session_is_not_given_to_another_owner_and_nothing_happens_to_it() {
    for (first, other) in [(Some("alice"), Some("bob")), (Some("alice"), None), (Some(""), None)] {
        let mut rig = Rig::new(asking());
        join_as(&mut rig, "c", first).unwrap();
        rig.rename("c", "first");
        for connect in [lasting("c", Version::V5), fleeting("c", Version::V5)] {
            assert_eq!(
                admit(&mut rig, connect, "c", other),
                Err(AcceptErrorKind::SessionOfAnother)
            );
            // The client waits for its answer, and the one that is there stays.
            let id = rig.id("c");
            let connected = rig.broker.connection_of(b"c");
            assert!(connected.is_some() && connected != Some(id));
            rig.cut("c");
        }
        assert_eq!(rig.sent("first"), NOTHING);
        join_as(&mut rig, "c", first).unwrap();
        assert_eq!(rig.broker.connection_of(b"c"), Some(rig.id("c")));
    }
}

#[test]
fn what_is_nobodys_ends_when_somebody_comes_who_begins_anew() {
    let mut rig = Rig::new(asking());
    join_as(&mut rig, "c", None).unwrap();
    rig.subscribe_with("c", &[("secret", SubscriptionOptions::new(qos(1)))], None);
    assert_eq!(allowed(&mut rig), ["may c subscribe q1 to secret?"]);
    rig.cut("c");
    // Nobody comes back to it.
    join_as(&mut rig, "c", None).unwrap();
    assert_eq!(rig.broker.figures().subscriptions, 1);
    rig.cut("c");
    join_as(&mut rig, "c", Some("alice")).unwrap();
    assert_eq!(rig.broker.figures().subscriptions, 0);
    rig.cut("c");
    for owner in [None, Some("bob")] {
        assert_eq!(join_as(&mut rig, "c", owner), Err(AcceptErrorKind::SessionOfAnother));
        rig.cut("c");
    }
}

#[test]
fn a_session_that_is_over_is_nobodys() {
    let mut rig = Rig::new(asking());
    admit(&mut rig, fleeting("c", Version::V5), "c", Some("alice")).unwrap();
    rig.cut("c");
    join_as(&mut rig, "c", Some("bob")).unwrap();
}

#[test]
fn an_owner_outlives_the_process() {
    let mut rig = Rig::new(asking());
    join_as(&mut rig, "c", Some("alice")).unwrap();
    rig.subscribe_with("c", &[("t", SubscriptionOptions::new(qos(1)))], None);
    assert_eq!(allowed(&mut rig), ["may c of alice subscribe q1 to t?"]);
    rig.retain("c", "kept", 1, "m");
    assert_eq!(allowed(&mut rig), ["may c of alice publish q1 to kept?"]);
    let report = rig.restart(asking());
    assert_eq!((report.sessions, report.retained), (1, 1));
    assert_eq!(
        join_as(&mut rig, "c", Some("bob")),
        Err(AcceptErrorKind::SessionOfAnother)
    );
    rig.broker.policy_changed(rig.now);
    assert_eq!(
        allowed(&mut rig),
        [
            "may c of alice subscribe q1 to t?",
            "may c of alice publish q1 to kept, left behind?"
        ]
    );
    join_as(&mut rig, "c", Some("alice")).unwrap();
}

#[test]
fn a_will_is_its_owners() {
    let mut rig = Rig::new(asking());
    let mut connect = lasting("c", Version::V5);
    connect.will = will("gone", 0);
    admit(&mut rig, connect, "c", Some("alice")).unwrap();
    rig.cut("c");
    let asked = allowed(&mut rig);
    assert!(
        matches!(&asked[..], [one] if one.starts_with("may c of alice publish")),
        "{asked:?}"
    );
}

#[test]
fn what_a_former_owner_had_retained_is_not_decided_by_what_the_next_may() {
    let mut rig = Rig::new(asking());
    admit(&mut rig, fleeting("c", Version::V5), "c", Some("alice")).unwrap();
    rig.retain("c", "t", 0, "m");
    assert_eq!(allowed(&mut rig), ["may c of alice publish q0 to t?"]);
    rig.cut("c");
    admit(&mut rig, fleeting("c", Version::V5), "c", Some("bob")).unwrap();
    rig.broker.policy_changed(rig.now);
    assert_eq!(allowed(&mut rig), ["may c of alice publish q0 to t, left behind?"]);
}

#[test]
fn a_name_that_no_record_could_hold_is_refused() {
    let mut rig = Rig::new(asking());
    let long = "x".repeat(65_536);
    assert_eq!(join_as(&mut rig, "c", Some(&long)), Err(AcceptErrorKind::OwnerTooLong));
    let longest = "x".repeat(65_535);
    assert_eq!(
        rig.broker.admit_as(
            rig.now,
            rig.id("c"),
            Some(longest.as_bytes()),
            ConnAckProperties::empty()
        ),
        Ok(())
    );
}
