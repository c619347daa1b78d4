//! What becomes durable together.

use alloc::vec::Vec;

use super::{Key, Record};

/// One change of a store. Applying it twice has the effect of applying it once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "most changes are puts, and a box would be an allocation for each of them"
)]
pub enum Change {
    /// Writes a record, in the place of any earlier one with its key.
    Put(Record),
    /// Removes the record with this key, if there is one.
    Delete(Key),
}

impl Change {
    /// The key of the record that changes.
    #[must_use]
    #[inline]
    pub const fn key(&self) -> Key {
        match self {
            Self::Put(record) => record.key(),
            Self::Delete(key) => *key,
        }
    }
}

/// Changes that become durable together or not at all, in this order.
///
/// The driver keeps one and has it filled again and again, so that a steady state allocates nothing. It may write several
/// batches in one go; what it reports as stored is the number of the last one of an unbroken row.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    number: u64,
    changes: Vec<Change>,
}

impl Batch {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            number: 0,
            changes: Vec::new(),
        }
    }

    /// Its place in the one order of all batches of a machine, to report it by; 0 if it was never filled.
    #[must_use]
    #[inline]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The changes, in order.
    #[must_use]
    #[inline]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Whether there is none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Forgets the changes, which frees the payloads that they share; room for changes is kept.
    pub fn clear(&mut self) {
        self.changes.clear();
    }

    /// Takes the changes, and leaves the room of the last ones behind for the next.
    pub(crate) fn fill(&mut self, number: u64, changes: &mut Vec<Change>) {
        self.changes.clear();
        core::mem::swap(&mut self.changes, changes);
        self.number = number;
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use bytes::Bytes;

    use super::{Batch, Change};
    use crate::store::samples::samples;
    use crate::store::{Key, PayloadOf, Record};

    #[test]
    fn a_batch_is_filled_without_allocating_once_it_has_room() {
        let mut batch = Batch::new();
        assert!(batch.is_empty());
        assert_eq!(batch.number(), 0);
        let mut changes = Vec::new();
        let mut memory = Vec::new();
        for number in 1..=20 {
            changes.extend(samples().into_iter().map(Change::Put));
            changes.push(Change::Delete(Key::Outgoing(number)));
            batch.fill(number, &mut changes);
            assert!(changes.is_empty());
            assert_eq!(batch.number(), number);
            assert_eq!(batch.changes().len(), samples().len() + 1);
            assert_eq!(batch.changes().last(), Some(&Change::Delete(Key::Outgoing(number))));
            memory.push(batch.changes().as_ptr());
        }
        assert!(memory.windows(3).all(|window| window[0] == window[2]));
    }

    #[test]
    fn a_cleared_batch_lets_go_of_its_payloads() {
        let payload = Bytes::from(vec![1; 64]);
        let of = PayloadOf::Inbox(1);
        let mut batch = Batch::new();
        batch.fill(
            1,
            &mut vec![Change::Put(Record::Payload {
                of,
                bytes: payload.clone(),
            })],
        );
        assert!(!payload.is_unique());
        batch.clear();
        assert!(batch.is_empty());
        assert!(payload.is_unique());
    }
}
