//! What the application chooses in the options of a client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mqtt_adapter::{
    Cause, ConnectionState, DialError, Failure, LayerError, PublishError, Published, ServerLayers, Tls,
};
use mqtt_session::proto::{ConnAckReason, QoS, Version};
use mqtt_session::{Limit, Limits, Loss, Outcome, WhenFull};

use super::secure::endpoint;
use super::{Papers, connected, ended, hasty, message, numbers, options, server};
use crate::{Adapter, Hub, soon, until};

/// A client that offers the server's protocol by ALPN comes in, and so does one that offers none; one that offers others alone is told
/// what is wrong.
pub async fn protocols_of_tls_are_agreed_on<A: Adapter>() {
    let papers = Papers::new();
    let hub = Arc::new(Hub::default());
    let layers = ServerLayers::new().tls(papers.tls_server(false).alpn(["mqtt"]));
    let address = A::serve_with(Arc::clone(&hub), 0, layers).await;
    let client = |tls: Tls| A::start(hasty(endpoint("mqtts", address), Version::V5, "offers").tls(tls));
    for tls in [papers.tls(), papers.tls().alpn(["x-other", "mqtt"])] {
        let client = client(tls);
        soon::<A, _>("connecting", client.established()).await.unwrap();
        client.abort();
        until::<A>("the end", || hub.connections() == 0).await;
    }
    let astray = client(papers.tls().alpn(["http/1.1"]));
    let failure = soon::<A, _>("the refusal", astray.established()).await.unwrap_err();
    assert!(is_of_tls(&failure), "{failure}");
    assert!(
        failure
            .to_string()
            .ends_with("the server wants another protocol: set it with `Tls::alpn`"),
        "{failure}"
    );
    ended::<A>(&astray).await;
}

fn is_of_tls(failure: &Failure) -> bool {
    matches!(&failure.cause, Cause::Dial(DialError::Layer(LayerError::Tls(_))))
}

/// The oldest message makes room, and its publisher is told.
pub async fn a_full_queue_drops_what_is_oldest_if_it_is_told_to<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    hub.refuse(Some(ConnAckReason::ServerUnavailable));
    let small = Limits::default().queued_messages(3);
    let client = A::start(
        options(address, Version::V5, "forgetful")
            .limits(small)
            .when_full(WhenFull::DropOldest),
    );
    let mut taken: Vec<_> = (0..5)
        .map(|number| client.try_publish(message("t", number, QoS::AtLeastOnce)).unwrap())
        .collect();
    let kept = taken.split_off(2);
    for dropped in taken {
        let outcome = soon::<A, _>("the end of a message", dropped).await;
        let limit = Outcome::Dropped(Limit::QueuedMessages);
        assert!(
            matches!(&outcome, Err(PublishError::Failed(found)) if *found == limit),
            "{outcome:?}"
        );
    }
    hub.allow("reader");
    let reader = connected::<A>(options(address, Version::V5, "reader")).await;
    let mut stream = reader.subscribe("t", QoS::AtLeastOnce).await.unwrap();
    hub.refuse(None);
    for message in kept {
        soon::<A, _>("publishing", message).await.unwrap();
    }
    assert_eq!(numbers::<A>(&mut stream, 3).await, [2, 3, 4]);
}

/// What becomes of a message that the server has not acknowledged when it loses the session.
pub async fn a_lost_session_repeats_what_it_is_told_to<A: Adapter>() {
    let cases = [
        (Loss::RepeatAtLeastOnce, QoS::AtLeastOnce, true),
        (Loss::RepeatAtLeastOnce, QoS::ExactlyOnce, false),
        (Loss::RepeatAll, QoS::ExactlyOnce, true),
        (Loss::EndAll, QoS::AtLeastOnce, false),
        (Loss::EndAll, QoS::ExactlyOnce, false),
    ];
    for (loss, qos, is_repeated) in cases {
        let client = A::start(options(loses_its_sessions(), Version::V3_1_1, "lost").loss(loss));
        let outcome = soon::<A, _>("the end of the message", client.publish(message("t", 1, qos))).await;
        let is_right = match is_repeated {
            true => matches!(outcome, Ok(Published::Acknowledged(_))),
            false => matches!(outcome, Err(PublishError::Failed(Outcome::SessionLost))),
        };
        assert!(is_right, "{loss:?}, {qos:?}: {outcome:?}");
        let is_back = || client.is_connected() && client.statistics().connections == 2;
        until::<A>("the second connection", is_back).await;
    }
}

/// A server of MQTT 3.1.1 that has no session of anybody. It closes the first connection instead of acknowledging.
fn loses_its_sessions() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        for (number, stream) in listener.incoming().take(2).enumerate() {
            // A client that is gone is not served.
            let _ = stream.and_then(|stream| answer(stream, number > 0));
        }
    });
    address
}

fn answer(mut stream: TcpStream, acknowledges: bool) -> std::io::Result<()> {
    loop {
        // All its packets are short.
        let mut head = [0; 2];
        stream.read_exact(&mut head)?;
        let mut packet = vec![0; usize::from(head[1])];
        stream.read_exact(&mut packet)?;
        let is_publish = head[0] >> 4 == 3;
        if is_publish && !acknowledges {
            return Ok(());
        }
        // The identifier of PUBLISH is behind a topic of one byte.
        let id = packet.get(if is_publish { 3..5 } else { 0..2 }).unwrap_or(&[0, 0]);
        let kind = match (head[0] >> 4, head[0] >> 1 & 3) {
            (1, _) => 0x20,
            (3, 1) => 0x40,
            (3, _) => 0x50,
            (6, _) => 0x70,
            _ => continue,
        };
        let id = if kind == 0x20 { &[0, 0] } else { id };
        stream.write_all(&[&[kind, 2], id].concat())?;
    }
}

/// A client whose last handle is dropped tries to deliver for as long as it was told to, and no longer.
pub async fn a_dropped_client_drains_for_as_long_as_it_is_told<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    hub.refuse(Some(ConnAckReason::ServerUnavailable));
    let dropped_with = async |drain_timeout: Duration| {
        let client = A::start(options(address, Version::V5, "dropped").drain_timeout(drain_timeout));
        let publishing = client.publish(message("t", 0, QoS::AtLeastOnce)).accepted();
        soon::<A, _>("publishing", publishing).await.unwrap();
        drop(client);
    };
    dropped_with(Duration::from_millis(50)).await;
    A::sleep(Duration::from_secs(2)).await;
    let tries = hub.connects();
    A::sleep(Duration::from_millis(500)).await;
    assert_eq!(hub.connects(), tries, "it goes on");

    dropped_with(Duration::from_secs(600)).await;
    let tries = hub.connects();
    until::<A>("many tries", || hub.connects() > tries + 10).await;
    hub.refuse(None);
    until::<A>("the farewell", || hub.farewells() == 1).await;
}

/// The bound in bytes holds as the one in messages does: see
/// [`messages_beyond_the_bound_close_the_connection_and_are_kept`](super::messages_beyond_the_bound_close_the_connection_and_are_kept).
pub async fn bytes_beyond_the_bound_close_the_connection_and_are_kept<A: Adapter>() {
    const COUNT: u32 = 100;
    let (hub, address) = server::<A>().await;
    // Ten of them, of five bytes each, are at the bound; that in messages is far away.
    let own = super::lasting(address, Version::V3_1_1, "behind").held_bytes(50);
    let client = connected::<A>(own).await;
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
}

/// `TCP_NODELAY` is set at both ends: what is small does not wait for an acknowledgement of TCP.
#[cfg(target_os = "linux")]
pub async fn small_packets_do_not_wait<A: Adapter>() {
    let (_hub, address) = server::<A>().await;
    let _client = connected::<A>(options(address, Version::V5, "prompt")).await;
    let sockets = crate::sockets::of_this_process();
    let is_connected = |socket: &&TcpStream| {
        let ends = [socket.local_addr(), socket.peer_addr()];
        ends.iter().all(Result::is_ok) && ends.into_iter().flatten().any(|end| end == address)
    };
    let found: Vec<_> = sockets.iter().filter(is_connected).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    for socket in found {
        assert!(socket.nodelay().unwrap(), "{socket:?}");
    }
}

/// The options of sockets of other handles can be read on Linux.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unused_async, reason = "as on Linux")]
pub async fn small_packets_do_not_wait<A: Adapter>() {
    crate::skipped("the sockets of a process can be looked at on Linux only");
}
