//! Sockets to a server: TCP, and sockets of this machine.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use mqtt_adapter::{AnyStream, Dial, DialError, Dialing, Endpoint, Scheme};

use crate::reactor::Reactor;
use crate::stream::{Opens, Stream};

/// Opens what a URL names: TCP and, for `unix:`, sockets of this machine. It does so in the thread of the connection, which has nothing else to
/// do meanwhile.
pub(crate) struct Dialer {
    pub(crate) reactor: Arc<Reactor>,
    pub(crate) timeout: Duration,
}

/// Opens what a function of the application opens.
pub(crate) struct OwnDialer<F> {
    pub(crate) reactor: Arc<Reactor>,
    pub(crate) dial: F,
}

impl<S: Stream, F: FnMut(&Endpoint) -> Result<S, DialError> + Send> Dial for OwnDialer<F> {
    fn dial(&mut self, endpoint: &Endpoint) -> Dialing {
        let opened = (self.dial)(endpoint)
            .and_then(|stream| stream.open(&self.reactor).map_err(DialError::connect))
            .map(|stream| -> AnyStream { Box::new(stream) });
        Box::pin(std::future::ready(opened))
    }
}

impl Dial for Dialer {
    fn dial(&mut self, endpoint: &Endpoint) -> Dialing {
        let (endpoint, reactor, timeout) = (endpoint.clone(), Arc::clone(&self.reactor), self.timeout);
        Box::pin(async move {
            match endpoint.scheme() {
                Scheme::Mqtt | Scheme::Mqtts | Scheme::Ws | Scheme::Wss => tcp(&endpoint, &reactor, timeout),
                #[cfg(unix)]
                Scheme::Unix => unix(&endpoint, &reactor),
                _ => Err(DialError::NotSupported("this system has no such sockets")),
            }
        })
    }
}

/// All addresses of the host, one after the other.
fn tcp(endpoint: &Endpoint, reactor: &Arc<Reactor>, timeout: Duration) -> Result<AnyStream, DialError> {
    if timeout.is_zero() {
        // The system would call it an invalid argument.
        return Err(DialError::TimedOut);
    }
    let addresses = (endpoint.host(), endpoint.port()).to_socket_addrs();
    let mut last = None;
    for address in addresses.map_err(DialError::resolve)? {
        let opened = TcpStream::connect_timeout(&address, timeout).and_then(|socket| {
            // Packets are gathered before they are written; small ones should not wait for acknowledgements of TCP.
            socket.set_nodelay(true)?;
            socket.open(reactor)
        });
        match opened {
            Ok(stream) => return Ok(Box::new(stream)),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) if error.kind() == io::ErrorKind::TimedOut => DialError::TimedOut,
        Some(error) => DialError::connect(error),
        None => DialError::resolve(io::ErrorKind::NotFound.into()),
    })
}

#[cfg(unix)]
fn unix(endpoint: &Endpoint, reactor: &Arc<Reactor>) -> Result<AnyStream, DialError> {
    let opened = std::os::unix::net::UnixStream::connect(endpoint.path()).and_then(|socket| socket.open(reactor));
    Ok(Box::new(opened.map_err(DialError::connect)?))
}
