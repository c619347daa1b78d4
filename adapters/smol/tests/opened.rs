//! A machine of its own, over a stream with TLS.

mod adapter;

use std::sync::Arc;
use std::time::Duration;

use adapter::Smol;
use mqtt_smol::session::{Client, ClientConfig, Event};
use mqtt_smol::{ClientLayers, Clock, Connection, Identity, ServerLayers, Step, Tls, TlsServer, Trust};
use mqtt_testbed::{Adapter, Authority, Hub};
use smol::future::FutureExt;
use smol::net::TcpStream;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_connection_of_its_own_is_opened_with_tls() {
    smol::block_on(async {
        let authority = Authority::new();
        let issued = authority.server("127.0.0.1");
        let identity = Identity::from_pem(&issued.certificate, &issued.key).unwrap();
        let hub = Arc::new(Hub::default());
        let layers = ServerLayers::new().tls(TlsServer::new(identity).alpn(["mqtt"]));
        let address = Smol::serve_with(Arc::clone(&hub), 0, layers).await;
        let tls = Tls::new(Trust::roots_pem(authority.pem()).unwrap()).alpn(["mqtt"]);
        let layers = ClientLayers::new().tls(&tls, "127.0.0.1").unwrap();
        let clock = Clock::new();
        let mut client = Connection::client(Client::new(ClientConfig::new("own").unwrap(), clock.now()), clock);
        let (mut agreed, mut opens) = (None, 0);
        let late = async {
            smol::Timer::after(SOON).await;
            panic!("it does not end");
        };
        let serving = async {
            while let Some(step) = client.next().await {
                match step {
                    Step::Event(Event::Open) => {
                        opens += 1;
                        assert_eq!(opens, 1, "{:?}", client.take_error());
                        client.opened_with(TcpStream::connect(address).await.unwrap(), &layers);
                    }
                    Step::Event(Event::Connected { .. }) => {
                        agreed = client.tls();
                        let now = client.now();
                        client.machine_mut().disconnect(now);
                    }
                    _ => {}
                }
            }
        };
        serving.or(late).await;
        let agreed = agreed.expect("there is TLS");
        assert_eq!(agreed.alpn.as_deref(), Some(&b"mqtt"[..]));
        assert_eq!(hub.connects(), 1);
    });
}
