//! The end of a client: what was published arrives, and nothing is left running.

use std::time::Duration;

use mqtt_adapter::{Cause, ConnectionState, PublishError};
use mqtt_session::proto::{Binary, ConnAckReason, Disconnect, DisconnectReason, QoS, TopicName, Version, Will};

use super::{VERSIONS, connected, message, numbers, options, server};
use crate::{Adapter, soon, until};

fn will() -> Will<bytes::Bytes> {
    let topic = TopicName::from_bytes("gone".into()).expect("it is a topic");
    Will::new(topic, Binary::new("bye".into()).expect("it is short"))
}

/// `disconnect` waits until everything has arrived, and says farewell.
pub async fn disconnecting_drains<A: Adapter>() {
    for version in VERSIONS {
        let (hub, address) = server::<A>().await;
        let reader = connected::<A>(options(address, version, "reader")).await;
        let mut stream = reader.subscribe("t", QoS::ExactlyOnce).await.unwrap();
        let client = connected::<A>(options(address, version, "leaving").will(will())).await;
        for number in 0..100 {
            client
                .publish(message("t", number, QoS::ExactlyOnce))
                .accepted()
                .await
                .unwrap();
        }
        let mut states = client.states();
        soon::<A, _>("disconnecting", client.disconnect(Duration::from_secs(10)))
            .await
            .unwrap();
        let mut last = None;
        while let Some(state) = soon::<A, _>("the end", states.next()).await {
            last = Some(state);
        }
        let Some(ConnectionState::Ended { failure, .. }) = last else {
            panic!("{last:?}")
        };
        assert!(matches!(failure.cause, Cause::Disconnected), "{failure}");
        assert!(numbers::<A>(&mut stream, 100).await.into_iter().eq(0..100));
        until::<A>("the farewell", || hub.farewells() == 1 && hub.connections() == 1).await;
        assert_eq!(hub.wills(), 0);
        let late = client.publish(message("t", 0, QoS::AtMostOnce)).await;
        assert!(matches!(late, Err(PublishError::Ended(_))));
    }
}

/// A client that cannot deliver leaves at its deadline, and says what it could not do.
pub async fn disconnecting_has_a_deadline<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    hub.refuse(Some(ConnAckReason::ServerUnavailable));
    let client = A::start(options(address, Version::V5, "late"));
    client
        .publish(message("t", 0, QoS::AtLeastOnce))
        .accepted()
        .await
        .unwrap();
    let left = soon::<A, _>("disconnecting", client.disconnect(Duration::from_millis(100))).await;
    assert_eq!(left.unwrap_err().operations, 1);
}

/// What was published before the last handle was dropped arrives, and the connection ends with a farewell.
pub async fn dropping_the_last_handle_drains<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let reader = connected::<A>(options(address, Version::V5, "reader")).await;
    let mut stream = reader.subscribe("t", QoS::AtLeastOnce).await.unwrap();
    let client = connected::<A>(options(address, Version::V5, "dropped").will(will())).await;
    let clone = client.clone();
    drop(client);
    for number in 0..50 {
        clone
            .publish(message("t", number, QoS::AtLeastOnce))
            .accepted()
            .await
            .unwrap();
    }
    assert_eq!(hub.connections(), 2);
    drop(clone);
    assert!(numbers::<A>(&mut stream, 50).await.into_iter().eq(0..50));
    until::<A>("the farewell", || hub.farewells() == 1 && hub.connections() == 1).await;
    assert_eq!(hub.wills(), 0);
}

/// A client that says so leaves its will with its farewell.
pub async fn a_farewell_is_the_one_that_was_set<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let options = options(address, Version::V5, "mortal").will(will());
    let client = connected::<A>(options.farewell(Disconnect::new(DisconnectReason::DisconnectWithWill))).await;
    soon::<A, _>("disconnecting", client.disconnect(Duration::from_secs(10)))
        .await
        .unwrap();
    until::<A>("the will", || hub.wills() == 1 && hub.farewells() == 1).await;
}

/// A client that vanishes leaves its will.
pub async fn a_cut_connection_leaves_a_will<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let _client = connected::<A>(options(address, Version::V5, "mortal").will(will())).await;
    hub.cut();
    until::<A>("the will", || hub.wills() == 1).await;
}
