//! What a client of any adapter has to go through. Each panics if something is not as it should be.

mod brokers;
mod durable;
mod exchange;
mod failing;
mod flow;
mod killed;
mod lacks;
mod leaving;
mod network;
mod resuming;
mod secure;
mod unsafe_ends;
mod walkers;

pub use brokers::*;
pub(crate) use durable::writer;
pub use durable::*;
pub use exchange::*;
pub use failing::*;
pub use flow::*;
pub use killed::*;
pub use leaving::*;
pub use network::*;
pub use resuming::*;
pub use secure::*;
pub use unsafe_ends::*;
pub use walkers::*;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mqtt_adapter::{Client, ClientOptions, Incoming, Subscription};
use mqtt_session::proto::{QoS, Version};
use mqtt_session::{CleanStart, Message, Reconnect};

use crate::{Adapter, Hub, soon};

/// The versions in which everything is tried.
pub const VERSIONS: [Version; 2] = [Version::V5, Version::V3_1_1];
/// Every QoS.
pub const EVERY_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// A server with its hub.
async fn server<A: Adapter>() -> (Arc<Hub>, SocketAddr) {
    let hub = Arc::new(Hub::default());
    let address = A::serve(Arc::clone(&hub), 0).await;
    (hub, address)
}

/// Options that come back quickly.
pub(crate) fn options(address: SocketAddr, version: Version, id: impl Into<Bytes>) -> ClientOptions {
    hasty(
        ClientOptions::tcp(address.ip().to_string(), address.port()),
        version,
        id,
    )
}

fn hasty(options: ClientOptions, version: Version, id: impl Into<Bytes>) -> ClientOptions {
    let reconnect = Reconnect::default()
        .first_delay(Duration::from_millis(10))
        .max_delay(Duration::from_millis(50));
    options
        .version(version)
        .client_id(id)
        .expect("it is text")
        .reconnect(reconnect)
}

/// Options for a session that outlives its connections from the first one on. In MQTT 3 one that begins anew ends with its
/// connection.
fn lasting(address: SocketAddr, version: Version, id: impl Into<Bytes>) -> ClientOptions {
    options(address, version, id).clean_start(CleanStart::Never)
}

/// A client that is connected.
pub(crate) async fn connected<A: Adapter>(options: ClientOptions) -> Client {
    let client = A::start(options);
    soon::<A, _>("connecting", client.established())
        .await
        .expect("the server accepts");
    client
}

pub(crate) fn message(topic: &'static str, number: u32, qos: QoS) -> Message {
    let payload = number.to_be_bytes().to_vec();
    Message::new(topic, payload).expect("it is a topic").qos(qos)
}

pub(crate) fn number(incoming: &Incoming) -> u32 {
    let payload = incoming.message.payload[..].try_into();
    u32::from_be_bytes(payload.expect("the payload is a number"))
}

/// The numbers of the next messages.
async fn numbers<A: Adapter>(subscription: &mut Subscription, count: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let incoming = soon::<A, _>("a message", subscription.next()).await;
        numbers.push(number(&incoming.expect("the stream goes on")));
    }
    numbers
}
