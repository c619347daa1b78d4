//! Connections that are cut, and sessions that are lost.

use std::collections::BTreeSet;
use std::time::Duration;

use mqtt_adapter::ConnectionState;
use mqtt_session::proto::{QoS, Version};

use super::{VERSIONS, connected, lasting, message, number, numbers, options, server};
use crate::{Adapter, soon, until};

/// Messages in both directions, over connections that are cut again and again.
pub async fn cuts_lose_nothing_and_double_nothing<A: Adapter>() {
    const COUNT: u32 = 400;
    for version in VERSIONS {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let (hub, address) = server::<A>().await;
            let client = connected::<A>(lasting(address, version, "cut")).await;
            let mut stream = client.subscribe("t", qos).await.unwrap();
            let mut received = Vec::new();
            for sent in 0..COUNT {
                soon::<A, _>("publishing", client.publish(message("t", sent, qos)).accepted())
                    .await
                    .unwrap();
                if sent % 80 == 79 {
                    let before = hub.connects();
                    hub.cut();
                    until::<A>("another connection", || hub.connects() > before).await;
                }
                received.extend(std::iter::from_fn(|| stream.try_next()).map(|incoming| number(&incoming)));
            }
            let seen = |received: &[u32]| received.iter().copied().collect::<BTreeSet<u32>>();
            while seen(&received).len() < COUNT as usize {
                received.extend(numbers::<A>(&mut stream, 1).await);
            }
            if qos == QoS::ExactlyOnce {
                assert!(received.iter().copied().eq(0..COUNT), "{version:?}: {received:?}");
            }
            until::<A>("all acknowledgements", || client.statistics().unfinished == 0).await;
            assert_eq!(client.statistics().delivered, u64::from(COUNT));
            assert!(client.statistics().connections > 4);
        }
    }
}

/// A server that has lost the session is subscribed to again.
pub async fn a_lost_session_is_subscribed_again<A: Adapter>() {
    for version in [Version::V5, Version::V3_1_1, Version::V3_1] {
        let (hub, address) = server::<A>().await;
        let client = connected::<A>(options(address, version, "lost")).await;
        // More of them than requests may be unanswered.
        let mut streams = Vec::new();
        for _ in 0..40 {
            streams.push(client.subscribe("t", QoS::AtLeastOnce).await.unwrap());
        }
        let mut states = client.states();
        hub.refuse(Some(mqtt_session::proto::ConnAckReason::ServerUnavailable));
        hub.cut();
        until::<A>("the session", || hub.connections() == 0).await;
        hub.forget_sessions();
        hub.refuse(None);
        let is_new = |state: &ConnectionState| {
            matches!(
                state,
                ConnectionState::Connected {
                    session_present: false,
                    ..
                }
            )
        };
        let mut connections = 0;
        while connections < 2 {
            let state = soon::<A, _>("a state", states.next())
                .await
                .expect("the client goes on");
            connections += u32::from(is_new(&state));
        }
        until::<A>("all subscriptions", || client.statistics().unfinished == 0).await;
        client.publish(message("t", 5, QoS::AtLeastOnce)).await.unwrap();
        for stream in &mut streams {
            assert_eq!(numbers::<A>(stream, 1).await, [5], "{version:?}");
        }
    }
}

/// A subscription that the server refuses when it is made again ends.
pub async fn a_subscription_that_is_refused_later_ends<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let own = options(address, Version::V5, "expelled").session_expiry(Duration::ZERO);
    let client = connected::<A>(own).await;
    let mut stream = client.subscribe("t", QoS::AtLeastOnce).await.unwrap();
    hub.refuse_filter("t");
    hub.cut();
    assert!(soon::<A, _>("the end of the stream", stream.next()).await.is_none());
}
