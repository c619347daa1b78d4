//! Writing a group: one transaction, one flush.

use std::collections::BTreeMap;

use mqtt_session::{BrokerChange, BrokerRecord, Change, Record};
use redb::{Durability as Flush, WriteTransaction};

use super::FileStore;
use super::layout::{self, BROKER_RECORDS, Number, Place, RECORDS};
use super::numbers::Numbers;
use crate::store::Role;
use crate::{Action, Durability, SessionName, StoreError, Write};

/// What is left of a group when changes that take each other back are left out. A message that comes and goes within a group
/// costs one look for its key.
#[derive(Default)]
struct Net<'g> {
    /// In the order of the file. `None`: deleted.
    records: BTreeMap<Place, (Number, Option<&'g Record>)>,
    broker_records: BTreeMap<Vec<u8>, (Number, Option<&'g BrokerRecord>)>,
    begun: Vec<(Role, &'g SessionName, Number)>,
    ended: Vec<(Role, &'g SessionName, Number)>,
}

impl FileStore {
    pub(super) fn write_group(&mut self, group: &[Write]) -> Result<(), StoreError> {
        let mut numbers = core::mem::take(&mut self.numbers);
        let net = Net::of(group, &mut numbers);
        let mut scratch = core::mem::take(&mut self.scratch);
        let result = self.transaction(|writing| net.write(writing, &mut scratch));
        self.scratch = scratch;
        self.numbers = numbers;
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
    fn of(group: &'g [Write], numbers: &mut Numbers) -> Self {
        let mut net = Self::default();
        for Write { session: name, action } in group {
            match action {
                Action::Apply(changes) => {
                    let number = net.number(action.role(), name, numbers);
                    net.apply(number, changes);
                }
                Action::ApplyBroker(changes) => {
                    let number = net.number(action.role(), name, numbers);
                    net.apply_broker(number, changes);
                }
                Action::Forget | Action::ForgetBroker => {
                    if let Some(number) = numbers.remove(action.role(), name) {
                        net.forget(action.role(), name, number);
                    }
                }
            }
        }
        net
    }

    /// The number of a name, which begins here if it is not known.
    fn number(&mut self, role: Role, name: &'g SessionName, numbers: &mut Numbers) -> Number {
        let (number, is_new) = numbers.number(role, name);
        if is_new {
            self.begun.push((role, name, number));
        }
        number
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

    fn apply_broker(&mut self, number: Number, changes: &'g [BrokerChange]) {
        for change in changes {
            let place = layout::broker_place(number, &change.key());
            let record = match change {
                BrokerChange::Put(record) => Some(record),
                BrokerChange::Delete(_) => None,
            };
            self.broker_records.insert(place, (number, record));
        }
    }

    /// One of the same name that begins later has another number, so the order of the two does not matter.
    fn forget(&mut self, role: Role, name: &'g SessionName, number: Number) {
        self.records.retain(|_, (of, _)| *of != number);
        self.broker_records.retain(|_, (of, _)| *of != number);
        self.begun.retain(|(_, _, begun)| *begun != number);
        self.ended.push((role, name, number));
    }

    fn write(&self, writing: &WriteTransaction, scratch: &mut Vec<u8>) -> Result<(), redb::Error> {
        for role in Role::ALL {
            self.write_names(role, writing)?;
        }
        self.write_records(writing, scratch)?;
        self.write_broker_records(writing, scratch)
    }

    fn write_names(&self, role: Role, writing: &WriteTransaction) -> Result<(), redb::Error> {
        let is_of = |(of, _, _): &&(Role, _, _)| *of == role;
        if !self.ended.iter().chain(&self.begun).any(|entry| is_of(&entry)) {
            return Ok(());
        }
        let mut names = writing.open_table(role.names())?;
        for (_, name, _) in self.ended.iter().filter(is_of) {
            names.remove(name.as_bytes())?;
        }
        for (_, name, number) in self.begun.iter().filter(is_of) {
            names.insert(name.as_bytes(), &layout::seal_number(*number, name))?;
        }
        Ok(())
    }

    /// Those whose records go, of one kind.
    fn ended(&self, role: Role) -> impl Iterator<Item = Number> + '_ {
        let ended = self.ended.iter().filter(move |(of, _, _)| *of == role);
        ended.map(|(_, _, number)| *number)
    }

    fn write_records(&self, writing: &WriteTransaction, scratch: &mut Vec<u8>) -> Result<(), redb::Error> {
        if self.records.is_empty() && self.ended(Role::Session).next().is_none() {
            return Ok(());
        }
        let mut records = writing.open_table(RECORDS)?;
        for number in self.ended(Role::Session) {
            let (first, last) = layout::places(number);
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

    fn write_broker_records(&self, writing: &WriteTransaction, scratch: &mut Vec<u8>) -> Result<(), redb::Error> {
        if self.broker_records.is_empty() && self.ended(Role::Broker).next().is_none() {
            return Ok(());
        }
        let mut records = writing.open_table(BROKER_RECORDS)?;
        for number in self.ended(Role::Broker) {
            let (first, end) = layout::broker_places(number);
            records.retain_in::<&[u8], _>(&first[..]..&end[..], |_, _| false)?;
        }
        for (place, (number, record)) in &self.broker_records {
            match record {
                Some(record) => {
                    layout::begin_record(*number, scratch);
                    let _ = record.encode(scratch);
                    layout::seal_record(scratch);
                    records.insert(place.as_slice(), scratch.as_slice())?;
                }
                None => {
                    records.remove(place.as_slice())?;
                }
            }
        }
        Ok(())
    }
}
