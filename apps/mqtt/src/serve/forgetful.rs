//! A store that says that it has stored what it has not: what `mqtt demo` has to notice.

use mqtt_session::BrokerKey;
use mqtt_store::{FileStore, Loaded, SessionName, Store, StoreError, Write};

/// The variable of the environment that asks for it: a build that has it is not to forget by itself.
pub(super) const SWITCH: &str = "MQTT_BROKEN_STORE";

/// Confirms everything, and drops every second group.
#[derive(Debug)]
pub(super) struct Forgetful {
    store: FileStore,
    groups: u64,
}

impl Forgetful {
    pub(super) const fn new(store: FileStore) -> Self {
        Self { store, groups: 0 }
    }
}

impl Store for Forgetful {
    fn commit(&mut self, group: &[Write]) -> Result<(), StoreError> {
        self.groups += 1;
        if self.groups.is_multiple_of(2) {
            Ok(())
        } else {
            self.store.commit(group)
        }
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

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Box::new(self.store).close()
    }
}
