//! Who may connect, publish and subscribe; and what the log says of everybody.

use bytes::Bytes;
use mqtt_adapter::host::{Desk, Notice, Policy, ShardHandle};
use mqtt_proto::{ConnAckProperties, ConnAckReason, Connect};
use mqtt_session::{BrokerEvent, ConnectionId, Scope, Verdict};

use super::checker::Checker;
use super::known::{Known, User};
use super::rules::{Identity, Rules, SharedRules};
use crate::broker::Who;

/// The policy of one shard.
pub(super) struct Gate {
    rules: SharedRules,
    checker: Checker,
    handle: ShardHandle,
    known: Known,
}

impl Gate {
    pub(super) fn new(rules: SharedRules, checker: Checker, handle: ShardHandle) -> Self {
        Self {
            rules,
            checker,
            handle,
            known: Known::default(),
        }
    }

    fn connect(&self, desk: &mut Desk<'_>, connection: ConnectionId, connect: &Connect<Bytes>) {
        let Some(origin) = desk.origin(connection) else { return };
        let rules = self.rules.current();
        match rules.identity(origin, connect) {
            Identity::Known(user) => admit(desk, &self.known, connection, connect.client_id.as_ref(), &user),
            Identity::Refused(reason) => refuse(desk, connection, reason),
            Identity::Claimed { user, password } => {
                let (handle, known) = (self.handle.clone(), self.known.clone());
                let client_id = Bytes::copy_from_slice(connect.client_id.as_ref());
                let is_taken = self.checker.check(move || {
                    let is_right = rules.is_right(&user, &password);
                    handle.run(move |desk| {
                        if is_right {
                            admit(desk, &known, connection, &client_id, &Some(user));
                        } else {
                            refuse(desk, connection, ConnAckReason::BadUserNameOrPassword);
                        }
                    });
                });
                if !is_taken {
                    tracing::warn!("too many clients log in at a time: one is told that the broker is busy");
                    refuse(desk, connection, ConnAckReason::ServerBusy);
                }
            }
        }
    }

    /// What this client is to the rules. A session of an earlier life whose client has not come back has no user: what it was
    /// allowed then it keeps until that.
    fn verdict(&self, client_id: &Bytes, is_allowed: impl FnOnce(&Rules, Who<'_>) -> bool) -> bool {
        let Some(user) = self.known.owner(client_id) else {
            return true;
        };
        // The machine takes only names that are text.
        let Ok(client_id) = std::str::from_utf8(client_id) else {
            return false;
        };
        let user = user.as_deref();
        is_allowed(&self.rules.current(), Who { client_id, user })
    }
}

fn admit(desk: &mut Desk<'_>, known: &Known, connection: ConnectionId, client_id: &[u8], user: &User) {
    if !known.admit(connection, &Bytes::copy_from_slice(client_id), user) {
        tracing::warn!(
            client = %String::from_utf8_lossy(client_id),
            "a client is refused: the session of this name belongs to another user"
        );
        refuse(desk, connection, ConnAckReason::NotAuthorized);
        return;
    }
    // A client that is gone in between has no answer to get.
    if desk
        .broker
        .admit(desk.now, connection, ConnAckProperties::empty())
        .is_err()
    {
        known.disconnected(connection);
    }
}

fn refuse(desk: &mut Desk<'_>, connection: ConnectionId, reason: ConnAckReason) {
    let peer = desk.origin(connection).and_then(|origin| origin.peer);
    tracing::info!(peer = peer.map(tracing::field::display), %reason, "a client is refused");
    // The same.
    let _ = desk
        .broker
        .refuse(desk.now, connection, reason, ConnAckProperties::empty());
}

impl Policy for Gate {
    fn on_event(&mut self, desk: &mut Desk<'_>, event: BrokerEvent) {
        match event {
            BrokerEvent::Connect { connection, connect } => self.connect(desk, connection, &connect),
            BrokerEvent::Authenticate { connection, .. } => {
                refuse(desk, connection, ConnAckReason::BadAuthenticationMethod);
            }
            BrokerEvent::MayPublish {
                question,
                client_id,
                topic,
                ..
            } => {
                let is_allowed = self.verdict(&client_id, |rules, who| rules.may_publish(who, &topic));
                if !is_allowed {
                    tracing::info!(client = %text(&client_id), topic = topic.as_str(), "a message is refused");
                }
                let verdict = if is_allowed { Verdict::ALLOW } else { Verdict::DENY };
                desk.broker.authorize(desk.now, question, verdict.scope(Scope::Topic));
            }
            BrokerEvent::MaySubscribe {
                question,
                client_id,
                filter,
                ..
            } => {
                let is_allowed = self.verdict(&client_id, |rules, who| rules.may_subscribe(who, &filter));
                if !is_allowed {
                    tracing::info!(client = %text(&client_id), filter = filter.as_str(), "a subscription is refused");
                }
                let verdict = if is_allowed { Verdict::ALLOW } else { Verdict::DENY };
                desk.broker.authorize(desk.now, question, verdict);
            }
            event => self.tell(desk, &event),
        }
    }

    fn on_notice(&mut self, _: &mut Desk<'_>, notice: Notice) {
        match notice {
            Notice::AcceptPaused { listener, error } => {
                tracing::warn!(%listener, %error, "no connection is accepted until there is room again");
            }
            Notice::ListenerFailed { listener, error } => {
                tracing::error!(%listener, %error, "a listener is broken");
            }
            Notice::StreamFailed { listener, peer, error } => {
                tracing::debug!(%listener, peer = peer.map(tracing::field::display), %error, "a stream is broken");
            }
            Notice::StoreFailed(error) => {
                tracing::error!(%error, "the store has failed: nothing is acknowledged any more");
            }
            _ => {}
        }
    }
}

impl Gate {
    /// What needs no answer.
    fn tell(&self, desk: &Desk<'_>, event: &BrokerEvent) {
        match event {
            BrokerEvent::Connected {
                connection,
                client_id,
                version,
                session_present,
            } => {
                self.known.connected(*connection, client_id);
                let origin = desk.origin(*connection);
                let user = self.known.owner(client_id).flatten();
                tracing::info!(
                    client = %text(client_id),
                    peer = origin.and_then(|origin| origin.peer).map(tracing::field::display),
                    listener = origin.map(|origin| tracing::field::display(&origin.listener)),
                    user = user.as_deref(),
                    %version,
                    session_present,
                    "connected"
                );
            }
            BrokerEvent::Disconnected {
                connection,
                client_id,
                reason,
            } => {
                self.known.disconnected(*connection);
                tracing::info!(client = %text(client_id), %reason, "disconnected");
            }
            BrokerEvent::SessionEnded { client_id } => {
                self.known.ended(client_id);
                tracing::debug!(client = %text(client_id), "its session has ended");
            }
            BrokerEvent::Dropped { client_id, messages } => {
                tracing::warn!(client = %text(client_id), messages, "messages were dropped");
            }
            BrokerEvent::Revoked { client_id, filter } => {
                tracing::info!(client = %text(client_id), filter = filter.as_str(), "a subscription is not allowed any more");
            }
            BrokerEvent::LimitHit { bound, times } => tracing::warn!(?bound, times, "a limit was met"),
            BrokerEvent::Missed { events } => tracing::warn!(events, "events are missing in this log"),
            BrokerEvent::StoreFailed => tracing::error!("the store has failed: all connections are closed"),
            _ => {}
        }
    }
}

fn text(client_id: &Bytes) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(client_id)
}
