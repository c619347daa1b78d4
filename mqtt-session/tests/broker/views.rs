//! What can be seen of a broker, and what the host takes away.

use core::time::Duration;
use std::collections::BTreeSet;

use bytes::Bytes;
use mqtt_session::proto::{
    Connect, Disconnect, DisconnectReason, RetainHandling, SubscriptionId, SubscriptionOptions, TopicFilter, Version,
};
use mqtt_session::{Broker, BrokerConfig, BrokerKey, Cursor, Message, RetainedCursor, SessionView};

use super::rig::{LASTING_SECONDS, NOTHING, Rig, config, expiring, fleeting, lasting, qos, topic, will};

fn filter(text: &str) -> TopicFilter<Bytes> {
    TopicFilter::from_bytes(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn name(client_id: &[u8]) -> String {
    String::from_utf8(client_id.to_vec()).unwrap()
}

/// One page: the names of the clients in it.
fn page(broker: &Broker, cursor: &mut Cursor, looks: u32) -> Vec<String> {
    let page = broker.sessions(cursor, looks);
    page.map(|session| name(session.client_id())).collect()
}

fn view<'b>(rig: &'b Rig, name: &str) -> SessionView<'b> {
    rig.broker.session(name.as_bytes()).expect("there is a session")
}

fn retained(broker: &Broker, of: &str, looks: usize) -> Vec<String> {
    let (mut cursor, mut found) = (RetainedCursor::default(), Vec::new());
    while !cursor.is_at_end() {
        let page = broker.retained(&filter(of), &mut cursor, looks);
        assert!(page.len() <= looks.max(1), "a page finds no more than it looks at");
        found.extend(page.iter().map(|kept| kept.message.topic.to_string()));
    }
    found
}

#[test]
fn pages_of_every_size_show_what_stays_exactly_once_whatever_comes_and_goes() {
    for looks in [0, 1, 2, 3, 7, 1000] {
        let mut rig = Rig::new(config());
        for number in 0..10 {
            rig.join(lasting(&format!("stays-{number}"), Version::V5));
            rig.join(fleeting(&format!("goes-{number}"), Version::V5));
        }
        let (mut cursor, mut seen, mut pages) = (Cursor::START, Vec::new(), 0);
        while !cursor.is_at_end() {
            seen.extend(page(&rig.broker, &mut cursor, looks));
            // Those that come take the places of those that went.
            if pages < 10 {
                rig.cut(&format!("goes-{pages}"));
                rig.join(lasting(&format!("comes-{pages}"), Version::V5));
            }
            pages += 1;
            assert!(pages < 100, "the end comes");
        }
        let staying: Vec<_> = seen.iter().filter(|name| name.starts_with("stays")).collect();
        let different: BTreeSet<_> = staying.iter().collect();
        assert_eq!(
            (staying.len(), different.len()),
            (10, 10),
            "{looks} at a time: {seen:?}"
        );
        assert_eq!(
            page(&rig.broker, &mut cursor, looks),
            NOTHING,
            "behind the end nothing follows"
        );
    }
}

#[test]
fn a_session_shows_whether_its_client_is_there_and_what_it_holds() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V3_1_1));
    rig.join(Connect {
        keep_alive: 30,
        ..lasting("s", Version::V5)
    });
    rig.subscribe("s", "t", 2);
    let came = rig.now;
    rig.publish("p", "t", 1, "one");
    assert_eq!(rig.sent("s").len(), 1);
    let session = view(&rig, "s");
    assert_eq!(session.connection(), Some(rig.id("s")));
    assert_eq!(session.version(), Some(Version::V5));
    assert_eq!(session.keep_alive_seconds(), Some(30));
    assert_eq!((session.since(), session.ends_at()), (Some(came), None));
    assert_eq!(session.expiry_seconds(), LASTING_SECONDS);
    assert_eq!((session.messages(), session.in_flight()), (1, 1));
    assert_eq!(view(&rig, "p").expiry_seconds(), 0);

    rig.advance(5);
    let went = rig.now;
    rig.cut("s");
    rig.advance(5);
    rig.publish("p", "t", 1, "two");
    rig.publish("p", "t", 2, "three");
    let session = view(&rig, "s");
    assert_eq!((session.connection(), session.version()), (None, None));
    assert_eq!(session.since(), Some(went));
    assert_eq!(
        session.ends_at(),
        Some(went + Duration::from_secs(u64::from(LASTING_SECONDS)))
    );
    assert_eq!((session.messages(), session.in_flight()), (3, 1), "two were never sent");
    assert!(session.message_bytes() > 11, "topics and payloads count");
    let payload = |view: &mqtt_session::MessageView<'_>| {
        let message = view.message.expect("its client has not got it");
        (name(&message.payload), message.qos.bits(), view.is_in_flight)
    };
    let waiting: Vec<_> = session.outgoing().map(|view| payload(&view)).collect();
    let expected = [("one", 1, true), ("two", 1, false), ("three", 2, false)];
    assert_eq!(
        waiting,
        expected.map(|(payload, bits, sent)| (payload.to_owned(), bits, sent))
    );
    assert_eq!(view(&rig, "p").incoming(), 1, "what is not released is known");
    rig.pubrel("p", 5);
    assert_eq!(rig.sent("p"), ["PUBACK #5", "PUBACK #5", "PUBREC #5", "PUBCOMP #5"]);
    assert_eq!(view(&rig, "p").incoming(), 0);
    assert!(rig.broker.session(b"nobody").is_none());
}

#[test]
fn of_a_message_that_the_client_has_only_its_release_is_shown() {
    let mut rig = Rig::new(config());
    rig.join(lasting("s", Version::V5));
    rig.subscribe("s", "t", 2);
    let mut message = Message::new("t", "once").unwrap().qos(qos(2));
    message.expiry_seconds = Some(60);
    rig.broker.publish(rig.now, message);
    let expires_at = view(&rig, "s").outgoing().next().and_then(|first| first.expires_at);
    assert_eq!(expires_at, Some(rig.now + Duration::from_secs(60)));
    assert_eq!(rig.sent("s").len(), 1);
    rig.pubrec("s", 1);
    let session = view(&rig, "s");
    let all: Vec<_> = session.outgoing().collect();
    assert_eq!((all.len(), session.messages(), session.in_flight()), (1, 1, 1));
    assert!(all[0].message.is_none() && all[0].is_in_flight);
}

#[test]
fn copies_of_qos_0_that_wait_are_shown_too() {
    let mut rig = Rig::new(config());
    rig.join(fleeting("p", Version::V5));
    rig.join(fleeting("s", Version::V5));
    rig.subscribe("s", "t", 0);
    rig.publish("p", "t", 0, "payload");
    let session = view(&rig, "s");
    assert_eq!((session.messages(), session.in_flight()), (1, 0));
    assert!(session.message_bytes() >= 7);
    assert_eq!(rig.sent("s").len(), 1);
    assert_eq!((view(&rig, "s").messages(), view(&rig, "s").message_bytes()), (0, 0));
}

#[test]
fn subscriptions_are_shown_with_what_was_granted() {
    let mut rig = Rig::new(config());
    rig.join(lasting("a", Version::V5));
    rig.join(lasting("b", Version::V5));
    let options = SubscriptionOptions {
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::SendIfNew,
        ..SubscriptionOptions::new(qos(2))
    };
    rig.subscribe_with("a", &[("x/+", options)], Some(7));
    rig.subscribe("b", "$share/g/x/#", 1);
    rig.subscribe("b", "y", 0);
    let local = mqtt_session::proto::Subscription {
        filter: filter("#"),
        options: SubscriptionOptions::new(qos(0)),
    };
    rig.broker.subscribe_local(rig.now, &local).expect("there is room");
    for looks in [1, 2, 100] {
        let (mut cursor, mut seen) = (Cursor::START, Vec::new());
        while !cursor.is_at_end() {
            let page = rig.broker.subscriptions(&mut cursor, looks);
            seen.extend(page.map(|one| {
                (
                    name(one.who.client_id()),
                    one.filter.to_string(),
                    one.options.qos.bits(),
                )
            }));
        }
        let expected = [("a", "x/+", 2), ("b", "$share/g/x/#", 1), ("b", "y", 0)];
        let expected = expected.map(|(client, filter, bits)| (client.to_owned(), filter.to_owned(), bits));
        assert_eq!(seen, expected, "what the host subscribed to itself is no client's");
    }
    let session = view(&rig, "a");
    let all: Vec<_> = session.subscriptions().collect();
    assert_eq!((all.len(), session.subscriptions_len()), (1, 1));
    assert_eq!(all[0].options, options);
    assert_eq!(all[0].identifier.map(SubscriptionId::get), Some(7));
}

#[test]
fn retained_messages_are_found_by_their_filter_in_pages_of_every_size() {
    let mut rig = Rig::new(config());
    let topics = ["a", "a/1", "a/1/x", "a/2/x", "b/1/x", "$SYS/x"];
    for to in topics {
        let message = Message::new(to, "payload").unwrap().retain(true);
        rig.broker.publish(rig.now, message);
    }
    let mut message = Message::new("b", "for a while").unwrap().retain(true);
    message.expiry_seconds = Some(10);
    rig.broker.publish(rig.now, message);
    for looks in [0, 1, 2, 3, 100] {
        assert_eq!(retained(&rig.broker, "a/+/x", looks), ["a/1/x", "a/2/x"]);
        assert_eq!(retained(&rig.broker, "a/#", looks), ["a", "a/1", "a/1/x", "a/2/x"]);
        assert_eq!(retained(&rig.broker, "#", looks).len(), 6, "not what begins with $");
        assert_eq!(retained(&rig.broker, "$SYS/#", looks), ["$SYS/x"]);
        assert_eq!(retained(&rig.broker, "c", looks), NOTHING);
    }
    let page = rig.broker.retained(&filter("b"), &mut RetainedCursor::default(), 9);
    assert_eq!(page[0].expires_at, Some(rig.now + Duration::from_secs(10)));
    assert_eq!((page[0].publisher, page[0].message.payload.len()), (None, 11));
    rig.join(fleeting("p", Version::V5));
    rig.retain("p", "b", 0, "another");
    let page = rig.broker.retained(&filter("b"), &mut RetainedCursor::default(), 9);
    assert_eq!(
        (page[0].publisher.map(|who| name(who.client_id())), page[0].expires_at),
        (Some("p".into()), None)
    );
}

fn stored() -> BrokerConfig {
    config().is_stored(true)
}

fn administrative() -> Disconnect<Bytes> {
    Disconnect::new(DisconnectReason::AdministrativeAction)
}

#[test]
fn a_retained_message_that_is_removed_is_gone_from_the_store_too() {
    let mut rig = Rig::new(stored());
    rig.broker
        .publish(rig.now, Message::new("t", "payload").unwrap().retain(true));
    rig.connect(fleeting("s", Version::V5));
    rig.subscribe_with("s", &[("t", SubscriptionOptions::new(qos(0)))], None);
    rig.commit();
    rig.sent("s");
    assert!(rig.disk.contains_key(&BrokerKey::Retained(topic("t"))));
    assert!(rig.broker.remove_retained(rig.now, &topic("t")));
    assert!(!rig.broker.remove_retained(rig.now, &topic("t")), "it is gone");
    assert_eq!(rig.sent("s"), NOTHING, "nobody gets an empty message");
    rig.commit();
    assert!(
        !rig.disk
            .keys()
            .any(|key| matches!(key, BrokerKey::Retained(_) | BrokerKey::Payload(_)))
    );
    rig.restart(stored());
    assert_eq!(rig.broker.figures().retained_messages, 0);
}

#[test]
fn a_session_that_is_removed_is_gone_from_the_store_too() {
    let mut rig = Rig::new(stored());
    rig.connect(lasting("s", Version::V5));
    rig.subscribe_with("s", &[("t", SubscriptionOptions::new(qos(1)))], None);
    rig.commit();
    rig.cut("s");
    rig.broker
        .publish(rig.now, Message::new("t", "waits").unwrap().qos(qos(1)));
    rig.commit();
    assert!(rig.disk.keys().any(|key| key.session().is_some()));
    assert_eq!(view(&rig, "s").messages(), 1);
    assert!(view(&rig, "s").is_stored());
    assert!(rig.broker.remove_session(rig.now, b"s", administrative()));
    assert!(rig.broker.session(b"s").is_none());
    assert!(
        !rig.broker.remove_session(rig.now, b"s", administrative()),
        "it is gone"
    );
    rig.run();
    rig.commit();
    let left: Vec<_> = rig.disk.keys().filter(|key| **key != BrokerKey::Broker).collect();
    assert!(left.is_empty(), "{left:?}");
    let report = rig.restart(stored());
    assert_eq!(rig.broker.figures().sessions, 0, "{report:?}");
}

#[test]
fn a_client_whose_session_is_removed_is_told_why_and_its_will_is_published() {
    for version in [Version::V5, Version::V3_1_1] {
        for lasts in [true, false] {
            let mut rig = Rig::new(config());
            rig.join(fleeting("watch", Version::V5));
            rig.subscribe("watch", "w", 1);
            let connect = if lasts {
                lasting("s", version)
            } else {
                fleeting("s", version)
            };
            let delay = if version == Version::V5 { 100 } else { 0 };
            rig.join(Connect {
                will: will("left", delay),
                ..connect
            });
            assert!(rig.broker.remove_session(rig.now, b"s", administrative()));
            let told: &[&str] = match version {
                Version::V5 => &["DISCONNECT 0x98"],
                _ => &[],
            };
            assert_eq!(rig.sent("s"), told);
            assert_eq!(
                rig.sent("watch"),
                ["PUBLISH q1 #1 w: left"],
                "it does not outlive the session"
            );
            assert!(rig.broker.session(b"s").is_none());
            assert_eq!(rig.connect(lasting("s", version)), ["CONNACK"], "nothing is left of it");
        }
    }
}

#[test]
fn what_went_in_an_earlier_life_has_no_time_of_its_own() {
    let mut rig = Rig::new(stored());
    rig.connect(expiring("s", Version::V5, 50));
    rig.commit();
    rig.cut("s");
    rig.commit();
    let ends_at = view(&rig, "s").ends_at();
    rig.restart(stored());
    let session = view(&rig, "s");
    assert_eq!((session.since(), session.expiry_seconds()), (None, 50));
    assert!(session.ends_at() >= ends_at && ends_at.is_some());
}
