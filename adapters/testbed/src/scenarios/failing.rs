//! Servers that refuse, are not there, or are something else.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mqtt_adapter::{Cause, ClientOptions, ConnectionState, DialError, Failure, PublishError, Stranger};
use mqtt_session::proto::{ConnAckReason, QoS, Version};
use mqtt_session::{Closed, Limits, Timer};

use super::unsafe_ends::failure;
use super::{VERSIONS, message, options, server};
use crate::{Adapter, Hub, soon};

/// A client that the server does not want is told why, and does not ask again.
pub async fn a_refused_client_does_not_try_again<A: Adapter>() {
    for version in VERSIONS {
        let (hub, address) = server::<A>().await;
        hub.refuse(Some(ConnAckReason::BadUserNameOrPassword));
        let client = A::start(options(address, version, "refused"));
        let waiting = client.publish(message("t", 0, QoS::AtLeastOnce));
        let failure = soon::<A, _>("the refusal", client.established()).await.unwrap_err();
        assert!(matches!(
            &failure.cause,
            Cause::Closed(Closed::Refused {
                reason: ConnAckReason::BadUserNameOrPassword,
                ..
            })
        ));
        assert!(
            failure.to_string().ends_with("check user name and password"),
            "{failure}"
        );
        assert!(matches!(
            soon::<A, _>("publishing", waiting).await,
            Err(PublishError::Ended(_))
        ));
        A::sleep(Duration::from_millis(200)).await;
        assert_eq!(hub.connects(), 1);
    }
}

/// A server that is busy is asked again.
pub async fn a_busy_server_is_asked_again<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    hub.refuse(Some(ConnAckReason::ServerUnavailable));
    let client = A::start(options(address, Version::V5, "patient"));
    let publishing = client.publish(message("t", 0, QoS::AtLeastOnce));
    assert!(soon::<A, _>("the refusal", client.established()).await.is_err());
    hub.refuse(None);
    soon::<A, _>("publishing", publishing).await.unwrap();
}

/// Each refusal says what to try, and where only another setting or server helps, there is no other try.
pub async fn each_refusal_says_what_to_try<A: Adapter>() {
    let cases = [
        (ConnAckReason::UnsupportedProtocolVersion, true, "set another version"),
        (
            ConnAckReason::ClientIdentifierNotValid,
            true,
            "set another client identifier",
        ),
        (ConnAckReason::NotAuthorized, true, "check user name and password"),
        (
            ConnAckReason::BadAuthenticationMethod,
            true,
            "set another authentication method",
        ),
        (ConnAckReason::Banned, true, "ask those who run the server"),
        (
            ConnAckReason::RetainNotSupported,
            true,
            "leave `retain` out of the will",
        ),
        (ConnAckReason::QoSNotSupported, true, "give the will a lower QoS"),
        (ConnAckReason::UseAnotherServer, true, "connect to another server"),
        (ConnAckReason::ServerMoved, true, "connect to another server"),
        (ConnAckReason::ServerBusy, false, "try again later"),
        (ConnAckReason::QuotaExceeded, false, "try again later"),
        (ConnAckReason::ConnectionRateExceeded, false, "connect less often"),
        (ConnAckReason::UnspecifiedError, false, "the log of the server"),
    ];
    let (hub, address) = server::<A>().await;
    for (refusal, is_final, advice) in cases {
        hub.refuse(Some(refusal));
        let failure = failure::<A>(ClientOptions::tcp("127.0.0.1", address.port()), is_final).await;
        assert!(
            matches!(&failure.cause, Cause::Closed(Closed::Refused { reason, .. }) if *reason == refusal),
            "{failure}"
        );
        says(&failure, address, advice);
    }
}

/// What happened, where, and what to try.
fn says(failure: &Failure, address: SocketAddr, advice: &str) {
    let (text, start) = (failure.to_string(), format!("mqtt://{address}: {}; ", failure.cause));
    let tried = text.strip_prefix(&start).expect("it says what and where");
    assert!(tried.starts_with(advice), "{text}");
}

/// A server that takes connections and says nothing to CONNECT, or half of an answer, or goodbye: that is told, and tried again.
pub async fn half_a_handshake_of_mqtt_is_told<A: Adapter>() {
    const HALF: &[u8] = &[0x20, 0x03, 0x00];
    for beginning in [&b""[..], HALF] {
        let address = silent(beginning);
        let limits = Limits::default().handshake_timeout(Duration::from_millis(200));
        let options = ClientOptions::tcp("127.0.0.1", address.port()).limits(limits);
        let failure = failure::<A>(options, false).await;
        assert!(
            matches!(failure.cause, Cause::Closed(Closed::TimedOut(Timer::Handshake))),
            "{failure}"
        );
        says(&failure, address, "something answers there, but not to CONNECT");
    }
    for beginning in [&b""[..], HALF] {
        let (address, _) = stranger(beginning);
        let failure = failure::<A>(ClientOptions::tcp("127.0.0.1", address.port()), false).await;
        assert!(matches!(failure.cause, Cause::Closed(Closed::StreamEnded)), "{failure}");
        says(&failure, address, "the server closed without a word");
    }
}

/// A thread that says the same to each connection, and nothing more.
pub(super) fn silent(beginning: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        while let Ok((mut socket, _)) = listener.accept() {
            let _ = socket.write_all(beginning);
            kept.push(socket);
        }
    });
    address
}

/// A thread that answers each connection with the same bytes; how often it did.
pub(super) fn stranger(answer: &'static [u8]) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it has an address");
    let count = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&count);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            counts.fetch_add(1, Ordering::Relaxed);
            let mut buffer = [0; 512];
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(answer);
        }
    });
    (address, count)
}

/// What is no MQTT server is told as that, and not asked again.
pub async fn a_stranger_is_not_asked_again<A: Adapter>() {
    let answers: [(&[u8], Stranger, &str); 4] = [
        (
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
            Stranger::Http,
            "a web server answers there: use the MQTT port",
        ),
        (
            &[0x15, 3, 1, 0, 2, 2, 70],
            Stranger::Tls,
            "the server expects TLS: use mqtts://",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Stranger::Ssh, "an SSH server answers there"),
        (
            b"220 mail.example ESMTP\r\n",
            Stranger::Unknown,
            "no MQTT server answers there",
        ),
    ];
    for (answer, expected, advice) in answers {
        let (address, count) = stranger(answer);
        let client = A::start(options(address, Version::V5, "astray"));
        let failure = soon::<A, _>("the answer", client.established()).await.unwrap_err();
        assert!(
            matches!(failure.cause, Cause::NotMqtt(found) if found == expected),
            "{failure}"
        );
        says(&failure, address, advice);
        let mut states = client.states();
        while let Some(state) = soon::<A, _>("the end", states.next()).await {
            assert!(matches!(state, ConnectionState::Ended { .. }), "{state:?}");
        }
        A::sleep(Duration::from_millis(100)).await;
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
}

/// A server that is not there yet is waited for, and what was published meanwhile arrives.
pub async fn a_server_may_come_later<A: Adapter>() {
    let address = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap();
    let client = A::start(options(address, Version::V5, "early"));
    let failure = soon::<A, _>("the failure", client.established()).await.unwrap_err();
    assert!(
        matches!(&failure.cause, Cause::Dial(DialError::Connect(_))),
        "{failure}"
    );
    assert!(failure.to_string().contains("nothing listens there"), "{failure}");
    let publishing = client.publish(message("t", 0, QoS::ExactlyOnce));
    let hub = Arc::new(Hub::default());
    A::serve(Arc::clone(&hub), address.port()).await;
    soon::<A, _>("publishing", publishing).await.unwrap();
    assert_eq!(client.statistics().connections, 1);
}

/// A name without an address is told as that.
pub async fn an_unknown_host_is_told<A: Adapter>() {
    let client = A::start(ClientOptions::tcp("no-such-host.invalid", 1883));
    let failure = soon::<A, _>("the failure", client.established()).await.unwrap_err();
    assert!(
        matches!(&failure.cause, Cause::Dial(DialError::Resolve(_))),
        "{failure}"
    );
    let text = failure.to_string();
    assert!(
        text.starts_with("mqtt://no-such-host.invalid:1883: the name could not be resolved"),
        "{text}"
    );
    assert!(
        text.ends_with("; check the name, and that this machine can resolve names"),
        "{text}"
    );
}
