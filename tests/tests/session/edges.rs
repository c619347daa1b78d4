//! Where two rules meet: what waited and is not allowed any more, answers in a row, names that only one end has.

use mqtt_session::proto::Text;
use mqtt_session::proto::{ConnAckProperties, Disconnect, DisconnectProperties, DisconnectReason, Role, Version};
use mqtt_session::{Accept, Authentication, CleanStart, ClientConfig, Limits, Outcome, ServerConfig};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers};
use mqtt_tests::outline::Outline;

use crate::refusal::statement;
use crate::rig::{Rig, config, message};
use crate::server_rig::ServerRig;
use crate::watch::Law;
use crate::wire::{auth, coded, disconnect, pubrec, pubrel};
use crate::workload::Findings;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| Trial::new(Layer::Session, format!("edges::{name}"), run);
    vec![
        trial("a queued message above Maximum QoS ends and is not sent", maximum_qos),
        trial("a queued message with RETAIN ends where that is not available", retain),
        trial(
            "only a client that asked gets Response Information",
            response_information,
        ),
        trial(
            "a client with a wrong level is answered in its own format",
            unknown_level,
        ),
        trial(
            "a client sets no session expiry in DISCONNECT after none in CONNECT",
            expiry_from_zero,
        ),
        trial("AUTH without a method is refused by its own row", auth_without_method),
        trial("a nameless client of 3.1.1 never resumes", nameless_client),
        trial(
            "a nameless client of 3.1.1 begins anew whatever it was configured to",
            nameless_client_never,
        ),
        trial(
            "a client names the row of servers for the Receive Maximum",
            receive_maximum_by_client,
        ),
        trial("a server names the row of clients for AUTH", auth_by_server),
        trial("a server names the row of clients for an alias", alias_by_server),
        trial("PUBREL for an unknown PUBREC waits its turn", pubrel_overtakes),
        trial("PUBREL for a repeated PUBREC waits its turn", pubrel_overtakes_repeated),
        trial(
            "CONNACK without the method of CONNECT is refused",
            connack_without_method,
        ),
    ]
}

fn maximum_qos() {
    let mut rig = Rig::new(config());
    rig.publish(2, "too much", 1);
    rig.publish(1, "fine", 2);
    rig.open();
    rig.accept(false, "24 01");
    let sent = rig.sent();
    rig.watch.breaks.clear();
    assert!(sent.iter().all(|frame| frame[0] >> 1 & 3 <= 1), "{sent:02X?}");
    assert!(matches!(rig.outcomes()[..], [(1, Outcome::NotSupported(_))]));
    let findings = Findings::about(Role::Client);
    assert!(!findings.breaks.iter().any(|(law, _)| *law == Law::MaximumQoS));
    covers("v5:MQTT-3.2.2-11");
}

fn retain() {
    let mut rig = Rig::new(config());
    rig.client
        .publish(rig.now, message(0, "x").retain(true), 1)
        .expect("there is room");
    rig.open();
    rig.accept(false, "25 00");
    let sent = rig.sent();
    rig.watch.breaks.clear();
    assert!(sent.iter().all(|frame| frame[0] & 1 == 0), "{sent:02X?}");
    assert!(matches!(rig.outcomes()[..], [(1, Outcome::NotSupported(_))]));
    let findings = Findings::about(Role::Client);
    assert!(!findings.breaks.iter().any(|(law, _)| *law == Law::RetainAvailable));
    covers("v5:MQTT-3.2.2-14");
}

fn response_information() {
    let information = || {
        ConnAckProperties::builder()
            .response_information("r")
            .build()
            .expect("short")
    };
    for (asked, has_it) in [("19 01", true), ("", false), ("19 00", false)] {
        let mut rig = ServerRig::new(ServerConfig::default(), Version::V5);
        rig.connect(true, 0, asked);
        // To those who did not ask it is refused to the host, or left out.
        if rig
            .server
            .accept(rig.now, Accept::new().properties(information()))
            .is_ok()
        {
            let sent = rig.sent();
            rig.watch.breaks.clear();
            let connack = Outline::read(&sent[0], 5).expect("a CONNACK");
            assert_eq!(connack.has("Response Information"), has_it, "{asked}");
        } else {
            assert!(!has_it);
        }
    }
    covers("v5:MQTT-3.1.2-28");
}

fn unknown_level() {
    for (connect, answer, version) in [
        (
            "10 0E 0004 4D515454 06 02 0000 00 0001 63",
            "20 03 00 84 00",
            Version::V5,
        ),
        (
            "10 0E 0004 4D515454 FF 02 0000 00 0001 63",
            "20 03 00 84 00",
            Version::V5,
        ),
        (
            "10 0F 0006 4D5149736470 04 02 0000 0001 63",
            "20 02 00 01",
            Version::V3_1_1,
        ),
        ("10 0D 0004 4D515454 03 02 0000 0001 63", "20 02 00 01", Version::V3_1_1),
    ] {
        let mut rig = ServerRig::new(ServerConfig::default(), version);
        rig.feed(&hex::bytes(connect));
        assert!(rig.closed().is_some(), "{connect}");
        rig.sends(&[hex::bytes(answer)]);
        assert!(rig.server.is_drained());
    }
    covers("BI-043");
}

fn expiry_from_zero() {
    let mut rig = Rig::connected(config().session_expiry_seconds(0), "");
    let mut farewell = Disconnect::new(DisconnectReason::NormalDisconnection);
    farewell.properties = DisconnectProperties::builder()
        .session_expiry(5)
        .build()
        .expect("short");
    rig.client.disconnect_with(rig.now, farewell.clone());
    let sent = rig.sent();
    let has_it = |frame: &Vec<u8>| Outline::read(frame, 5).is_some_and(|one| one.has("Session Expiry Interval"));
    assert!(!sent.iter().any(has_it), "{sent:02X?}");
    let mut rig = Rig::connected(config().session_expiry_seconds(1), "");
    rig.client.disconnect_with(rig.now, farewell);
    assert!(rig.sent().iter().any(has_it));
    covers("u5:U5-3.14.2-a");
}

fn method() -> ClientConfig {
    config().authentication(Some(Authentication {
        method: Text::from_bytes("M".into()).expect("a name"),
        data: None,
    }))
}

fn auth_without_method() {
    let mut rig = Rig::new(method());
    rig.open();
    rig.accept(false, "15 0001 4D");
    rig.told();
    rig.client.reauthenticate(rig.now, None).expect("connected");
    rig.sent();
    rig.feed(&hex::bytes("F0 00"));
    let closed = rig.closed();
    rig.sends(&[disconnect(0x82)]);
    assert_eq!(statement(closed.as_ref()).as_deref(), Some("u5:U5-3.15-a"));
    covers("u5:U5-3.15-a");
}

fn flags_of_second_connect(config: ClientConfig) -> (usize, usize) {
    let mut rig = Rig::new(config);
    let flags = |connect: &[u8]| Outline::read(connect, 4).and_then(|one| one.numbers("Connect Flags").next());
    let first = flags(&rig.open()).expect("flags");
    rig.accept(false, "");
    rig.cut();
    rig.fire_next();
    (first & 2, flags(&rig.open()).expect("flags") & 2)
}

fn nameless_client() {
    let nameless = ClientConfig::new("").expect("no name").version(Version::V3_1_1);
    assert_eq!(flags_of_second_connect(nameless), (2, 2));
    covers("v311:MQTT-3.1.3-7");
}

fn nameless_client_never() {
    let nameless = ClientConfig::new("").expect("no name").version(Version::V3_1_1);
    let mut rig = Rig::new(nameless.clean_start(CleanStart::Never));
    let connect = rig.open();
    assert_eq!(connect[9] & 2, 2, "{connect:02X?}");
}

fn receive_maximum_by_client() {
    let limits = Limits::default().receive_maximum(1);
    let mut rig = Rig::connected(config().limits(limits).hand_over(mqtt_session::HandOver::Manual), "");
    rig.feed(&hex::bytes("32 06 0001 74 0001 00"));
    rig.stays();
    rig.feed(&hex::bytes("32 06 0001 74 0002 00"));
    let closed = rig.closed();
    rig.sends(&[disconnect(0x93)]);
    assert_eq!(statement(closed.as_ref()).as_deref(), Some("v5:MQTT-3.3.4-9"));
}

fn auth_by_server() {
    let mut rig = ServerRig::connected(ServerConfig::default(), Version::V5, "");
    rig.feed(&auth(0x19, "M", b""));
    let closed = rig.closed();
    rig.sends(&[disconnect(0x82)]);
    assert_eq!(statement(closed.as_ref()).as_deref(), Some("v5:MQTT-4.12.0-7"));
}

fn alias_by_server() {
    let mut rig = ServerRig::connected(ServerConfig::default(), Version::V5, "");
    rig.feed(&hex::bytes("30 07 0001 74 03 23 0011"));
    let closed = rig.closed();
    rig.sends(&[disconnect(0x94)]);
    let named = statement(closed.as_ref());
    assert!(
        matches!(named.as_deref(), Some("v5:MQTT-3.2.2-17" | "v5:MQTT-3.3.2-9")),
        "{named:?}"
    );
}

fn pubrel_overtakes() {
    let mut rig = Rig::connected(config(), "");
    rig.publish(2, "x", 1);
    rig.sent();
    rig.feed(&[pubrec(1), pubrec(9)].concat());
    let sent = rig.sent();
    rig.watch.breaks.clear();
    assert_eq!(sent, [pubrel(1), coded(pubrel(9), 0x92)]);
    covers("v5:MQTT-4.6.0-4");
    covers("v311:MQTT-4.6.0-4");
}

fn pubrel_overtakes_repeated() {
    let mut rig = Rig::connected(config(), "");
    rig.publish(2, "x", 1);
    rig.publish(2, "x", 2);
    rig.sent();
    rig.feed(&[pubrec(1), pubrec(2), pubrec(1)].concat());
    let sent = rig.sent();
    rig.watch.breaks.clear();
    assert_eq!(sent, [pubrel(1), pubrel(2), pubrel(1)]);
}

fn connack_without_method() {
    let mut rig = Rig::new(method());
    rig.open();
    rig.accept(false, "");
    let closed = rig.closed();
    assert_eq!(statement(closed.as_ref()).as_deref(), Some("v5:MQTT-4.12.0-5"));
}
