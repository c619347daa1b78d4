//! Bounds that were met.

use super::{Broker, BrokerEvent};

macro_rules! bounds {
    ($($(#[$meta:meta])* $name:ident,)*) => {
        /// A bound of [`BrokerLimits`](super::BrokerLimits) that was met.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum BrokerBound {
            $($(#[$meta])* $name,)*
        }

        impl BrokerBound {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

bounds! {
    /// A connection was not opened, at [`connections`](super::BrokerLimits::connections).
    Connections,
    /// A client was refused, at [`sessions`](super::BrokerLimits::sessions).
    Sessions,
    /// A filter was refused, at [`subscriptions`](super::BrokerLimits::subscriptions).
    Subscriptions,
    /// A filter was refused, at [`subscriptions_per_session`](super::BrokerLimits::subscriptions_per_session).
    SubscriptionsPerSession,
    /// A filter was refused, at [`filter_levels`](super::BrokerLimits::filter_levels).
    FilterLevels,
    /// A message was not retained, at [`retained_messages`](super::BrokerLimits::retained_messages) or
    /// [`retained_bytes`](super::BrokerLimits::retained_bytes).
    Retained,
    /// A will was given up, at [`parked_wills`](super::BrokerLimits::parked_wills).
    ParkedWills,
    /// A stream is not read for a while, at [`messages_per_second`](super::BrokerLimits::messages_per_second).
    MessagesPerSecond,
    /// A stream is not read for a while, at [`bytes_per_second`](super::BrokerLimits::bytes_per_second).
    BytesPerSecond,
    /// A client was refused, at [`takeovers_per_second`](super::BrokerLimits::takeovers_per_second).
    TakeoversPerSecond,
}

/// How often each bound was met since that was told last.
pub(super) type Hits = [u64; BrokerBound::ALL.len()];

impl Broker {
    /// A bound was met.
    pub(super) fn hit(&mut self, bound: BrokerBound) {
        if let Some(times) = self.hits.get_mut(bound as usize) {
            *times = times.saturating_add(1);
        }
    }

    /// Tells of one bound that was met.
    pub(super) fn tell_hit(&mut self) -> Option<BrokerEvent> {
        let mut all = BrokerBound::ALL.iter().zip(&mut self.hits);
        let (bound, times) = all.find(|(_, times)| **times > 0)?;
        Some(BrokerEvent::LimitHit {
            bound: *bound,
            times: core::mem::take(times),
        })
    }
}
