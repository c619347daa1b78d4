//! A store, and how long it takes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use mqtt_session::BrokerKey;
use mqtt_store::{Loaded, SessionName, Snapshot, Store, StoreError, Write};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// What is known of a store while it is used. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Times {
    path: PathBuf,
    flushes: Histogram,
}

impl Times {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            // From a quarter of a millisecond to 4 seconds.
            flushes: Histogram::new(exponential_buckets(0.000_25, 2.0, 15)),
        }
    }

    /// How long groups of records took until they were as durable as they are to be.
    pub(super) fn flushes(&self) -> Histogram {
        self.flushes.clone()
    }

    /// How large the file is.
    pub(super) fn file_bytes(&self) -> Option<u64> {
        Some(std::fs::metadata(&self.path).ok()?.len())
    }
}

/// A store whose times are taken.
pub(super) struct Timed<S> {
    pub(super) store: S,
    pub(super) times: Times,
}

impl<S: Store> Store for Timed<S> {
    fn commit(&mut self, group: &[Write]) -> Result<(), StoreError> {
        let begun = Instant::now();
        self.store.commit(group)?;
        self.times.flushes.observe(begun.elapsed().as_secs_f64());
        Ok(())
    }

    fn sessions(&mut self) -> Result<Vec<SessionName>, StoreError> {
        self.store.sessions()
    }

    fn load(&mut self, session: &SessionName) -> Result<Loaded, StoreError> {
        self.store.load(session)
    }

    fn brokers(&mut self) -> Result<Vec<SessionName>, StoreError> {
        self.store.brokers()
    }

    fn load_broker(&mut self, broker: &SessionName) -> Result<Loaded<BrokerKey>, StoreError> {
        self.store.load_broker(broker)
    }

    fn snapshot(&mut self) -> Result<Snapshot, StoreError> {
        self.store.snapshot()
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Box::new(self.store).close()
    }
}
