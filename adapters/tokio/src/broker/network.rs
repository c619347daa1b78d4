//! Streams of tokio, as a shard sees them.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use mqtt_adapter::host::{Network, Socket};
use tokio::net::{TcpListener, TcpStream};

use crate::Io;

/// The runtime of the thread.
pub(super) struct Tokio;

pub(super) enum Listener {
    Tcp(TcpListener),
}

impl Listener {
    /// Has to be called within a runtime.
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        match socket {
            Socket::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                TcpListener::from_std(socket).map(Self::Tcp)
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Network for Tokio {
    type Stream = Io<TcpStream>;
    type Listener = Listener;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        listener: &mut Listener,
    ) -> Poll<io::Result<(Io<TcpStream>, Option<SocketAddr>)>> {
        match listener {
            Listener::Tcp(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                // A connection that is gone already tells so by itself.
                let _ = stream.set_nodelay(true);
                Poll::Ready(Ok((Io(stream), Some(peer))))
            }
        }
    }
}
