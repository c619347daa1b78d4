//! Keep-alive, and the orderly end.

use core::time::Duration;

use mqtt_session::proto::Packet;
use mqtt_session::{PublishError, Timer};

use crate::rig::{Rig, VERSIONS, config, message, said};

#[test]
fn a_silent_client_pings() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version));
        for _ in 0..3 {
            let begun = rig.now;
            assert_eq!(rig.fire_next(), Timer::Ping);
            assert_eq!(rig.now.saturating_since(begun), Duration::from_secs(60));
            assert_eq!(rig.sent(), ["PINGREQ"]);
            rig.feed(&Packet::PingResp);
        }
        assert_eq!(rig.told(), [""; 0]);
    }
}

#[test]
fn a_client_that_sends_does_not_ping() {
    let mut rig = Rig::connected(config());
    for tag in 0..5 {
        rig.advance(59);
        rig.publish(0, tag);
        assert_eq!(rig.sent(), [format!("PUBLISH q0 t: m{tag}")]);
    }
}

#[test]
fn receiving_does_not_replace_the_ping() {
    let mut rig = Rig::connected(config());
    rig.advance(59);
    rig.deliver(0, 1, "x");
    rig.advance(1);
    assert_eq!(rig.sent(), ["PINGREQ"]);
}

#[test]
fn a_missing_pingresp_closes() {
    let mut rig = Rig::connected(config());
    rig.fire_next();
    assert_eq!(rig.sent(), ["PINGREQ"]);
    let asked = rig.now;
    assert_eq!(rig.fire_next(), Timer::PingResponse);
    assert_eq!(rig.now.saturating_since(asked), Duration::from_secs(10));
    assert_eq!(rig.told(), ["closed TimedOut(PingResponse)"]);
    assert_eq!(rig.sent(), ["DISCONNECT 0x80"]);
}

#[test]
fn the_keep_alive_of_the_server_replaces_that_of_the_client() {
    let mut rig = Rig::connected_with(config(), said(|server| server.server_keep_alive(5)));
    let begun = rig.now;
    assert_eq!(rig.fire_next(), Timer::Ping);
    assert_eq!(rig.now.saturating_since(begun), Duration::from_secs(5));
    rig.reconnect(true);
    let begun = rig.now;
    assert_eq!(rig.fire_next(), Timer::Ping);
    assert_eq!(
        rig.now.saturating_since(begun),
        Duration::from_secs(60),
        "it said nothing"
    );
}

#[test]
fn a_keep_alive_of_0_turns_pings_off() {
    let rig = Rig::connected(config().keep_alive_seconds(0));
    assert_eq!(rig.client.poll_timeout(), None);
    let rig = Rig::connected_with(config(), said(|server| server.server_keep_alive(0)));
    assert_eq!(rig.client.poll_timeout(), None);
}

#[test]
fn output_that_nobody_takes_closes() {
    use mqtt_session::Outbox;
    let mut rig = Rig::connected(config());
    rig.publish(0, 1);
    let mut stuck = Outbox::default();
    rig.client.poll_transmit(&mut stuck);
    rig.told();
    assert_eq!(rig.fire_next(), Timer::Stall);
    assert_eq!(rig.told(), [""; 0]);
    rig.client.poll_transmit(&mut stuck);
    assert_eq!(rig.told(), ["closed TimedOut(Stall)"]);
}

#[test]
fn a_driver_that_wrote_everything_and_slept_is_not_closed() {
    use mqtt_session::Outbox;
    let mut rig = Rig::connected(config());
    rig.publish(0, 1);
    let mut outbox = Outbox::default();
    rig.client.poll_transmit(&mut outbox);
    rig.told();
    outbox.clear();
    assert_eq!(rig.fire_next(), Timer::Stall);
    rig.client.poll_transmit(&mut outbox);
    assert_eq!(rig.told(), [""; 0]);
    assert_eq!(rig.fire_next(), Timer::Ping);
}

#[test]
fn a_driver_that_never_takes_output_again_closes() {
    let mut rig = Rig::connected(config());
    rig.publish(0, 1);
    let mut outbox = mqtt_session::Outbox::default();
    rig.client.poll_transmit(&mut outbox);
    rig.told();
    assert_eq!(rig.fire_next(), Timer::Stall);
    assert_eq!(rig.told(), [""; 0]);
    // The second deadline is that of PINGREQ too.
    assert_eq!(rig.fire_next(), Timer::Ping);
    assert_eq!(rig.told(), ["closed TimedOut(Stall)"]);
}

#[test]
fn disconnect_waits_for_what_is_open() {
    for version in VERSIONS {
        let mut rig = Rig::connected(config().version(version));
        rig.publish(2, 1);
        rig.client.disconnect(rig.now);
        let result = rig.client.publish(rig.now, message(0, "x"), 2);
        assert_eq!(result, Err(PublishError::Closed));
        assert_eq!(rig.sent(), ["PUBLISH q2 #1 t: m1"]);
        rig.pubrec(1);
        assert_eq!(rig.sent(), ["PUBREL #1"]);
        assert!(!rig.client.is_drained());
        rig.pubcomp(1);
        assert_eq!(rig.sent(), ["DISCONNECT"]);
        let told = [
            "completed 1: acknowledged",
            "closed ByHost(NormalDisconnection), for good",
        ];
        assert_eq!(rig.told(), told);
        assert!(rig.client.is_drained());
        rig.cut();
        assert_eq!(rig.client.poll_timeout(), None);
    }
}

#[test]
fn abort_ends_at_once_and_keeps_the_session() {
    let mut rig = Rig::connected(config());
    rig.publish(1, 1);
    rig.sent();
    rig.client.abort(rig.now);
    assert_eq!(rig.told(), ["closed ByHost(NormalDisconnection), for good"]);
    assert_eq!(rig.sent(), ["DISCONNECT"]);
    rig.cut();
    assert_eq!(rig.client.poll_timeout(), None);
    rig.client.reconnect(rig.now);
    assert_eq!(rig.fire_next(), Timer::Reconnect);
    assert_eq!(rig.told(), ["open"]);
    assert_eq!(rig.open(), "CONNECT");
    rig.accept(true);
    assert_eq!(rig.sent(), ["PUBLISH q1 #1 dup t: m1"]);
}

#[test]
fn a_client_that_is_not_connected_stops_at_once() {
    let mut rig = Rig::new(config());
    rig.client.disconnect(rig.now);
    assert_eq!(rig.client.poll_timeout(), None);
    rig.client.handle_open(rig.now);
    assert_eq!(rig.sent(), [""; 0]);
}

#[test]
fn the_last_bytes_have_a_deadline() {
    let mut rig = Rig::connected(config());
    rig.feed_bytes(&[0, 0]);
    assert_eq!(rig.told(), ["closed malformed 0x81"]);
    let begun = rig.now;
    assert_eq!(rig.fire_next(), Timer::Reconnect);
    assert!(rig.now.saturating_since(begun) < Duration::from_secs(1));
    let mut rig = Rig::connected(config().reconnect(mqtt_session::Reconnect::never()));
    rig.feed_bytes(&[0, 0]);
    assert_eq!(rig.told(), ["closed malformed 0x81, for good"]);
    assert!(!rig.client.is_drained());
    assert_eq!(rig.fire_next(), Timer::Linger);
    assert!(rig.client.is_drained());
}
