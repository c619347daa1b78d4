//! What a pair is made of.

use mqtt_session::{ClientConfig, ServerConfig};

use super::LinkConfig;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The client.
    Client,
    /// The server.
    Server,
}

impl Side {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// The one at the other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }
}

/// A wrong policy that the rig plays from outside, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// `handle_stored` is said when a batch is taken.
    StoredTooEarly,
    /// The record that a message was released never reaches the store.
    ReleaseDropped,
    /// Identifiers that the peer uses are forgotten at each new connection.
    IncomingForgotten,
    /// A client that crashes comes back without its messages, and resumes all the same.
    SenderEmptied,
    /// PUBCOMP with 0x92 never arrives.
    CompNotFoundSwallowed,
    /// Of the batch that is being written at a crash only the first changes are there.
    BatchSplitFirst,
    /// Of the batch that is being written at a crash only the last changes are there.
    BatchSplitLast,
    /// Each PUBACK arrives a second time, later.
    AcksDoubled,
}

impl Wrong {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::StoredTooEarly,
        Self::ReleaseDropped,
        Self::IncomingForgotten,
        Self::SenderEmptied,
        Self::CompNotFoundSwallowed,
        Self::BatchSplitFirst,
        Self::BatchSplitLast,
        Self::AcksDoubled,
    ];
}

/// Two ends and the stream between them.
#[derive(Clone, Debug)]
pub struct PairConfig {
    /// The client. Whether it has a store says `is_stored`.
    pub client: ClientConfig,
    /// The server. Whether its sessions have a store says `session.is_stored`.
    pub server: ServerConfig,
    /// The stream.
    pub link: LinkConfig,
    /// What the rig does wrong on purpose.
    pub wrong: Option<Wrong>,
    /// Whether bytes are held against the store as they leave. Off, only what becomes of the messages tells.
    pub watches_store: bool,
    /// Whether the steps are written down in words.
    pub traces: bool,
}

impl PairConfig {
    /// A pair of which nothing is special.
    #[must_use]
    pub fn new(client: ClientConfig, server: ServerConfig) -> Self {
        Self {
            client,
            server,
            link: LinkConfig::default(),
            wrong: None,
            watches_store: true,
            traces: false,
        }
    }
}
