//! What an earlier life of a client has left behind, and what a client is told before it opens anything.

use std::time::Duration;

use mqtt_adapter::{ClientOptions, ConnectionState, OptionsError, PublishError, Unclaimed, UrlError, UrlFault};
use mqtt_session::proto::{QoS, Version};
use mqtt_session::{Capability, CleanStart, PublishError as Refusal};
use mqtt_store::MemoryStore;

use super::{VERSIONS, connected, lasting, leaves, message, numbers, options, server, writer};
use crate::{Adapter, soon, until};

/// A client in memory goes on with a session that an earlier process has left: what comes before its subscription waits, and is
/// not acknowledged meanwhile. With the other policy it is dropped and counted.
pub async fn what_an_earlier_life_subscribed_to_waits_to_be_taken<A: Adapter>() {
    for version in VERSIONS {
        let (hub, address) = server::<A>().await;
        let client = connected::<A>(lasting(address, version, "heir")).await;
        drop(client.subscribe("t", QoS::AtLeastOnce).await.unwrap());
        drop(client.subscribe("other", QoS::AtLeastOnce).await.unwrap());
        leaves::<A>(&hub, client).await;
        for number in 0..3 {
            hub.publish(&message("t", number, QoS::AtLeastOnce));
        }
        hub.publish(&message("other", 9, QoS::AtLeastOnce));

        // Nobody takes it: the server still has it.
        let client = connected::<A>(lasting(address, version, "heir")).await;
        until::<A>("all messages", || client.statistics().held_messages == 4).await;
        leaves::<A>(&hub, client).await;

        let client = connected::<A>(lasting(address, version, "heir")).await;
        until::<A>("all messages", || client.statistics().held_messages == 4).await;
        let mut stream = client.subscribe("t", QoS::AtLeastOnce).await.unwrap();
        assert_eq!(numbers::<A>(&mut stream, 3).await, [0, 1, 2], "{version:?}");
        assert_eq!(numbers::<A>(&mut client.unclaimed(), 1).await, [9], "{version:?}");
        // The acknowledgements are on their way before the connection ends.
        client.publish(message("else", 0, QoS::AtLeastOnce)).await.unwrap();
        assert_eq!(client.statistics().unclaimed, 0);
        drop(stream);
        leaves::<A>(&hub, client).await;

        hub.publish(&message("other", 10, QoS::AtLeastOnce));
        let own = lasting(address, version, "heir").unclaimed(Unclaimed::Drop);
        let client = connected::<A>(own).await;
        until::<A>("the message", || client.statistics().unclaimed == 1).await;
        assert_eq!(
            (client.statistics().received, client.statistics().held_messages),
            (1, 0)
        );
    }
}

/// In MQTT 3 a session that begins anew ends with its connection. So a durable client of it has a session from its second
/// connection on, or from the first one if the application says that the server has nothing of it.
pub async fn a_durable_session_of_mqtt_3_begins_as_it_is_told<A: Adapter>() {
    for (version, clean_start) in [Version::V3_1_1, Version::V3_1]
        .into_iter()
        .flat_map(|version| [(version, CleanStart::Never), (version, CleanStart::ByStore)])
    {
        let (hub, address) = server::<A>().await;
        let store = MemoryStore::new();
        let own = || {
            let own = options(address, version, "durable").clean_start(clean_start);
            own.store(&writer(store.clone()))
        };
        for life in 0..3 {
            let client = connected::<A>(own()).await;
            let has_session = life > usize::from(clean_start == CleanStart::ByStore);
            if version == Version::V3_1_1 {
                let state = soon::<A, _>("a state", client.states().next()).await;
                assert!(
                    matches!(state, Some(ConnectionState::Connected { session_present, .. }) if session_present == has_session),
                    "{life}: {state:?}"
                );
            }
            let mut stream = client.subscribe("t", QoS::ExactlyOnce).await.unwrap();
            if has_session {
                assert_eq!(numbers::<A>(&mut stream, 1).await, [life as u32], "{version:?}");
            }
            leaves::<A>(&hub, client).await;
            let keeps = life > 0 || clean_start == CleanStart::Never;
            assert_eq!(hub.session_expiry("durable"), keeps.then_some(u32::MAX), "{version:?}");
            hub.publish(&message("t", life as u32 + 1, QoS::ExactlyOnce));
        }
    }
}

/// What is wrong with a URL is told with the place and with what to try, and nothing is opened for it.
pub async fn wrong_urls_are_told_before_anything_is_opened<A: Adapter>() {
    let wrong = [
        (
            "localhost:1883",
            UrlFault::UnknownScheme,
            0,
            "use mqtt, mqtts, ws, wss or unix",
        ),
        (
            "http://localhost",
            UrlFault::UnknownScheme,
            0,
            "use mqtt, mqtts, ws, wss or unix",
        ),
        ("mqtt://localhost:port", UrlFault::Port, 17, "leave it out"),
        ("mqtt://localhost:65536", UrlFault::Port, 17, "leave it out"),
        ("mqtt://", UrlFault::NoHost, 7, "write mqtt://HOST:PORT"),
        ("mqtt://me:secret@:1883", UrlFault::NoHost, 17, "write mqtt://HOST:PORT"),
        (
            "mqtt://localhost?qos=2",
            UrlFault::PathNotUsed,
            16,
            "topics are no part of the URL",
        ),
        (
            "ws://localhost?token=secret",
            UrlFault::QueryWithoutPath,
            14,
            "write ws://HOST:PORT/PATH?QUERY",
        ),
        ("mqtt://me:secret%@localhost", UrlFault::PercentEncoding, 16, "%25"),
        ("mqtt://me%2:secret@localhost", UrlFault::PercentEncoding, 9, "%25"),
        ("unix:", UrlFault::NoPath, 5, "write unix:/path/to/the/socket"),
    ];
    for (url, fault, at, advice) in wrong {
        let error = ClientOptions::from_url(url).map(drop).unwrap_err();
        assert_eq!(error, OptionsError::Url(UrlError { fault, at }), "{url}");
        let text = error.to_string();
        assert!(
            text.contains(&format!("at byte {at}")) && text.contains(advice),
            "{text}"
        );
        assert!(!text.contains("secret"), "{text}");
    }
    // One that is right is opened.
    let (_, address) = server::<A>().await;
    let right = ClientOptions::from_url(&format!("mqtt://me:sec%72et@{address}")).unwrap();
    let client = connected::<A>(right).await;
    let drained = client.disconnect(Duration::from_secs(5));
    soon::<A, _>("disconnecting", drained).await.unwrap();
}

/// An application that knows that its server has no QoS 2 is refused such messages at once, and keeps its connection.
pub async fn a_qos_that_the_server_lacks_can_be_refused<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let own = options(address, Version::V3_1_1, "lower").publish_qos_maximum(QoS::AtLeastOnce);
    let client = connected::<A>(own).await;
    let refused = soon::<A, _>("the refusal", client.publish(message("t", 1, QoS::ExactlyOnce))).await;
    assert!(
        matches!(
            refused,
            Err(PublishError::NotTaken(Refusal::NotSupported(Capability::QoS)))
        ),
        "{refused:?}"
    );
    let refused = client.try_publish(message("t", 1, QoS::ExactlyOnce)).unwrap_err();
    assert!(matches!(
        refused.error,
        PublishError::NotTaken(Refusal::NotSupported(Capability::QoS))
    ));
    client.publish(message("t", 1, QoS::AtLeastOnce)).await.unwrap();
    // What it receives is another matter.
    let mut stream = client.subscribe("t", QoS::ExactlyOnce).await.unwrap();
    hub.publish(&message("t", 2, QoS::ExactlyOnce));
    assert_eq!(numbers::<A>(&mut stream, 1).await, [2]);
    assert_eq!((hub.connects(), client.statistics().unfinished), (1, 0));
}
