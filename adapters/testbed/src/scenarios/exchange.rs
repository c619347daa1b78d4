//! Messages, answers and acknowledgements, when nothing goes wrong.

use std::sync::Arc;
use std::time::Duration;

use mqtt_adapter::{Acknowledge, ClientOptions, Published, SubscribeError, Subscribing};
use mqtt_session::Message;
use mqtt_session::proto::{QoS, SubAckReason, Version};

use super::{EVERY_QOS, VERSIONS, connected, hasty, lasting, message, numbers, options, server};
use crate::{Adapter, soon, until};

/// Each QoS, in each version, in both directions.
pub async fn every_qos_is_delivered<A: Adapter>() {
    for version in [Version::V5, Version::V3_1_1, Version::V3_1] {
        let (_, address) = server::<A>().await;
        every_qos::<A>(options(address, version, "both")).await;
    }
}

/// The same through a socket of this machine, with the URL of its path; and a path where none is, is said.
pub async fn a_path_in_the_file_system_is_a_server_too<A: Adapter>() {
    #[cfg(unix)]
    {
        let (_, address) = server::<A>().await;
        let door = crate::door::Door::to(address, "every-qos").unwrap();
        let url = door.url();
        let options = || hasty(ClientOptions::from_url(&url).unwrap(), Version::V5, "neighbour");
        every_qos::<A>(options()).await;
        drop(door);
        let client = A::start(options());
        let failure = soon::<A, _>("the end", client.established()).await.unwrap_err();
        assert!(failure.to_string().contains(&url), "{failure}");
    }
}

async fn every_qos<A: Adapter>(options: ClientOptions) {
    let client = connected::<A>(options).await;
    for (index, qos) in (0..).zip(EVERY_QOS) {
        let mut stream = soon::<A, _>("subscribing", client.subscribe("a/+", qos)).await.unwrap();
        assert_eq!(stream.granted().collect::<Vec<_>>(), [Ok(qos)]);
        let published = soon::<A, _>("publishing", client.publish(message("a/b", index, qos)))
            .await
            .unwrap();
        match qos {
            QoS::AtMostOnce => assert_eq!(published, Published::Sent),
            _ => assert!(matches!(published, Published::Acknowledged(reason) if !reason.is_error())),
        }
        let incoming = soon::<A, _>("a message", stream.next()).await.unwrap();
        assert_eq!((super::number(&incoming), incoming.message.qos), (index, qos));
        soon::<A, _>("unsubscribing", stream.unsubscribe()).await.unwrap();
        assert!(soon::<A, _>("the end of the stream", stream.next()).await.is_none());
    }
    let statistics = client.statistics();
    assert_eq!(
        (statistics.published, statistics.delivered, statistics.received),
        (3, 3, 3)
    );
}

/// A payload of a mebibyte goes both ways.
pub async fn large_payloads_are_delivered<A: Adapter>() {
    let (_, address) = server::<A>().await;
    let large = mqtt_session::Limits::default().packet_bytes(4 << 20);
    let client = connected::<A>(options(address, Version::V5, "large").limits(large)).await;
    let mut stream = client.subscribe("large", QoS::ExactlyOnce).await.unwrap();
    let payload: Vec<u8> = (0..1 << 20).map(|place: u32| (place % 251) as u8).collect();
    let large = Message::new("large", payload.clone()).unwrap().qos(QoS::ExactlyOnce);
    soon::<A, _>("publishing", client.publish(large)).await.unwrap();
    let incoming = soon::<A, _>("a message", stream.next()).await.unwrap();
    assert!(incoming.message.payload == payload);
}

/// Each filter is answered, a refused one too; if all are refused there is no subscription.
pub async fn filters_are_granted_one_by_one<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    hub.refuse_filter("secret");
    let client = connected::<A>(options(address, Version::V5, "filters")).await;
    let request = Subscribing::new("a", QoS::AtLeastOnce)
        .and("secret", QoS::AtMostOnce)
        .and("b", QoS::ExactlyOnce);
    let stream = soon::<A, _>("subscribing", client.subscribe_to(request)).await.unwrap();
    let granted: Vec<_> = stream.granted().collect();
    assert_eq!(
        granted,
        [
            Ok(QoS::AtLeastOnce),
            Err(SubAckReason::NotAuthorized),
            Ok(QoS::ExactlyOnce)
        ]
    );
    let refused = soon::<A, _>("subscribing", client.subscribe("secret", QoS::AtMostOnce)).await;
    assert!(matches!(refused, Err(SubscribeError::Refused(codes)) if codes == [SubAckReason::NotAuthorized]));
    let wrong = client.subscribe("a/#/b", QoS::AtMostOnce).await;
    assert!(matches!(wrong, Err(SubscribeError::Filters(_))));
}

/// A subscription has its own messages, and no others; one message may belong to two.
pub async fn each_subscription_has_its_own_messages<A: Adapter>() {
    for version in VERSIONS {
        let (_, address) = server::<A>().await;
        let client = connected::<A>(options(address, version, "streams")).await;
        let mut one = client.subscribe("one/#", QoS::AtLeastOnce).await.unwrap();
        let mut all = client.subscribe("#", QoS::AtLeastOnce).await.unwrap();
        for (number, topic) in (0..).zip(["one/a", "two/a", "one/b"]) {
            client.publish(message(topic, number, QoS::AtLeastOnce)).await.unwrap();
        }
        assert_eq!(numbers::<A>(&mut one, 2).await, [0, 2]);
        assert_eq!(numbers::<A>(&mut all, 3).await, [0, 1, 2]);
        assert!(one.try_next().is_none() && all.try_next().is_none());
    }
}

/// A retained message comes with the subscription, even if it comes before the answer.
pub async fn retained_messages_come_with_the_subscription<A: Adapter>() {
    let (_, address) = server::<A>().await;
    let client = connected::<A>(options(address, Version::V5, "retained")).await;
    client
        .publish(message("kept", 7, QoS::AtLeastOnce).retain(true))
        .await
        .unwrap();
    let mut stream = client.subscribe("kept", QoS::AtLeastOnce).await.unwrap();
    let kept = soon::<A, _>("the message", stream.next()).await.unwrap();
    assert_eq!(super::number(&kept), 7);
    // This client acknowledges by itself, so there is nothing to be done.
    assert!(kept.acknowledgement.is_none());
    kept.acknowledge().unwrap().await.unwrap();
}

/// Requests under way at the same time each get their own answer.
pub async fn requests_get_their_own_answers<A: Adapter>() {
    let (_, address) = server::<A>().await;
    let asker = connected::<A>(options(address, Version::V5, "asker")).await;
    let answerer = connected::<A>(options(address, Version::V5, "answerer")).await;
    let mut questions = answerer.subscribe("double", QoS::AtLeastOnce).await.unwrap();
    let requester = soon::<A, _>("a requester", asker.requester("answers/asker"))
        .await
        .unwrap();
    let answering = async {
        // The second question is answered first.
        let mut held = Vec::new();
        while held.len() < 2 {
            held.push(questions.next().await.unwrap());
        }
        for question in held.into_iter().rev() {
            let double = super::number(&question) * 2;
            let answer = question.message.reply(double.to_be_bytes().to_vec()).unwrap();
            answerer.publish(answer).await.unwrap();
        }
    };
    let ask = |number| {
        let requester = &requester;
        async move {
            let answer = requester
                .request(message("double", number, QoS::AtLeastOnce))
                .await
                .unwrap();
            u32::from_be_bytes(answer.payload[..].try_into().unwrap())
        }
    };
    let all = join(join(ask(21), ask(4)), answering);
    let ((first, second), ()) = soon::<A, _>("the answers", all).await;
    assert_eq!((first, second), (42, 8));
}

/// What the application has not acknowledged comes again on the next connection, and what it has does not.
pub async fn unacknowledged_messages_come_again<A: Adapter>() {
    for version in VERSIONS {
        let (hub, address) = server::<A>().await;
        let own = lasting(address, version, "manual").acknowledge(Acknowledge::ByApplication);
        let client = connected::<A>(own).await;
        let mut stream = client.subscribe("work", QoS::AtLeastOnce).await.unwrap();
        for number in 0..2 {
            client.publish(message("work", number, QoS::AtLeastOnce)).await.unwrap();
        }
        let done = soon::<A, _>("a message", stream.next()).await.unwrap();
        assert!(done.acknowledgement.is_some());
        done.acknowledge().unwrap();
        let dropped = soon::<A, _>("a message", stream.next()).await.unwrap();
        assert_eq!(super::number(&dropped), 1);
        // The acknowledgement of the first one is on its way before the connection is cut.
        client.publish(message("other", 0, QoS::AtLeastOnce)).await.unwrap();
        hub.cut();
        let again = soon::<A, _>("the message again", stream.next()).await.unwrap();
        assert_eq!(super::number(&again), 1, "{version:?}");
        assert!(dropped.acknowledge().is_err(), "its connection has ended");
        again.acknowledge().unwrap();
        client.publish(message("other", 0, QoS::AtLeastOnce)).await.unwrap();
        assert!(stream.try_next().is_none());
    }
}

/// The connection lives on while the application does nothing for longer than its keep-alive.
pub async fn keep_alive_does_not_need_the_application<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let own = options(address, Version::V5, "busy")
        .keep_alive(Duration::from_secs(2))
        .stream_messages(4);
    let client = connected::<A>(own).await;
    let mut busy = client.subscribe("flood", QoS::AtLeastOnce).await.unwrap();
    // More than the application takes, of both kinds.
    for number in 0..200 {
        hub.publish(&message("flood", number, QoS::AtMostOnce));
        hub.publish(&message("flood", number, QoS::AtLeastOnce));
    }
    A::sleep(Duration::from_secs(5)).await;
    assert_eq!((hub.connects(), client.statistics().connections), (1, 1));
    until::<A>("the drops", || busy.dropped() > 0).await;
    let mut acknowledged = 0;
    while acknowledged < 200 {
        let incoming = soon::<A, _>("a message", busy.next()).await.unwrap();
        acknowledged += u32::from(incoming.message.qos == QoS::AtLeastOnce);
    }
    assert_eq!(hub.connects(), 1);
}

/// Waits for two futures.
pub(super) async fn join<T, U>(one: impl Future<Output = T>, other: impl Future<Output = U>) -> (T, U) {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|cx| {
        if first.is_none() {
            if let std::task::Poll::Ready(value) = one.as_mut().poll(cx) {
                first = Some(value);
            }
        }
        if second.is_none() {
            if let std::task::Poll::Ready(value) = other.as_mut().poll(cx) {
                second = Some(value);
            }
        }
        match (first.is_some(), second.is_some()) {
            (true, true) => std::task::Poll::Ready(()),
            _ => std::task::Poll::Pending,
        }
    })
    .await;
    (first.expect("it ended"), second.expect("it ended"))
}

/// Subscriptions are shared between handles and tasks.
pub async fn handles_are_one_client<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let client = connected::<A>(options(address, Version::V5, "handles")).await;
    let clone = Arc::new(client.clone());
    drop(client);
    clone.publish(message("t", 0, QoS::AtLeastOnce)).await.unwrap();
    assert_eq!(hub.connects(), 1);
    assert!(clone.is_connected());
}
