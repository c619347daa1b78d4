//! What can be seen of messages on their way out.

use super::{Exchange, Outgoing};

impl Outgoing {
    /// All messages, in the order in which they go on: those that the peer has, those with an identifier, those without; and
    /// those of QoS 0.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Exchange> {
        [&self.releases, &self.publishes, &self.plain]
            .into_iter()
            .flat_map(|list| {
                let keys = core::iter::successors(list.head(), |key| list.next(&self.exchanges, *key));
                keys.filter_map(|key| self.get(key))
            })
    }

    /// Messages with an identifier: those that were sent and not acknowledged, and those that are about to be sent.
    pub(crate) fn in_flight(&self) -> usize {
        usize::from(self.identified).saturating_add(self.releases.len())
    }
}
