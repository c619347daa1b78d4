//! What a host is to be, the same for all runtimes.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::num::{NonZeroU16, NonZeroU32};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;

use mqtt_session::BrokerConfig;
#[cfg(feature = "store")]
use mqtt_store::Writer;

use super::entrance::Entrance;
use super::keep_alive::TcpKeepAlive;
use super::mailbox::ShardHandle;
use super::policy::{AllowAll, Policy};
#[cfg(unix)]
use super::socket_file::{self, SocketFile};
use super::start::StartError;
use crate::ServerLayers;

/// Only paths have files.
#[cfg(not(unix))]
pub(super) type SocketFile = std::convert::Infallible;

pub(super) type MakePolicy = Arc<dyn Fn(ShardHandle) -> Box<dyn Policy> + Send + Sync>;

/// A broker to be started: what it is, who may do what, where it listens, and where it keeps its sessions.
///
/// An adapter starts it, on threads of its own.
pub struct Host {
    pub(super) config: BrokerConfig,
    pub(super) shards: u16,
    pub(super) listeners: Vec<Listen>,
    pub(super) connections: Option<usize>,
    pub(super) connections_per_address: Option<NonZeroU32>,
    pub(super) tcp_keep_alive: Option<TcpKeepAlive>,
    pub(super) policy: MakePolicy,
    #[cfg(feature = "store")]
    pub(super) store: Option<Writer>,
}

impl Host {
    /// A broker with this configuration: on one thread, in memory, for everybody. It listens nowhere yet.
    #[must_use]
    pub fn new(config: BrokerConfig) -> Self {
        Self {
            config,
            shards: 1,
            listeners: Vec::new(),
            connections: None,
            connections_per_address: None,
            tcp_keep_alive: Some(TcpKeepAlive::default()),
            policy: Arc::new(|_| Box::new(AllowAll)),
            #[cfg(feature = "store")]
            store: None,
        }
    }

    /// How many cores it uses: so many threads, each with a broker machine that has the sessions of some clients. To clients they are
    /// one broker. Sessions in a store stay with this number. Default 1.
    #[must_use]
    pub fn shards(mut self, shards: NonZeroU16) -> Self {
        self.shards = shards.get();
        self
    }

    /// Where it listens: may be called again and again.
    #[must_use]
    pub fn listen(mut self, listener: Listen) -> Self {
        self.listeners.push(listener);
        self
    }

    /// How many connections may be open at a time, over all listeners and shards: as many as the process has open files for, less some for
    /// itself. Further ones wait in the queue of the system. Default: as many as the listeners may have.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = Some(connections);
        self
    }

    /// How many connections one address may have at a time, over all listeners and shards: an address of IPv4, or a network of IPv6 of 64 bits.
    /// One more is closed, and the policy is [told](super::Notice::AddressFull). Behind a proxy the address is that of the PROXY
    /// protocol, and counts from the first bytes of MQTT on. Unix sockets have none. Default: any number.
    #[must_use]
    pub fn connections_per_address(mut self, connections: NonZeroU32) -> Self {
        self.connections_per_address = Some(connections);
        self
    }

    /// When the system asks clients that say nothing whether they are there. `None`: it does not, and a client without a
    /// keep-alive of its own that is gone without a word keeps its place. Default: [`TcpKeepAlive::default`].
    #[must_use]
    pub fn tcp_keep_alive(mut self, times: impl Into<Option<TcpKeepAlive>>) -> Self {
        self.tcp_keep_alive = times.into();
        self
    }

    /// Who decides, and is told everything: one for each shard, made on its thread.
    #[must_use]
    pub fn policy<P: Policy + 'static>(mut self, make: impl Fn(ShardHandle) -> P + Send + Sync + 'static) -> Self {
        self.policy = Arc::new(move |handle| Box::new(make(handle)));
        self
    }

    /// Keeps sessions and retained messages in a store, and begins with what it has.
    #[cfg(feature = "store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "store")))]
    #[must_use]
    pub fn store(mut self, writer: Writer) -> Self {
        self.store = Some(writer);
        self
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("shards", &self.shards)
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

/// A listener to be: where it is, and what it is to its clients.
#[derive(Debug)]
pub struct Listen {
    at: At,
    pub(super) entrance: Entrance,
}

#[derive(Debug)]
enum At {
    Addresses(io::Result<Vec<SocketAddr>>),
    #[cfg(unix)]
    Path(PathBuf),
    Bound(Socket),
}

/// A socket that listens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Socket {
    /// TCP.
    Tcp(TcpListener),
    /// A path of the file system.
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Socket {
    /// The address of TCP.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(socket) => socket.try_clone().map(Self::Tcp),
            #[cfg(unix)]
            Self::Unix(socket) => socket.try_clone().map(Self::Unix),
        }
    }
}

impl Listen {
    /// TCP at an address, or at the first of several that is free.
    #[must_use]
    pub fn tcp(address: impl ToSocketAddrs + fmt::Display) -> Self {
        let name = format!("tcp://{address}");
        Self {
            at: At::Addresses(address.to_socket_addrs().map(Iterator::collect)),
            entrance: Entrance::new(name),
        }
    }

    /// A socket that listens already, as systemd gives one.
    #[must_use]
    pub fn socket(socket: TcpListener) -> Self {
        let name = match socket.local_addr() {
            Ok(address) => format!("tcp://{address}"),
            Err(_) => "tcp".to_owned(),
        };
        Self {
            at: At::Bound(Socket::Tcp(socket)),
            entrance: Entrance::new(name),
        }
    }

    /// A path of the file system. A socket that is left there by a process that has ended is replaced, and nothing else; the
    /// file goes when the host ends. Who may connect is up to the permissions of the folder.
    #[cfg(unix)]
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = format!("unix://{}", path.display());
        Self {
            at: At::Path(path),
            entrance: Entrance::new(name),
        }
    }

    /// What it is called where its connections are told of. Default: where it is.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.entrance = self.entrance.named(name.into());
        self
    }

    /// How many connections may be open at a time. Further ones wait in the queue of the system. Default 1024.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.entrance = self.entrance.connections(connections);
        self
    }

    /// What is on the streams of clients: TLS, WebSocket or both. Default: nothing.
    #[must_use]
    pub fn layers(self, layers: ServerLayers) -> Self {
        self.entrance.set_layers(layers);
        self
    }

    /// Whether each stream begins with a header of the PROXY protocol: see [`Entrance::proxy_protocol`]. Default no.
    #[must_use]
    pub fn proxy_protocol(mut self, has_header: bool) -> Self {
        self.entrance = self.entrance.proxy_protocol(has_header);
        self
    }

    /// What it is to its clients, to change that while the broker runs.
    #[must_use]
    pub fn entrance(&self) -> Entrance {
        self.entrance.clone()
    }

    /// Opens it. If it has a path, its file goes with the value that is returned for it.
    pub(super) fn bind(self) -> Result<(Socket, Entrance, Option<SocketFile>), StartError> {
        let bound = match self.at {
            At::Bound(socket) => Ok((socket, None)),
            At::Addresses(addresses) => {
                let bound = addresses.and_then(|addresses| TcpListener::bind(&addresses[..]));
                bound.map(|socket| (Socket::Tcp(socket), None))
            }
            #[cfg(unix)]
            At::Path(path) => socket_file::bind(&path).map(|(socket, file)| (Socket::Unix(socket), Some(file))),
        };
        match bound {
            Ok((socket, file)) => Ok((socket, self.entrance, file)),
            Err(error) => Err(StartError::Listen {
                listener: Arc::clone(self.entrance.name()),
                error,
            }),
        }
    }
}
