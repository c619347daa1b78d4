//! A broker on smol.
//!
//! [`start`] runs a [`Host`] on threads of its own, from any program, with or without a runtime.
//!
//! ```
//! use std::time::Duration;
//! use mqtt_smol::broker::{Host, Listen};
//! use mqtt_smol::session::BrokerConfig;
//! use mqtt_smol::session::proto::DisconnectReason;
//! use mqtt_smol::{ClientOptions, Message, QoS};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::new(BrokerConfig::new(7)).listen(Listen::tcp("127.0.0.1:0"));
//! let broker = mqtt_smol::broker::start(host)?;
//! let address = broker.local_addr().expect("it listens");
//!
//! # smol::block_on(async {
//! let client = mqtt_smol::connect(ClientOptions::from_url(&format!("mqtt://{address}"))?).await?;
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
use network::{Listener, Smol};

/// Starts a broker: each shard has a thread.
///
/// # Errors
/// If a listener cannot be opened, the store cannot be read, or there is no thread to be had.
pub fn start(host: Host) -> Result<Running, StartError> {
    host.start_with(run)
}

fn run(parts: Parts) -> io::Result<Ended> {
    let shard = parts.into_shard(Smol, Listener::new)?;
    Ok(smol::block_on(keep(shard)))
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
