//! What a shard counts.

/// What a shard has counted of its streams since its start. What the broker counts is
/// [`Figures`](mqtt_session::Figures).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Streams that were accepted.
    pub accepted: u64,
    /// How often a listener paused, since it had as many connections as it may have, or the process too little of something.
    pub accept_pauses: u64,
    /// Streams that were accepted and closed, since their address had as many as it may have.
    pub addresses_full: u64,
    /// Streams that broke, or whose layers refused to go on.
    pub streams_failed: u64,
    /// Streams that were accepted, and handed to the shard of their client. The broker of either has counted them.
    pub sent_to_peers: u64,
    /// How often a stream gave bytes.
    pub reads: u64,
    /// The bytes that streams gave.
    pub bytes_read: u64,
    /// How often a stream took bytes.
    pub writes: u64,
    /// The bytes that streams took.
    pub bytes_written: u64,
    /// Streams that are open, those that are being closed among them.
    pub streams: u64,
}
