//! SUBSCRIBE and UNSUBSCRIBE.

use core::time::Duration;

use bytes::Bytes;
use mqtt_session::proto::{
    AckProperties, Filters, Packet, SubAck, SubAckCodes, SubAckReason, SubscribeProperties, SubscriptionOptions,
    TopicFilters, TopicFiltersBuilder, UnsubAck, UnsubAckCodes, UnsubAckReason, Version,
};
use mqtt_session::{Capability, Limit, Limits, Op, QoS, RequestError, Timer};

use crate::rig::{Rig, VERSIONS, config, id, said};

fn filters(names: &[&str]) -> Filters<Bytes> {
    let options = SubscriptionOptions::new(QoS::AtLeastOnce);
    let builder = names
        .iter()
        .fold(Filters::builder(), |builder, name| builder.filter(name, options));
    builder.build().unwrap()
}

fn subscribe(rig: &mut Rig, names: &[&str], tag: u64) -> Result<Op, RequestError> {
    rig.client
        .subscribe(rig.now, filters(names), SubscribeProperties::empty(), tag)
}

fn unsubscribe(rig: &mut Rig, names: &[&str], tag: u64) -> Result<Op, RequestError> {
    let builder = names.iter().fold(TopicFilters::builder(), TopicFiltersBuilder::filter);
    rig.client.unsubscribe(rig.now, builder.build().unwrap(), tag)
}

fn suback(rig: &mut Rig, number: u16, codes: &[SubAckReason]) {
    rig.feed(&Packet::SubAck(SubAck {
        id: id(number),
        codes: SubAckCodes::new(codes.iter().copied()).unwrap(),
        properties: AckProperties::empty(),
    }));
}

fn unsuback(rig: &mut Rig, number: u16, codes: UnsubAckCodes<Bytes>) {
    rig.feed(&Packet::UnsubAck(UnsubAck {
        id: id(number),
        codes,
        properties: AckProperties::empty(),
    }));
}

#[test]
fn a_subscription_ends_with_a_code_for_each_filter() {
    let mut rig = Rig::connected(config());
    subscribe(&mut rig, &["a/+", "b"], 7).unwrap();
    assert_eq!(rig.sent(), ["SUBSCRIBE #1 a/+ b"]);
    assert_eq!(rig.told(), [""; 0]);
    suback(&mut rig, 1, &[SubAckReason::GrantedQoS1, SubAckReason::NotAuthorized]);
    assert_eq!(rig.told(), ["completed 7: subscribed 0x01 0x87"]);
}

#[test]
fn an_unsubscription_ends_with_its_answer() {
    let mut rig = Rig::connected(config());
    unsubscribe(&mut rig, &["a", "b"], 7).unwrap();
    assert_eq!(rig.sent(), ["UNSUBSCRIBE #1 a b"]);
    let codes = [UnsubAckReason::Success, UnsubAckReason::NoSubscriptionExisted];
    unsuback(&mut rig, 1, UnsubAckCodes::new(codes).unwrap());
    assert_eq!(rig.told(), ["completed 7: unsubscribed, 2 codes"]);
    let mut rig = Rig::connected(config().version(Version::V3_1_1));
    unsubscribe(&mut rig, &["a", "b"], 7).unwrap();
    rig.sent();
    unsuback(&mut rig, 1, UnsubAckCodes::none());
    assert_eq!(rig.told(), ["completed 7: unsubscribed, 0 codes"]);
}

#[test]
fn an_unanswered_request_goes_again_on_the_next_connection() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version));
        subscribe(&mut rig, &["a"], 7).unwrap();
        unsubscribe(&mut rig, &["b"], 8).unwrap();
        assert_eq!(rig.sent(), ["SUBSCRIBE #1 a", "UNSUBSCRIBE #2 b"]);
        rig.reconnect(true);
        assert_eq!(rig.sent(), ["SUBSCRIBE #1 a", "UNSUBSCRIBE #2 b"]);
        suback(&mut rig, 1, &[SubAckReason::GrantedQoS0]);
        assert_eq!(rig.told().last().unwrap(), "completed 7: subscribed 0x00");
    }
}

#[test]
fn a_request_goes_again_although_the_session_was_lost() {
    let mut rig = Rig::connected(config());
    subscribe(&mut rig, &["a"], 7).unwrap();
    rig.sent();
    rig.reconnect(false);
    assert_eq!(rig.sent(), ["SUBSCRIBE #1 a"]);
}

#[test]
fn requests_and_messages_share_the_identifiers() {
    let mut rig = Rig::connected(config());
    rig.publish(1, 1);
    subscribe(&mut rig, &["a"], 7).unwrap();
    rig.publish(1, 2);
    let numbers = |line: &String| {
        line.split('#')
            .nth(1)
            .map(|rest| rest.split(' ').next().unwrap().to_owned())
    };
    let mut ids: Vec<_> = rig.sent().iter().filter_map(numbers).collect();
    ids.sort();
    assert_eq!(ids, ["1", "2", "3"]);
}

#[test]
fn another_number_of_codes_closes() {
    let mut rig = Rig::connected(config());
    subscribe(&mut rig, &["a"], 7).unwrap();
    rig.sent();
    suback(&mut rig, 1, &[SubAckReason::GrantedQoS0; 2]);
    assert_eq!(rig.told(), ["closed Violation(CodeCountDiffers)"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x82"]);
    let mut rig = Rig::connected(config());
    unsubscribe(&mut rig, &["a", "b"], 7).unwrap();
    rig.sent();
    unsuback(&mut rig, 1, UnsubAckCodes::new([UnsubAckReason::Success]).unwrap());
    assert_eq!(rig.told(), ["closed Violation(CodeCountDiffers)"]);
}

#[test]
fn an_answer_to_nothing_closes() {
    let mut rig = Rig::connected(config());
    suback(&mut rig, 1, &[SubAckReason::GrantedQoS0]);
    assert_eq!(rig.told(), ["closed Violation(AnswerToNothing)"]);
    let mut rig = Rig::connected(config());
    subscribe(&mut rig, &["a"], 7).unwrap();
    rig.sent();
    unsuback(&mut rig, 1, UnsubAckCodes::new([UnsubAckReason::Success]).unwrap());
    assert_eq!(rig.told(), ["closed Violation(AnswerToNothing)"]);
}

#[test]
fn a_request_that_was_not_sent_can_be_cancelled() {
    let mut rig = Rig::connected(config());
    let op = subscribe(&mut rig, &["a"], 7).unwrap();
    assert!(rig.client.cancel(rig.now, op));
    assert_eq!(rig.told(), ["completed 7: Cancelled"]);
    let op = subscribe(&mut rig, &["b"], 8).unwrap();
    assert_eq!(rig.sent(), ["SUBSCRIBE #1 b"]);
    assert!(!rig.client.cancel(rig.now, op));
    assert_eq!(rig.told(), [""; 0]);
}

#[test]
fn an_operation_that_is_late_goes_on() {
    let mut rig = Rig::connected(config());
    let message = rig.publish(1, 1);
    let subscription = subscribe(&mut rig, &["a"], 2).unwrap();
    let end = unsubscribe(&mut rig, &["b"], 3).unwrap();
    let sent = rig.sent();
    assert_eq!(sent.len(), 3, "{sent:?}");
    for (op, seconds) in [(message, 3), (subscription, 2), (end, 1)] {
        let late = rig.now + Duration::from_secs(seconds);
        assert!(rig.client.set_deadline(rig.now, op, late));
    }
    for late in ["late 3", "late 2", "late 1"] {
        assert_eq!(rig.fire_next(), Timer::Late);
        assert_eq!(rig.told(), [late]);
    }
    // Their identifiers are still theirs.
    rig.puback(1);
    suback(&mut rig, 2, &[SubAckReason::GrantedQoS0]);
    unsuback(&mut rig, 3, UnsubAckCodes::new([UnsubAckReason::Success]).unwrap());
    let ends = ["acknowledged", "subscribed 0x00", "unsubscribed, 1 codes"];
    let told: Vec<_> = (1..)
        .zip(ends)
        .map(|(tag, end)| format!("completed {tag}: {end}"))
        .collect();
    assert_eq!(rig.told(), told);
    for op in [message, subscription, end] {
        assert!(!rig.client.set_deadline(rig.now, op, rig.now), "it has ended");
    }
}

#[test]
fn the_identifier_of_a_request_that_has_ended_is_used_again() {
    let mut rig = Rig::connected(config().limits(Limits::default().packet_ids(2)));
    for tag in 1..=10 {
        subscribe(&mut rig, &["a"], tag).unwrap();
        unsubscribe(&mut rig, &["a"], tag).unwrap();
        let sent = rig.sent();
        let [asked, ended] = &sent[..] else { panic!("{sent:?}") };
        let number = if asked == "SUBSCRIBE #1 a" { 1 } else { 2 };
        assert_eq!(*asked, format!("SUBSCRIBE #{number} a"));
        assert_eq!(*ended, format!("UNSUBSCRIBE #{} a", 3 - number));
        suback(&mut rig, number, &[SubAckReason::GrantedQoS0]);
        unsuback(
            &mut rig,
            3 - number,
            UnsubAckCodes::new([UnsubAckReason::Success]).unwrap(),
        );
    }
}

#[test]
fn requests_are_bounded() {
    let mut rig = Rig::connected(config().limits(Limits::default().requests(1)));
    subscribe(&mut rig, &["a"], 1).unwrap();
    let result = unsubscribe(&mut rig, &["a"], 2);
    assert_eq!(result, Err(RequestError::QueueFull(Limit::Requests)));
}

#[test]
fn what_the_server_does_not_support_is_not_asked() {
    let mut rig = Rig::new(config());
    subscribe(&mut rig, &["a/#"], 1).unwrap();
    rig.open();
    rig.accept_with(false, said(|server| server.wildcard_available(false)));
    assert_eq!(rig.sent(), [""; 0]);
    let told = ["connected", "completed 1: NotSupported(WildcardSubscriptions)"];
    assert_eq!(rig.told(), told);
    let result = subscribe(&mut rig, &["a/+"], 2);
    let expected = RequestError::NotSupported(Capability::WildcardSubscriptions);
    assert_eq!(result, Err(expected));
}

#[test]
fn disconnect_waits_for_the_answer_to_a_request() {
    let mut rig = Rig::connected(config());
    subscribe(&mut rig, &["a"], 7).unwrap();
    rig.client.disconnect(rig.now);
    assert_eq!(rig.sent(), ["SUBSCRIBE #1 a"]);
    assert_eq!(subscribe(&mut rig, &["b"], 8), Err(RequestError::Closed));
    suback(&mut rig, 1, &[SubAckReason::GrantedQoS0]);
    assert_eq!(rig.sent(), ["DISCONNECT"]);
}
