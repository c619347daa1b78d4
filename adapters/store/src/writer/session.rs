//! What one session has of the thread.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mqtt_session::{Batch, Change};

use super::Writer;
use super::progress::Progress;
use super::thread::Request;
use crate::{Loaded, SessionName, StoreError, Write};

/// Gives the batches of one session to a [`Writer`], and hears when they are durable.
///
/// [`write`](Self::write) never waits: it clones the handles of what the batch holds. What is heard is the number of the last
/// durable batch, which is what `handle_stored` takes; an error is what `handle_store_failed` is for. There are three ways to
/// hear: [`poll_stored`](Self::poll_stored) for tasks, and for event loops that make a waker of what wakes them;
/// [`wait_stored`](Self::wait_stored) for threads; and [`try_stored`](Self::try_stored) for those who look from time to time.
pub struct SessionWriter {
    name: SessionName,
    writer: Writer,
    progress: Arc<Progress>,
    is_claimed: bool,
}

impl SessionWriter {
    pub(super) const fn new(name: SessionName, writer: Writer, progress: Arc<Progress>) -> Self {
        Self {
            name,
            writer,
            progress,
            is_claimed: false,
        }
    }

    /// It gives the name back when it is dropped.
    pub(super) fn claimed(mut self) -> Self {
        self.is_claimed = true;
        self
    }

    /// The name of the session.
    #[must_use]
    pub const fn name(&self) -> &SessionName {
        &self.name
    }

    /// Everything that the store has of the session, with all that was given to be written before. Waits for it.
    ///
    /// # Errors
    /// If the store cannot be read, or has failed.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        self.writer.load(&self.name)
    }

    /// Gives a batch to be written. If the store has failed, that is heard the next time that somebody listens.
    pub fn write(&mut self, batch: &Batch) {
        self.write_changes(batch.number(), batch.changes().to_vec());
    }

    /// The same, from changes that nobody else needs: this is for hosts that put batches together themselves.
    pub fn write_changes(&mut self, number: u64, changes: Vec<Change>) {
        self.push(Write::apply(self.name.clone(), changes), Some(number));
    }

    /// Ends the session: its name and its records go, those of batches that were given before among them. A batch that is
    /// given later begins it anew.
    pub fn forget(&mut self) {
        self.push(Write::forget(self.name.clone()), None);
    }

    fn push(&mut self, write: Write, number: Option<u64>) {
        let request = Request::Write {
            write,
            number: number.map(|number| (self.progress.clone(), number)),
        };
        if let Err(error) = self.writer.push(request) {
            self.progress.failed(&error);
        }
    }

    /// The number of the last durable batch, if there is one that was not heard of.
    ///
    /// # Errors
    /// If the store has failed: nothing is confirmed any more.
    pub fn try_stored(&mut self) -> Result<Option<u64>, StoreError> {
        self.progress.hear()
    }

    /// The same, and otherwise wakes the task when there is something to hear. Only the last waker is woken.
    ///
    /// # Errors
    /// If the store has failed: nothing is confirmed any more.
    pub fn poll_stored(&mut self, context: &mut Context<'_>) -> Poll<Result<u64, StoreError>> {
        self.progress.poll(context)
    }

    /// Waits until there is something to hear, and for so long at most.
    ///
    /// # Errors
    /// If the store has failed: nothing is confirmed any more.
    pub fn wait_stored(&mut self, timeout: Duration) -> Result<Option<u64>, StoreError> {
        self.progress.wait(timeout)
    }
}

impl Drop for SessionWriter {
    fn drop(&mut self) {
        if self.is_claimed {
            self.writer.release(&self.name);
        }
    }
}

impl fmt::Debug for SessionWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionWriter")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
