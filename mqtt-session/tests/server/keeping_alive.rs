//! Silence of the client, of the host and of the stream.

use core::time::Duration;

use mqtt_session::proto::{AckProperties, SubAckReason, Version};
use mqtt_session::{HandOver, Limits, ServerConfig, ServerEvent, SessionConfig, Timer};

use crate::rig::{NOTHING, Rig, VERSIONS, connect, limited};

fn beating(version: Version, seconds: u16) -> Rig {
    let mut client = connect(version);
    client.keep_alive = seconds;
    Rig::accepted_as(ServerConfig::default(), client)
}

#[test]
fn a_client_is_gone_after_one_and_a_half_times_the_keep_alive() {
    for version in VERSIONS {
        let mut rig = beating(version, 11);
        assert_eq!(rig.next_timer(), Some((16, Timer::KeepAlive)), "16.5 s");
        rig.advance(16);
        assert_eq!(rig.told(), NOTHING);
        rig.advance(1);
        let told = rig.told();
        assert!(told[0].starts_with("closed TimedOut(KeepAlive)"), "{told:?}");
        match version {
            Version::V5 => assert_eq!(rig.sent(), ["DISCONNECT 0x8d"]),
            _ => assert_eq!(rig.sent(), NOTHING),
        }
    }
}

#[test]
fn any_whole_packet_keeps_the_client_alive_and_a_part_does_not() {
    let mut rig = beating(Version::V5, 10);
    rig.advance(14);
    rig.ping();
    rig.advance(14);
    rig.puback(9);
    rig.advance(14);
    assert_eq!(rig.told(), NOTHING);
    assert_eq!(rig.sent(), ["PINGRESP"]);
    rig.feed_bytes(&[0x30, 10, 0]);
    rig.advance(1);
    assert_eq!(rig.told(), ["closed TimedOut(KeepAlive)"]);
}

#[test]
fn what_the_server_sends_keeps_nobody_alive() {
    let mut rig = beating(Version::V5, 10);
    rig.advance(14);
    rig.publish(0, 1);
    assert_eq!(rig.sent(), ["PUBLISH q0 t: m1"]);
    rig.advance(1);
    assert_eq!(rig.told().last().unwrap(), "closed TimedOut(KeepAlive)");
}

#[test]
fn a_keep_alive_of_zero_never_ends() {
    let mut rig = beating(Version::V5, 0);
    assert_eq!(rig.server.poll_timeout(), None);
    rig.advance(1_000_000);
    assert!(rig.server.is_connected());
}

/// How the host does what it owes.
type Pay = fn(&mut Rig);

/// A connection on which the host owes something, and how it pays.
fn blocked() -> Vec<(&'static str, Rig, Pay)> {
    let one_request = limited(Limits::default().requests(1));
    let mut asked = Rig::accepted(one_request, Version::V5);
    asked.subscribe(1, &["a"]);
    let few_events = limited(Limits::default().events(2));
    let mut full = Rig::accepted(few_events, Version::V5);
    full.deliver(0, 1, "a");
    full.deliver(0, 1, "b");
    let session = SessionConfig::default()
        .hand_over(HandOver::Manual)
        .limits(Limits::default().receive_maximum(1));
    let mut owed = Rig::accepted(ServerConfig::default().session(session), Version::V3_1_1);
    owed.deliver(1, 1, "a");
    vec![
        ("a request", asked, |rig| {
            let request = rig.requests()[0];
            let codes = [SubAckReason::GrantedQoS0];
            rig.server
                .subscribed(rig.now, request, codes, AckProperties::empty())
                .unwrap();
        }),
        ("its events", full, |rig| {
            rig.told();
        }),
        ("an acknowledgement", owed, |rig| {
            let Some(ServerEvent::Message(received)) = rig.server.poll_event() else {
                panic!()
            };
            rig.server.acknowledge(rig.now, received.delivery.unwrap()).unwrap();
        }),
    ]
}

#[test]
fn while_the_host_owes_something_nothing_is_read_and_the_keep_alive_stands_still() {
    for (what, mut rig, pay) in blocked() {
        assert_eq!(rig.server.input_room(), 0, "{what}");
        assert_eq!(rig.server.poll_timeout(), None, "{what}");
        assert_eq!(rig.feed_bytes(&[0xC0, 0]), 2, "{what}: nothing is read");
        rig.advance(80);
        rig.advance(1000);
        assert!(rig.server.is_connected(), "{what}");
        // The host takes long, and then the client has all the time that was left.
        rig.now = rig.now + Duration::from_secs(5000);
        pay(&mut rig);
        assert!(rig.server.input_room() > 0, "{what}");
        rig.server.handle_timeout(rig.now);
        assert!(rig.server.is_connected(), "{what}");
        assert_eq!(rig.next_timer(), Some((90, Timer::KeepAlive)), "{what}");
        rig.advance(90);
        assert!(!rig.server.is_connected(), "{what}");
    }
}

#[test]
fn only_the_time_that_the_host_took_is_given_back() {
    let mut rig = Rig::accepted(limited(Limits::default().requests(1)), Version::V5);
    rig.subscribe(1, &["a"]);
    let request = rig.requests()[0];
    rig.advance(1000);
    rig.server
        .subscribed(rig.now, request, [SubAckReason::GrantedQoS0], AckProperties::empty())
        .unwrap();
    rig.advance(89);
    assert!(rig.server.is_connected());
    rig.advance(1);
    assert!(!rig.server.is_connected());
}

#[test]
fn output_that_nobody_takes_closes() {
    let mut rig = beating(Version::V5, 0);
    rig.publish(0, 1);
    rig.server.poll_transmit(&mut rig.outbox);
    assert!(!rig.outbox.is_empty());
    assert_eq!(rig.next_timer(), Some((30, Timer::Stall)));
    rig.advance(30);
    // The driver may have written meanwhile; its next look at the outbox tells.
    rig.server.poll_transmit(&mut rig.outbox);
    assert_eq!(rig.told(), ["completed 1: Sent", "closed TimedOut(Stall)"]);
}

#[test]
fn output_that_moves_does_not_close() {
    let mut rig = beating(Version::V5, 0);
    for tag in 0..10 {
        rig.publish(0, tag);
        rig.server.poll_transmit(&mut rig.outbox);
        bytes::Buf::advance(&mut rig.outbox, 1);
        rig.advance(20);
    }
    assert!(rig.server.is_connected());
}

#[test]
fn the_last_bytes_have_their_own_deadline() {
    for version in VERSIONS {
        let mut rig = beating(version, 0);
        rig.publish(0, 1);
        rig.server.poll_transmit(&mut rig.outbox);
        let farewell = mqtt_session::proto::Disconnect::new(mqtt_session::proto::DisconnectReason::ServerShuttingDown);
        rig.server.disconnect(rig.now, farewell);
        assert_eq!(
            rig.next_timer(),
            Some((2, Timer::Linger)),
            "{version:?}: the outbox is not empty"
        );
        assert_eq!(rig.fire_next(), Timer::Linger);
        assert!(rig.server.is_drained());
        assert_eq!(rig.server.poll_timeout(), None);
        rig.server.poll_transmit(&mut rig.outbox);
        assert!(rig.outbox.is_empty(), "the driver has nothing to wait for");
        assert_eq!(rig.told().len(), 2);
    }
}

#[test]
fn a_connection_with_nothing_to_say_ends_at_once() {
    let mut rig = beating(Version::V3_1_1, 0);
    rig.server.handle_eof(rig.now);
    assert!(rig.server.is_drained());
    assert_eq!(rig.server.poll_timeout(), None);
}

#[test]
fn an_operation_that_is_late_goes_on() {
    let mut rig = beating(Version::V5, 0);
    let op = rig.publish(1, 7);
    assert!(rig.server.set_deadline(rig.now, op, rig.now + Duration::from_secs(5)));
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 t: m7"]);
    assert_eq!(rig.next_timer(), Some((5, Timer::Late)));
    rig.advance(5);
    assert_eq!(rig.told(), ["late 7"]);
    rig.puback(1);
    assert_eq!(rig.told(), ["completed 7: acknowledged"]);
    assert!(!rig.server.set_deadline(rig.now, op, rig.now), "it has ended");
}
