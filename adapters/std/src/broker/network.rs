//! Sockets of a reactor, as a shard sees them.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mqtt_adapter::Transport;
use mqtt_adapter::host::{Network, Socket};

use crate::reactor::{Reactor, Registered};
use crate::stream::{self, READABLE, WRITABLE, uninterrupted};

/// The reactor of the thread.
pub(super) struct Std {
    reactor: Arc<Reactor>,
}

pub(super) enum Listener {
    Tcp(Registered<TcpListener>),
    #[cfg(unix)]
    Unix(Registered<UnixListener>),
}

pub(super) enum Stream {
    Tcp(Called<TcpStream>),
    #[cfg(unix)]
    Unix(Called<UnixStream>),
}

/// A stream that belongs to no reactor.
pub(super) enum Detached {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Std {
    pub(super) fn new(reactor: &Arc<Reactor>) -> Self {
        Self {
            reactor: Arc::clone(reactor),
        }
    }
}

impl Listener {
    pub(super) fn new(socket: Socket, reactor: &Arc<Reactor>) -> io::Result<Self> {
        match socket {
            Socket::Tcp(socket) => Registered::new(socket, reactor).map(Self::Tcp),
            #[cfg(unix)]
            Socket::Unix(socket) => Registered::new(socket, reactor).map(Self::Unix),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Network for Std {
    type Stream = Stream;
    type Listener = Listener;
    type Detached = Detached;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        listener: &mut Listener,
    ) -> Poll<io::Result<(Stream, Option<SocketAddr>)>> {
        Poll::Ready(Ok(match listener {
            Listener::Tcp(listener) => {
                let given = uninterrupted(|| listener.socket().accept());
                let (stream, peer) = ready!(listener.poll_called(cx, given, READABLE))?;
                // A connection that is gone already tells so by itself.
                let _ = stream.set_nodelay(true);
                (self.attach(Detached::Tcp(stream))?, Some(peer))
            }
            #[cfg(unix)]
            Listener::Unix(listener) => {
                let given = uninterrupted(|| listener.socket().accept());
                let (stream, _) = ready!(listener.poll_called(cx, given, READABLE))?;
                (self.attach(Detached::Unix(stream))?, None)
            }
        }))
    }

    /// A registered socket is closed with its registration: what leaves is another handle of it.
    fn detach(&mut self, stream: Stream) -> io::Result<Detached> {
        match stream {
            Stream::Tcp(Called(stream)) => stream.socket().try_clone().map(Detached::Tcp),
            #[cfg(unix)]
            Stream::Unix(Called(stream)) => stream.socket().try_clone().map(Detached::Unix),
        }
    }

    fn attach(&mut self, stream: Detached) -> io::Result<Stream> {
        match stream {
            Detached::Tcp(stream) => Registered::new(stream, &self.reactor).map(|stream| Stream::Tcp(Called(stream))),
            #[cfg(unix)]
            Detached::Unix(stream) => Registered::new(stream, &self.reactor).map(|stream| Stream::Unix(Called(stream))),
        }
    }
}

/// A socket that wakes whoever waits for it, and nobody else.
pub(super) struct Called<S: stream::Socket>(Registered<S>);

impl<S: stream::Socket> Transport for Called<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let given = uninterrupted(|| self.0.socket().read_now(buffer));
        self.0.poll_called(cx, given, READABLE)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let given = uninterrupted(|| self.0.socket().write_now(slices));
        self.0.poll_called(cx, given, WRITABLE)
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.socket().close_writing())
    }
}

/// Calls the same method of whatever stream it is.
macro_rules! pass_on {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self {
            Self::Tcp($stream) => $call,
            #[cfg(unix)]
            Self::Unix($stream) => $call,
        }
    };
}

impl Transport for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        pass_on!(self, stream => stream.poll_read(cx, buffer))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        pass_on!(self, stream => stream.poll_write(cx, slices))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pass_on!(self, stream => stream.poll_flush(cx))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pass_on!(self, stream => stream.poll_close(cx))
    }
}
