//! Which user each client is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mqtt_session::ConnectionId;

/// A user name that was proved. `None`: the client has none, or it proves nothing.
pub(super) type User = Option<Arc<str>>;

/// What one shard knows of its clients. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    clients: Arc<Mutex<Clients>>,
}

#[derive(Debug, Default)]
struct Clients {
    /// Those that were let in, and are not told of as connected yet.
    admitted: HashMap<ConnectionId, User>,
    /// Whose a session is, by the name of its client.
    owners: HashMap<Bytes, User>,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client is going to be let in. `false`: its session is another user's.
    pub(super) fn admit(&self, connection: ConnectionId, client_id: &Bytes, user: &User) -> bool {
        let mut clients = self.lock();
        let is_its_own = clients.owners.get(client_id).is_none_or(|owner| owner == user);
        if is_its_own {
            clients.admitted.insert(connection, user.clone());
        }
        is_its_own
    }

    /// It is connected, under this name.
    pub(super) fn connected(&self, connection: ConnectionId, client_id: &Bytes) {
        let mut clients = self.lock();
        if let Some(user) = clients.admitted.remove(&connection) {
            clients.owners.insert(client_id.clone(), user);
        }
    }

    /// The connection has ended.
    pub(super) fn disconnected(&self, connection: ConnectionId) {
        self.lock().admitted.remove(&connection);
    }

    /// The session has ended.
    pub(super) fn ended(&self, client_id: &Bytes) {
        self.lock().owners.remove(client_id);
    }

    /// Whose the session of this client is. `None`: nobody has connected to it since the broker started.
    pub(super) fn owner(&self, client_id: &Bytes) -> Option<User> {
        self.lock().owners.get(client_id).cloned()
    }
}
