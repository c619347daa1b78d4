//! Streams of tokio, as a shard sees them.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use mqtt_adapter::Transport;
use mqtt_adapter::host::{Network, Socket};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use crate::Io;

/// The runtime of the thread.
pub(super) struct Tokio;

pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

pub(super) enum Stream {
    Tcp(Io<TcpStream>),
    #[cfg(unix)]
    Unix(Io<UnixStream>),
}

/// A stream that belongs to no runtime.
pub(super) enum Detached {
    Tcp(std::net::TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Listener {
    /// Has to be called within a runtime.
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        match socket {
            Socket::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                TcpListener::from_std(socket).map(Self::Tcp)
            }
            #[cfg(unix)]
            Socket::Unix(socket) => {
                socket.set_nonblocking(true)?;
                UnixListener::from_std(socket).map(Self::Unix)
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Network for Tokio {
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
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                // A connection that is gone already tells so by itself.
                let _ = stream.set_nodelay(true);
                (Stream::Tcp(Io(stream)), Some(peer))
            }
            #[cfg(unix)]
            Listener::Unix(listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                (Stream::Unix(Io(stream)), None)
            }
        }))
    }

    fn detach(&mut self, stream: Stream) -> io::Result<Detached> {
        match stream {
            Stream::Tcp(Io(stream)) => stream.into_std().map(Detached::Tcp),
            #[cfg(unix)]
            Stream::Unix(Io(stream)) => stream.into_std().map(Detached::Unix),
        }
    }

    fn attach(&mut self, stream: Detached) -> io::Result<Stream> {
        match stream {
            Detached::Tcp(stream) => TcpStream::from_std(stream).map(|stream| Stream::Tcp(Io(stream))),
            #[cfg(unix)]
            Detached::Unix(stream) => UnixStream::from_std(stream).map(|stream| Stream::Unix(Io(stream))),
        }
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
