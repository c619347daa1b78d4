//! A broker on tokio.
//!
//! [`start`] runs a [`Host`] on threads of its own, from any program, with or without a runtime.
//!
//! ```
//! use std::time::Duration;
//! use mqtt_tokio::broker::{Host, Listen};
//! use mqtt_tokio::session::BrokerConfig;
//! use mqtt_tokio::session::proto::DisconnectReason;
//! use mqtt_tokio::{ClientOptions, Message, QoS};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::new(BrokerConfig::new(7)).listen(Listen::tcp("127.0.0.1:0"));
//! let broker = mqtt_tokio::broker::start(host)?;
//! let address = broker.local_addr().expect("it listens");
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let client = mqtt_tokio::connect(ClientOptions::from_url(&format!("mqtt://{address}"))?).await?;
//! let mut lamps = client.subscribe("lamp/+", QoS::AtLeastOnce).await?;
//! client.publish(Message::new("lamp/1", "on")?.qos(QoS::AtLeastOnce)).await?;
//! assert_eq!(lamps.next().await.expect("it comes").message.payload, "on");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
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

pub use mqtt_adapter::host::{
    AllowAll, Desk, Ended, Entrance, Host, Listen, Notice, Origin, Panicked, Policy, ProxyHeaderError, Running,
    ShardHandle, StartError, Traffic,
};
use mqtt_adapter::host::{Network, Parts, Shard};

use crate::connection::Timer;
use network::{Listener, Tokio};

/// Starts a broker: each shard has a thread with a runtime of its own.
///
/// # Errors
/// If a listener cannot be opened, the store cannot be read, or there is no thread to be had.
pub fn start(host: Host) -> Result<Running, StartError> {
    host.start_with(run)
}

fn run(parts: Parts) -> io::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let shard = parts.into_shard(Tokio, Listener::new)?;
        // It bounds its own turns.
        Ok(tokio::task::unconstrained(keep(shard)).await)
    })
}

async fn keep<N: Network, P: Policy>(mut shard: Shard<N, P>) -> Ended {
    let mut timer = Timer::default();
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = shard.poll(cx) {
                return Poll::Ready(ended);
            }
            if timer.poll(cx, shard.deadline(), shard.clock()).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}
