//! TLS and WebSocket, each alone and one on the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mqtt_adapter::{ClientOptions, ClientTrust, Identity, ServerLayers, Tls, TlsServer, Trust, WebSocketServer};
use mqtt_session::proto::{QoS, Version};
use mqtt_session::{CleanStart, Limits, Message};

use super::{EVERY_QOS, VERSIONS, connected, hasty, message, numbers};
use crate::Setup;
use crate::{Adapter, Authority, Broker, Hub, Issued, Proxy, soon, until};

/// What may stand before `://`, with a layer at least.
const SCHEMES: [&str; 3] = ["mqtts", "ws", "wss"];

/// Certificates of a server at 127.0.0.1, and of a client.
pub(crate) struct Papers {
    pub(super) authority: Authority,
    pub(super) server: Issued,
    pub(super) client: Issued,
}

impl Papers {
    pub(crate) fn new() -> Self {
        let authority = Authority::new();
        let (server, client) = (authority.server("127.0.0.1"), authority.client("somebody"));
        Self {
            authority,
            server,
            client,
        }
    }

    /// A server that wants to see the certificate of its clients, or not.
    pub(crate) fn tls_server(&self, wants_certificate: bool) -> TlsServer {
        let tls = TlsServer::new(identity(&self.server));
        match wants_certificate {
            true => tls
                .clients(ClientTrust::roots_pem(self.authority.pem()).unwrap())
                .unwrap(),
            false => tls,
        }
    }

    /// A client that trusts the authority and shows its certificate.
    pub(crate) fn tls(&self) -> Tls {
        Tls::new(Trust::roots_pem(self.authority.pem()).unwrap()).identity(identity(&self.client))
    }

    pub(crate) fn layers(&self, scheme: &str) -> ServerLayers {
        let websocket = WebSocketServer::new().path("/mqtt");
        match scheme {
            "mqtts" => ServerLayers::new().tls(self.tls_server(true)),
            "ws" => ServerLayers::new().websocket(websocket),
            _ => ServerLayers::new().tls(self.tls_server(true)).websocket(websocket),
        }
    }

    fn options(&self, scheme: &str, address: SocketAddr, version: Version, id: &'static str) -> ClientOptions {
        hasty(endpoint(scheme, address), version, id).tls(self.tls())
    }
}

pub(super) fn identity(issued: &Issued) -> Identity {
    Identity::from_pem(&issued.certificate, &issued.key).unwrap()
}

pub(super) fn endpoint(scheme: &str, address: SocketAddr) -> ClientOptions {
    ClientOptions::from_url(&format!("{scheme}://{address}")).unwrap()
}

/// Messages of every QoS go both ways, and the end is a farewell.
pub async fn layers_carry_every_qos<A: Adapter>() {
    let papers = Papers::new();
    for scheme in SCHEMES {
        let hub = Arc::new(Hub::default());
        let address = A::serve_with(Arc::clone(&hub), 0, papers.layers(scheme)).await;
        for version in VERSIONS {
            let client = connected::<A>(papers.options(scheme, address, version, "layered")).await;
            for qos in EVERY_QOS {
                let mut stream = client.subscribe("t", qos).await.unwrap();
                for number in 0..100 {
                    let publishing = client.publish(message("t", number, qos)).accepted();
                    soon::<A, _>("publishing", publishing).await.unwrap();
                }
                assert!(
                    numbers::<A>(&mut stream, 100).await.into_iter().eq(0..100),
                    "{scheme} {version:?}"
                );
                stream.unsubscribe().await.unwrap();
            }
            let farewells = hub.farewells();
            soon::<A, _>("disconnecting", client.disconnect(Duration::from_secs(5)))
                .await
                .unwrap();
            until::<A>("the farewell", || hub.farewells() > farewells).await;
            until::<A>("the end", || hub.connections() == 0).await;
        }
    }
}

/// A payload that no buffer of a layer holds.
pub async fn layers_carry_large_payloads<A: Adapter>() {
    let papers = Papers::new();
    let payload: Vec<u8> = (0..(1 << 20) - 100).map(|place: u32| (place % 251) as u8).collect();
    for scheme in SCHEMES {
        let hub = Arc::new(Hub::default());
        let address = A::serve_with(hub, 0, papers.layers(scheme)).await;
        let client = connected::<A>(papers.options(scheme, address, Version::V5, "large")).await;
        let mut stream = client.subscribe("large", QoS::AtLeastOnce).await.unwrap();
        for _ in 0..3 {
            let large = Message::new("large", payload.clone()).unwrap().qos(QoS::AtLeastOnce);
            soon::<A, _>("publishing", client.publish(large)).await.unwrap();
            let incoming = soon::<A, _>("a message", stream.next()).await.unwrap();
            assert!(incoming.message.payload == payload, "{scheme}");
        }
    }
}

/// Connections that are cut in the middle of whatever a layer is saying.
pub async fn layers_lose_nothing_over_cuts<A: Adapter>() {
    const COUNT: u32 = 200;
    let papers = Papers::new();
    for scheme in SCHEMES {
        let hub = Arc::new(Hub::default());
        let address = A::serve_with(hub, 0, papers.layers(scheme)).await;
        let proxy = Proxy::start(address);
        let options = papers.options(scheme, proxy.address(), Version::V5, "cut");
        let client = connected::<A>(options.clean_start(CleanStart::Never)).await;
        let mut stream = client.subscribe("t", QoS::ExactlyOnce).await.unwrap();
        for sent in 0..COUNT {
            let publishing = client.publish(message("t", sent, QoS::ExactlyOnce)).accepted();
            soon::<A, _>("publishing", publishing).await.unwrap();
            if sent % 50 == 49 {
                let before = client.statistics().connections;
                proxy.cut(false);
                until::<A>("another connection", || client.statistics().connections > before).await;
            }
        }
        let received = numbers::<A>(&mut stream, COUNT as usize).await;
        assert!(received.iter().copied().eq(0..COUNT), "{scheme}: {received:?}");
        until::<A>("all acknowledgements", || client.statistics().unfinished == 0).await;
        assert!(client.statistics().connections > 4);
    }
}

/// A certificate counts without its issuer if it is pinned, and by another name if that is asked for.
pub async fn certificates_can_be_pinned<A: Adapter>() {
    let papers = Papers::new();
    let other = papers.authority.server("broker.example");
    let tls = TlsServer::new(identity(&other));
    let hub = Arc::new(Hub::default());
    let address = A::serve_with(Arc::clone(&hub), 0, ServerLayers::new().tls(tls)).await;
    let trusts = [
        Tls::new(Trust::pinned_pem(&other.certificate).unwrap()),
        Tls::new(Trust::roots_pem(papers.authority.pem()).unwrap())
            .server_name("broker.example")
            .unwrap(),
    ];
    for tls in trusts {
        let options = hasty(endpoint("mqtts", address), Version::V5, "pinned").tls(tls);
        let client = connected::<A>(options).await;
        let answer = client.publish(message("t", 0, QoS::AtLeastOnce));
        soon::<A, _>("publishing", answer).await.unwrap();
        soon::<A, _>("disconnecting", client.disconnect(Duration::from_secs(5)))
            .await
            .unwrap();
        until::<A>("the end", || hub.connections() == 0).await;
    }
}

/// mosquitto with TLS and client certificates, with WebSocket, and with both.
pub async fn mosquitto_speaks_through_layers<A: Adapter>() {
    let papers = Papers::new();
    for scheme in SCHEMES {
        let setup = Setup {
            tls: (scheme != "ws").then(|| (papers.authority.pem().to_owned(), papers.server.clone())),
            websocket: scheme != "mqtts",
        };
        let Some(broker) = Broker::mosquitto(&setup) else {
            return;
        };
        for version in [Version::V5, Version::V3_1_1, Version::V3_1] {
            let limits = Limits::default().receive_maximum(u16::MAX);
            let options = papers
                .options(scheme, broker.address(), version, "through")
                .limits(limits);
            let client = connected::<A>(options).await;
            // Over WebSocket version 2.0.11 moves 4 KiB of a message in a tenth of a second.
            let large = vec![7; if setup.websocket { 10_000 } else { 500_000 }];
            for qos in EVERY_QOS {
                let mut stream = soon::<A, _>("subscribing", client.subscribe("t/#", qos)).await.unwrap();
                assert_eq!(stream.granted().collect::<Vec<_>>(), [Ok(qos)]);
                for number in 0..50 {
                    let publishing = client.publish(message("t/n", number, qos)).accepted();
                    soon::<A, _>("publishing", publishing).await.unwrap();
                }
                assert!(
                    numbers::<A>(&mut stream, 50).await.into_iter().eq(0..50),
                    "{scheme} {version:?}"
                );
                let whole = Message::new("t/large", large.clone()).unwrap().qos(qos);
                soon::<A, _>("publishing", client.publish(whole)).await.unwrap();
                let incoming = soon::<A, _>("a message", stream.next()).await.unwrap();
                assert!(incoming.message.payload == large, "{scheme} {version:?} {qos:?}");
                stream.unsubscribe().await.unwrap();
            }
            soon::<A, _>("disconnecting", client.disconnect(Duration::from_secs(5)))
                .await
                .unwrap();
        }
    }
}
