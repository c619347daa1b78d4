//! Which stream a message goes into, when several subscriptions want it.

use std::net::TcpListener;
use std::sync::Arc;

use mqtt_adapter::{SubscribeError, Subscribing, Subscription};
use mqtt_session::proto::{ConnAckReason, PropertyId, QoS, SubscribeProperties, SubscriptionId, Version};
use mqtt_session::{Capability, Message, RequestError};

use super::{VERSIONS, connected, lasting, message, numbers, options, server};
use crate::{Adapter, Hub, Naming, soon, until};

/// Takes what has come, when the message with the number 99 has come to a stream of its own behind it.
async fn taken<A: Adapter>(hub: &Hub, last: &mut Subscription, stream: &mut Subscription) -> Vec<u32> {
    hub.publish(&message("last", 99, QoS::AtLeastOnce));
    assert_eq!(numbers::<A>(last, 1).await, [99]);
    std::iter::from_fn(|| stream.try_next())
        .map(|incoming| super::number(&incoming))
        .collect()
}

/// Each stream gets each message once, whether the server sends one copy or one for each subscription; also after the server
/// has lost the session, and for a second subscription to the same filter.
pub async fn overlapping_subscriptions_get_each_message_once<A: Adapter>() {
    for (version, naming) in [
        (Version::V5, Naming::Together),
        (Version::V5, Naming::Apart),
        (Version::V5, Naming::Refused),
        (Version::V3_1_1, Naming::Together),
    ] {
        let hub = Arc::new(Hub::default());
        hub.naming(naming);
        let address = A::serve(Arc::clone(&hub), 0).await;
        let client = connected::<A>(options(address, version, "overlapping")).await;
        let mut last = client.subscribe("last", QoS::AtLeastOnce).await.unwrap();
        let mut wide = client.subscribe("a/#", QoS::ExactlyOnce).await.unwrap();
        let mut narrow = client.subscribe("a/b", QoS::AtLeastOnce).await.unwrap();
        for life in 0..2 {
            hub.publish(&message("a/b", 1, QoS::ExactlyOnce));
            hub.publish(&message("a/c", 2, QoS::ExactlyOnce));
            let what = format!("{version:?} {naming:?} {life}");
            assert_eq!(taken::<A>(&hub, &mut last, &mut wide).await, [1, 2], "{what}");
            assert_eq!(taken::<A>(&hub, &mut last, &mut narrow).await, [1], "{what}");
            hub.refuse(Some(ConnAckReason::ServerUnavailable));
            hub.cut();
            until::<A>("the session", || hub.connections() == 0).await;
            hub.forget_sessions();
            hub.refuse(None);
            let connections = client.statistics().connections;
            until::<A>("another connection", || client.statistics().connections > connections).await;
            until::<A>("all subscriptions", || client.statistics().unfinished == 0).await;
        }
        // The server knows one subscription of two to the same filter.
        let mut second = client.subscribe("a/b", QoS::AtLeastOnce).await.unwrap();
        hub.publish(&message("a/b", 3, QoS::AtLeastOnce));
        for stream in [&mut second, &mut narrow, &mut wide] {
            assert_eq!(taken::<A>(&hub, &mut last, stream).await, [3], "{version:?} {naming:?}");
        }
        second.unsubscribe().await.unwrap();
        hub.publish(&message("a/b", 4, QoS::AtLeastOnce));
        for stream in [&mut narrow, &mut wide] {
            assert_eq!(taken::<A>(&hub, &mut last, stream).await, [4], "{version:?} {naming:?}");
        }
        // One that is refused changes nothing at the server.
        hub.refuse_filter("a/b");
        assert!(client.subscribe("a/b", QoS::AtLeastOnce).await.is_err());
        let in_part = Subscribing::new("a/b", QoS::AtLeastOnce).and("c", QoS::AtLeastOnce);
        drop(client.subscribe_to(in_part).await.unwrap());
        hub.publish(&message("a/b", 5, QoS::AtLeastOnce));
        for stream in [&mut narrow, &mut wide] {
            assert_eq!(taken::<A>(&hub, &mut last, stream).await, [5], "{version:?} {naming:?}");
        }
        assert_eq!(client.statistics().unclaimed, 0);
    }
}

/// What comes by way of a group goes into its stream, and not into that of the plain subscription beside it.
pub async fn shared_subscriptions_have_their_own_messages<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let client = connected::<A>(options(address, Version::V5, "sharing")).await;
    let mut last = client.subscribe("last", QoS::AtLeastOnce).await.unwrap();
    let mut one = client.subscribe("$share/one/t", QoS::AtLeastOnce).await.unwrap();
    let mut other = client.subscribe("$share/other/t", QoS::AtLeastOnce).await.unwrap();
    let mut plain = client.subscribe("t", QoS::AtLeastOnce).await.unwrap();
    for number in 0..3 {
        hub.publish(&message("t", number, QoS::AtLeastOnce));
    }
    for stream in [&mut one, &mut other, &mut plain] {
        assert_eq!(taken::<A>(&hub, &mut last, stream).await, [0, 1, 2]);
    }
    other.unsubscribe().await.unwrap();
    hub.publish(&message("t", 3, QoS::AtLeastOnce));
    for stream in [&mut one, &mut plain] {
        assert_eq!(taken::<A>(&hub, &mut last, stream).await, [3]);
    }
}

/// A subscription that was dropped and goes on at the server has nothing to do with the streams of others.
pub async fn what_is_no_subscription_any_more_is_not_told_to_others<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    hub.naming(Naming::Apart);
    let client = connected::<A>(options(address, Version::V5, "dropping")).await;
    let mut last = client.subscribe("last", QoS::AtLeastOnce).await.unwrap();
    let mut narrow = client.subscribe("a/b", QoS::AtLeastOnce).await.unwrap();
    drop(client.subscribe("a/#", QoS::AtLeastOnce).await.unwrap());
    hub.publish(&message("a/b", 1, QoS::AtLeastOnce));
    assert_eq!(taken::<A>(&hub, &mut last, &mut narrow).await, [1]);
    assert_eq!(client.statistics().unclaimed, 1);
}

fn with_id(filter: &'static str, id: u32) -> Subscribing {
    let id = SubscriptionId::new(id).expect("it is allowed");
    let properties = SubscribeProperties::builder().subscription_id(id).build();
    Subscribing::new(filter, QoS::AtLeastOnce).properties(properties.expect("it fits"))
}

/// What the application has chosen is sent and shown; what the client has chosen is not shown, so that a message can be passed
/// on.
pub async fn identifiers_of_the_application_are_its_own<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    hub.naming(Naming::Apart);
    let client = connected::<A>(options(address, Version::V5, "choosing")).await;
    let mut chosen = client.subscribe_to(with_id("a/#", 7)).await.unwrap();
    let mut assigned = client.subscribe("a/b", QoS::AtLeastOnce).await.unwrap();
    hub.publish(&message("a/b", 1, QoS::AtLeastOnce));
    let shown = soon::<A, _>("a message", chosen.next()).await.unwrap();
    let ids: Vec<u32> = shown
        .message
        .properties
        .subscription_ids()
        .map(SubscriptionId::get)
        .collect();
    assert_eq!(ids, [7]);
    let hidden = soon::<A, _>("a message", assigned.next()).await.unwrap();
    assert!(!hidden.message.properties.has(PropertyId::SubscriptionIdentifier));
    let mut passed_on = hidden.message;
    passed_on.topic = Message::new("b", "").unwrap().topic;
    soon::<A, _>("publishing", client.publish(passed_on)).await.unwrap();
    assert!(chosen.try_next().is_none() && assigned.try_next().is_none());
}

/// Identifiers are not what a subscription fails for, unless the application has chosen one: neither one that was asked for
/// before the server had said that it takes none, nor one that is asked for again on another connection.
pub async fn a_server_without_identifiers_is_subscribed_to_without<A: Adapter>() {
    for version in VERSIONS {
        let hub = Arc::new(Hub::default());
        hub.naming(Naming::Refused);
        let address = A::serve(Arc::clone(&hub), 0).await;
        let client = A::start(lasting(address, version, "early"));
        let mut stream = soon::<A, _>("subscribing", client.subscribe("t", QoS::AtLeastOnce))
            .await
            .unwrap();
        client.publish(message("t", 1, QoS::AtLeastOnce)).await.unwrap();
        assert_eq!(numbers::<A>(&mut stream, 1).await, [1]);
        if version == Version::V5 {
            let refused = soon::<A, _>("subscribing", client.subscribe_to(with_id("t", 7))).await;
            assert!(
                matches!(
                    refused,
                    Err(SubscribeError::NotTaken(RequestError::NotSupported(
                        Capability::SubscriptionIdentifiers
                    )))
                ),
                "{refused:?}"
            );
        }
    }
    // The server takes identifiers, and later none.
    let (first, address) = server::<A>().await;
    let client = connected::<A>(options(address, Version::V5, "moved")).await;
    let mut stream = client.subscribe("t", QoS::AtLeastOnce).await.unwrap();
    first.refuse(Some(ConnAckReason::ServerUnavailable));
    first.shut();
    until::<A>("the end of the connection", || first.connections() == 0).await;
    let second = Arc::new(Hub::default());
    second.naming(Naming::Refused);
    until::<A>("the port", || TcpListener::bind(address).is_ok()).await;
    A::serve(Arc::clone(&second), address.port()).await;
    until::<A>("all subscriptions", || second.has_subscription("t")).await;
    second.publish(&message("t", 2, QoS::AtLeastOnce));
    assert_eq!(numbers::<A>(&mut stream, 1).await, [2]);
}
