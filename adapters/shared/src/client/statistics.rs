//! What a client has done so far.

/// What a client has done so far, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Connections that the server accepted.
    pub connections: u64,
    /// Connections that failed or ended.
    pub disconnections: u64,
    /// Messages that `publish` has taken.
    pub published: u64,
    /// Those of them that have ended well: sent (QoS 0) or acknowledged.
    pub delivered: u64,
    /// Those of them that have ended otherwise.
    pub undelivered: u64,
    /// Messages, SUBSCRIBE and UNSUBSCRIBE that have not ended.
    pub unfinished: usize,
    /// Messages that came.
    pub received: u64,
    /// Messages of QoS 0 that were dropped, since the application did not take them fast enough.
    pub dropped: u64,
    /// Messages that belonged to no subscription and were dropped.
    pub unclaimed: u64,
    /// Messages that wait to be taken.
    pub held_messages: usize,
    /// The bytes of their topics and payloads.
    pub held_bytes: usize,
    /// Bytes that were read from streams.
    pub read_bytes: u64,
    /// Bytes that were written to streams.
    pub written_bytes: u64,
}
