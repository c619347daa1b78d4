//! A client from the records of an earlier life.

use bytes::Bytes;

use super::{Client, ClientConfig};
use crate::session::{Records, RestoreReport};
use crate::store::{Key, Record};
use crate::time::Instant;

/// Takes the records of an earlier life, in any order.
#[derive(Debug)]
pub struct ClientRestore {
    config: ClientConfig,
    now: Instant,
    records: Records,
}

impl ClientRestore {
    pub(super) fn new(config: ClientConfig, now: Instant) -> Self {
        Self {
            config: config.is_stored(true),
            now,
            records: Records::default(),
        }
    }

    /// Takes a record.
    pub fn record(&mut self, record: Record) {
        self.records.record(record);
    }

    /// Takes what the store has under a key, as it was encoded. What is damaged is reported.
    pub fn encoded(&mut self, key: Key, bytes: &Bytes) {
        self.records.encoded(key, bytes);
    }

    /// Something stands under this key that cannot be read.
    pub fn damaged(&mut self, key: Key) {
        self.records.damaged(key);
    }

    /// Ends restoring. Without a record of the session itself the client begins anew, if it is not configured to do otherwise:
    /// what the server may have of an earlier life, this one knows nothing of.
    #[must_use]
    pub fn finish(self) -> (Client, RestoreReport) {
        let mut client = Client::new(self.config, self.now);
        let is_known = self.records.has_session();
        let report = client.flow.restore(self.records);
        client.may_resume = is_known && !report.session_ended;
        (client, report)
    }
}
