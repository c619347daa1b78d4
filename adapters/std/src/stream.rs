//! Streams, as the adapters see them: sockets, and what else there is.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::task::{Context, Poll};

use mqtt_adapter::Transport;

use crate::reactor::{Reactor, Registered, Source, Waits};
use crate::sliced::Sliced;

pub(crate) const READABLE: Waits = Waits {
    readable: true,
    writable: false,
};
pub(crate) const WRITABLE: Waits = Waits {
    readable: false,
    writable: true,
};

/// A stream that connections of this crate are made of: `TcpStream`, on Unix `UnixStream`, and whatever reads and writes, by
/// [`Sliced`].
#[allow(private_bounds, reason = "how streams are waited for is no affair of users")]
pub trait Stream: Opens + Send {}

impl<S: Read + Write + Send + 'static> Stream for Sliced<S> {}

/// What can be made a stream of a machine, waited for by a reactor.
pub(crate) trait Opens {
    type Io: Transport + Send + 'static;

    fn open(self, reactor: &Arc<Reactor>) -> io::Result<Self::Io>;
}

/// A socket that is a stream.
pub(crate) trait Socket: Source + Send + 'static {
    fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn write_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
    fn close_writing(&self) -> io::Result<()>;
}

macro_rules! sockets {
    ($($(#[$attribute:meta])* $type:ty),*) => {
        $(
            $(#[$attribute])*
            impl Socket for $type {
                fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
                    let mut socket = self;
                    socket.read(buffer)
                }

                fn write_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
                    let mut socket = self;
                    socket.write_vectored(slices)
                }

                fn close_writing(&self) -> io::Result<()> {
                    self.shutdown(Shutdown::Write)
                }
            }

            $(#[$attribute])*
            impl Stream for $type {}

            $(#[$attribute])*
            impl Opens for $type {
                type Io = Io<Self>;

                fn open(self, reactor: &Arc<Reactor>) -> io::Result<Io<Self>> {
                    Registered::new(self, reactor).map(Io)
                }
            }
        )*
    };
}

sockets!(
    TcpStream,
    #[cfg(unix)]
    std::os::unix::net::UnixStream
);

/// A socket that a reactor waits for.
#[derive(Debug)]
pub(crate) struct Io<S: Socket>(Registered<S>);

impl<S: Socket> Transport for Io<S> {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let given = uninterrupted(|| self.0.socket().read_now(buffer));
        self.0.poll(given, READABLE)
    }

    fn poll_write(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let given = uninterrupted(|| self.0.socket().write_now(slices));
        self.0.poll(given, WRITABLE)
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.socket().close_writing())
    }
}

/// Tries again what a signal has interrupted.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            given => return given,
        }
    }
}
