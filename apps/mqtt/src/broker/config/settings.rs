//! What a broker can be told: plain data, with what is so if nothing is told.

use std::fmt::{self, Display};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use mqtt_adapter::host::TcpKeepAlive;
use mqtt_session::{BrokerConfig, BrokerLimits, Overlap, ServerConfig, Share};
use mqtt_store::Durability;

/// Files that a broker has open besides connections: listeners, store, log, timers.
const OTHER_FILES: u64 = 64;

/// Everything that a broker can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// How many threads serve connections, each with its own part of the sessions.
    pub shards: u16,
    /// Where the control socket is. `None`: there is none.
    pub control: Option<PathBuf>,
    /// How often the topics below `$SYS` are published. Zero: never.
    pub sys_interval: Duration,
    /// Password files.
    pub users: Vec<PathBuf>,
    /// Where clients come in.
    pub listeners: Vec<Listener>,
    /// Who may publish and subscribe to what.
    pub rights: Rights,
    /// Where sessions and retained messages are kept.
    pub persistence: Persistence,
    /// The choices that the specification leaves to a server.
    pub protocol: Protocol,
    /// What is logged.
    pub log: Log,
    /// Metrics over HTTP. `None`: there are none.
    pub metrics: Option<Metrics>,
    /// Every bound.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shards: 1,
            control: None,
            sys_interval: Duration::from_secs(10),
            users: Vec::new(),
            listeners: vec![Listener::default()],
            rights: Rights::default(),
            persistence: Persistence::default(),
            protocol: Protocol::default(),
            log: Log::default(),
            metrics: None,
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// How many connections there may be at a time, over all listeners and shards.
    #[must_use]
    pub fn connections_max(&self) -> u64 {
        let of_shards = u64::from(self.limits.broker.connections) * u64::from(self.shards);
        let told = self
            .listeners
            .iter()
            .map(|listener| listener.max_connections.map(u64::from));
        told.sum::<Option<u64>>().unwrap_or(u64::MAX).min(of_shards)
    }

    /// How many files may be open for all of that: connections, listeners, the store, the log.
    #[must_use]
    pub fn open_files_max(&self) -> u64 {
        self.connections_max().saturating_add(OTHER_FILES)
    }

    /// Whether somebody has said how many connections there may be.
    #[must_use]
    pub fn asks_for_connections(&self) -> bool {
        let by_default = BrokerLimits::default().connections;
        self.limits.broker.connections != by_default
            || self.listeners.iter().any(|listener| listener.max_connections.is_some())
    }

    /// How many connections fit into a limit of open files, so that metrics, the control socket and files that are read again have some left.
    #[must_use]
    pub fn connections_within(files: u64) -> u64 {
        // Where the limit is that low, half of it has to do for them.
        files.saturating_sub(OTHER_FILES).max(files / 2)
    }

    /// What the broker machine is to be. What the host asks, shards and seed are the host's to add.
    #[must_use]
    pub fn machine(&self, seed: u64) -> BrokerConfig {
        let protocol = &self.protocol;
        let mut client = ServerConfig::default();
        client.session.limits = self.limits.client;
        client.capabilities = protocol.capabilities;
        client.keep_alive_seconds_max = protocol.keep_alive_seconds_max;
        client.session_expiry_seconds_max = protocol.session_expiry_seconds_max;
        client.policy = mqtt_proto::Policy::relay();
        if protocol.control_characters {
            client.policy.control_characters = mqtt_proto::Choice::Accept;
        }
        let mut machine = BrokerConfig::new(seed)
            .client(client)
            .limits(self.limits.broker)
            .is_stored(self.persistence.path.is_some())
            .overlap(protocol.overlap)
            .share(protocol.share)
            .dollar_topics(protocol.dollar_topics);
        machine.restart_grace = self.persistence.restart_grace;
        machine
    }
}

/// Where clients come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub address: Address,
    /// Whether clients may come without a user name. `None`: if it is [local](Address::is_local).
    pub anonymous: Option<bool>,
    /// How many connections it holds at once. `None`: only the bound of all listeners counts.
    pub max_connections: Option<u32>,
    /// Whether each connection begins with a header of the PROXY protocol, version 1 or 2.
    pub proxy_protocol: bool,
    /// TLS. `None`: plain.
    pub tls: Option<Tls>,
    /// MQTT over WebSocket. `None`: MQTT alone.
    pub websocket: Option<WebSocket>,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            address: Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 1883))),
            anonymous: None,
            max_connections: None,
            proxy_protocol: false,
            tls: None,
            websocket: None,
        }
    }
}

impl Listener {
    /// Whether clients may come without a user name.
    #[must_use]
    pub fn allows_anonymous(&self) -> bool {
        // Everybody can come in by a proxy on this machine.
        self.anonymous
            .unwrap_or(self.address.is_local() && !self.proxy_protocol)
    }
}

/// Where a listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A port of this machine.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Whether only this machine gets there.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// TLS on a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who signs the certificates of clients. `None`: clients are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// Revocation lists for the certificates of clients.
    pub revocation_lists: Vec<PathBuf>,
    /// Whether a client has to have a certificate.
    pub require_client_certificate: bool,
    /// Whether a part of the certificate is the user name, instead of that in CONNECT.
    pub user_from_certificate: UserFromCertificate,
}

/// What of a client's certificate is its user name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserFromCertificate {
    /// Nothing: user name and password stand in CONNECT.
    #[default]
    No,
    /// The common name of its subject.
    CommonName,
    /// The whole subject.
    Subject,
}

/// WebSocket on a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocket {
    /// The path that clients ask for.
    pub path: String,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self {
            path: "/mqtt".to_owned(),
        }
    }
}

/// Who may publish and subscribe to what. Without files and rules everybody may do everything, except to publish below `$SYS`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Files in mosquitto's syntax.
    pub files: Vec<PathBuf>,
    /// Rules that stand in the configuration; they follow those of the files.
    pub rules: Vec<Rule>,
}

impl Rights {
    /// Whether everybody may do everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.rules.is_empty()
    }
}

/// A rule about some topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// For these users. Empty: for everybody, with `%c` and `%u` in its filters standing for client and user.
    pub users: Vec<String>,
    /// For those without a user name.
    pub anonymous: bool,
    /// What they may do.
    pub access: Access,
    /// The topics.
    pub filters: Vec<String>,
}

impl Rule {
    /// Whether it is for everybody, so that its filters may have names in them.
    #[must_use]
    pub fn is_for_everybody(&self) -> bool {
        self.users.is_empty() && !self.anonymous
    }
}

/// What a rule allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Access {
    /// To receive.
    Read,
    /// To publish.
    Write,
    /// Both.
    #[default]
    ReadWrite,
    /// Neither, whatever other rules allow.
    Deny,
}

/// Where sessions and retained messages are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persistence {
    /// The file, of all shards together. `None`: in memory, nothing outlives the broker.
    pub path: Option<PathBuf>,
    /// What an acknowledgement promises. `None`: what it does by default.
    pub durability: Option<Durability>,
    /// A will that a restart found waiting is published this much after it at the earliest.
    pub restart_grace: Duration,
}

impl Default for Persistence {
    fn default() -> Self {
        Self {
            path: None,
            durability: None,
            restart_grace: BrokerConfig::new(0).restart_grace,
        }
    }
}

/// The choices that the specification leaves to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// What is supported.
    pub capabilities: mqtt_session::Capabilities,
    /// The longest keep-alive. `None`: any, and none at all.
    pub keep_alive_seconds_max: Option<u16>,
    /// The longest life of a session without a connection. `None`: any.
    pub session_expiry_seconds_max: Option<u32>,
    /// How many copies a client gets that several of its subscriptions match.
    pub overlap: Overlap,
    /// Which member of a group gets a message.
    pub share: Share,
    /// Whether clients may publish to topics that begin with `$`.
    pub dollar_topics: bool,
    /// Whether text may hold control characters.
    pub control_characters: bool,
}

impl Default for Protocol {
    fn default() -> Self {
        let machine = BrokerConfig::new(0);
        Self {
            capabilities: machine.client.capabilities,
            keep_alive_seconds_max: machine.client.keep_alive_seconds_max,
            session_expiry_seconds_max: machine.client.session_expiry_seconds_max,
            overlap: machine.overlap,
            share: machine.share,
            dollar_topics: machine.dollar_topics,
            control_characters: false,
        }
    }
}

/// What is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The least important that is.
    pub level: LogLevel,
    /// One JSON object a line.
    pub json: bool,
}

/// How important a line of the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// The broker cannot do its work.
    Error,
    /// It can, and somebody should look.
    Warn,
    /// What an operator wants to know: also who comes and goes.
    #[default]
    Info,
    /// Also ends of sessions, and streams that break.
    Debug,
}

/// Metrics over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Where.
    pub address: SocketAddr,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 9883)),
        }
    }
}

/// Every bound of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections one address may have. `None`: any number.
    pub connections_per_address: Option<u32>,
    /// How many clients may wait for the check of their password.
    pub logins: u32,
    /// How many of one address may.
    pub logins_per_address: u32,
    /// When clients that say nothing are asked whether they are there.
    pub tcp_keep_alive: TcpKeepAlive,
    /// Of all clients together, and the rates of each.
    pub broker: BrokerLimits,
    /// Of one connection and its session.
    pub client: mqtt_session::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_address: None,
            logins: 1024,
            logins_per_address: 256,
            tcp_keep_alive: TcpKeepAlive::default(),
            broker: BrokerLimits::default(),
            client: mqtt_session::Limits::default(),
        }
    }
}
