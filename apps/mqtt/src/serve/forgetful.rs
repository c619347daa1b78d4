//! A store that says that it has stored what it has not: what `mqtt demo` has to notice.

use mqtt_session::{BrokerChange, BrokerKey, Key};
use mqtt_store::{Action, FileStore, Loaded, SessionName, Store, StoreError, Write};

/// The variable of the environment that asks for it: a build that has it is not to forget by itself.
pub(super) const SWITCH: &str = "MQTT_BROKEN_STORE";

/// Confirms everything, and keeps who its clients are and what they subscribe to, but no message: whatever was acknowledged and has not
/// arrived when the broker ends is lost, and nothing else shows it.
#[derive(Debug)]
pub(super) struct Forgetful(FileStore);

impl Forgetful {
    pub(super) const fn new(store: FileStore) -> Self {
        Self(store)
    }
}

fn is_kept(change: &BrokerChange) -> bool {
    !matches!(
        change.key(),
        BrokerKey::Session(_, Key::Outgoing(_) | Key::Payload(_))
            | BrokerKey::Retained(_)
            | BrokerKey::Payload(_)
            | BrokerKey::Forward(_)
    )
}

impl Store for Forgetful {
    fn commit(&mut self, group: &[Write]) -> Result<(), StoreError> {
        let mut group = group.to_vec();
        for write in &mut group {
            if let Action::ApplyBroker(changes) = &mut write.action {
                changes.retain(is_kept);
            }
        }
        self.0.commit(&group)
    }

    fn sessions(&mut self) -> Result<Vec<SessionName>, StoreError> {
        self.0.sessions()
    }

    fn load(&mut self, session: &SessionName) -> Result<Loaded, StoreError> {
        self.0.load(session)
    }

    fn brokers(&mut self) -> Result<Vec<SessionName>, StoreError> {
        self.0.brokers()
    }

    fn load_broker(&mut self, broker: &SessionName) -> Result<Loaded<BrokerKey>, StoreError> {
        self.0.load_broker(broker)
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Box::new(self.0).close()
    }
}
