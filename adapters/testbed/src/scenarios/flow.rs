//! Full queues, slow readers, and futures that are dropped.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use mqtt_adapter::{Cause, ConnectionState, PublishError, Published};
use mqtt_session::proto::{QoS, Version};
use mqtt_session::{Limits, PublishError as Refusal};

use super::{VERSIONS, connected, lasting, message, number, numbers, options, server};
use crate::{Adapter, soon, until};

/// An application that publishes, and waits for the acknowledgement, for each message that it takes.
pub async fn publishing_in_the_receive_loop_cannot_deadlock<A: Adapter>() {
    const COUNT: u32 = 500;
    for version in VERSIONS {
        let (hub, address) = server::<A>().await;
        let small = Limits::default().receive_maximum(4).queued_messages(2);
        let client = connected::<A>(options(address, version, "echo").limits(small)).await;
        let mut stream = client.subscribe("in", QoS::AtLeastOnce).await.unwrap();
        for number in 0..COUNT {
            hub.publish(&message("in", number, QoS::AtLeastOnce));
        }
        // As many wait as the server may send.
        until::<A>("messages", || client.statistics().held_messages > 3).await;
        for expected in 0..COUNT {
            let incoming = soon::<A, _>("a message", stream.next()).await.unwrap();
            assert_eq!(number(&incoming), expected, "{version:?}");
            let echo = message("out", expected, QoS::ExactlyOnce);
            soon::<A, _>("publishing", client.publish(echo)).await.unwrap();
        }
        assert_eq!(hub.connects(), 1);
    }
}

/// What does not fit is given back by `try_publish`, and waits in `publish`, in the order of asking.
pub async fn a_full_queue_makes_publish_wait<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let small = Limits::default().queued_messages(3);
    hub.refuse(Some(mqtt_session::proto::ConnAckReason::ServerUnavailable));
    let client = A::start(options(address, Version::V5, "full").limits(small));
    let taken: Vec<_> = (0..3)
        .map(|number| client.try_publish(message("t", number, QoS::AtLeastOnce)).unwrap())
        .collect();
    let error = client.try_publish(message("t", 3, QoS::AtLeastOnce)).unwrap_err();
    assert!(matches!(error.error, PublishError::NotTaken(Refusal::QueueFull(_))));
    assert!(error.is_full());
    assert_eq!(error.message.payload[..], 3_u32.to_be_bytes());
    let mut waiting: Vec<_> = (4..12)
        .map(|number| Box::pin(client.publish(message("t", number, QoS::AtLeastOnce))))
        .collect();
    for publish in &mut waiting {
        assert!(is_pending(publish.as_mut()).await);
    }
    // One of them gives up.
    drop(waiting.remove(2));
    let other = connected_when_allowed::<A>(&hub, address).await;
    let mut stream = other.subscribe("t", QoS::AtLeastOnce).await.unwrap();
    hub.refuse(None);
    for publish in waiting {
        assert!(matches!(
            soon::<A, _>("publishing", publish).await,
            Ok(Published::Acknowledged(_))
        ));
    }
    for completion in taken {
        soon::<A, _>("publishing", completion).await.unwrap();
    }
    assert_eq!(numbers::<A>(&mut stream, 10).await, [0, 1, 2, 4, 5, 7, 8, 9, 10, 11]);
}

/// Another client, which is let in alone.
async fn connected_when_allowed<A: Adapter>(hub: &crate::Hub, address: std::net::SocketAddr) -> mqtt_adapter::Client {
    let asked = hub.connects();
    until::<A>("a refusal", || hub.connects() > asked).await;
    let other = A::start(options(address, Version::V5, "reader"));
    hub.allow("reader");
    let mut states = other.states();
    while !other.is_connected() {
        soon::<A, _>("a state", states.next()).await;
    }
    other
}

/// Whether a future is not ready. It has been polled then.
async fn is_pending<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

/// Futures of all kinds are polled once and dropped, again and again; every message arrives.
pub async fn dropped_futures_lose_nothing<A: Adapter>() {
    const COUNT: u32 = 300;
    for version in VERSIONS {
        let (hub, address) = server::<A>().await;
        let client = connected::<A>(options(address, version, "drops")).await;
        let mut stream = client.subscribe("t", QoS::ExactlyOnce).await.unwrap();
        let (mut sent, mut received) = (0, Vec::new());
        while received.len() < COUNT as usize {
            if sent < COUNT {
                // It has been taken, since there is room, and is waited for no more.
                is_pending(pin!(client.publish(message("t", sent, QoS::ExactlyOnce)))).await;
                sent += 1;
            }
            let taken = poll_fn(|cx| match pin!(stream.next()).poll(cx) {
                Poll::Ready(incoming) => Poll::Ready(incoming),
                Poll::Pending => Poll::Ready(None),
            });
            match taken.await {
                Some(incoming) => received.push(number(&incoming)),
                None if sent == COUNT => received.extend(numbers::<A>(&mut stream, 1).await),
                None => {}
            }
            let _ = is_pending(pin!(client.subscribe("other", QoS::AtMostOnce))).await;
            let _ = is_pending(pin!(client.states().next())).await;
        }
        assert!(received.iter().copied().eq(0..COUNT), "{version:?}: {received:?}");
        assert_eq!(hub.connects(), 1);
    }
}

/// A stream that nobody reads drops messages of QoS 0 and counts them, and keeps no other stream waiting.
pub async fn a_stream_that_nobody_reads_keeps_nobody_waiting<A: Adapter>() {
    let (_, address) = server::<A>().await;
    let client = connected::<A>(options(address, Version::V5, "slow").stream_messages(5)).await;
    let unread = client.subscribe("unread", QoS::AtMostOnce).await.unwrap();
    let mut read = client.subscribe("read", QoS::AtMostOnce).await.unwrap();
    for number in 0..50 {
        client
            .publish(message("unread", number, QoS::AtMostOnce))
            .await
            .unwrap();
    }
    client.publish(message("read", 1, QoS::AtMostOnce)).await.unwrap();
    assert_eq!(numbers::<A>(&mut read, 1).await, [1]);
    assert_eq!((unread.dropped(), client.statistics().dropped), (45, 45));
    assert_eq!(client.statistics().held_messages, 5);
    drop(unread);
    assert_eq!(client.statistics().held_messages, 0);
    client.publish(message("unread", 0, QoS::AtMostOnce)).await.unwrap();
    client.publish(message("read", 2, QoS::AtMostOnce)).await.unwrap();
    assert_eq!(numbers::<A>(&mut read, 1).await, [2]);
    assert_eq!(client.statistics().unclaimed, 1);
}

/// An application that is behind by more than the bound is told so; nothing of QoS 2 is lost or doubled by that.
pub async fn messages_beyond_the_bound_close_the_connection_and_are_kept<A: Adapter>() {
    const COUNT: u32 = 100;
    let (hub, address) = server::<A>().await;
    let client = connected::<A>(lasting(address, Version::V3_1_1, "behind").held_messages(10)).await;
    let mut states = client.states();
    let mut stream = client.subscribe("t", QoS::ExactlyOnce).await.unwrap();
    for number in 0..COUNT {
        hub.publish(&message("t", number, QoS::ExactlyOnce));
    }
    let failure = loop {
        let state = soon::<A, _>("a state", states.next()).await;
        if let ConnectionState::Disconnected { failure, .. } = state.expect("the client goes on") {
            break failure;
        }
    };
    assert!(matches!(failure.cause, Cause::NotTaken), "{failure}");
    let mut received = numbers::<A>(&mut stream, COUNT as usize).await;
    received.sort_unstable();
    assert!(received.into_iter().eq(0..COUNT));
    assert!(stream.try_next().is_none());
}
