//! Bounds that were met.

use bytes::Bytes;

use super::{Broker, BrokerEvent};

macro_rules! bounds {
    ($($(#[$meta:meta])* $name:ident: $($field:ident)+,)*) => {
        /// A bound of [`BrokerLimits`](super::BrokerLimits) that was met.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum BrokerBound {
            $($(#[$meta])* $name,)*
        }

        impl BrokerBound {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The fields of [`BrokerLimits`](super::BrokerLimits) that say where it is, by their names.
            #[must_use]
            pub const fn fields(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => &[$(stringify!($field)),+],)*
                }
            }
        }

        /// They are what they are called.
        const _: fn(&super::BrokerLimits) = |limits| {
            $($(let _ = limits.$field;)+)*
        };
    };
}

bounds! {
    /// A connection was not opened, at [`connections`](super::BrokerLimits::connections).
    Connections: connections,
    /// A client was refused, at [`sessions`](super::BrokerLimits::sessions).
    Sessions: sessions,
    /// A filter was refused, at [`subscriptions`](super::BrokerLimits::subscriptions).
    Subscriptions: subscriptions,
    /// A filter was refused, at [`subscriptions_per_session`](super::BrokerLimits::subscriptions_per_session).
    SubscriptionsPerSession: subscriptions_per_session,
    /// A filter was refused, at [`filter_levels`](super::BrokerLimits::filter_levels).
    FilterLevels: filter_levels,
    /// A message was refused, at [`topic_levels`](super::BrokerLimits::topic_levels).
    TopicLevels: topic_levels,
    /// A message was not retained, at [`retained_messages`](super::BrokerLimits::retained_messages) or
    /// [`retained_bytes`](super::BrokerLimits::retained_bytes).
    Retained: retained_messages retained_bytes,
    /// A copy for a session was dropped, at [`queued_bytes`](super::BrokerLimits::queued_bytes).
    QueuedBytes: queued_bytes,
    /// A will was given up, at [`parked_wills`](super::BrokerLimits::parked_wills).
    ParkedWills: parked_wills,
    /// A stream is not read for a while, at [`messages_per_second`](super::BrokerLimits::messages_per_second).
    MessagesPerSecond: messages_per_second,
    /// A stream is not read for a while, at [`bytes_per_second`](super::BrokerLimits::bytes_per_second).
    BytesPerSecond: bytes_per_second,
    /// A client was refused, at [`takeovers_per_second`](super::BrokerLimits::takeovers_per_second).
    TakeoversPerSecond: takeovers_per_second,
}

/// How often a bound was met since that was told last, and by whom at last.
#[derive(Debug, Default)]
pub(super) struct Hit {
    times: u64,
    client: Bytes,
}

pub(super) type Hits = [Hit; BrokerBound::ALL.len()];

impl Broker {
    /// A bound was met, by the client of this name. Empty: it has none, or it is the host.
    pub(super) fn hit(&mut self, bound: BrokerBound, client: Bytes) {
        if let Some(hit) = self.hits.get_mut(bound as usize) {
            hit.times = hit.times.saturating_add(1);
            hit.client = client;
        }
    }

    /// Tells of one bound that was met.
    pub(super) fn tell_hit(&mut self) -> Option<BrokerEvent> {
        let mut all = BrokerBound::ALL.iter().zip(&mut self.hits);
        let (bound, hit) = all.find(|(_, hit)| hit.times > 0)?;
        let Hit { times, client } = core::mem::take(hit);
        Some(BrokerEvent::LimitHit {
            bound: *bound,
            times,
            client_id: (!client.is_empty()).then_some(client),
        })
    }
}
