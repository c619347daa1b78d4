//! A broker on threads, without any runtime.
//!
//! [`start`] runs a [`Host`] on threads of its own, from any program, with or without a runtime.
//!
//! ```
//! use std::time::Duration;
//! use mqtt_std::broker::{Host, Listen};
//! use mqtt_std::session::BrokerConfig;
//! use mqtt_std::session::proto::DisconnectReason;
//! use mqtt_std::{ClientOptions, Message, QoS};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::new(BrokerConfig::new(7)).listen(Listen::tcp("127.0.0.1:0"));
//! let broker = mqtt_std::broker::start(host)?;
//! let address = broker.local_addr().expect("it listens");
//!
//! let client = mqtt_std::connect(ClientOptions::from_url(&format!("mqtt://{address}"))?)?;
//! let mut lamps = client.subscribe("lamp/+", QoS::AtLeastOnce)?;
//! client.publish(Message::new("lamp/1", "on")?.qos(QoS::AtLeastOnce))?;
//! assert_eq!(lamps.next().expect("it comes").message.payload, "on");
//!
//! broker.shutdown(DisconnectReason::ServerShuttingDown, Duration::from_secs(5));
//! let ended = broker.wait()?;
//! assert!(ended[0].is_complete);
//! # Ok(())
//! # }
//! ```

mod network;

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use mqtt_adapter::host::Parts;
pub use mqtt_adapter::host::{
    AllowAll, Desk, Ended, Entrance, Host, Listen, Notice, Origin, Panicked, Policy, ProxyHeaderError, Running,
    ShardHandle, StartError, Traffic,
};

use crate::reactor::Reactor;
use network::{Listener, Std};

/// Starts a broker: each shard has a thread, which waits for all of its sockets together.
///
/// # Errors
/// If a listener cannot be opened, the store cannot be read, or there is no thread to be had.
pub fn start(host: Host) -> Result<Running, StartError> {
    host.start_with(run)
}

fn run(parts: Parts) -> io::Result<Ended> {
    let reactor = Reactor::new()?;
    let network = Std::new(&reactor);
    let mut shard = parts.into_shard(network, |socket| Listener::new(socket, &reactor))?;
    let ended = reactor.block_on(
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(ended) = shard.poll(cx) {
                    return Poll::Ready(ended);
                }
                if reactor.poll_deadline(shard.deadline(), shard.clock()).is_pending() {
                    return Poll::Pending;
                }
            }
        }),
        None,
    );
    ended.ok_or_else(|| io::ErrorKind::TimedOut.into())
}
