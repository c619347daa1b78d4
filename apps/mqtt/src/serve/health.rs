//! Whether the broker can keep what it promises.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Shared by all shards and by those who ask. Clones are the same.
///
/// A broker whose store has failed goes on as a process, so that it can be asked what is wrong; it serves nobody any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    store_failure: Arc<OnceLock<String>>,
    turned_away: Arc<AtomicU64>,
}

impl Health {
    /// Nothing can be stored until the broker is started again. Every shard hears of it; the first one says why.
    pub(super) fn store_failed(&self, why: String) {
        // The others were told the same, or that it had failed before.
        let _ = self.store_failure.set(why);
    }

    /// Why nothing can be stored, if that is so.
    pub(super) fn store_failure(&self) -> Option<&str> {
        self.store_failure.get().map(String::as_str)
    }

    /// A client was told to come again, since too many waited for the check of their password.
    pub(super) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were.
    pub(super) fn clients_turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }
}
