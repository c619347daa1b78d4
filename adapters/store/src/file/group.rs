//! Writing a group: one transaction, one flush.

use std::collections::BTreeMap;

use mqtt_session::{Change, Record};
use redb::{Durability as Flush, WriteTransaction};

use super::FileStore;
use super::layout::{self, Number, Place, RECORDS, SESSIONS};
use crate::{Action, Durability, SessionName, StoreError, Write};

/// What is left of a group when changes that take each other back are left out. A message that comes and goes within a group
/// costs one look for its key.
#[derive(Default)]
struct Net<'g> {
    /// In the order of the file. `None`: deleted.
    records: BTreeMap<Place, (Number, Option<&'g Record>)>,
    begun: Vec<(&'g SessionName, Number)>,
    ended: Vec<(&'g SessionName, Number)>,
}

impl FileStore {
    pub(super) fn write_group(&mut self, group: &[Write]) -> Result<(), StoreError> {
        let mut numbers = core::mem::take(&mut self.numbers);
        let mut next = self.next;
        let net = Net::of(group, &mut numbers, &mut next);
        let mut scratch = core::mem::take(&mut self.scratch);
        let result = self.transaction(|writing| net.write(writing, &mut scratch));
        self.scratch = scratch;
        self.numbers = numbers;
        self.next = next;
        result
    }

    /// Does this in one transaction. After a failure the store does nothing more.
    pub(super) fn transaction(
        &mut self,
        work: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        let result = self.try_transaction(work);
        self.has_failed = result.is_err();
        result
    }

    fn try_transaction(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        let mut writing = self.database()?.begin_write().map_err(|error| self.error(error))?;
        if self.durability == Durability::None {
            writing.set_durability(Flush::None).map_err(|error| self.error(error))?;
        }
        work(&writing).map_err(|error| self.error(error))?;
        writing.commit().map_err(|error| self.error(error))
    }
}

impl<'g> Net<'g> {
    fn of(group: &'g [Write], numbers: &mut BTreeMap<SessionName, Number>, next: &mut Number) -> Self {
        let mut net = Self::default();
        for Write { session, action } in group {
            match action {
                Action::Apply(changes) => {
                    let number = *numbers.entry(session.clone()).or_insert_with(|| {
                        let number = *next;
                        *next = number.next();
                        net.begun.push((session, number));
                        number
                    });
                    net.apply(number, changes);
                }
                Action::Forget => {
                    if let Some(number) = numbers.remove(session) {
                        net.forget(session, number);
                    }
                }
            }
        }
        net
    }

    fn apply(&mut self, number: Number, changes: &'g [Change]) {
        for change in changes {
            let place = layout::place(number, change.key());
            let record = match change {
                Change::Put(record) => Some(record),
                Change::Delete(_) => None,
            };
            self.records.insert(place, (number, record));
        }
    }

    /// A session of the same name that begins later has another number, so the order of the two does not matter.
    fn forget(&mut self, session: &'g SessionName, number: Number) {
        self.records.retain(|_, (of, _)| *of != number);
        self.begun.retain(|(_, begun)| *begun != number);
        self.ended.push((session, number));
    }

    fn write(&self, writing: &WriteTransaction, scratch: &mut Vec<u8>) -> Result<(), redb::Error> {
        if !self.ended.is_empty() || !self.begun.is_empty() {
            let mut sessions = writing.open_table(SESSIONS)?;
            for (name, _) in &self.ended {
                sessions.remove(name.as_bytes())?;
            }
            for (name, number) in &self.begun {
                sessions.insert(name.as_bytes(), &layout::seal_number(*number, name))?;
            }
        }
        let mut records = writing.open_table(RECORDS)?;
        for (_, number) in &self.ended {
            let (first, last) = layout::places(*number);
            records.retain_in::<&Place, _>(&first..=&last, |_, _| false)?;
        }
        for (place, (number, record)) in &self.records {
            match record {
                Some(record) => {
                    layout::begin_record(*number, scratch);
                    // A Vec takes whatever is put into it.
                    let _ = record.encode(scratch);
                    layout::seal_record(scratch);
                    records.insert(place, scratch.as_slice())?;
                }
                None => {
                    records.remove(place)?;
                }
            }
        }
        Ok(())
    }
}
