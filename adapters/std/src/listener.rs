//! Connections that clients open, for a server.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant as Clocked};

use mqtt_adapter::{AcceptFault, Clock, Place, Places, ServerLayers};
use mqtt_session::{ServerConfig, ServerConnection};

use crate::Connection;
use crate::reactor::{Reactor, Registered, Waits};

/// Accepts connections of clients.
///
/// Packets leave at once (`TCP_NODELAY`), no more than [`connections`](Self::connections) are open at a time, and a client
/// has [`Limits::handshake_timeout`](mqtt_session::Limits) from the moment it is accepted to the end of its CONNECT, with the
/// handshakes of [`layers`](Self::layers), which are made while the connection is served: nobody waits for them with accepting.
#[derive(Debug)]
pub struct Listener {
    socket: Registered<TcpListener>,
    address: SocketAddr,
    reactor: Arc<Reactor>,
    config: ServerConfig,
    clock: Clock,
    places: Places,
    layers: ServerLayers,
}

/// A connection of a client that has been accepted.
#[derive(Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// The connection: the client has said nothing yet.
    pub connection: Connection<ServerConnection, TcpStream>,
    /// Where the client is.
    pub peer: SocketAddr,
    /// The place that the connection takes. It is free when this is dropped.
    pub place: Place,
}

impl Listener {
    /// Listens. At most 1024 connections are open at a time.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn bind(address: impl ToSocketAddrs, config: ServerConfig) -> io::Result<Self> {
        Self::new(TcpListener::bind(address)?, config)
    }

    /// Accepts what a socket of the caller's gets.
    ///
    /// # Errors
    /// If the socket cannot be waited for.
    pub fn new(socket: TcpListener, config: ServerConfig) -> io::Result<Self> {
        let reactor = Reactor::new()?;
        Ok(Self {
            address: socket.local_addr()?,
            socket: Registered::new(socket, &reactor)?,
            reactor,
            config,
            clock: Clock::new(),
            places: Places::new(1024),
            layers: ServerLayers::new(),
        })
    }

    /// How many connections may be open at a time. Further ones wait in the queue of the system.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.places = Places::new(connections);
        self
    }

    /// What is on the streams of clients: TLS, WebSocket or both. Default: nothing.
    #[must_use]
    pub fn layers(mut self, layers: ServerLayers) -> Self {
        self.layers = layers;
        self
    }

    /// The address that is listened on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Waits for a connection.
    ///
    /// # Errors
    /// If the listening socket is broken. What is wrong with one connection alone, or with the number of open files, is not
    /// told: another connection is waited for.
    pub fn accept(&mut self) -> io::Result<Accepted> {
        let reactor = Arc::clone(&self.reactor);
        match reactor.block_on(self.accept_next(), None) {
            Some(accepted) => accepted,
            None => unreachable!("there is no time at which it ends"),
        }
    }

    /// The same for so long at most.
    ///
    /// # Errors
    /// As for [`accept`](Self::accept).
    pub fn accept_within(&mut self, time: Duration) -> io::Result<Option<Accepted>> {
        // What lies too far ahead to be expressed does not come.
        let until = Clocked::now().checked_add(time);
        let reactor = Arc::clone(&self.reactor);
        reactor.block_on(self.accept_next(), until).transpose()
    }

    async fn accept_next(&mut self) -> io::Result<Accepted> {
        loop {
            let place = self.places.take().await;
            match poll_fn(|_| self.poll_socket()).await {
                Ok((socket, peer)) => {
                    // A connection that is gone already tells so by itself.
                    let _ = socket.set_nodelay(true);
                    let machine = ServerConnection::new(self.config.clone(), self.clock.now());
                    return Ok(Accepted {
                        connection: Connection::accepted_with(machine, socket, &self.layers, self.clock)?,
                        peer,
                        place,
                    });
                }
                Err(error) => match AcceptFault::of(&error) {
                    AcceptFault::Pause(time) => self.reactor.sleep(time).await,
                    AcceptFault::Connection => {}
                    _ => return Err(error),
                },
            }
        }
    }

    fn poll_socket(&mut self) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let given = self.socket.socket().accept();
        let waits = Waits {
            readable: true,
            writable: false,
        };
        self.socket.poll(given, waits)
    }
}
