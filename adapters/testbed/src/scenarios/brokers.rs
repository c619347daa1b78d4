//! The same client at foreign brokers, in each version and with each QoS that they have.

use std::net::SocketAddr;
use std::time::Duration;

use mqtt_adapter::{ClientOptions, ConnectionState};
use mqtt_session::proto::{Binary, QoS, TopicName, Version, Will};
use mqtt_session::{Limits, Message};

use super::lacks::is_lacking;
use super::{connected, lasting, message, numbers, options};
use crate::{AEDES, Adapter, Broker, Kind, MOSQUITTO, NATS, Proxy, RABBITMQ, soon, until};

/// Each QoS, from one client to another, in the order of sending.
pub async fn mosquitto_delivers_every_qos<A: Adapter>() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    every_qos_is_passed_on::<A>(&broker).await;
}

/// Retained messages come with a subscription, marked as such, until they are cleared.
pub async fn mosquitto_keeps_retained_messages<A: Adapter>() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    retained_messages_are_kept::<A>(&broker).await;
}

/// A client that vanishes leaves its will, and one that says farewell does not.
pub async fn mosquitto_publishes_wills<A: Adapter>() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    wills_are_published::<A>(&broker).await;
}

/// A session goes on over connections that are cut: what was published to it meanwhile comes, and what it published arrives.
pub async fn mosquitto_resumes_sessions<A: Adapter>() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    sessions_are_resumed::<A>(&broker).await;
}

/// A payload of a mebibyte, with each QoS.
pub async fn mosquitto_passes_large_payloads_on<A: Adapter>() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    large_payloads_are_passed_on::<A>(&broker).await;
}

/// Overlapping subscriptions of one client each get each message once.
pub async fn mosquitto_names_subscriptions<A: Adapter>() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    for version in broker.kind.versions.iter().copied() {
        let client = connected::<A>(options(broker.address(), version, "overlapping")).await;
        let mut streams = Vec::new();
        for filter in ["names/#", "names/a", "+/a", "$share/group/names/a"] {
            if filter.starts_with('$') && !version.has_properties() {
                continue;
            }
            streams.push(client.subscribe(filter, QoS::ExactlyOnce).await.unwrap());
        }
        for number in 0..5 {
            let published = client.publish(message("names/a", number, QoS::ExactlyOnce));
            soon::<A, _>("publishing", published).await.unwrap();
        }
        for stream in &mut streams {
            assert_eq!(numbers::<A>(stream, 5).await, [0, 1, 2, 3, 4], "{version:?}");
        }
        A::sleep(Duration::from_millis(100)).await;
        for stream in &mut streams {
            assert!(stream.try_next().is_none(), "{version:?}");
        }
    }
}

/// RabbitMQ with its MQTT plugin: all of the above, and what it lacks.
pub async fn rabbitmq_does_what_it_can<A: Adapter>() {
    does_what_it_can::<A>(&RABBITMQ).await;
}

/// nats-server: all of the above, and what it lacks.
pub async fn nats_does_what_it_can<A: Adapter>() {
    does_what_it_can::<A>(&NATS).await;
}

/// aedes: all of the above, and what it lacks.
pub async fn aedes_does_what_it_can<A: Adapter>() {
    does_what_it_can::<A>(&AEDES).await;
}

async fn does_what_it_can<A: Adapter>(kind: &'static Kind) {
    let Some(broker) = Broker::start(kind) else { return };
    every_qos_is_passed_on::<A>(&broker).await;
    retained_messages_are_kept::<A>(&broker).await;
    wills_are_published::<A>(&broker).await;
    sessions_are_resumed::<A>(&broker).await;
    large_payloads_are_passed_on::<A>(&broker).await;
    for lack in kind.lacks {
        println!("{} lacks: {lack:?}", kind.name);
        is_lacking::<A>(broker.address(), *lack).await;
    }
}

/// Each QoS, from one client to another, in the order of sending.
async fn every_qos_is_passed_on<A: Adapter>(broker: &Broker) {
    for version in broker.kind.versions.iter().copied() {
        let sender = connected::<A>(named(broker.address(), version, "sender")).await;
        // Version 2.0.11 sends more than the Receive Maximum as soon as acknowledgements come.
        let window = Limits::default().receive_maximum(u16::MAX);
        let receiver = connected::<A>(named(broker.address(), version, "receiver").limits(window)).await;
        for qos in broker.kind.qos.iter().copied() {
            let mut stream = soon::<A, _>("subscribing", receiver.subscribe("every/+", qos))
                .await
                .unwrap();
            assert_eq!(stream.granted().collect::<Vec<_>>(), [Ok(qos)]);
            for number in 0..100 {
                soon::<A, _>(
                    "publishing",
                    sender.publish(message("every/qos", number, qos)).accepted(),
                )
                .await
                .unwrap();
            }
            for expected in 0..100 {
                let incoming = soon::<A, _>("a message", stream.next()).await.unwrap();
                assert_eq!(
                    (super::number(&incoming), incoming.message.qos),
                    (expected, qos),
                    "{version:?}"
                );
            }
            soon::<A, _>("unsubscribing", stream.unsubscribe()).await.unwrap();
        }
        let all = 100 * broker.kind.qos.len() as u64;
        until::<A>("all outcomes", || sender.statistics().delivered == all).await;
    }
}

/// Retained messages come with a subscription, marked as such, until they are cleared.
async fn retained_messages_are_kept<A: Adapter>(broker: &Broker) {
    for version in broker.kind.versions.iter().copied() {
        let client = connected::<A>(named(broker.address(), version, "keeper")).await;
        let witness = connected::<A>(named(broker.address(), version, "witness")).await;
        let mut seen = witness.subscribe("kept", QoS::AtLeastOnce).await.unwrap();
        for (index, qos) in (0..).zip(broker.kind.qos.iter().copied()) {
            client.publish(message("kept", index, qos).retain(true)).await.unwrap();
            // A message of QoS 0 is not acknowledged, and brokers do several things at a time.
            // RabbitMQ may send it twice, as it comes and as it is kept.
            while numbers::<A>(&mut seen, 1).await != [index] {}
            let mut stream = soon::<A, _>("subscribing", client.subscribe("kept", qos))
                .await
                .unwrap();
            let incoming = soon::<A, _>("a message", stream.next()).await.unwrap();
            assert_eq!(
                (super::number(&incoming), incoming.message.retain),
                (index, true),
                "{version:?}"
            );
            stream.unsubscribe().await.unwrap();
        }
        // Everything that was retained is told before what is published after the subscription.
        let cleared = Message::new("kept", "").unwrap().qos(QoS::AtLeastOnce).retain(true);
        client.publish(cleared).await.unwrap();
        let mut stream = client.subscribe("kept", QoS::AtLeastOnce).await.unwrap();
        client.publish(message("kept", 9, QoS::AtLeastOnce)).await.unwrap();
        assert_eq!(numbers::<A>(&mut stream, 1).await, [9]);
    }
}

/// A client that vanishes leaves its will, and one that says farewell does not.
async fn wills_are_published<A: Adapter>(broker: &Broker) {
    let proxy = Proxy::start(broker.address());
    for version in broker.kind.versions.iter().copied() {
        let reader = connected::<A>(named(broker.address(), version, "reader")).await;
        let mut stream = reader.subscribe("will", QoS::ExactlyOnce).await.unwrap();
        for (index, qos) in (0_u32..).zip(broker.kind.qos.iter().copied()) {
            let topic = TopicName::from_bytes("will".into()).unwrap();
            let mut will = Will::new(topic, Binary::new(index.to_be_bytes().to_vec().into()).unwrap());
            will.qos = qos;
            let polite = connected::<A>(named(broker.address(), version, "polite").will(will.clone())).await;
            polite.disconnect(Duration::from_secs(5)).await.unwrap();
            let mortal = connected::<A>(named(proxy.address(), version, "mortal").will(will)).await;
            proxy.cut(true);
            let incoming = soon::<A, _>("the will", stream.next()).await.unwrap();
            assert_eq!(
                (super::number(&incoming), incoming.message.qos),
                (index, qos),
                "{version:?}"
            );
            // While it tries again it could leave another one.
            let mut states = mortal.states();
            mortal.abort();
            while soon::<A, _>("the end", states.next()).await.is_some() {}
            proxy.mend();
        }
        assert!(stream.try_next().is_none());
    }
}

/// A session goes on over connections that are cut: what was published to it meanwhile comes, and what it published arrives.
async fn sessions_are_resumed<A: Adapter>(broker: &Broker) {
    let proxy = Proxy::start(broker.address());
    for version in broker.kind.versions.iter().copied() {
        let other = connected::<A>(named(broker.address(), version, "other")).await;
        for qos in broker.kind.qos.iter().copied().filter(|qos| *qos > QoS::AtMostOnce) {
            // aedes 1.2.0 keeps the last message of a session although it was acknowledged, and sends it in the next session of
            // that name.
            let name = format!("resumed-{version:?}-{}", qos as u8);
            let client = connected::<A>(lasting(proxy.address(), version, name)).await;
            let mut states = client.states();
            let first = soon::<A, _>("a state", states.next()).await;
            assert!(matches!(first, Some(ConnectionState::Connected { .. })), "{first:?}");
            let mut here = client.subscribe("here", qos).await.unwrap();
            let mut there = other.subscribe("there", qos).await.unwrap();
            proxy.cut(true);
            until::<A>("the cut", || !client.is_connected()).await;
            for number in 0..50 {
                soon::<A, _>("publishing", other.publish(message("here", number, qos)))
                    .await
                    .unwrap();
                client.publish(message("there", number, qos)).accepted().await.unwrap();
            }
            proxy.mend();
            let expected: Vec<u32> = (0..50).collect();
            let mut came = numbers::<A>(&mut here, 50).await;
            if !broker.kind.resends_in_order {
                came.sort_unstable();
            }
            assert_eq!(came, expected, "{version:?} {qos:?}");
            assert_eq!(numbers::<A>(&mut there, 50).await, expected, "{version:?} {qos:?}");
            until::<A>("all outcomes", || client.statistics().unfinished == 0).await;
            // While a slow broker took what was published there may have been more tries than states are kept.
            let session_present = loop {
                match soon::<A, _>("a state", states.next()).await.unwrap() {
                    ConnectionState::Connected { session_present, .. } => break session_present,
                    state => assert!(!matches!(state, ConnectionState::Ended { .. }), "{state:?}"),
                }
            };
            // MQTT 3.1 cannot say that the session goes on.
            assert_eq!(session_present, version != Version::V3_1, "{version:?}");
            here.unsubscribe().await.unwrap();
            soon::<A, _>("disconnecting", client.disconnect(Duration::from_secs(5)))
                .await
                .unwrap();
            there.unsubscribe().await.unwrap();
        }
    }
}

/// A payload of a mebibyte, with each QoS.
async fn large_payloads_are_passed_on<A: Adapter>(broker: &Broker) {
    let payload: Vec<u8> = (0..1 << 20).map(|place: u32| (place % 251) as u8).collect();
    for version in broker.kind.versions.iter().copied() {
        let limits = Limits::default().packet_bytes(2 << 20);
        let client = connected::<A>(named(broker.address(), version, "large").limits(limits)).await;
        for qos in broker.kind.qos.iter().copied() {
            let mut stream = client.subscribe("large", qos).await.unwrap();
            let large = Message::new("large", payload.clone()).unwrap().qos(qos);
            soon::<A, _>("publishing", client.publish(large)).await.unwrap();
            let incoming = soon::<A, _>("a message", stream.next()).await.unwrap();
            assert!(incoming.message.payload == payload, "{version:?} {qos:?}");
            stream.unsubscribe().await.unwrap();
        }
    }
}

/// A client with a name of its own in each version: RabbitMQ may throw away what a client had after the next one of that name
/// has subscribed.
fn named(address: SocketAddr, version: Version, name: &str) -> ClientOptions {
    options(address, version, format!("{name}-{version:?}"))
}
