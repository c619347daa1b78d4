//! What is to become durable: one order of batches, and tickets that wait for them.

use alloc::vec::Vec;

use crate::store::{Batch, Change, Key, Record};

/// The number of the batch that something waits for. Zero waits for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

impl Ticket {
    pub(crate) const NONE: Self = Self(0);
}

/// The changes that were not taken yet, and how far the store has come.
///
/// Without a store nothing is collected and no ticket waits.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    enabled: bool,
    open: Vec<Change>,
    /// The number of the open batch.
    next: u64,
    /// Batches up to this one are stored.
    stored: u64,
}

impl Journal {
    pub(crate) const fn new(enabled: bool) -> Self {
        Self {
            enabled,
            open: Vec::new(),
            next: 1,
            stored: 0,
        }
    }

    #[inline]
    pub(crate) const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Adds a record to the open batch. It is only made if there is a store.
    #[inline]
    pub(crate) fn put(&mut self, record: impl FnOnce() -> Record) -> Ticket {
        if !self.enabled {
            return Ticket::NONE;
        }
        self.open.push(Change::Put(record()));
        Ticket(self.next)
    }

    #[inline]
    pub(crate) fn delete(&mut self, key: impl FnOnce() -> Key) -> Ticket {
        if !self.enabled {
            return Ticket::NONE;
        }
        self.open.push(Change::Delete(key()));
        Ticket(self.next)
    }

    /// Gives back the memory of the open batch, if nothing is in it.
    #[cfg(feature = "broker")]
    pub(crate) fn rest(&mut self) {
        crate::rest::buffer(&mut self.open);
    }

    #[inline]
    pub(crate) const fn is_stored(&self, ticket: Ticket) -> bool {
        ticket.0 <= self.stored
    }

    /// Moves the open batch to the driver.
    pub(crate) fn take(&mut self, batch: &mut Batch) -> bool {
        if self.open.is_empty() {
            return false;
        }
        batch.fill(self.next, &mut self.open);
        self.next = self.next.saturating_add(1);
        true
    }

    /// All batches up to this one are stored. Numbers that were not handed out count as the last one.
    pub(crate) fn stored(&mut self, upto: u64) {
        self.stored = self.stored.max(upto.min(self.next.saturating_sub(1)));
    }

    /// How many batches are with the store.
    pub(crate) const fn pending(&self) -> u64 {
        // The number of the open batch is never 0, and none is stored that was not handed out.
        self.next.wrapping_sub(1).wrapping_sub(self.stored)
    }

    /// How many batches have to be stored before this ticket waits no more.
    pub(crate) const fn distance(&self, ticket: Ticket) -> u64 {
        ticket.0.saturating_sub(self.stored)
    }

    pub(crate) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }
}
