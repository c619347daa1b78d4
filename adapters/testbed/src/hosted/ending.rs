//! How a host ends, or does not begin.

use std::time::Duration;

use mqtt_adapter::host::{Desk, Host, Listen, Policy, StartError};
use mqtt_session::proto::DisconnectReason;
use mqtt_session::{BrokerConfig, BrokerEvent};

use super::wire::publish;
use super::{Hosted, Hosts, LONG, listener};

/// Everybody hears why, what was on its way arrives before, and nobody is let in any more.
pub async fn a_host_that_ends_tells_its_clients<H: Hosts>() {
    let host = Hosted::new::<H>(BrokerConfig::new(7));
    let mut clients: Vec<_> = (0..3)
        .map(|number| host.wire().connected(&format!("c{number}")))
        .collect();
    clients[0].subscribe("t");
    clients[1].send(&publish("t", b"last"));
    // A ping behind it: it has been taken when that is answered.
    clients[1].send(&[0xC0, 0]);
    assert_eq!(clients[1].packet(), [0xD0, 0]);
    // One that has not said anything yet does not keep it from ending.
    let mut silent = host.wire();
    while host.look(|desk| desk.connections().count()) < 4 {
        H::sleep(Duration::from_millis(1)).await;
    }
    host.broker.shutdown(DisconnectReason::ServerShuttingDown, LONG);
    assert_eq!(clients[0].packet(), publish("t", b"last"));
    for client in &mut clients {
        assert_eq!(client.rest(), [0xE0, 1, 0x8B], "DISCONNECT, server shutting down");
    }
    assert_eq!(silent.rest(), b"");
    drop((clients, silent));
    let ended = host.broker.wait().unwrap();
    assert!(
        ended
            .iter()
            .all(|ended| ended.is_complete && ended.traffic.accepted == 4)
    );
    assert!(std::net::TcpStream::connect(host.address).is_err());
}

/// The name of the listener stands in the error.
pub async fn an_address_in_use_is_told<H: Hosts>() {
    let host = Hosted::new::<H>(BrokerConfig::new(7));
    let again = Host::new(BrokerConfig::new(8))
        .listen(listener())
        .listen(Listen::tcp(host.address.to_string()).name("second"));
    match H::host(again) {
        Err(error @ StartError::Listen { .. }) => {
            assert!(error.to_string().starts_with("cannot listen at second: "), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

struct Fragile;

impl Policy for Fragile {
    fn on_event(&mut self, _: &mut Desk<'_>, event: BrokerEvent) {
        if let BrokerEvent::Connected { client_id, .. } = event {
            assert_ne!(&client_id[..], b"feather");
        }
    }
}

/// Whoever waits hears that there is no broker any more.
pub async fn a_policy_that_panics_ends_the_host<H: Hosts>() {
    let host = Host::new(BrokerConfig::new(7)).policy(|_| Fragile).listen(listener());
    let host = Hosted::by::<H>(host);
    let stone = host.wire().connected("stone");
    let mut feather = host.wire();
    feather.send(&super::wire::connect(2, "feather", &[]));
    let began = std::time::Instant::now();
    assert!(host.broker.wait().is_err());
    assert!(began.elapsed() < Duration::from_secs(10));
    drop(stone);
}
