//! What all adapters are tested by: a small server that runs on the accept side of any of them, and scenarios that a client
//! of any of them goes through.
//!
//! An adapter's tests implement [`Adapter`], and call the scenarios one by one.

mod broker;
mod certificates;
#[cfg(unix)]
mod door;
mod faults;
pub mod hosted;
mod hub;
mod killing;
#[cfg(target_os = "linux")]
mod leaks;
mod mosquitto;
mod pipe;
mod program;
mod proxy;
mod random;
pub mod scenarios;
#[cfg(target_os = "linux")]
mod sockets;
mod tunnel;
mod walker;
pub mod websocket;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mqtt_adapter::{Client, ClientOptions, ServerLayers, Step};
use mqtt_session::{Instant, ServerConnection, ServerEvent};

pub use broker::{AEDES, Broker, Kind, Lack, MOSQUITTO, NATS, RABBITMQ};
pub use certificates::{Authority, Issued, Valid};
pub use faults::Faults;
pub use hub::{Conduct, Hub, METHOD, Naming};
pub use killing::the_process_that_is_killed;
#[cfg(target_os = "linux")]
pub use leaks::{CountingHeap, connections_leave_nothing, heap_bytes, in_own_process};
pub use mosquitto::Setup;
pub use pipe::{End, Pipe, ends};
pub use program::skipped;
pub use proxy::Proxy;
pub use tunnel::tunnel;
pub use walker::{Walk, Walker};

/// A future of any kind.
pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a scenario needs of an adapter.
pub trait Adapter {
    /// Starts a client.
    fn start(options: ClientOptions) -> Client;
    /// Waits.
    fn sleep(time: Duration) -> Boxed<()>;
    /// Accepts connections for a hub, in the background, at a port of 127.0.0.1: at this one, or at any.
    fn serve(hub: Arc<Hub>, port: u16) -> Boxed<SocketAddr> {
        Self::serve_with(hub, port, ServerLayers::new())
    }
    /// The same with these layers on the streams.
    fn serve_with(hub: Arc<Hub>, port: u16, layers: ServerLayers) -> Boxed<SocketAddr>;
}

/// A connection that a hub serves.
pub trait Served: Send {
    /// What to do next.
    fn next(&mut self) -> impl Future<Output = Option<Step<ServerEvent>>> + Send;
    /// The machine.
    fn machine_mut(&mut self) -> &mut ServerConnection;
    /// The time.
    fn now(&self) -> Instant;
}

/// Serves one connection until it ends.
pub async fn serve(hub: Arc<Hub>, mut connection: impl Served) {
    let id = hub.attach();
    loop {
        let mail = {
            // A message for the client drops the future in the middle of whatever it does.
            let mut next = pin!(connection.next());
            std::future::poll_fn(|cx| match hub.poll_mail(id, cx) {
                Poll::Ready(mail) => Poll::Ready(Ok(mail)),
                Poll::Pending => next.as_mut().poll(cx).map(Err),
            })
            .await
        };
        let now = connection.now();
        let machine = connection.machine_mut();
        let goes_on = match mail {
            Ok(Some(message)) => {
                hub.send(id, machine, now, message);
                true
            }
            // Cut: the stream is dropped without a word.
            Ok(None) => {
                machine.handle_eof(now);
                while let Some(event) = machine.poll_event() {
                    hub.on_event(id, machine, now, event);
                }
                false
            }
            Err(Some(Step::Event(event))) => {
                hub.on_event(id, machine, now, event);
                true
            }
            Err(Some(Step::Store(_))) => true,
            Err(None) => false,
        };
        if !goes_on {
            hub.detach(id);
            return;
        }
    }
}

/// Waits for a future, but no longer than until the hub is shut.
pub async fn unless_shut<T>(hub: &Hub, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match hub.poll_shut(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx).map(Some),
    })
    .await
}

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a future, but not for ever.
///
/// # Panics
/// If it takes too long.
pub async fn soon<A: Adapter, T>(what: &str, future: impl Future<Output = T>) -> T {
    let (mut future, mut sleep) = (pin!(future), A::sleep(PATIENCE));
    let ended = std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
    });
    match ended.await {
        Some(value) => value,
        None => panic!("{what} takes too long"),
    }
}

/// Waits until something is so, but not for ever.
///
/// # Panics
/// If it takes too long.
pub async fn until<A: Adapter>(what: &str, is_so: impl Fn() -> bool) {
    let checks = async {
        while !is_so() {
            A::sleep(Duration::from_millis(5)).await;
        }
    };
    soon::<A, _>(what, checks).await;
}
