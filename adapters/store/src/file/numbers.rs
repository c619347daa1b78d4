//! Which number each name has in the file.

use std::collections::BTreeMap;

use super::layout::Number;
use crate::SessionName;
use crate::store::Role;

/// The names of a file. No number is given twice.
#[derive(Debug)]
pub(super) struct Numbers {
    sessions: BTreeMap<SessionName, Number>,
    brokers: BTreeMap<SessionName, Number>,
    next: Number,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            sessions: BTreeMap::new(),
            brokers: BTreeMap::new(),
            next: Number::FIRST,
        }
    }
}

impl Numbers {
    pub(super) const fn of(&self, role: Role) -> &BTreeMap<SessionName, Number> {
        match role {
            Role::Session => &self.sessions,
            Role::Broker => &self.brokers,
        }
    }

    const fn of_mut(&mut self, role: Role) -> &mut BTreeMap<SessionName, Number> {
        match role {
            Role::Session => &mut self.sessions,
            Role::Broker => &mut self.brokers,
        }
    }

    /// A name that stands in the file.
    pub(super) fn insert(&mut self, role: Role, name: SessionName, number: Number) {
        self.next = self.next.max(number.next());
        self.of_mut(role).insert(name, number);
    }

    pub(super) fn remove(&mut self, role: Role, name: &SessionName) -> Option<Number> {
        self.of_mut(role).remove(name)
    }

    /// The number of a name, and whether it got it here.
    pub(super) fn number(&mut self, role: Role, name: &SessionName) -> (Number, bool) {
        if let Some(number) = self.of(role).get(name) {
            return (*number, false);
        }
        let number = self.next;
        self.insert(role, name.clone(), number);
        (number, true)
    }
}
