//! Connections that clients open, for a server.

use std::io;
use std::net::SocketAddr;

use mqtt_adapter::{AcceptFault, Clock, Place, Places, ServerLayers};
use mqtt_session::{ServerConfig, ServerConnection};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};

use crate::Connection;

/// Accepts connections of clients.
///
/// Packets leave at once (`TCP_NODELAY`), no more than [`connections`](Self::connections) are open at a time, and a client
/// has [`Limits::handshake_timeout`](mqtt_session::Limits) from the moment it is accepted to the end of its CONNECT, with the
/// handshakes of [`layers`](Self::layers), which are made while the connection is served: nobody waits for them with accepting.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
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
    pub async fn bind(address: impl ToSocketAddrs, config: ServerConfig) -> io::Result<Self> {
        Ok(Self::new(TcpListener::bind(address).await?, config))
    }

    /// Accepts what a socket of the caller's gets.
    #[must_use]
    pub fn new(listener: TcpListener, config: ServerConfig) -> Self {
        Self {
            listener,
            config,
            clock: Clock::new(),
            places: Places::new(1024),
            layers: ServerLayers::new(),
        }
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
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits for a connection. A dropped future has taken none.
    ///
    /// # Errors
    /// If the listening socket is broken. What is wrong with one connection alone, or with the number of open files, is not
    /// told: another connection is waited for.
    pub async fn accept(&self) -> io::Result<Accepted> {
        loop {
            let place = self.places.take().await;
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    // A connection that is gone already tells so by itself.
                    let _ = stream.set_nodelay(true);
                    let machine = ServerConnection::new(self.config.clone(), self.clock.now());
                    return Ok(Accepted {
                        connection: Connection::accepted_with(machine, stream, &self.layers, self.clock),
                        peer,
                        place,
                    });
                }
                Err(error) => match AcceptFault::of(&error) {
                    AcceptFault::Pause(time) => tokio::time::sleep(time).await,
                    AcceptFault::Connection => {}
                    _ => return Err(error),
                },
            }
        }
    }
}
