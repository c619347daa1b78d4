//! SUBSCRIBE, UNSUBSCRIBE and PINGREQ.

use mqtt_session::proto::{
    AckProperties, EncodeError, Properties, SubAckReason, SubscribeProperties, SubscriptionId, UnsubAckReason, Version,
};
use mqtt_session::{AnswerError, Closed, Limits, RequestId, ServerConfig, ServerEvent};

use crate::rig::{NOTHING, Rig, VERSIONS, asks, connect, limited};

const GRANTED: [SubAckReason; 2] = [SubAckReason::GrantedQoS1, SubAckReason::NotAuthorized];
const GONE: [UnsubAckReason; 2] = [UnsubAckReason::Success, UnsubAckReason::NoSubscriptionExisted];

fn accepted() -> Rig {
    Rig::accepted(ServerConfig::default(), Version::V5)
}

fn subscribed(rig: &mut Rig, request: RequestId, codes: &[SubAckReason]) -> Result<(), AnswerError> {
    rig.server
        .subscribed(rig.now, request, codes.iter().copied(), Properties::empty())
}

fn unsubscribed(rig: &mut Rig, request: RequestId, codes: &[UnsubAckReason]) -> Result<(), AnswerError> {
    rig.server
        .unsubscribed(rig.now, request, codes.iter().copied(), Properties::empty())
}

fn words(length: usize) -> AckProperties<bytes::Bytes> {
    AckProperties::builder()
        .reason_string("x".repeat(length))
        .user_property("a", "b")
        .build()
        .unwrap()
}

#[test]
fn a_ping_is_answered() {
    for version in VERSIONS {
        let mut rig = Rig::accepted(ServerConfig::default(), version);
        rig.ping();
        rig.ping();
        assert_eq!(rig.sent(), ["PINGRESP", "PINGRESP"]);
        assert_eq!(rig.told(), NOTHING);
    }
}

#[test]
fn each_version_is_told_the_codes_that_it_knows() {
    for version in VERSIONS {
        let mut rig = Rig::accepted(ServerConfig::default(), version);
        rig.subscribe(3, &["a", "b/#"]);
        rig.unsubscribe(4, &["a", "c"]);
        let events = rig.events();
        let [
            ServerEvent::Subscribe { request: first, .. },
            ServerEvent::Unsubscribe { request: second, .. },
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!(rig.sent(), NOTHING);
        subscribed(&mut rig, *first, &GRANTED).unwrap();
        unsubscribed(&mut rig, *second, &GONE).unwrap();
        let expected = match version {
            Version::V5 => ["SUBACK #3 0x01 0x87", "UNSUBACK #4 0x00 0x11"],
            Version::V3_1_1 => ["SUBACK #3 0x01 0x80", "UNSUBACK #4"],
            // MQTT 3.1 cannot say that a filter was refused.
            Version::V3_1 => ["SUBACK #3 0x01 0x00", "UNSUBACK #4"],
        };
        let sent = rig.sent();
        if version == Version::V3_1 {
            assert!(sent[0].starts_with("SUBACK #3 0x01 0x"), "{sent:?}");
            assert_eq!(sent[1], expected[1]);
        } else {
            assert_eq!(sent, expected, "{version:?}");
        }
    }
}

#[test]
fn the_host_is_told_filters_and_properties() {
    let mut rig = accepted();
    let properties = SubscribeProperties::builder()
        .subscription_id(SubscriptionId::new(9).unwrap())
        .user_property("a", "b")
        .build()
        .unwrap();
    rig.subscribe_with(3, &["a", "b/#"], properties.clone());
    let events = rig.events();
    let [
        ServerEvent::Subscribe {
            filters,
            properties: told,
            ..
        },
    ] = &events[..]
    else {
        panic!()
    };
    assert_eq!(*told, properties);
    let names: Vec<_> = filters.iter().map(|one| one.filter.as_bytes().to_vec()).collect();
    assert_eq!(names, [b"a".to_vec(), b"b/#".to_vec()]);
}

#[test]
fn requests_are_answered_in_any_order() {
    let mut rig = accepted();
    for number in 1..=3 {
        rig.subscribe(number, &["a", "b"]);
    }
    let requests = rig.requests();
    for index in [2, 0, 1] {
        subscribed(&mut rig, requests[index], &GRANTED).unwrap();
    }
    let order: Vec<_> = rig.sent().iter().map(|line| line[..9].to_owned()).collect();
    assert_eq!(order, ["SUBACK #3", "SUBACK #1", "SUBACK #2"]);
}

#[test]
fn an_answer_has_a_code_for_each_filter_and_is_given_once() {
    let mut rig = accepted();
    rig.subscribe(3, &["a", "b"]);
    rig.unsubscribe(4, &["a", "b"]);
    let events = rig.events();
    let [
        ServerEvent::Subscribe { request: first, .. },
        ServerEvent::Unsubscribe { request: second, .. },
    ] = events[..]
    else {
        panic!()
    };
    let differs = Err(AnswerError::CodeCountDiffers { filters: 2 });
    assert_eq!(subscribed(&mut rig, first, &GRANTED[..1]), differs);
    assert_eq!(unsubscribed(&mut rig, second, &GONE[..1]), differs);
    let not_asked = Err(AnswerError::NotAsked);
    assert_eq!(
        subscribed(&mut rig, second, &GRANTED),
        not_asked,
        "it is an UNSUBSCRIBE"
    );
    assert_eq!(unsubscribed(&mut rig, first, &GONE), not_asked, "it is a SUBSCRIBE");
    assert_eq!(rig.sent(), NOTHING);
    subscribed(&mut rig, first, &GRANTED).unwrap();
    unsubscribed(&mut rig, second, &GONE).unwrap();
    assert_eq!(subscribed(&mut rig, first, &GRANTED), not_asked);
    assert_eq!(unsubscribed(&mut rig, second, &GONE), not_asked);
    assert_eq!(rig.sent().len(), 2);
}

#[test]
fn an_answer_after_the_end_is_refused() {
    let mut rig = accepted();
    rig.subscribe(3, &["a", "b"]);
    let request = rig.requests()[0];
    rig.server.handle_eof(rig.now);
    assert_eq!(subscribed(&mut rig, request, &GRANTED), Err(AnswerError::NotAsked));
}

#[test]
fn an_identifier_in_use_is_told_so() {
    let mut rig = accepted();
    rig.subscribe(3, &["a", "b"]);
    rig.told();
    rig.subscribe(3, &["c", "d"]);
    rig.unsubscribe(3, &["c"]);
    assert_eq!(rig.told(), NOTHING, "the host is not asked");
    assert_eq!(rig.sent(), ["SUBACK #3 0x91 0x91", "UNSUBACK #3 0x91"]);
    // A message of QoS 2 uses the same space.
    rig.deliver(2, 5, "x");
    rig.subscribe(5, &["c"]);
    assert_eq!(rig.told(), ["message q2 s: x"]);
    assert_eq!(rig.sent(), ["SUBACK #5 0x91", "PUBREC #5"]);
}

#[test]
fn an_answered_identifier_is_free() {
    let mut rig = accepted();
    for _ in 0..3 {
        rig.subscribe(3, &["a", "b"]);
        let request = rig.requests()[0];
        subscribed(&mut rig, request, &GRANTED).unwrap();
        assert_eq!(rig.sent(), ["SUBACK #3 0x01 0x87"]);
    }
}

#[test]
fn too_many_requests_are_not_read() {
    let mut rig = Rig::accepted(limited(Limits::default().requests(2)), Version::V5);
    rig.subscribe(1, &["a"]);
    rig.unsubscribe(2, &["a"]);
    assert_eq!(rig.server.input_room(), 0);
    assert_eq!(rig.feed_bytes(&[0xC0, 0]), 2);
    let requests = rig.requests();
    assert_eq!(rig.server.input_room(), 0, "they are not answered");
    subscribed(&mut rig, requests[0], &GRANTED[..1]).unwrap();
    assert!(rig.server.input_room() > 0);
    assert_eq!(rig.feed_bytes(&[0xC0, 0]), 0);
}

#[test]
fn words_that_do_not_fit_are_left_out_of_an_answer() {
    let mut small = connect(Version::V5);
    small.properties = asks(|client| client.maximum_packet_size(20));
    let mut rig = Rig::accepted_as(ServerConfig::default(), small);
    rig.subscribe(3, &["a"]);
    let request = rig.requests()[0];
    rig.server
        .subscribed(rig.now, request, [SubAckReason::GrantedQoS0], words(30))
        .unwrap();
    assert_eq!(rig.sent_bytes(), b"\x90\x0B\0\x03\x07\x26\0\x01a\0\x01b\0");
}

/// A client that takes packets of 20 bytes, and asks about more filters than an answer has codes for in them.
fn asked_for_too_much() -> (Rig, Vec<String>) {
    let mut small = connect(Version::V5);
    small.properties = asks(|client| client.maximum_packet_size(20));
    let rig = Rig::accepted_as(ServerConfig::default(), small);
    (rig, (0..20).map(|number| number.to_string()).collect())
}

#[test]
fn an_answer_that_the_client_does_not_take_ends_the_connection() {
    let (mut rig, filters) = asked_for_too_much();
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    rig.subscribe(3, &filters);
    let request = rig.requests()[0];
    subscribed(&mut rig, request, &[SubAckReason::GrantedQoS0; 20]).unwrap();
    assert_eq!(rig.sent(), ["DISCONNECT 0x95"]);
    assert!(matches!(
        rig.events()[..],
        [ServerEvent::Closed {
            reason: Closed::NotEncodable(EncodeError::PacketTooLarge { len: 25, limit: 20 }),
            ..
        }]
    ));

    let (mut rig, _) = asked_for_too_much();
    rig.unsubscribe(3, &filters);
    let request = rig.requests()[0];
    let codes = [UnsubAckReason::Success; 20];
    let answered = rig.server.unsubscribed(rig.now, request, codes, AckProperties::empty());
    assert_eq!((answered, rig.sent()), (Ok(()), vec!["DISCONNECT 0x95".to_owned()]));
}

#[test]
fn so_does_one_that_the_machine_gives_itself() {
    let (mut rig, filters) = asked_for_too_much();
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    rig.subscribe(3, &["a"]);
    // The identifier is in use.
    rig.subscribe(3, &filters);
    assert_eq!(rig.sent(), ["DISCONNECT 0x95"]);
    assert!(rig.server.is_drained());
}

#[test]
fn a_client_that_wants_no_words_gets_none() {
    let mut silent = connect(Version::V5);
    silent.properties = asks(|client| client.request_problem_information(false));
    let mut rig = Rig::accepted_as(ServerConfig::default(), silent);
    rig.subscribe(3, &["a"]);
    rig.unsubscribe(4, &["a"]);
    let events = rig.events();
    let [
        ServerEvent::Subscribe { request: first, .. },
        ServerEvent::Unsubscribe { request: second, .. },
    ] = events[..]
    else {
        panic!()
    };
    rig.server
        .subscribed(rig.now, first, [SubAckReason::GrantedQoS0], words(3))
        .unwrap();
    rig.server
        .unsubscribed(rig.now, second, [UnsubAckReason::Success], words(3))
        .unwrap();
    assert_eq!(rig.sent_bytes(), b"\x90\x04\0\x03\0\0\xB0\x04\0\x04\0\0");
}

#[test]
fn answers_that_nobody_takes_close() {
    let mut rig = Rig::accepted(limited(Limits::default().reply_bytes(20)), Version::V5);
    for number in 1..=3 {
        rig.subscribe(number, &["a"]);
    }
    let requests = rig.requests();
    // Six bytes each, and the last one is too much.
    for request in &requests {
        rig.server
            .subscribed(rig.now, *request, [SubAckReason::GrantedQoS0], Properties::empty())
            .unwrap();
    }
    assert!(rig.server.is_connected());
    rig.subscribe(4, &["a"]);
    let request = rig.requests()[0];
    subscribed(&mut rig, request, &GRANTED[..1]).unwrap();
    assert_eq!(rig.told(), ["closed Violation(RepliesNotRead)"]);
    assert_eq!(rig.sent().last().unwrap(), "DISCONNECT 0x97");
}
