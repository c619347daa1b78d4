//! A client that waits until its password is checked.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use mqtt_adapter::host::{Desk, ShardHandle};
use mqtt_proto::ConnAckReason;
use mqtt_session::ConnectionId;

use super::gate::Guest;
use super::rules::{Rules, SharedRules};

/// A shard that does not say by then whether a client is still there is busy; then its password is checked.
const PATIENCE: Duration = Duration::from_millis(200);

/// A client, what it says of itself, and who is to be told whether that is so.
pub(super) struct Login {
    pub(super) guest: Guest,
    pub(super) user: Arc<str>,
    pub(super) password: Bytes,
    /// Those of the moment when it came.
    pub(super) rules: Arc<Rules>,
    pub(super) in_force: SharedRules,
    pub(super) handle: ShardHandle,
    /// Whose address it comes from. `None`: it has none.
    pub(super) owner: Option<IpAddr>,
}

impl Login {
    /// Whether its connection is gone, or its time is over, as far as this shard knows.
    pub(super) fn is_gone(&self, desk: &Desk<'_>) -> bool {
        self.handle.shard() == desk.shard() && !waits(desk, self.guest.connection)
    }

    /// Checks the password, and tells the shard. Nothing is checked for a client that is gone, or by rules that are.
    pub(super) fn check(self) {
        if !self.is_there() {
            return;
        }
        if !self.are_rules_in_force() {
            return self.turn_away();
        }
        let is_right = self.rules.is_right(&self.user, &self.password);
        let handle = self.handle.clone();
        handle.run(move |desk| match is_right {
            // The password may have changed in between, be it to this one: the client has to come again.
            _ if !self.are_rules_in_force() => self.guest.refuse(desk, ConnAckReason::ServerBusy),
            true => self.guest.admit(desk, &self.rules, &Some(self.user)),
            false => self.guest.refuse(desk, ConnAckReason::BadUserNameOrPassword),
        });
    }

    /// It is told to come again later.
    pub(super) fn turn_away(self) {
        let handle = self.handle.clone();
        handle.run(move |desk| self.guest.refuse(desk, ConnAckReason::ServerBusy));
    }

    fn are_rules_in_force(&self) -> bool {
        self.in_force.are(&self.rules)
    }

    /// Asks its shard.
    fn is_there(&self) -> bool {
        let (sender, receiver) = sync_channel(1);
        let connection = self.guest.connection;
        self.handle.run(move |desk| {
            // Whoever asked may not wait any more.
            let _ = sender.try_send(waits(desk, connection));
        });
        match receiver.recv_timeout(PATIENCE) {
            Ok(is_there) => is_there,
            Err(RecvTimeoutError::Timeout) => true,
            // The shard has ended, and all of its clients with it.
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }
}

/// Whether a client can still be let in. The stream of one that was told its end may be there for a while.
fn waits(desk: &Desk<'_>, connection: ConnectionId) -> bool {
    desk.origin(connection).is_some() && !desk.broker.is_drained(connection)
}
