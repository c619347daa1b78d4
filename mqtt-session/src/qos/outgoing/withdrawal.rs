//! Messages that leave their session before its client has them.

use alloc::vec::Vec;

use super::{Exchange, Outgoing};
use crate::journal::Journal;
use crate::message::Message;
use crate::time::Instant;

/// A message that was taken out of its session.
#[derive(Clone, Debug)]
pub(crate) struct Withdrawn {
    /// With what is left of its time.
    pub(crate) message: Message,
    pub(crate) tag: u64,
}

/// A message that may be taken out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Withdrawable<'m> {
    pub(crate) message: &'m Message,
    pub(crate) tag: u64,
    /// It may have been sent, on any connection.
    pub(crate) was_sent: bool,
}

impl Outgoing {
    /// While it is held, nothing is sent that was not sent before. Releases and repetitions go on.
    pub(crate) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    #[inline]
    pub(crate) const fn is_held(&self) -> bool {
        self.is_held
    }

    /// Takes messages out, in the order in which they came, those of QoS 1 and 2 first. Nobody hears of their end. Those whose
    /// time is over are gone, and not returned.
    pub(crate) fn withdraw(
        &mut self,
        now: Instant,
        journal: &mut Journal,
        mut is_wanted: impl FnMut(Withdrawable<'_>) -> bool,
    ) -> Vec<Withdrawn> {
        let mut keys = Vec::new();
        for list in [&self.publishes, &self.plain] {
            let mut next = list.head();
            while let Some(key) = next {
                let found = self.exchanges.get(key).and_then(Exchange::withdrawable);
                if found.is_some_and(&mut is_wanted) {
                    keys.push(key);
                }
                next = list.next(&self.exchanges, key);
            }
        }
        let taken = keys.into_iter().filter_map(|key| {
            let exchange = self.exchanges.get(key)?;
            let expires_at = exchange.expires_at;
            let mut message = exchange.message.clone()?;
            message.expiry_seconds = expires_at.map(|at| now.seconds_until(at));
            let tag = exchange.tag;
            self.remove(key, journal);
            let is_over = expires_at.is_some_and(|at| at <= now);
            (!is_over).then_some(Withdrawn { message, tag })
        });
        taken.collect()
    }
}

impl Exchange {
    fn withdrawable(&self) -> Option<Withdrawable<'_>> {
        Some(Withdrawable {
            message: self.message.as_ref()?,
            tag: self.tag,
            was_sent: self.repeated,
        })
    }
}
