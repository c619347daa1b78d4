//! A connection as bytes of MQTT: on TCP, with TLS between or without.

use std::io::{self, IoSlice, Read, Write};
use std::net::{self, Shutdown};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use mqtt_tokio::ClientLayers;
use mqtt_tokio::adapter::{Carrier, Transport};

/// A connection as bytes of MQTT. It is read and written like the socket below: one that waits, or one that says with
/// [`io::ErrorKind::WouldBlock`] that it would have to.
pub(super) struct Wire<T> {
    carrier: Carrier<Socket<T>>,
    has_tls: bool,
    call: Arc<Call>,
    waker: Waker,
}

/// TLS wants another try without anything happening to the socket.
#[derive(Default)]
struct Call(AtomicBool);

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Wire<net::TcpStream> {
    /// On a socket that waits, with TLS if there are settings for it: its handshake is over then.
    pub(super) fn open(socket: net::TcpStream, tls: Option<&ClientLayers>) -> io::Result<Self> {
        let socket = Socket(socket);
        let carrier = match tls {
            Some(layers) => Carrier::client(socket, layers),
            None => Carrier::plain(socket),
        };
        let mut wire = Self::on(carrier, tls.is_some());
        wire.poll(Carrier::poll_open)?;
        Ok(wire)
    }

    /// The end of a server, on a socket that waits.
    #[cfg(test)]
    pub(super) fn accepted(socket: net::TcpStream, layers: &mqtt_tokio::ServerLayers) -> Self {
        Self::on(Carrier::server(Socket(socket), layers), true)
    }

    /// Writes all of it, and waits until it is sent.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.flush()
    }

    /// On a socket that does not wait any more, and is to be entered where such sockets are waited for.
    pub(super) fn polled(
        self,
        enter: impl FnOnce(&mut mio::net::TcpStream) -> io::Result<()>,
    ) -> io::Result<Wire<mio::net::TcpStream>> {
        let carrier = self.carrier.map(|Socket(socket)| {
            socket.set_nonblocking(true)?;
            let mut socket = mio::net::TcpStream::from_std(socket);
            enter(&mut socket)?;
            Ok(Socket(socket))
        })?;
        Ok(Wire::on(carrier, self.has_tls))
    }
}

impl<T: Stream> Wire<T> {
    fn on(carrier: Carrier<Socket<T>>, has_tls: bool) -> Self {
        let call = Arc::new(Call::default());
        Self {
            carrier,
            has_tls,
            waker: Waker::from(Arc::clone(&call)),
            call,
        }
    }

    /// Reads what is there and fits: how much, and whether there may be more. No bytes: the other end has closed.
    pub(super) fn read_there(&mut self, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
        let mut len = self.read(buffer)?;
        // A socket that gives less than fits has no more; TLS gives at most a record.
        while self.has_tls && len > 0 && len < buffer.len() {
            match self.read(&mut buffer[len..]) {
                Ok(more @ 1..) => len += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((len, false)),
                // An end or an error, which comes again.
                _ => return Ok((len, true)),
            }
        }
        Ok((len, len == buffer.len()))
    }

    fn poll<R>(
        &mut self,
        mut step: impl FnMut(&mut Carrier<Socket<T>>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> io::Result<R> {
        loop {
            match step(&mut self.carrier, &mut Context::from_waker(&self.waker)) {
                Poll::Ready(done) => return done,
                Poll::Pending if self.call.0.swap(false, Ordering::Relaxed) => {}
                Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
            }
        }
    }
}

impl<T: Stream> Read for Wire<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.poll(|carrier, cx| carrier.poll_read(cx, buffer))
    }
}

impl<T: Stream> Write for Wire<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.poll(|carrier, cx| carrier.poll_write(cx, &[IoSlice::new(bytes)]))
    }

    /// What TLS has made of what was written is sent.
    fn flush(&mut self) -> io::Result<()> {
        self.poll(Carrier::poll_flush)
    }
}

/// A socket of the standard library or of mio.
pub(super) trait Stream: Read + Write {
    fn end(&self) -> io::Result<()>;
}

impl Stream for net::TcpStream {
    fn end(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Stream for mio::net::TcpStream {
    fn end(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// A socket, polled: what would have to wait, or has waited for too long, is pending.
struct Socket<T>(T);

fn polled<R>(mut attempt: impl FnMut() -> io::Result<R>) -> Poll<io::Result<R>> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Poll::Pending;
            }
            done => return Poll::Ready(done),
        }
    }
}

impl<T: Stream> Transport for Socket<T> {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        polled(|| self.0.read(buffer))
    }

    /// One slice is all that comes: of a load, or of TLS.
    fn poll_write(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        polled(|| self.0.write(slices.first().map_or(&[], |slice| &**slice)))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.end())
    }
}
