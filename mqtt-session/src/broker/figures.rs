//! What a broker counts.

/// What a broker has counted since its start, and what it holds. For a host that publishes it, under `$SYS` or elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Connections that are open, admitted or not.
    pub connections: u64,
    /// Connections that were opened.
    pub connections_opened: u64,
    /// Connections that were not opened, at [`BrokerLimits::connections`](super::BrokerLimits).
    pub connections_refused: u64,
    /// Sessions, with and without a connection.
    pub sessions: u64,
    /// Sessions whose client is connected.
    pub clients_connected: u64,
    /// Clients that came while an earlier connection of theirs was there.
    pub takeovers: u64,
    /// Subscriptions of clients and of the host.
    pub subscriptions: u64,
    /// Retained messages.
    pub retained_messages: u64,
    /// What they take in memory.
    pub retained_bytes: u64,
    /// Messages that clients or the host published, wills too, and that were allowed.
    pub messages_published: u64,
    /// Copies that were handed to a connection or a session.
    pub messages_delivered: u64,
    /// Copies that were dropped since a queue was full.
    pub messages_dropped: u64,
    /// Copies of shared subscriptions that went on to another member, since the session that had them ended.
    pub messages_handed_on: u64,
    /// Messages that the host did not allow.
    pub messages_refused: u64,
    /// Messages that were to be retained and had no room.
    pub retained_refused: u64,
    /// Wills that were published.
    pub wills_published: u64,
    /// Wills that were given up, at [`BrokerLimits::parked_wills`](super::BrokerLimits).
    pub wills_dropped: u64,
    /// Sessions that ended.
    pub sessions_ended: u64,
    /// Clients that were refused at [`BrokerLimits::sessions`](super::BrokerLimits).
    pub sessions_refused: u64,
    /// Subscriptions that ended since the host did not allow them any more.
    pub subscriptions_revoked: u64,
    /// Clients that were refused since another shard has their sessions.
    pub clients_misdirected: u64,
    /// Filters that were refused at one of the limits of subscriptions.
    pub subscriptions_refused: u64,
}
