//! The same client at a foreign broker: mosquitto, in each version that it speaks.

use mqtt_adapter::ConnectionState;
use mqtt_session::proto::{Binary, QoS, TopicName, Version, Will};
use mqtt_session::{Limits, Message};

use super::{EVERY_QOS, connected, lasting, message, numbers, options};
use crate::{Adapter, Mosquitto, Proxy, soon, until};

const VERSIONS: [Version; 3] = [Version::V5, Version::V3_1_1, Version::V3_1];

/// Each QoS, from one client to another, in the order of sending.
pub async fn mosquitto_delivers_every_qos<A: Adapter>() {
    let Some(broker) = Mosquitto::start() else { return };
    for version in VERSIONS {
        let sender = connected::<A>(options(broker.address(), version, "sender")).await;
        // Version 2.0.11 sends more than the Receive Maximum as soon as acknowledgements come.
        let window = Limits::default().receive_maximum(u16::MAX);
        let receiver = connected::<A>(options(broker.address(), version, "receiver").limits(window)).await;
        for qos in EVERY_QOS {
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
        until::<A>("all outcomes", || sender.statistics().delivered == 300).await;
    }
}

/// Retained messages come with a subscription, marked as such, until they are cleared.
pub async fn mosquitto_keeps_retained_messages<A: Adapter>() {
    let Some(broker) = Mosquitto::start() else { return };
    for version in VERSIONS {
        let client = connected::<A>(options(broker.address(), version, "keeper")).await;
        for (index, qos) in (0..).zip(EVERY_QOS) {
            client.publish(message("kept", index, qos).retain(true)).await.unwrap();
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
pub async fn mosquitto_publishes_wills<A: Adapter>() {
    let Some(broker) = Mosquitto::start() else { return };
    let proxy = Proxy::start(broker.address());
    for version in VERSIONS {
        let reader = connected::<A>(options(broker.address(), version, "reader")).await;
        let mut stream = reader.subscribe("will", QoS::ExactlyOnce).await.unwrap();
        for (index, qos) in (0_u32..).zip(EVERY_QOS) {
            let topic = TopicName::from_bytes("will".into()).unwrap();
            let mut will = Will::new(topic, Binary::new(index.to_be_bytes().to_vec().into()).unwrap());
            will.qos = qos;
            let polite = connected::<A>(options(broker.address(), version, "polite").will(will.clone())).await;
            polite.disconnect(std::time::Duration::from_secs(5)).await.unwrap();
            let mortal = connected::<A>(options(proxy.address(), version, "mortal").will(will)).await;
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
pub async fn mosquitto_resumes_sessions<A: Adapter>() {
    let Some(broker) = Mosquitto::start() else { return };
    let proxy = Proxy::start(broker.address());
    for version in VERSIONS {
        let other = connected::<A>(options(broker.address(), version, "other")).await;
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let client = connected::<A>(lasting(proxy.address(), version, "resumed")).await;
            let mut states = client.states();
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
            assert!(numbers::<A>(&mut here, 50).await.into_iter().eq(0..50), "{version:?}");
            assert!(numbers::<A>(&mut there, 50).await.into_iter().eq(0..50), "{version:?}");
            until::<A>("all outcomes", || client.statistics().unfinished == 0).await;
            let mut presents = Vec::new();
            while presents.len() < 2 {
                match soon::<A, _>("a state", states.next()).await.unwrap() {
                    ConnectionState::Connected { session_present, .. } => presents.push(session_present),
                    state => assert!(!matches!(state, ConnectionState::Ended { .. }), "{state:?}"),
                }
            }
            // MQTT 3.1 cannot say that the session goes on.
            assert_eq!(presents[1], version != Version::V3_1, "{version:?}");
            here.unsubscribe().await.unwrap();
            soon::<A, _>("disconnecting", client.disconnect(std::time::Duration::from_secs(5)))
                .await
                .unwrap();
            there.unsubscribe().await.unwrap();
        }
    }
}

/// A payload of a mebibyte, with each QoS.
pub async fn mosquitto_passes_large_payloads_on<A: Adapter>() {
    let Some(broker) = Mosquitto::start() else { return };
    let payload: Vec<u8> = (0..1 << 20).map(|place: u32| (place % 251) as u8).collect();
    for version in VERSIONS {
        let limits = Limits::default().packet_bytes(2 << 20);
        let client = connected::<A>(options(broker.address(), version, "large").limits(limits)).await;
        for qos in EVERY_QOS {
            let mut stream = client.subscribe("large", qos).await.unwrap();
            let large = Message::new("large", payload.clone()).unwrap().qos(qos);
            soon::<A, _>("publishing", client.publish(large)).await.unwrap();
            let incoming = soon::<A, _>("a message", stream.next()).await.unwrap();
            assert!(incoming.message.payload == payload, "{version:?} {qos:?}");
            stream.unsubscribe().await.unwrap();
        }
    }
}
