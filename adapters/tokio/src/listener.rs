//! Connections that clients open, for a server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mqtt_adapter::Clock;
use mqtt_session::{ServerConfig, ServerConnection};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Connection;

/// How long nothing is accepted after an error that is about this process and not about one connection, as when it has too
/// many files open: the connection still waits, and would be accepted in vain again and again.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections of clients.
///
/// Packets leave at once (`TCP_NODELAY`), no more than [`connections`](Self::connections) are open at a time, and a client
/// has [`Limits::handshake_timeout`](mqtt_session::Limits) from the moment it is accepted to the end of its CONNECT.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    config: ServerConfig,
    clock: Clock,
    room: Arc<Semaphore>,
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

/// A place among the connections that may be open.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
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
            room: Arc::new(Semaphore::new(1024)),
        }
    }

    /// How many connections may be open at a time. Further ones wait in the queue of the system.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.room = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
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
            // Nobody closes the semaphore.
            let permit = Arc::clone(&self.room).acquire_owned().await.map_err(io::Error::other)?;
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    // A connection that is gone already tells so by itself.
                    let _ = stream.set_nodelay(true);
                    let machine = ServerConnection::new(self.config.clone(), self.clock.now());
                    return Ok(Accepted {
                        connection: Connection::accepted(machine, stream, self.clock),
                        peer,
                        place: Place { _permit: permit },
                    });
                }
                Err(error) if is_fatal(&error) => return Err(error),
                Err(error) if is_of_connection(&error) => {}
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

fn is_fatal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected)
}

fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
