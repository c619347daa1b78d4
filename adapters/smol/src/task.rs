//! The task that keeps the connection of a client.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use mqtt_adapter::{Client, ClientOptions, Dial, Failure, Keeper};

use crate::connection::Timer;
use crate::dial::Dialer;

/// Starts a client on the global executor of smol, and waits until the server has accepted the first connection.
///
/// # Errors
/// If the first connection fails; the client has ended then.
pub async fn connect(options: ClientOptions) -> Result<Client, Arc<Failure>> {
    connect_with(options, Dialer).await
}

/// The same over streams that `dialer` opens, by way of a proxy for instance: see [`dial_by`](crate::dial_by).
///
/// # Errors
/// If the first connection fails; the client has ended then.
pub async fn connect_with(options: ClientOptions, dialer: impl Dial + 'static) -> Result<Client, Arc<Failure>> {
    let client = start_with(options, dialer);
    match client.established().await {
        Ok(()) => Ok(client),
        Err(failure) => {
            client.abort();
            Err(failure)
        }
    }
}

/// Starts a client on the global executor of smol, which connects as soon as it can. Messages may be published at once.
#[must_use]
pub fn start(options: ClientOptions) -> Client {
    start_with(options, Dialer)
}

/// The same over streams that `dialer` opens, by way of a proxy for instance: see [`dial_by`](crate::dial_by).
#[must_use]
pub fn start_with(options: ClientOptions, dialer: impl Dial + 'static) -> Client {
    let (client, keeping) = prepare(options, dialer);
    smol::spawn(keeping).detach();
    client
}

/// A client, and the future that keeps its connection, for whoever spawns it. The client does nothing until that is polled,
/// and the future ends when the client does.
#[must_use = "the client does nothing until the future is polled"]
pub fn prepare(
    options: ClientOptions,
    dialer: impl Dial + 'static,
) -> (Client, impl Future<Output = Arc<Failure>> + Send + 'static) {
    let (client, keeper) = Client::with_dialer(options, dialer);
    (client, keep(keeper))
}

async fn keep<D: Dial>(mut keeper: Keeper<D>) -> Arc<Failure> {
    let mut timer = Timer::default();
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(failure) = keeper.poll(cx) {
                return Poll::Ready(failure);
            }
            if timer.poll(cx, keeper.deadline(), keeper.clock()).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}
