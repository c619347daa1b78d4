//! A machine of its own, over a stream with TLS.

mod adapter;

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use adapter::Std;
use mqtt_std::session::{Client, ClientConfig, Event};
use mqtt_std::{ClientLayers, Clock, Connection, Identity, ServerLayers, Step, Tls, TlsServer, Trust, Waited};
use mqtt_testbed::{Adapter, Authority, Hub};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_connection_of_its_own_is_opened_with_tls() {
    let authority = Authority::new();
    let issued = authority.server("127.0.0.1");
    let identity = Identity::from_pem(&issued.certificate, &issued.key).unwrap();
    let hub = Arc::new(Hub::default());
    let layers = ServerLayers::new().tls(TlsServer::new(identity).alpn(["mqtt"]));
    let address = mqtt_std::block_on(Std::serve_with(Arc::clone(&hub), 0, layers));
    let tls = Tls::new(Trust::roots_pem(authority.pem()).unwrap()).alpn(["mqtt"]);
    let layers = ClientLayers::new().tls(&tls, "127.0.0.1").unwrap();
    let clock = Clock::new();
    let machine = Client::new(ClientConfig::new("own").unwrap(), clock.now());
    let mut client = Connection::client(machine, clock).unwrap();
    let (mut agreed, mut opens) = (None, 0);
    loop {
        let step = match client.next_within(SOON) {
            Waited::Step(step) => step,
            Waited::TimedOut => panic!("nothing happens"),
            Waited::Over => break,
        };
        match step {
            Step::Event(Event::Open) => {
                opens += 1;
                assert_eq!(opens, 1, "{:?}", client.take_error());
                let stream = TcpStream::connect(address).unwrap();
                client.opened_with(stream, &layers).unwrap();
            }
            Step::Event(Event::Connected { .. }) => {
                agreed = client.tls();
                let now = client.now();
                client.machine_mut().disconnect(now);
            }
            _ => {}
        }
    }
    let agreed = agreed.expect("there is TLS");
    assert_eq!(agreed.alpn.as_deref(), Some(&b"mqtt"[..]));
    assert_eq!(hub.connects(), 1);
}
