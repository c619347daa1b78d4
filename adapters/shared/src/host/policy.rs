//! What a host decides, and what it is told.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mqtt_session::proto::{ConnAckProperties, ConnAckReason};
use mqtt_session::{Broker, BrokerEvent, ConnectionId, Instant, ShardId, Verdict};

use super::figures::Traffic;
use super::origin::{Origin, Origins};

/// What a shard may do on its own thread: its broker, the time, and where connections come from.
pub struct Desk<'a> {
    /// The machine, to be asked and given commands.
    pub broker: &'a mut Broker,
    /// The time, as the commands of the machine want it.
    pub now: Instant,
    pub(super) shard: ShardId,
    pub(super) origins: &'a Origins,
    pub(super) traffic: Traffic,
}

impl Desk<'_> {
    /// Which of the shards this is.
    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.shard
    }

    /// Where a connection comes from, as long as its stream is there.
    #[must_use]
    pub fn origin(&self, connection: ConnectionId) -> Option<&Origin> {
        self.origins.of(connection)
    }

    /// All connections of this shard, admitted or not, and where they come from.
    pub fn connections(&self) -> impl Iterator<Item = (ConnectionId, &Origin)> {
        self.origins.all()
    }

    /// What this shard has counted of its streams.
    #[must_use]
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }
}

impl fmt::Debug for Desk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("shard", &self.shard)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Who may connect, publish and subscribe, and what becomes of everything else that a broker tells.
///
/// It is called on the thread of its shard, and whatever it does there, all clients of the shard wait for. What takes longer,
/// as the check of a password, is done elsewhere, and answered by [`ShardHandle::run`](super::ShardHandle::run).
pub trait Policy {
    /// The broker tells or asks something. Which questions come is said by
    /// [`BrokerConfig::ask`](mqtt_session::BrokerConfig).
    fn on_event(&mut self, desk: &mut Desk<'_>, event: BrokerEvent);

    /// Something happened to a stream, a listener or the store. Nothing has to be done.
    fn on_notice(&mut self, desk: &mut Desk<'_>, notice: Notice) {
        let _ = (desk, notice);
    }
}

impl<P: Policy + ?Sized> Policy for Box<P> {
    fn on_event(&mut self, desk: &mut Desk<'_>, event: BrokerEvent) {
        (**self).on_event(desk, event);
    }

    fn on_notice(&mut self, desk: &mut Desk<'_>, notice: Notice) {
        (**self).on_notice(desk, notice);
    }
}

/// Everybody may do everything. Methods of enhanced authentication are refused: there is nobody who could look at them.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

impl Policy for AllowAll {
    fn on_event(&mut self, desk: &mut Desk<'_>, event: BrokerEvent) {
        let (broker, now) = (&mut *desk.broker, desk.now);
        // A question whose connection has ended in between needs no answer.
        match event {
            BrokerEvent::Connect { connection, connect } if connect.properties.authentication_method().is_none() => {
                let _ = broker.admit(now, connection, ConnAckProperties::empty());
            }
            BrokerEvent::Connect { connection, .. } | BrokerEvent::Authenticate { connection, .. } => {
                let reason = ConnAckReason::BadAuthenticationMethod;
                let _ = broker.refuse(now, connection, reason, ConnAckProperties::empty());
            }
            BrokerEvent::MayPublish { question, .. } | BrokerEvent::MaySubscribe { question, .. } => {
                broker.authorize(now, question, Verdict::ALLOW.scope(mqtt_session::Scope::Connection));
            }
            _ => {}
        }
    }
}

/// What happened outside of the machine.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// A listener pauses, since it has as many connections as it may have, or the process too little of something, as of open files.
    /// Told once until it accepts again, and of each listener once a minute at most.
    AcceptPaused {
        /// The name of the listener.
        listener: Arc<str>,
        /// What the system says, or which bound is met.
        error: io::Error,
    },
    /// A stream is closed, since its address has [as many as it may have](super::Host::connections_per_address).
    AddressFull {
        /// The name of the listener that it came by.
        listener: Arc<str>,
        /// Where the client is.
        peer: SocketAddr,
    },
    /// A listener is broken, and accepts nothing any more.
    ListenerFailed {
        /// Its name.
        listener: Arc<str>,
        /// What the system says.
        error: io::Error,
    },
    /// A stream broke, or one of its layers refused to go on: [`LayerError::of`](crate::LayerError::of) tells which.
    StreamFailed {
        /// The name of the listener that it came by.
        listener: Arc<str>,
        /// Where the client is.
        peer: Option<SocketAddr>,
        /// What happened.
        error: io::Error,
    },
    /// The store has failed. All connections have ended.
    #[cfg(feature = "store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "store")))]
    StoreFailed(mqtt_store::StoreError),
}
