//! What CONNECT asks for and CONNACK answers.

use bytes::Bytes;
use mqtt_session::proto::{
    AckProperties, Auth, AuthProperties, AuthReason, Disconnect, DisconnectProperties, DisconnectReason, Packet,
    PubAck, PubAckReason, PubRec, PubRecReason, SubAckReason, Text, Version,
};
use mqtt_session::{Authentication, ClientConfig, Timer};

use crate::rig::{Rig, VERSIONS, config, id, said};

const NOTHING: [&str; 0] = [];

/// The CONNECT of a client that is to be so.
fn connect(config: ClientConfig) -> mqtt_session::proto::Connect<Bytes> {
    let mut rig = Rig::new(config);
    rig.client.handle_open(rig.now);
    match &rig.sent_packets()[..] {
        [Packet::Connect(connect)] => connect.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn information_is_asked_for_as_configured() {
    let plain = connect(config()).properties;
    assert_eq!(plain.request_response_information(), None);
    assert_eq!(plain.request_problem_information(), None);
    let asking = config()
        .request_response_information(true)
        .request_problem_information(false);
    let asked = connect(asking.clone()).properties;
    assert_eq!(asked.request_response_information(), Some(true));
    assert_eq!(asked.request_problem_information(), Some(false));
    assert!(connect(asking.version(Version::V3_1_1)).properties.is_empty());
}

#[test]
fn response_information_is_passed_on() {
    let mut rig = Rig::new(config().request_response_information(true));
    rig.open();
    rig.accept_with(false, said(|server| server.response_information("answers/c/")));
    let [mqtt_session::Event::Connected { properties, .. }] = &rig.events()[..] else {
        panic!()
    };
    assert_eq!(properties.response_information().unwrap(), "answers/c/");
}

fn words() -> AckProperties<Bytes> {
    AckProperties::builder().reason_string("since").build().unwrap()
}

#[test]
fn words_that_were_not_asked_for_close() {
    let name = || AckProperties::builder().user_property("a", "b").build().unwrap();
    for properties in [words(), name()] {
        for is_wanted in [true, false] {
            let mut rig = Rig::connected(config().request_problem_information(is_wanted));
            rig.publish(1, 1);
            rig.sent();
            let mut ack = PubAck::new(id(1), PubAckReason::NoMatchingSubscribers);
            ack.properties = properties.clone();
            rig.feed(&Packet::PubAck(ack));
            match is_wanted {
                true => assert_eq!(rig.told(), ["completed 1: acknowledged 0x10"]),
                false => {
                    assert_eq!(rig.told(), ["closed Violation(ProblemInformationNotAsked)"]);
                    assert_eq!(rig.sent(), ["DISCONNECT 0x82"]);
                }
            }
        }
    }
    let mut rig = Rig::connected(config().request_problem_information(false));
    let mut rec = PubRec::new(id(9), PubRecReason::Success);
    rec.properties = words();
    rig.feed(&Packet::PubRec(rec));
    assert_eq!(rig.told(), ["closed Violation(ProblemInformationNotAsked)"]);
    let mut rig = Rig::connected(config().request_problem_information(false));
    rig.feed(&Packet::SubAck(mqtt_session::proto::SubAck {
        id: id(1),
        codes: mqtt_session::proto::SubAckCodes::new([SubAckReason::GrantedQoS0]).unwrap(),
        properties: words(),
    }));
    assert_eq!(rig.told(), ["closed Violation(ProblemInformationNotAsked)"]);
}

#[test]
fn words_in_auth_that_were_not_asked_for_close() {
    let authentication = Authentication {
        method: Text::from_bytes(Bytes::from_static(b"SCRAM")).unwrap(),
        data: None,
    };
    let config = config()
        .authentication(Some(authentication))
        .request_problem_information(false);
    let mut rig = Rig::new(config);
    rig.open();
    let properties = AuthProperties::builder()
        .authentication_method("SCRAM")
        .reason_string("since")
        .build()
        .unwrap();
    let reason = AuthReason::ContinueAuthentication;
    rig.feed(&Packet::Auth(Auth { reason, properties }));
    assert_eq!(rig.told(), ["closed Violation(ProblemInformationNotAsked)"]);
}

#[test]
fn connack_and_disconnect_may_always_explain_themselves() {
    let mut rig = Rig::new(config().request_problem_information(false));
    rig.open();
    rig.accept_with(false, said(|server| server.reason_string("welcome")));
    assert_eq!(rig.told(), ["connected"]);
    let properties = DisconnectProperties::builder().reason_string("bye").build().unwrap();
    let reason = DisconnectReason::ServerShuttingDown;
    rig.feed(&Packet::Disconnect(Disconnect { reason, properties }));
    assert_eq!(rig.told(), ["closed disconnected 0x8b"]);
}

#[test]
fn a_client_without_a_name_keeps_the_one_that_it_gets() {
    let nameless = || ClientConfig::new("").unwrap();
    let mut rig = Rig::new(nameless());
    rig.open();
    rig.accept_with(false, said(|server| server.assigned_client_id("auto-1")));
    assert_eq!(rig.told(), ["connected"]);
    rig.cut();
    rig.fire_next();
    rig.client.handle_open(rig.now);
    let [Packet::Connect(connect)] = &rig.sent_packets()[..] else {
        panic!()
    };
    assert_eq!(connect.client_id, "auto-1");
    // It need not be told again.
    rig.accept(true);
    assert!(rig.client.is_connected());
    let mut rig = Rig::new(nameless());
    rig.open();
    rig.accept(false);
    assert_eq!(rig.told(), ["closed Violation(AssignedClientIdMissing)"]);
    let mut rig = Rig::new(nameless().version(Version::V3_1_1));
    rig.open();
    rig.accept(false);
    assert_eq!(rig.told(), ["connected"]);
}

#[test]
fn the_session_expiry_of_the_server_is_in_force() {
    // It keeps no session: the next connection begins anew.
    let mut rig = Rig::connected_with(config(), said(|server| server.session_expiry(0)));
    rig.cut();
    rig.fire_next();
    assert_eq!(rig.open(), "CONNECT clean");
    rig.accept(false);
    rig.cut();
    rig.fire_next();
    assert_eq!(rig.open(), "CONNECT", "the last one said nothing");
    // It keeps one that was not asked for.
    let mut rig = Rig::connected_with(
        config().session_expiry_seconds(0),
        said(|server| server.session_expiry(60)),
    );
    rig.cut();
    rig.fire_next();
    assert_eq!(rig.open(), "CONNECT");
}

fn farewell(seconds: u32) -> Disconnect<Bytes> {
    Disconnect {
        reason: DisconnectReason::NormalDisconnection,
        properties: DisconnectProperties::builder().session_expiry(seconds).build().unwrap(),
    }
}

#[test]
fn a_farewell_does_not_raise_the_session_expiry_from_zero() {
    for (in_force, sent) in [(0, None), (60, Some(5))] {
        let mut rig = Rig::connected_with(config(), said(|server| server.session_expiry(in_force)));
        rig.client.disconnect_with(rig.now, farewell(5));
        let [Packet::Disconnect(farewell)] = &rig.sent_packets()[..] else {
            panic!()
        };
        assert_eq!(farewell.properties.session_expiry(), sent);
    }
    let mut rig = Rig::connected(config());
    rig.client.disconnect_with(rig.now, farewell(0));
    rig.sent();
    rig.cut();
    rig.client.reconnect(rig.now);
    rig.fire_next();
    assert_eq!(rig.open(), "CONNECT clean", "the session ended with the connection");
}

#[test]
fn words_that_the_server_cannot_take_are_left_out_of_the_farewell() {
    let mut rig = Rig::connected_with(config(), said(|server| server.maximum_packet_size(10)));
    let properties = DisconnectProperties::builder()
        .reason_string("x".repeat(9))
        .build()
        .unwrap();
    let reason = DisconnectReason::UnspecifiedError;
    rig.client.disconnect_with(rig.now, Disconnect { reason, properties });
    assert_eq!(rig.sent_bytes(), b"\xE0\x01\x80");
}

#[test]
fn the_answer_to_a_ping_is_not_awaited_while_nothing_is_read() {
    for version in VERSIONS {
        let limits = mqtt_session::Limits::default().events(1);
        let mut rig = Rig::connected(config().version(version).limits(limits));
        rig.advance(60);
        assert_eq!(rig.sent(), ["PINGREQ"]);
        rig.deliver(1, 1, "a");
        rig.deliver(1, 2, "b");
        assert_eq!(rig.client.input_room(), 0);
        rig.now = rig.now + core::time::Duration::from_secs(5000);
        assert_eq!(rig.told().len(), 2);
        rig.client.handle_timeout(rig.now);
        assert_eq!(rig.told(), NOTHING, "the answer may lie in the stream");
        assert!(rig.client.is_connected());
        rig.sent();
        assert_eq!(rig.client.poll_timeout().unwrap().timer, Timer::PingResponse);
        rig.advance(10);
        assert_eq!(rig.told(), ["closed TimedOut(PingResponse)"]);
    }
}
