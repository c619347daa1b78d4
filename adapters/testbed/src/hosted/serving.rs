//! A host and its clients, while it runs.

use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mqtt_adapter::host::{Desk, Host, Policy, ShardHandle};
use mqtt_session::proto::{ConnAckProperties, ConnAckReason, PINGREQ, Version};
use mqtt_session::{Ask, BrokerConfig, BrokerEvent, Limits, Message, QoS};

use super::wire::{connect, publish, text};
use super::{Hosted, Hosts, LONG, Wire, config, listener};
use crate::scenarios::{EVERY_QOS, connected, options};
use crate::soon;

/// Each QoS and sizes up to the largest, in each version.
pub async fn a_host_delivers_every_qos_and_size<H: Hosts>() {
    let host = Hosted::new::<H>(BrokerConfig::new(7));
    for version in [Version::V5, Version::V3_1_1, Version::V3_1] {
        let client = connected::<H>(options(host.address, version, "one")).await;
        let mut all = client.subscribe("a/#", QoS::ExactlyOnce).await.unwrap();
        for qos in EVERY_QOS {
            for len in [0, 1, 600, 5_000, 70_000, (1 << 20) - 100] {
                let payload: Vec<u8> = (0_u8..251).cycle().take(len).collect();
                let message = Message::new("a/b", payload.clone()).unwrap().qos(qos);
                soon::<H, _>("publishing", client.publish(message)).await.unwrap();
                let got = soon::<H, _>("a message", all.next()).await.unwrap().message;
                assert!(got.qos == qos && got.payload == payload, "{version:?} {qos:?} {len}");
            }
        }
        client.disconnect(LONG).await.unwrap();
    }
    assert_eq!(host.look(|desk| desk.broker.figures().messages_dropped), 0);
}

/// The last one is there for whoever comes later.
pub async fn a_host_keeps_retained_messages<H: Hosts>() {
    let host = Hosted::new::<H>(BrokerConfig::new(7));
    let first = connected::<H>(options(host.address, Version::V5, "first")).await;
    for payload in ["old", "new"] {
        let kept = Message::new("state", payload).unwrap().retain(true);
        first.publish(kept.qos(QoS::AtLeastOnce)).await.unwrap();
    }
    let later = connected::<H>(options(host.address, Version::V3_1_1, "later")).await;
    let mut states = later.subscribe("state", QoS::AtLeastOnce).await.unwrap();
    let got = soon::<H, _>("what is retained", states.next()).await.unwrap().message;
    assert_eq!((&got.payload[..], got.retain), (&b"new"[..], true));
}

/// Retained messages that are more than is written to a connection in one turn.
pub async fn a_long_replay_arrives_in_whole<H: Hosts>() {
    const MESSAGES: usize = 500;
    const PAYLOAD: [u8; 10_000] = [7; 10_000];
    let host = Hosted::new::<H>(BrokerConfig::new(7));
    let mut keeper = host.wire().connected("keeper");
    for number in 0..MESSAGES {
        let mut retained = publish(&format!("kept/{number}"), &PAYLOAD);
        retained[0] |= 1;
        keeper.send(&retained);
    }
    keeper.send(&PINGREQ);
    assert_eq!(keeper.packet()[0], 0xD0, "all of them have come");
    let mut later = host.wire().connected("later");
    later.subscribe("kept/#");
    for number in 0..MESSAGES {
        assert!(later.packet().ends_with(&PAYLOAD), "{number}");
    }
}

/// The earlier connection of a client is told, and closed.
pub async fn a_hosted_client_is_taken_over<H: Hosts>() {
    let host = Hosted::new::<H>(BrokerConfig::new(7));
    let mut first = host.wire().connected("same");
    let second = host.wire().connected("same");
    assert_eq!(first.rest(), [0xE0, 1, 0x8E], "DISCONNECT, session taken over");
    drop(second);
}

/// A client that is cut off has its will published; one that says farewell has not.
pub async fn a_cut_client_leaves_a_will_to_the_host<H: Hosts>() {
    let host = Hosted::new::<H>(BrokerConfig::new(7));
    let mut watcher = host.wire().connected("watcher");
    watcher.subscribe("will/#");
    for (name, says_farewell) in [("polite", true), ("cut", false)] {
        let mut willed = host.wire();
        willed.send(&connect(0x06, name, &will(&format!("will/{name}"))));
        assert_eq!(willed.packet()[0], 0x20);
        if says_farewell {
            willed.send(&[0xE0, 0]);
        }
        assert_eq!(willed.0.shutdown(Shutdown::Both).ok(), Some(()));
    }
    assert_eq!(watcher.packet(), publish("will/cut", b"gone"));
}

/// No properties, a topic, and a payload.
fn will(topic: &str) -> Vec<u8> {
    [vec![0], text(topic), text("gone")].concat()
}

/// A client that does not read its messages says farewell and goes: that writing to it fails is not what the host hears first.
pub async fn a_farewell_is_heard_before_a_broken_stream<H: Hosts>() {
    let host = Hosted::new::<H>(BrokerConfig::new(7));
    let mut watcher = host.wire().connected("watcher");
    watcher.subscribe("will/#");
    let mut flood = host.wire().connected("flood");
    for round in 0..20 {
        let mut willed = host.wire();
        willed.send(&connect(0x06, "polite", &will(&format!("will/{round}"))));
        assert_eq!(willed.packet()[0], 0x20);
        willed.subscribe("flood");
        flood.send(&publish("flood", &[0; 10_000]).repeat(20));
        // What was not read makes the end of this stream a reset.
        willed.send(&[0xE0, 0]);
        drop(willed);
        flood.send(&publish("flood", &[0; 10_000]).repeat(20));
    }
    flood.send(&publish("will/none", b""));
    assert_eq!(watcher.packet(), publish("will/none", b""));
}

/// Each of 200 clients gets each of 100 messages, in order.
pub async fn two_hundred_clients_hear_of_everything<H: Hosts>() {
    let host = Hosted::new::<H>(BrokerConfig::new(7));
    let mut clients: Vec<Wire> = (0..200)
        .map(|number| host.wire().connected(&format!("c{number}")))
        .collect();
    for client in &mut clients {
        client.subscribe("all");
    }
    let mut publisher = host.wire().connected("publisher");
    let messages: Vec<_> = (0..100_u8).map(|number| publish("all", &[number; 64])).collect();
    let wanted = messages.concat();
    publisher.send(&wanted);
    for client in &mut clients {
        let mut got = vec![0; wanted.len()];
        client.0.read_exact(&mut got).unwrap();
        assert!(got == wanted);
    }
    assert_eq!(host.look(|desk| desk.connections().count()), 201);
}

/// A client that reads nothing loses messages of QoS 0, and nobody else does.
pub async fn who_does_not_read_keeps_nobody_waiting<H: Hosts>() {
    let host = Hosted::new::<H>(config(Limits::default().queued_bytes(1 << 20)));
    let mut lazy = host.wire().connected("lazy");
    lazy.subscribe("big");
    let mut keen = host.wire().connected("keen");
    keen.subscribe("big");
    let mut publisher = host.wire().connected("publisher");
    for number in 0..400_u32 {
        let message = publish("big", &[&number.to_be_bytes()[..], &[0; 100_000]].concat());
        publisher.send(&message);
        assert!(keen.packet() == message, "message {number}");
    }
    let dropped = host.look(|desk| desk.broker.figures().messages_dropped);
    assert!(dropped > 100, "{dropped} of 400 were dropped");
}

/// Small messages cross the host with a read and a write for many of them.
pub async fn many_messages_move_with_one_call<H: Hosts>() {
    const MESSAGES: usize = 100_000;
    let host = Hosted::new::<H>(BrokerConfig::new(7));
    let mut reader = host.wire().connected("reader");
    reader.subscribe("t");
    let mut publisher = host.wire().connected("publisher");
    let before = host.look(|desk| desk.traffic());
    let message = publish("t", &[7; 64]);
    let wanted = message.len() * MESSAGES;
    let reading = std::thread::spawn(move || {
        let mut got = vec![0; wanted];
        reader.0.read_exact(&mut got).map(|()| got)
    });
    publisher.send(&message.repeat(MESSAGES));
    assert!(reading.join().unwrap().unwrap() == message.repeat(MESSAGES));
    let after = host.look(|desk| desk.traffic());
    let calls = after.reads - before.reads + after.writes - before.writes;
    assert!(
        calls < MESSAGES as u64 / 20,
        "{calls} reads and writes for {MESSAGES} messages"
    );
}

/// A client that says nothing takes a place until its deadline, and whoever waits gets the place then.
pub async fn a_silent_client_loses_its_place_in_time<H: Hosts>() {
    let limits = Limits::default().handshake_timeout(Duration::from_millis(300));
    let host = Host::new(config(limits)).listen(listener().connections(1));
    let host = Hosted::by::<H>(host);
    let began = Instant::now();
    let mut silent = host.wire();
    // Half a CONNECT is nothing.
    silent.send(&[0x10, 0x0C, 0x00]);
    let waiting = host.wire().connected("waiting");
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(silent.rest(), b"");
    drop(waiting);
}

/// Asks another thread about everything.
struct Elsewhere(ShardHandle);

impl Policy for Elsewhere {
    fn on_event(&mut self, desk: &mut Desk<'_>, event: BrokerEvent) {
        let BrokerEvent::Connect { connection, connect } = event else {
            return;
        };
        let origin = desk.origin(connection).expect("it has one");
        assert_eq!((&*origin.listener, origin.peer.is_some()), ("plain", true));
        let handle = self.0.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            let may_come = connect.client_id.as_str() == "friend";
            handle.run(move |desk| {
                let (now, none) = (desk.now, ConnAckProperties::empty());
                let answered = match may_come {
                    true => desk.broker.admit(now, connection, none),
                    false => desk.broker.refuse(now, connection, ConnAckReason::Banned, none),
                };
                answered.unwrap();
            });
        });
    }
}

/// A policy answers when it can.
pub async fn answers_may_come_from_other_threads<H: Hosts>() {
    let ask = Ask {
        connect: true,
        ..Ask::default()
    };
    let host = Host::new(BrokerConfig::new(7).ask(ask)).policy(Elsewhere);
    let host = Hosted::by::<H>(host.listen(listener()));
    let mut friend = host.wire().connected("friend");
    let mut stranger = host.wire();
    stranger.send(&connect(2, "stranger", &[]));
    assert_eq!(stranger.rest(), [0x20, 3, 0, 0x8A, 0], "CONNACK, banned");
    friend.send(&[0xC0, 0]);
    assert_eq!(friend.packet(), [0xD0, 0]);
}
