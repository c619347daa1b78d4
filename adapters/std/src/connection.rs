//! A machine over a stream, for those who serve it themselves.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant as Clocked};

use mqtt_adapter::{Carrier, ClientLayers, Clock, Link, ServerLayers, Step};
use mqtt_session::{Client, Event, Instant, Machine, ServerConnection, ServerEvent};

use crate::reactor::Reactor;
use crate::stream::{Opens, Stream};

/// A machine of `mqtt-session` over a [stream](Stream): bytes move and time passes while [`next`](Self::next) waits.
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use mqtt_std::session::{Accept, Client, ClientConfig, Event, ServerConfig, ServerConnection, ServerEvent};
/// use mqtt_std::{Clock, Connection, Step};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let clock = Clock::new();
/// let server = std::thread::spawn(move || {
///     let (stream, _) = listener.accept()?;
///     let machine = ServerConnection::new(ServerConfig::default(), clock.now());
///     let mut server = Connection::accepted(machine, stream, clock)?;
///     while let Some(step) = server.next() {
///         if let Step::Event(ServerEvent::Connect(_)) = step {
///             let now = server.now();
///             server.machine_mut().accept(now, Accept::new()).unwrap();
///         }
///     }
///     std::io::Result::Ok(())
/// });
///
/// let mut client = Connection::client(Client::new(ClientConfig::new("sensor-7")?, clock.now()), clock)?;
/// while let Some(step) = client.next() {
///     match step {
///         Step::Event(Event::Open) => client.opened(TcpStream::connect(address)?)?,
///         Step::Event(Event::Connected { .. }) => {
///             let now = client.now();
///             client.machine_mut().disconnect(now);
///         }
///         _ => {}
///     }
/// }
/// server.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Connection<M, S: Stream> {
    link: Link<M, Carrier<<S as Opens>::Io>>,
    reactor: Arc<Reactor>,
}

/// What came of waiting for a while.
#[derive(Debug)]
pub enum Waited<E> {
    /// There is something to do.
    Step(Step<E>),
    /// The time is over.
    TimedOut,
    /// The connection has ended, and its last bytes are sent; or the client has stopped.
    Over,
}

impl<S: Stream> Connection<Client, S> {
    /// Serves a client. It asks for a stream with [`Event::Open`]: answer with [`opened`](Self::opened) or
    /// [`open_failed`](Self::open_failed).
    ///
    /// # Errors
    /// If the system has no means to wait for sockets left.
    pub fn client(machine: Client, clock: Clock) -> io::Result<Self> {
        Ok(Self {
            link: Link::client(machine, clock),
            reactor: Reactor::new()?,
        })
    }

    /// The stream that was asked for is open.
    ///
    /// # Errors
    /// If the stream cannot be waited for.
    pub fn opened(&mut self, stream: S) -> io::Result<()> {
        self.link.opened(Carrier::plain(stream.open(&self.reactor)?));
        Ok(())
    }

    /// The same with TLS, WebSocket or both on it. Their handshakes are made as bytes move.
    ///
    /// # Errors
    /// If the stream cannot be waited for.
    pub fn opened_with(&mut self, stream: S, layers: &ClientLayers) -> io::Result<()> {
        self.link.opened(Carrier::client(stream.open(&self.reactor)?, layers));
        Ok(())
    }

    /// The stream that was asked for could not be opened. With `may_succeed_later` another one is asked for after a while.
    pub fn open_failed(&mut self, may_succeed_later: bool) {
        self.link.open_failed(may_succeed_later);
    }

    /// Waits for what is to be done next. `None`: the client has stopped, and nothing follows unless it is told to
    /// `reconnect`.
    #[allow(clippy::should_implement_trait, reason = "the machine is given commands in between")]
    pub fn next(&mut self) -> Option<Step<Event>> {
        self.wait(None, Self::poll_next).flatten()
    }

    /// The same for so long at most.
    pub fn next_within(&mut self, time: Duration) -> Waited<Event> {
        waited(self.wait(Some(time), Self::poll_next))
    }

    /// The same without waiting. When it is worth another try, the waker is woken only by a thread that waits in
    /// [`block_on`](Self::block_on).
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Step<Event>>> {
        self.poll_with(cx, Link::<Client, _>::poll_step)
    }
}

impl<S: Stream> Connection<ServerConnection, S> {
    /// Serves a connection that has been accepted.
    ///
    /// # Errors
    /// If the stream cannot be waited for.
    pub fn accepted(machine: ServerConnection, stream: S, clock: Clock) -> io::Result<Self> {
        Self::accepted_with(machine, stream, &ServerLayers::new(), clock)
    }

    /// The same with TLS, WebSocket or both on it. Their handshakes are made as bytes move, and count as part of the time
    /// that the machine gives a client for its CONNECT.
    ///
    /// # Errors
    /// If the stream cannot be waited for.
    pub fn accepted_with(
        machine: ServerConnection,
        stream: S,
        layers: &ServerLayers,
        clock: Clock,
    ) -> io::Result<Self> {
        let reactor = Reactor::new()?;
        let stream = Carrier::server(stream.open(&reactor)?, layers);
        Ok(Self {
            link: Link::accepted(machine, stream, clock),
            reactor,
        })
    }

    /// Waits for what is to be done next. `None`: the connection has ended, and its last bytes are sent.
    #[allow(clippy::should_implement_trait, reason = "the machine is given commands in between")]
    pub fn next(&mut self) -> Option<Step<ServerEvent>> {
        self.wait(None, Self::poll_next).flatten()
    }

    /// The same for so long at most.
    pub fn next_within(&mut self, time: Duration) -> Waited<ServerEvent> {
        waited(self.wait(Some(time), Self::poll_next))
    }

    /// The same without waiting. When it is worth another try, the waker is woken only by a thread that waits in
    /// [`block_on`](Self::block_on).
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Step<ServerEvent>>> {
        self.poll_with(cx, Link::poll_machine)
    }
}

impl<M: Machine, S: Stream> Connection<M, S> {
    fn wait<T>(
        &mut self,
        time: Option<Duration>,
        mut poll: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        let reactor = Arc::clone(&self.reactor);
        // What lies too far ahead to be expressed does not come.
        let until = time.and_then(|time| Clocked::now().checked_add(time));
        reactor.block_on(std::future::poll_fn(|cx| poll(self, cx)), until)
    }

    /// Runs a future that polls this connection, and whatever else, with [`poll_next`](Self::poll_next): to wait for the
    /// connection and for other threads at once. `future` is made from the connection.
    pub fn block_on<T, F: Future<Output = T>>(self, future: impl FnOnce(Self) -> F) -> T {
        let reactor = Arc::clone(&self.reactor);
        let future = future(self);
        match reactor.block_on(future, None) {
            Some(value) => value,
            None => unreachable!("there is no time at which it ends"),
        }
    }

    /// A waker that makes a thread look around which waits for this connection.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.reactor))
    }

    fn poll_with<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut step: impl FnMut(&mut Link<M, Carrier<<S as Opens>::Io>>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        loop {
            if let Poll::Ready(done) = step(&mut self.link, cx) {
                return Poll::Ready(done);
            }
            let deadline = self.reactor.poll_deadline(self.link.deadline(), self.link.clock());
            if deadline.is_pending() {
                return Poll::Pending;
            }
        }
    }

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

fn waited<E>(waited: Option<Option<Step<E>>>) -> Waited<E> {
    match waited {
        Some(Some(step)) => Waited::Step(step),
        Some(None) => Waited::Over,
        None => Waited::TimedOut,
    }
}
