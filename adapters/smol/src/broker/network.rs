//! Streams of smol, as a shard sees them.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use mqtt_adapter::Transport;
use mqtt_adapter::host::{Network, Socket};
use smol::Async;
use smol::net::TcpStream;
#[cfg(unix)]
use smol::net::unix::UnixStream;

use crate::Io;

/// The reactor of the process.
pub(super) struct Smol;

pub(super) enum Listener {
    Tcp(Async<std::net::TcpListener>),
    #[cfg(unix)]
    Unix(Async<std::os::unix::net::UnixListener>),
}

pub(super) enum Stream {
    Tcp(Io<TcpStream>),
    #[cfg(unix)]
    Unix(Io<UnixStream>),
}

impl Listener {
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        match socket {
            Socket::Tcp(socket) => Async::new(socket).map(Self::Tcp),
            #[cfg(unix)]
            Socket::Unix(socket) => Async::new(socket).map(Self::Unix),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Accepts, and waits for a connection if there is none.
fn poll_with<L, R>(
    cx: &mut Context<'_>,
    listener: &Async<L>,
    mut accept: impl FnMut(&L) -> io::Result<R>,
) -> Poll<io::Result<R>> {
    loop {
        match accept(listener.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(listener.poll_readable(cx))?,
            accepted => return Poll::Ready(accepted),
        }
    }
}

impl Network for Smol {
    type Stream = Stream;
    type Listener = Listener;
    type Detached = Stream;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        listener: &mut Listener,
    ) -> Poll<io::Result<(Stream, Option<SocketAddr>)>> {
        Poll::Ready(Ok(match listener {
            Listener::Tcp(listener) => {
                let (stream, peer) = ready!(poll_with(cx, listener, std::net::TcpListener::accept))?;
                // A connection that is gone already tells so by itself.
                let _ = stream.set_nodelay(true);
                (Stream::Tcp(Io(Async::new(stream)?.into())), Some(peer))
            }
            #[cfg(unix)]
            Listener::Unix(listener) => {
                let (stream, _) = ready!(poll_with(cx, listener, std::os::unix::net::UnixListener::accept))?;
                (Stream::Unix(Io(Async::new(stream)?.into())), None)
            }
        }))
    }

    /// There is one reactor for all threads.
    fn detach(&mut self, stream: Stream) -> io::Result<Stream> {
        Ok(stream)
    }

    fn attach(&mut self, stream: Stream) -> io::Result<Stream> {
        Ok(stream)
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
