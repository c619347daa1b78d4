//! The store of a shard.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mqtt_session::{Broker, BrokerBatch, Instant};
use mqtt_store::{BrokerWriter, StoreError};

use super::bells::Bell;

/// Carries the batches of a broker to its store, and back what has become of them.
pub(super) struct Storing {
    writer: BrokerWriter,
    batch: BrokerBatch,
    bell: Arc<Bell>,
    waker: Waker,
    written: u64,
    stored: u64,
    has_failed: bool,
}

impl Storing {
    pub(super) fn new(writer: BrokerWriter, bell: Arc<Bell>) -> Self {
        Self {
            writer,
            batch: BrokerBatch::new(),
            waker: Arc::clone(&bell).into(),
            bell,
            written: 0,
            stored: 0,
            has_failed: false,
        }
    }

    /// Gives the store what has changed. Whether there was something.
    pub(super) fn write(&mut self, broker: &mut Broker) -> bool {
        let before = self.written;
        while broker.poll_store(&mut self.batch) {
            self.written = self.batch.number();
            self.writer.write(&self.batch);
            // What it shares is the store's alone.
            self.batch = BrokerBatch::new();
        }
        self.written != before
    }

    /// Tells the broker what is durable. Returns whether something is, or why nothing will be.
    pub(super) fn hear(&mut self, broker: &mut Broker, now: Instant) -> Result<bool, StoreError> {
        self.bell.answer();
        if self.has_failed {
            return Ok(false);
        }
        let mut has_heard = false;
        loop {
            match self.writer.poll_stored(&mut Context::from_waker(&self.waker)) {
                Poll::Pending => return Ok(has_heard),
                Poll::Ready(Ok(number)) => {
                    self.stored = number;
                    broker.handle_stored(now, number);
                    has_heard = true;
                }
                Poll::Ready(Err(error)) => {
                    self.has_failed = true;
                    broker.handle_store_failed(now);
                    return Err(error);
                }
            }
        }
    }

    /// Whether nothing is on its way.
    pub(super) const fn is_idle(&self) -> bool {
        self.has_failed || self.stored >= self.written
    }
}
