//! What streams a host takes.

use mqtt_adapter::host::{Desk, Host, Listen, Notice, Origin, Policy, ProxyHeaderError};
use mqtt_adapter::{ClientOptions, ServerLayers, WebSocketServer};
use mqtt_session::proto::DisconnectReason;
use mqtt_session::{BrokerConfig, BrokerEvent, Message, QoS};
use std::sync::mpsc;

use super::wire::connect;
use super::{Hosted, Hosts};
use crate::scenarios::{Papers, connected};
use crate::soon;

/// Says where its clients come from, and what goes wrong.
struct Doorman(mpsc::Sender<Result<Origin, std::io::Error>>);

impl Policy for Doorman {
    fn on_event(&mut self, desk: &mut Desk<'_>, event: BrokerEvent) {
        if let BrokerEvent::Connected { connection, .. } = event {
            let origin = desk.origin(connection).expect("it has one");
            let _ = self.0.send(Ok(origin.clone()));
        }
    }

    fn on_notice(&mut self, _: &mut Desk<'_>, notice: Notice) {
        if let Notice::StreamFailed { error, .. } = notice {
            let _ = self.0.send(Err(error));
        }
    }
}

fn watched(listen: Listen) -> (Host, mpsc::Receiver<Result<Origin, std::io::Error>>) {
    let (send, receive) = mpsc::channel();
    let host = Host::new(BrokerConfig::new(7)).listen(listen);
    (host.policy(move |_| Doorman(send.clone())), receive)
}

async fn exchange<H: Hosts>(options: ClientOptions) {
    let client = connected::<H>(options).await;
    let mut all = client.subscribe("a/#", QoS::ExactlyOnce).await.unwrap();
    for len in [0, 300, 200_000] {
        let message = Message::new("a/b", vec![7; len]).unwrap().qos(QoS::ExactlyOnce);
        soon::<H, _>("publishing", client.publish(message)).await.unwrap();
        let got = soon::<H, _>("a message", all.next()).await.unwrap().message;
        assert_eq!(got.payload.len(), len);
    }
}

/// TLS with the certificate of the client, WebSocket, and one on the other.
pub async fn a_host_takes_streams_with_layers<H: Hosts>() {
    let papers = Papers::new();
    let websocket = || WebSocketServer::new().path("/mqtt");
    for (scheme, layers, has_tls) in [
        ("mqtts", ServerLayers::new().tls(papers.tls_server(true)), true),
        ("ws", ServerLayers::new().websocket(websocket()), false),
        (
            "wss",
            ServerLayers::new().tls(papers.tls_server(true)).websocket(websocket()),
            true,
        ),
    ] {
        let (host, origins) = watched(Listen::tcp("127.0.0.1:0").name(scheme).layers(layers));
        let host = Hosted::by::<H>(host);
        let url = format!("{scheme}://{}/mqtt", host.address);
        let url = if scheme == "mqtts" {
            url.trim_end_matches("/mqtt")
        } else {
            &url
        };
        exchange::<H>(ClientOptions::from_url(url).unwrap().tls(papers.tls())).await;
        let origin = origins.recv().unwrap().unwrap();
        assert_eq!(&*origin.listener, scheme);
        assert_eq!(origin.tls.is_some_and(|tls| tls.peer_certificates.len() == 1), has_tls);
        // One that speaks plainly is told of, and nobody else notices.
        let mut plain = host.wire();
        plain.send(&connect(2, "plain", &[]));
        let _ = plain.0.shutdown(std::net::Shutdown::Write);
        assert!(origins.recv().unwrap().is_err());
        exchange::<H>(ClientOptions::from_url(url).unwrap().tls(papers.tls())).await;
    }
}

/// A path of the file system; a socket that a process has left there is replaced; one in use is not, and no other file is.
pub async fn a_host_listens_at_paths<H: Hosts>() {
    #[cfg(unix)]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broker.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let (host, origins) = watched(Listen::unix(&path));
        let broker = H::host(host).unwrap();
        let url = format!("unix://{}", path.display());
        exchange::<H>(ClientOptions::from_url(&url).unwrap()).await;
        assert_eq!(origins.recv().unwrap().unwrap().peer, None);
        let error = H::host(watched(Listen::unix(&path)).0).unwrap_err();
        assert!(error.to_string().contains(&url), "{error}");
        exchange::<H>(ClientOptions::from_url(&url).unwrap()).await;
        broker.shutdown(DisconnectReason::ServerShuttingDown, std::time::Duration::ZERO);
        broker.wait().unwrap();
        assert!(!path.exists(), "its file goes with the host");
        std::fs::write(&path, "precious").unwrap();
        let error = H::host(watched(Listen::unix(&path)).0).unwrap_err();
        assert!(error.to_string().contains("something else than a socket"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}

/// A proxy says where the client is; who comes without one is turned away.
pub async fn a_host_believes_its_proxy<H: Hosts>() {
    let (host, origins) = watched(Listen::tcp("127.0.0.1:0").proxy_protocol(true));
    let host = Hosted::by::<H>(host);
    let header = b"PROXY TCP4 10.0.0.1 10.0.0.2 12345 1883\r\n";
    for split in [0, 3, header.len(), header.len() + 5] {
        let mut proxied = host.wire();
        let all = [&header[..], &connect(2, "proxied", &[])].concat();
        proxied.send(&all[..split]);
        H::sleep(std::time::Duration::from_millis(5)).await;
        proxied.send(&all[split..]);
        assert_eq!(proxied.packet()[0], 0x20);
        let origin = origins.recv().unwrap().unwrap();
        assert_eq!(origin.peer, Some("10.0.0.1:12345".parse().unwrap()));
    }
    let mut direct = host.wire();
    direct.send(&connect(2, "direct", &[]));
    let error = origins.recv().unwrap().unwrap_err();
    let fault = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert_eq!(fault, Some(&ProxyHeaderError::Missing));
}
