//! A machine over a stream, for those who serve it themselves.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use mqtt_adapter::{Carrier, ClientLayers, Clock, Link, ServerLayers, Step};
use mqtt_session::{Client, Event, Instant, Machine, ServerConnection, ServerEvent};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;

use crate::stream::Io;

/// A machine of `mqtt-session` over a stream of tokio: bytes move and time passes while [`next`](Self::next) is awaited.
///
/// ```
/// use mqtt_tokio::session::{Accept, Client, ClientConfig, Event, ServerConfig, ServerConnection, ServerEvent};
/// use mqtt_tokio::{Clock, Connection, Step};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (near, far) = tokio::io::duplex(1024);
/// let clock = Clock::new();
/// let mut server = Connection::accepted(ServerConnection::new(ServerConfig::default(), clock.now()), far, clock);
/// tokio::spawn(async move {
///     while let Some(step) = server.next().await {
///         if let Step::Event(ServerEvent::Connect(_)) = step {
///             let now = server.now();
///             server.machine_mut().accept(now, Accept::new()).unwrap();
///         }
///     }
/// });
///
/// let mut client = Connection::client(Client::new(ClientConfig::new("sensor-7")?, clock.now()), clock);
/// let mut stream = Some(near);
/// while let Some(step) = client.next().await {
///     match step {
///         Step::Event(Event::Open) => client.opened(stream.take().expect("it is opened once")),
///         Step::Event(Event::Connected { .. }) => {
///             let now = client.now();
///             client.machine_mut().disconnect(now);
///         }
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Connection<M, S> {
    link: Link<M, Carrier<Io<S>>>,
    timer: Timer,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<Client, S> {
    /// Serves a client. It asks for a stream with [`Event::Open`]: answer with [`opened`](Self::opened) or
    /// [`open_failed`](Self::open_failed).
    #[must_use]
    pub fn client(machine: Client, clock: Clock) -> Self {
        Self {
            link: Link::client(machine, clock),
            timer: Timer::default(),
        }
    }

    /// The stream that was asked for is open.
    pub fn opened(&mut self, stream: S) {
        self.link.opened(Carrier::plain(Io(stream)));
    }

    /// The same with TLS, WebSocket or both on it. Their handshakes are made as bytes move.
    pub fn opened_with(&mut self, stream: S, layers: &ClientLayers) {
        self.link.opened(Carrier::client(Io(stream), layers));
    }

    /// The stream that was asked for could not be opened. With `may_succeed_later` another one is asked for after a while.
    pub fn open_failed(&mut self, may_succeed_later: bool) {
        self.link.open_failed(may_succeed_later);
    }

    /// Waits for what is to be done next. `None`: the client has stopped, and nothing follows unless it is told to
    /// `reconnect`.
    ///
    /// A dropped future has lost nothing.
    pub async fn next(&mut self) -> Option<Step<Event>> {
        let Self { link, timer } = self;
        poll_fn(|cx| timer.poll_with(cx, link, Link::<Client, _>::poll_step)).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<ServerConnection, S> {
    /// Serves a connection that has been accepted.
    #[must_use]
    pub fn accepted(machine: ServerConnection, stream: S, clock: Clock) -> Self {
        Self::accepted_over(machine, Carrier::plain(Io(stream)), clock)
    }

    /// The same with TLS, WebSocket or both on it. Their handshakes are made as bytes move, and count as part of the time
    /// that the machine gives a client for its CONNECT.
    #[must_use]
    pub fn accepted_with(machine: ServerConnection, stream: S, layers: &ServerLayers, clock: Clock) -> Self {
        Self::accepted_over(machine, Carrier::server(Io(stream), layers), clock)
    }

    fn accepted_over(machine: ServerConnection, stream: Carrier<Io<S>>, clock: Clock) -> Self {
        Self {
            link: Link::accepted(machine, stream, clock),
            timer: Timer::default(),
        }
    }

    /// Waits for what is to be done next. `None`: the connection has ended, and its last bytes are sent.
    ///
    /// A dropped future has lost nothing.
    pub async fn next(&mut self) -> Option<Step<ServerEvent>> {
        let Self { link, timer } = self;
        poll_fn(|cx| timer.poll_with(cx, link, Link::poll_machine)).await
    }
}

impl<M: Machine, S: AsyncRead + AsyncWrite + Unpin> Connection<M, S> {
    /// What TLS has agreed on, while there is a stream with TLS whose handshake is over.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn tls(&self) -> Option<mqtt_adapter::TlsSession> {
        self.link.stream()?.tls()
    }

    /// The error that ended the last stream. What TLS or WebSocket had against going on is found by [`LayerError::of`](mqtt_adapter::LayerError::of).
    pub const fn take_error(&mut self) -> Option<io::Error> {
        self.link.take_error()
    }

    /// The machine, to ask it.
    #[must_use]
    pub const fn machine(&self) -> &M {
        self.link.machine()
    }

    /// The machine, to give it commands. Go on with `next` afterwards.
    pub const fn machine_mut(&mut self) -> &mut M {
        self.link.machine_mut()
    }

    /// The time, as the commands of the machine want it.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.link.now()
    }

    /// Takes the machine out. The stream is dropped.
    #[must_use]
    pub fn into_machine(self) -> M {
        self.link.into_machine()
    }
}

/// Wakes at one deadline after the other.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    at: Option<Instant>,
}

impl Timer {
    /// Polls a link, and again whenever its deadline has passed.
    fn poll_with<M: Machine, S: AsyncRead + AsyncWrite + Unpin, R>(
        &mut self,
        cx: &mut Context<'_>,
        link: &mut Link<M, Carrier<Io<S>>>,
        mut step: impl FnMut(&mut Link<M, Carrier<Io<S>>>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        loop {
            if let Poll::Ready(done) = step(link, cx) {
                return Poll::Ready(done);
            }
            if self.poll(cx, link.deadline(), link.clock()).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Ready when the deadline has passed; it wakes then.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>, clock: &Clock) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        // The timer of a runtime may be late, and the clock is what the machine goes by.
        if clock.now() >= deadline {
            return Poll::Ready(());
        }
        let until = clock.system(deadline).into();
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                if self.at != Some(deadline) {
                    sleep.as_mut().reset(until);
                }
                sleep
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(until))),
        };
        self.at = Some(deadline);
        let slept = sleep.as_mut().poll(cx);
        if slept.is_ready() {
            self.at = None;
        }
        slept
    }
}
