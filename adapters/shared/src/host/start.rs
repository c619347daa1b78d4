//! A host is started, and runs.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

#[cfg(feature = "store")]
use mqtt_session::RecordError;
use mqtt_session::proto::DisconnectReason;
use mqtt_session::{Broker, BrokerReport, Shards};
#[cfg(feature = "store")]
use mqtt_store::{BrokerWriter, SessionName, StoreError, Writer};

use super::addresses::Addresses;
use super::entrance::{Entrance, Network};
use super::mailbox::ShardHandle;
#[cfg(not(unix))]
use super::plan::SocketFile;
use super::plan::{Host, MakePolicy, Socket};
use super::policy::Policy;
use super::shard::{Ended, Seat, Shard};
#[cfg(unix)]
use super::socket_file::SocketFile;
use crate::Clock;
use crate::places::Places;

/// Why a host was not started. Nothing of it runs then.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A listener could not be opened.
    Listen {
        /// Its name.
        listener: Arc<str>,
        /// What the system says.
        error: io::Error,
    },
    /// The system has no thread to give, or the runtime could not be made.
    Thread(io::Error),
    /// The store cannot be read.
    #[cfg(feature = "store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "store")))]
    Store(StoreError),
    /// The store has a record of a later version of this software.
    #[cfg(feature = "store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "store")))]
    Record(RecordError),
    /// The store has been written by a broker with another number of shards: this is one of their names.
    #[cfg(feature = "store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "store")))]
    OtherShards(SessionName),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { listener, error } => write!(f, "cannot listen at {listener}: {error}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
            #[cfg(feature = "store")]
            Self::Store(error) => write!(f, "cannot begin with what is stored: {error}"),
            #[cfg(feature = "store")]
            Self::Record(error) => write!(f, "cannot begin with what is stored: {error}"),
            #[cfg(feature = "store")]
            Self::OtherShards(name) => write!(
                f,
                "the store was written with another number of shards: it has a broker called {name:?}. \
                 Start with the number that it was written with"
            ),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Listen { error, .. } | Self::Thread(error) => Some(error),
            #[cfg(feature = "store")]
            Self::Store(error) => Some(error),
            #[cfg(feature = "store")]
            Self::Record(error) => Some(error),
            #[cfg(feature = "store")]
            Self::OtherShards(_) => None,
        }
    }
}

/// What an adapter makes a shard of, on the thread of the shard.
pub struct Parts {
    seat: Seat,
    broker: Broker,
    clock: Clock,
    sockets: Vec<(Socket, Entrance)>,
    policy: MakePolicy,
    peers: Vec<ShardHandle>,
    #[cfg(feature = "store")]
    writer: Option<BrokerWriter>,
    started: mpsc::Sender<io::Result<()>>,
}

impl Parts {
    /// The shard, on streams of this network.
    ///
    /// # Errors
    /// If a socket cannot be made a listener of the network.
    pub fn into_shard<N: Network>(
        self,
        network: N,
        mut listener: impl FnMut(Socket) -> io::Result<N::Listener>,
    ) -> io::Result<Shard<N, Box<dyn Policy>>> {
        let policy = (self.policy)(self.seat.handle());
        let mut shard = Shard::new(self.seat, network, self.broker, self.clock, policy).peers(self.peers);
        for (socket, entrance) in self.sockets {
            shard = shard.listen(listener(socket)?, entrance);
        }
        #[cfg(feature = "store")]
        if let Some(writer) = self.writer {
            shard = shard.store(writer);
        }
        // Whoever starts waits for it; if nobody does, nobody has to hear.
        let _ = self.started.send(Ok(()));
        Ok(shard)
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("seat", &self.seat)
            .finish_non_exhaustive()
    }
}

/// A broker that runs. When this is dropped, it ends at once.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<(Arc<str>, Option<SocketAddr>)>,
    handles: Vec<ShardHandle>,
    reports: Vec<BrokerReport>,
    clock: Clock,
    threads: Vec<JoinHandle<io::Result<Ended>>>,
    /// They go with this value.
    _files: Vec<SocketFile>,
}

/// A shard has ended by a panic, of a policy or of an errand. The others have ended in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a shard of the broker has panicked")
    }
}

impl Error for Panicked {}

impl Running {
    /// The listeners in the order in which they were given, by name and, if they have one, address.
    #[must_use]
    pub fn listeners(&self) -> &[(Arc<str>, Option<SocketAddr>)] {
        &self.addresses
    }

    /// The address of the first listener that has one.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.addresses.iter().find_map(|(_, address)| *address)
    }

    /// The handles of all shards.
    #[must_use]
    pub fn handles(&self) -> &[ShardHandle] {
        &self.handles
    }

    /// What each shard has restored. Empty without a store.
    #[must_use]
    pub fn reports(&self) -> &[BrokerReport] {
        &self.reports
    }

    /// Begins the end: nothing is accepted any more, clients of MQTT 5.0 are told this reason, and what is to be written and
    /// stored has so much time.
    pub fn shutdown(&self, reason: DisconnectReason, within: Duration) {
        let until = self.clock.now().saturating_add(within);
        for handle in &self.handles {
            handle.shutdown(reason, until);
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// If a shard has panicked.
    pub fn wait(mut self) -> Result<Vec<Ended>, Panicked> {
        let ended = std::mem::take(&mut self.threads).into_iter().map(JoinHandle::join);
        // All are waited for, before any is looked at.
        let ended: Vec<_> = ended.collect();
        let of_thread = |ended: thread::Result<io::Result<Ended>>| ended.ok().and_then(Result::ok).ok_or(Panicked);
        ended.into_iter().map(of_thread).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown(DisconnectReason::ServerShuttingDown, Duration::ZERO);
    }
}

/// What a shard leaves behind when it panics: the others end in good order, and whoever waits for it to start does so no longer.
struct Remains {
    handles: Vec<ShardHandle>,
    clock: Clock,
    started: mpsc::Sender<io::Result<()>>,
}

impl Drop for Remains {
    fn drop(&mut self) {
        if thread::panicking() {
            let until = self.clock.now().saturating_add(GRACE);
            for handle in &self.handles {
                handle.shutdown(DisconnectReason::ServerShuttingDown, until);
            }
            let _ = self.started.send(Err(io::Error::other("a shard has panicked")));
        }
    }
}

/// How long the other shards have when one has panicked.
const GRACE: Duration = Duration::from_secs(5);

impl Host {
    /// Starts it: `run` is called on a thread for each shard, makes it of its parts and polls it to its end.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start_with(
        self,
        run: impl Fn(Parts) -> io::Result<Ended> + Clone + Send + 'static,
    ) -> Result<Running, StartError> {
        let clock = Clock::new();
        let configs = self.configs();
        let (mut sockets, mut files) = (Vec::new(), Vec::new());
        let all = self.connections.map(Places::new);
        let of_each = self.connections_per_address.map(Addresses::new);
        for listener in self.listeners {
            let (socket, entrance, file) = listener.bind()?;
            files.extend(file);
            if let Some(times) = self.tcp_keep_alive {
                let listener = Arc::clone(entrance.name());
                times
                    .set(&socket)
                    .map_err(|error| StartError::Listen { listener, error })?;
            }
            let entrance = match &all {
                Some(all) => entrance.within(all),
                None => entrance,
            };
            sockets.push((socket, entrance.addresses(of_each.clone())));
        }
        let addresses = sockets
            .iter()
            .map(|(socket, entrance)| (Arc::clone(entrance.name()), socket.local_addr()));
        let seats: Vec<_> = configs.iter().map(Seat::new).collect();
        let mut running = Running {
            addresses: addresses.collect(),
            handles: seats.iter().map(Seat::handle).collect(),
            reports: Vec::new(),
            clock,
            threads: Vec::new(),
            _files: files,
        };
        #[cfg(feature = "store")]
        let stored = match &self.store {
            Some(writer) => load(writer, &configs, clock, &mut running.reports)?,
            None => Vec::new(),
        };
        #[cfg(feature = "store")]
        let mut stored = stored.into_iter();
        let (started, starting) = mpsc::channel();
        for (config, seat) in configs.into_iter().zip(seats) {
            #[cfg(feature = "store")]
            let (broker, writer) = match stored.next() {
                Some((broker, writer)) => (broker, Some(writer)),
                None => (Broker::new(config, clock.now()), None),
            };
            #[cfg(not(feature = "store"))]
            let broker = Broker::new(config, clock.now());
            let parts = Parts {
                seat,
                broker,
                clock,
                sockets: clones(&sockets)?,
                policy: Arc::clone(&self.policy),
                peers: if running.handles.len() > 1 {
                    running.handles.clone()
                } else {
                    Vec::new()
                },
                #[cfg(feature = "store")]
                writer,
                started: started.clone(),
            };
            let thread = spawn(parts, running.handles.clone(), run.clone());
            running.threads.push(thread.map_err(StartError::Thread)?);
        }
        drop(started);
        for _ in 0..running.threads.len() {
            match starting.recv() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(StartError::Thread(error)),
                Err(_) => return Err(StartError::Thread(io::Error::other("a shard ended before it began"))),
            }
        }
        Ok(running)
    }

    /// The configuration of each shard.
    fn configs(&self) -> Vec<mqtt_session::BrokerConfig> {
        let shards = (0..self.shards).filter_map(|own| Shards::new(own, self.shards));
        let configs = shards.map(|shards| {
            let mut config = self.config.clone().shards(shards);
            config.seed = config.seed.wrapping_add(u64::from(shards.own().0));
            config
        });
        configs.collect()
    }
}

fn spawn(
    parts: Parts,
    handles: Vec<ShardHandle>,
    run: impl Fn(Parts) -> io::Result<Ended> + Send + 'static,
) -> io::Result<JoinHandle<io::Result<Ended>>> {
    let name = format!("mqtt-shard-{}", parts.seat.handle().shard().0);
    thread::Builder::new().name(name).spawn(move || {
        let remains = Remains {
            handles,
            clock: parts.clock,
            started: parts.started.clone(),
        };
        let ended = run(parts);
        if let Err(error) = &ended {
            let error = io::Error::new(error.kind(), error.to_string());
            let _ = remains.started.send(Err(error));
        }
        ended
    })
}

fn clones(sockets: &[(Socket, Entrance)]) -> Result<Vec<(Socket, Entrance)>, StartError> {
    let cloned = sockets.iter().map(|(socket, entrance)| {
        let entrance = entrance.clone();
        match socket.try_clone() {
            Ok(socket) => Ok((socket, entrance)),
            Err(error) => Err(StartError::Listen {
                listener: Arc::clone(entrance.name()),
                error,
            }),
        }
    });
    cloned.collect()
}

/// The brokers that go on with what is stored.
#[cfg(feature = "store")]
fn load(
    writer: &Writer,
    configs: &[mqtt_session::BrokerConfig],
    clock: Clock,
    reports: &mut Vec<BrokerReport>,
) -> Result<Vec<(Broker, BrokerWriter)>, StartError> {
    let names: Vec<_> = configs.iter().map(name_of).collect();
    let known = writer.brokers().map_err(StartError::Store)?;
    if let Some(other) = known.into_iter().find(|name| !names.contains(name)) {
        return Err(StartError::OtherShards(other));
    }
    let mut brokers = Vec::new();
    for (config, name) in configs.iter().zip(names) {
        let writer = writer.broker(name).map_err(StartError::Store)?;
        let mut restore = Broker::restore(config.clone(), clock.now());
        let loaded = writer.load().map_err(StartError::Store)?;
        loaded.into_broker(&mut restore).map_err(StartError::Record)?;
        let (broker, report) = restore.finish();
        reports.push(report);
        brokers.push((broker, writer));
    }
    Ok(brokers)
}

/// What a shard is called in a store. Its number and how many there are stay the same as long as the store does.
#[cfg(feature = "store")]
fn name_of(config: &mqtt_session::BrokerConfig) -> SessionName {
    let (own, count) = (config.shards.own().0, config.shards.count());
    let name = match count {
        1 => "broker".to_owned(),
        _ => format!("broker-{own}-of-{count}"),
    };
    SessionName::new(name).unwrap_or_else(|_| unreachable!("it is short"))
}
