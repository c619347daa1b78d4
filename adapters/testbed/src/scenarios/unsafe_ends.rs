//! Servers that TLS or WebSocket has something against: each is told by its own name, and what cannot succeed is not tried
//! again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mqtt_adapter::{
    Cause, ClientOptions, ClientTrust, ConnectionState, DialError, Failure, LayerError, ServerLayers, Stranger, Tls,
    TlsAlert, TlsError, TlsServer, TlsSetupError, Trust, WebSocketError, WebSocketServer,
};
use mqtt_session::proto::Version;

use super::failing::{silent, stranger};
use super::secure::{Papers, endpoint, identity};
use super::{connected, hasty};
use crate::Setup;
use crate::{Adapter, Authority, Broker, Hub, Valid, soon, websocket};

/// Why there is no connection. With `is_final` the client has to have ended by that.
pub(super) async fn failure<A: Adapter>(options: ClientOptions, is_final: bool) -> Arc<Failure> {
    let client = A::start(hasty(options, Version::V5, "refused"));
    let failure = soon::<A, _>("the failure", client.established())
        .await
        .expect_err("it cannot be opened");
    let state = soon::<A, _>("a state", client.states().next()).await;
    assert_eq!(
        matches!(state, Some(ConnectionState::Ended { .. })),
        is_final,
        "{failure}"
    );
    client.abort();
    failure
}

fn tls_error(failure: &Failure) -> &TlsError {
    match &failure.cause {
        Cause::Dial(DialError::Layer(LayerError::Tls(error))) => error,
        other => panic!("{other:?}"),
    }
}

fn websocket_error(failure: &Failure) -> &WebSocketError {
    match &failure.cause {
        Cause::Dial(DialError::Layer(LayerError::WebSocket(error))) => error,
        other => panic!("{other:?}"),
    }
}

/// A server with a certificate that nobody should take.
pub async fn wrong_certificates_are_told_apart<A: Adapter>() {
    let papers = Papers::new();
    let roots = || Tls::new(Trust::roots_pem(papers.authority.pem()).unwrap());
    let of_other = Authority::new().server("127.0.0.1");
    let for_other = papers.authority.server("broker.example");
    let expired = papers.authority.server_valid("127.0.0.1", Valid::UntilLongAgo);
    let not_yet = papers.authority.server_valid("127.0.0.1", Valid::NotYet);
    let cases = [
        (&of_other, roots(), true, "Trust::roots_file"),
        (&for_other, roots(), true, "Tls::server_name"),
        (&expired, roots(), true, "the server needs another certificate"),
        (&not_yet, roots(), false, "check the clock"),
        (
            &of_other,
            Tls::new(Trust::pinned_sha256([[7; 32]])),
            true,
            "pin that one",
        ),
    ];
    for (place, (certificate, tls, is_final, advice)) in cases.into_iter().enumerate() {
        let hub = Arc::new(Hub::default());
        let server = ServerLayers::new().tls(TlsServer::new(identity(certificate)));
        let address = A::serve_with(Arc::clone(&hub), 0, server).await;
        let failure = failure::<A>(endpoint("mqtts", address).tls(tls), is_final).await;
        let is_right = match tls_error(&failure) {
            TlsError::UnknownIssuer => place == 0,
            TlsError::WrongName {
                expected, presented, ..
            } => place == 1 && expected == "127.0.0.1" && presented.iter().any(|name| name.contains("broker.example")),
            TlsError::Expired => place == 2,
            TlsError::NotValidYet => place == 3,
            TlsError::NotPinned(_) => place == 4,
            _ => false,
        };
        assert!(is_right, "{place}: {failure}");
        assert!(failure.to_string().contains(advice), "{failure}");
        assert_eq!(hub.connects(), 0);
    }
}

/// A client without a certificate, or with one that the server does not know, where one is wanted.
pub async fn missing_client_certificates_are_told<A: Adapter>() {
    let papers = Papers::new();
    let roots = || Tls::new(Trust::roots_pem(papers.authority.pem()).unwrap());
    let stranger = Authority::new().client("somebody");
    let mut servers = vec![];
    let hub = Arc::new(Hub::default());
    let layers = ServerLayers::new().tls(papers.tls_server(true));
    servers.push(A::serve_with(hub, 0, layers).await);
    let setup = Setup {
        tls: Some((papers.authority.pem().to_owned(), papers.server.clone())),
        websocket: false,
    };
    let broker = Broker::mosquitto(&setup);
    servers.extend(broker.as_ref().map(Broker::address));
    for address in servers {
        let without = failure::<A>(endpoint("mqtts", address).tls(roots()), true).await;
        let TlsError::Alert(alert) = tls_error(&without) else {
            panic!("{without}")
        };
        assert!(*alert == TlsAlert(116) || *alert == TlsAlert(40), "{without}");
        assert!(without.to_string().contains("Tls::identity"), "{without}");
        let tls = roots().identity(identity(&stranger));
        let unknown = failure::<A>(endpoint("mqtts", address).tls(tls), true).await;
        assert!(
            matches!(tls_error(&unknown), TlsError::Alert(alert) if alert.is_about_certificate()),
            "{unknown}"
        );
    }
}

/// A client whose certificate was revoked, or that no valid list tells of, is turned away, and told why.
pub async fn revoked_client_certificates_are_told<A: Adapter>() {
    let papers = Papers::new();
    let other = papers.authority.client("somebody else");
    let cases = [
        (papers.authority.revocation_list(&[&other], Valid::Always), None),
        (
            papers.authority.revocation_list(&[&papers.client], Valid::Always),
            Some(44),
        ),
        (papers.authority.revocation_list(&[], Valid::UntilLongAgo), Some(48)),
        (Authority::new().revocation_list(&[], Valid::Always), Some(48)),
    ];
    for (list, alert) in cases {
        let trust = ClientTrust::roots_pem(papers.authority.pem()).unwrap();
        let trust = trust.revocation_lists_pem(list).unwrap();
        let server = TlsServer::new(identity(&papers.server)).clients(trust).unwrap();
        let hub = Arc::new(Hub::default());
        let address = A::serve_with(hub, 0, ServerLayers::new().tls(server)).await;
        let options = endpoint("mqtts", address).tls(papers.tls());
        match alert {
            None => drop(connected::<A>(hasty(options, Version::V5, "valid")).await),
            Some(alert) => {
                let failure = failure::<A>(options, true).await;
                assert_eq!(*tls_error(&failure), TlsError::Alert(TlsAlert(alert)), "{failure}");
            }
        }
    }
    let trust = ClientTrust::roots_pem(papers.authority.pem()).unwrap();
    let refused = trust.revocation_lists_pem(&papers.server.certificate);
    assert!(matches!(refused, Err(TlsSetupError::RevocationList(_))), "{refused:?}");
}

/// What answers at the port of TLS speaks something else.
pub async fn servers_without_tls_are_told<A: Adapter>() {
    let papers = Papers::new();
    let cases: [(&[u8], Stranger); 3] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Stranger::Http),
        (&[0x20, 0x03, 0x00, 0x81, 0x00], Stranger::Mqtt),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Stranger::Ssh),
    ];
    for (answer, expected) in cases {
        let (address, count) = stranger(answer);
        let failure = failure::<A>(endpoint("mqtts", address).tls(papers.tls()), true).await;
        assert!(
            matches!(tls_error(&failure), TlsError::NotTls(found) if *found == expected),
            "{failure}"
        );
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
    // One that is a server of MQTT says nothing to what is no CONNECT.
    let hub = Arc::new(Hub::default());
    let address = A::serve(hub, 0).await;
    let failure = failure::<A>(endpoint("mqtts", address).tls(papers.tls()), false).await;
    assert!(matches!(tls_error(&failure), TlsError::EndedInHandshake), "{failure}");
    assert!(failure.to_string().contains("mqtt://"), "{failure}");
}

/// A server that takes connections and says nothing, or the beginning of something.
pub async fn half_a_handshake_ends_in_time<A: Adapter>() {
    let papers = Papers::new();
    for (scheme, beginning) in [
        ("mqtts", &b""[..]),
        ("mqtts", &[0x16, 0x03, 0x03, 0x40, 0x00, 0x02]),
        ("ws", b""),
        ("ws", b"HTTP/1.1 101 Switching Protocols\r\nUpgr"),
        ("wss", b""),
    ] {
        let address = silent(beginning);
        let options = endpoint(scheme, address)
            .tls(papers.tls())
            .connect_timeout(Duration::from_millis(200));
        let failure = failure::<A>(options, false).await;
        assert!(
            matches!(failure.cause, Cause::Dial(DialError::HandshakeTimedOut)),
            "{scheme}: {failure}"
        );
        assert!(failure.to_string().contains("but not to TLS or WebSocket"), "{failure}");
    }
}

/// A server that refuses to go over to WebSocket, or goes over to something else.
pub async fn refused_websockets_are_told<A: Adapter>() {
    let hub = Arc::new(Hub::default());
    let layers = ServerLayers::new().websocket(WebSocketServer::new().path("/here"));
    let address = A::serve_with(Arc::clone(&hub), 0, layers).await;
    let elsewhere = failure::<A>(endpoint("ws", address), true).await;
    assert_eq!(websocket_error(&elsewhere), &WebSocketError::Status(404));
    assert!(elsewhere.to_string().contains("check the path"), "{elsewhere}");
    assert_eq!(hub.connects(), 0);

    let cases: [(&[u8], WebSocketError, bool); 5] = [
        (
            b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
            WebSocketError::Status(503),
            false,
        ),
        (
            &[0x20, 0x03, 0x00, 0x81, 0x00],
            WebSocketError::NotHttp(Stranger::Mqtt),
            true,
        ),
        (&[0x15, 3, 1, 0, 2, 2, 70], WebSocketError::NotHttp(Stranger::Tls), true),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            WebSocketError::BadAnswer("it is not for this request"),
            true,
        ),
        (b"", WebSocketError::EndedInHandshake, false),
    ];
    for (answer, expected, is_final) in cases {
        let (address, _) = stranger(answer);
        let failure = failure::<A>(endpoint("ws", address), is_final).await;
        assert_eq!(websocket_error(&failure), &expected);
    }
    let (address, count) = another_protocol();
    let failure = failure::<A>(endpoint("ws", address), true).await;
    assert_eq!(websocket_error(&failure), &WebSocketError::NoSubprotocol);
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

/// A WebSocket for something else.
fn another_protocol() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it has an address");
    let count = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&count);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            counts.fetch_add(1, Ordering::Relaxed);
            let mut buffer = [0; 2048];
            let len = stream.read(&mut buffer).unwrap_or(0);
            let _ = stream.write_all(&websocket::answer(&buffer[..len], "chat"));
        }
    });
    (address, count)
}

/// What this machine cannot do is said once.
pub async fn what_cannot_be_dialed_is_said_once<A: Adapter>() {
    let options = ClientOptions::from_url("mqtts://two..dots:9").unwrap();
    let failure = failure::<A>(options.tls(Papers::new().tls()), true).await;
    assert_eq!(
        tls_error(&failure),
        &TlsError::Setup(TlsSetupError::ServerName),
        "{failure}"
    );
}
