//! Who may connect, publish and subscribe; and what the log says of everybody.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use mqtt_adapter::LayerError;
use mqtt_adapter::host::{Desk, Notice, Origin, Policy, ProxyHeaderError, ShardHandle};
use mqtt_proto::{ConnAckProperties, ConnAckReason, Connect, Disconnect, DisconnectReason, TopicName};
use mqtt_session::{AcceptErrorKind, BrokerEvent, Closed, ConnectionId, Scope, Verdict};

use super::checker::Checker;
use super::health::Health;
use super::login::Login;
use super::repeats::{Matter, Repeats, What};
use super::rules::{Identity, Rules, SharedRules, User};
use crate::broker::Who;

/// So much is told of a name that was not let in: neither the log nor what is known of strangers grows with its length.
const NAME_BYTES_MAX: usize = 256;

/// The policy of one shard.
pub(super) struct Gate {
    rules: SharedRules,
    checker: Checker,
    handle: ShardHandle,
    health: Health,
    repeats: Repeats,
}

impl Gate {
    pub(super) fn new(
        rules: SharedRules,
        checker: Checker,
        handle: ShardHandle,
        health: Health,
        repeats: Repeats,
    ) -> Self {
        Self {
            rules,
            checker,
            handle,
            health,
            repeats,
        }
    }

    fn connect(&self, desk: &mut Desk<'_>, connection: ConnectionId, connect: &Connect<Bytes>) {
        let Some(origin) = desk.origin(connection) else { return };
        let rules = self.rules.current();
        let guest = Guest {
            connection,
            client_id: Bytes::copy_from_slice(connect.client_id.as_ref()),
            will: connect.will.as_ref().map(|will| will.topic.clone()),
            repeats: self.repeats.clone(),
        };
        match rules.identity(origin, connect) {
            Identity::Known(user) => guest.admit(desk, &rules, &user),
            Identity::Refused(reason) => guest.refuse(desk, reason),
            // It was right a short time ago.
            Identity::Claimed { user, password } if rules.remembers(&user, &password) => {
                guest.admit(desk, &rules, &Some(user));
            }
            Identity::Claimed { user, password } => {
                let owner = origin.owner();
                self.check(
                    desk,
                    Login {
                        guest,
                        user,
                        password,
                        rules,
                        in_force: self.rules.clone(),
                        handle: self.handle.clone(),
                        owner,
                    },
                );
            }
        }
    }

    /// Has a password checked, or tells somebody that too many wait for that.
    fn check(&self, desk: &mut Desk<'_>, login: Login) {
        let connection = login.guest.connection;
        let Some(displaced) = self.checker.check(login, |other| other.is_gone(desk)) else {
            return;
        };
        self.health.turned_away();
        if self.repeats.is_first(&What::LoginsFull) {
            let peer = displaced.owner.map(tracing::field::display);
            tracing::warn!(
                peer,
                "a client is told that the broker is busy: too many wait for the check of their password, limits.logins in all or \
                 limits.logins_per_address of its address"
            );
        }
        if displaced.guest.connection == connection && displaced.handle.shard() == desk.shard() {
            displaced.guest.refuse(desk, ConnAckReason::ServerBusy);
        } else {
            displaced.turn_away();
        }
    }

    /// Whether this is to be told of the client, which has not done it for a while.
    fn is_first(&self, matter: Matter, client_id: &Bytes) -> bool {
        self.repeats.is_first(&What::Client(matter, client_id.clone()))
    }

    /// Whether the rules allow something to this client.
    fn verdict(
        &self,
        client_id: &[u8],
        owner: Option<&[u8]>,
        is_allowed: impl FnOnce(&Rules, Who<'_>) -> bool,
    ) -> bool {
        // Clients and users have no other names than text. What a damaged store says otherwise gives no rights.
        let (Ok(client_id), Ok(user)) = (
            std::str::from_utf8(client_id),
            owner.map(std::str::from_utf8).transpose(),
        ) else {
            return false;
        };
        is_allowed(&self.rules.current(), Who { client_id, user })
    }
}

/// A client that waits to be let in.
pub(super) struct Guest {
    pub(super) connection: ConnectionId,
    client_id: Bytes,
    /// Where its will goes.
    will: Option<TopicName<Bytes>>,
    repeats: Repeats,
}

impl Guest {
    pub(super) fn admit(self, desk: &mut Desk<'_>, rules: &Rules, user: &User) {
        if let Some(topic) = self.forbidden_will(rules, user.as_deref()) {
            if self.is_first_refusal() {
                tracing::warn!(
                    client = %text(&beginning(&self.client_id)),
                    topic = %text(&beginning(topic.as_bytes())),
                    "a client is refused: it may not publish its will"
                );
            }
            return self.refuse(desk, ConnAckReason::NotAuthorized);
        }
        let owner = user.as_deref().map(str::as_bytes);
        let admitted = desk
            .broker
            .admit_as(desk.now, self.connection, owner, ConnAckProperties::empty());
        match admitted {
            // A client that is gone in between has no answer to get.
            Ok(()) | Err(AcceptErrorKind::NotAsked) => {}
            Err(error) => {
                if self.is_first_refusal() {
                    tracing::warn!(client = %text(&beginning(&self.client_id)), %error, "a client is refused");
                }
                let reason = match error {
                    AcceptErrorKind::NotEncodable(_) => ConnAckReason::PacketTooLarge,
                    _ => ConnAckReason::NotAuthorized,
                };
                self.refuse(desk, reason);
            }
        }
    }

    /// The topic of the will, if this client may not publish it. Whether it may be published is asked once more when it is.
    fn forbidden_will(&self, rules: &Rules, user: Option<&str>) -> Option<&TopicName<Bytes>> {
        let topic = self.will.as_ref()?;
        let client_id = std::str::from_utf8(&self.client_id).unwrap_or_default();
        (!rules.may_publish(Who { client_id, user }, topic)).then_some(topic)
    }

    /// Whether it is to be told why this one is refused. That it was, and how often, is told of it in any case.
    fn is_first_refusal(&self) -> bool {
        self.repeats.is_first(&What::Refusal(beginning(&self.client_id)))
    }

    pub(super) fn refuse(self, desk: &mut Desk<'_>, reason: ConnAckReason) {
        refuse(desk, self.connection, reason);
    }
}

/// Whose password counts no more is shown out, and may come again with the one that does.
pub(super) fn dismiss(desk: &mut Desk<'_>, users: &HashSet<Vec<u8>>) {
    if users.is_empty() {
        return;
    }
    let all: Vec<ConnectionId> = desk.connections().map(|(connection, _)| connection).collect();
    for connection in all {
        let Some(user) = desk.broker.owner(connection).filter(|user| users.contains(*user)) else {
            continue;
        };
        tracing::info!(user = %text(user), "a client is sent away: its password counts no more");
        let farewell = Disconnect::new(DisconnectReason::NotAuthorized);
        desk.broker.disconnect(desk.now, connection, farewell);
    }
}

/// What the broker tells of the end says it to the log.
fn refuse(desk: &mut Desk<'_>, connection: ConnectionId, reason: ConnAckReason) {
    // A client that is gone in between has no answer to get.
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
                owner,
                topic,
                ..
            } => {
                let is_allowed = self.verdict(&client_id, owner.as_deref(), |rules, who| {
                    rules.may_publish(who, &topic)
                });
                if !is_allowed && self.is_first(Matter::MessageRefused, &client_id) {
                    tracing::info!(client = %text(&client_id), topic = topic.as_str(), "a message is refused");
                }
                let verdict = if is_allowed { Verdict::ALLOW } else { Verdict::DENY };
                desk.broker.authorize(desk.now, question, verdict.scope(Scope::Topic));
            }
            BrokerEvent::MaySubscribe {
                question,
                client_id,
                owner,
                filter,
                ..
            } => {
                let is_allowed = self.verdict(&client_id, owner.as_deref(), |rules, who| {
                    rules.may_subscribe(who, &filter)
                });
                if !is_allowed && self.is_first(Matter::SubscriptionRefused, &client_id) {
                    tracing::info!(client = %text(&client_id), filter = filter.as_str(), "a subscription is refused");
                }
                let verdict = if is_allowed { Verdict::ALLOW } else { Verdict::DENY };
                desk.broker.authorize(desk.now, question, verdict);
            }
            event => self.tell(desk, event),
        }
    }

    fn on_notice(&mut self, _: &mut Desk<'_>, notice: Notice) {
        match notice {
            Notice::AcceptPaused { listener, error } => {
                tracing::warn!(%listener, %error, "no connection is accepted until there is room again");
            }
            Notice::AddressFull { listener, peer } => self.tell_full(&listener, peer),
            Notice::ListenerFailed { listener, error } => {
                tracing::error!(%listener, %error, "a listener is broken");
            }
            Notice::StreamFailed { listener, peer, error } if self.is_first_header(&error) => {
                tracing::warn!(
                    %listener,
                    peer = peer.map(tracing::field::display),
                    %error,
                    "a connection is closed: see whether its proxy and the listener are set up for each other"
                );
            }
            Notice::StreamFailed { listener, peer, error } if LayerError::of(&error).is_some() => {
                self.tell_layer(&listener, peer, &error);
            }
            Notice::StreamFailed { listener, peer, error } => {
                tracing::debug!(%listener, peer = peer.map(tracing::field::display), %error, "a stream is broken");
            }
            Notice::StoreFailed(error) => {
                self.health.store_failed(error.to_string());
                tracing::error!(
                    %error,
                    "the store has failed: nothing is acknowledged and nobody is served any more, until the broker is started again"
                );
            }
            _ => {}
        }
    }
}

impl Gate {
    /// Whether it is about a header of the PROXY protocol, of which nothing was told for a while.
    fn is_first_header(&self, error: &io::Error) -> bool {
        let is_header = matches!(error.get_ref(), Some(fault) if fault.is::<ProxyHeaderError>());
        is_header && self.repeats.is_first(&What::ProxyHeader)
    }

    /// TLS or WebSocket have refused to go on: a certificate that is not trusted, another path.
    fn tell_layer(&self, listener: &str, peer: Option<SocketAddr>, error: &io::Error) {
        let what = What::Stranger(Bytes::new(), peer.map(|peer| peer.ip()));
        if self.repeats.is_first(&what) {
            tracing::info!(%listener, peer = peer.map(tracing::field::display), %error, "a connection is refused");
        }
    }

    /// A connection has ended before its client was let in.
    fn tell_stranger(&self, origin: Option<&Origin>, client_id: &Bytes, user: Option<&[u8]>, reason: &Closed) {
        let peer = origin.and_then(|origin| origin.peer);
        let listener = origin.map(|origin| tracing::field::display(&origin.listener));
        if went_by_itself(reason) {
            tracing::debug!(
                peer = peer.map(tracing::field::display),
                listener,
                %reason,
                "a connection has ended before its client was let in"
            );
            return;
        }
        let (client_id, user) = (beginning(client_id), user.map(beginning));
        let what = What::Stranger(client_id.clone(), peer.map(|peer| peer.ip()));
        if !self.repeats.is_first(&what) {
            return;
        }
        let reason: &dyn std::fmt::Display = match reason {
            Closed::RefusedByHost(reason) => reason,
            reason => reason,
        };
        tracing::info!(
            client = (!client_id.is_empty()).then(|| tracing::field::display(text(&client_id))),
            peer = peer.map(tracing::field::display),
            listener,
            user = user.as_deref().map(text).map(tracing::field::display),
            %reason,
            "a client is refused"
        );
    }

    fn tell_full(&self, listener: &str, peer: SocketAddr) {
        if self.repeats.is_first(&What::AddressFull) {
            tracing::warn!(%listener, %peer, "a connection is closed: its address has limits.connections_per_address");
        }
    }

    /// What needs no answer.
    fn tell(&self, desk: &Desk<'_>, event: BrokerEvent) {
        match event {
            BrokerEvent::Connected {
                connection,
                client_id,
                version,
                session_present,
            } => {
                let origin = desk.origin(connection);
                let user = desk.broker.owner(connection);
                tracing::info!(
                    client = %text(&client_id),
                    peer = origin.and_then(|origin| origin.peer).map(tracing::field::display),
                    listener = origin.map(|origin| tracing::field::display(&origin.listener)),
                    user = user.map(text).map(tracing::field::display),
                    %version,
                    session_present,
                    "connected"
                );
            }
            BrokerEvent::NotAdmitted {
                connection,
                client_id,
                username,
                reason,
            } => self.tell_stranger(desk.origin(connection), &client_id, username.as_deref(), &reason),
            BrokerEvent::Disconnected { client_id, reason, .. } => {
                tracing::info!(client = %text(&client_id), %reason, "disconnected");
            }
            BrokerEvent::SessionEnded { client_id } => {
                tracing::debug!(client = %text(&client_id), "its session has ended");
            }
            BrokerEvent::Dropped { client_id, messages } => {
                self.repeats.tell(What::Client(Matter::Dropped, client_id), messages);
            }
            BrokerEvent::Revoked { client_id, filter } => {
                tracing::info!(client = %text(&client_id), filter = filter.as_str(), "a subscription is not allowed any more");
            }
            BrokerEvent::RetainedRevoked { client_id, topic } if self.is_first(Matter::RetainedRevoked, &client_id) => {
                tracing::info!(client = %text(&client_id), topic = topic.as_str(), "a retained message is not allowed any more");
            }
            BrokerEvent::LimitHit {
                bound,
                times,
                client_id,
            } => self
                .repeats
                .tell(What::Limit(bound, client_id.unwrap_or_default()), times),
            BrokerEvent::Missed { events } => self.repeats.tell(What::Missed, events),
            BrokerEvent::StoreFailed => tracing::error!("the store has failed: all connections are closed"),
            _ => {}
        }
    }
}

/// Whether nobody was refused: the client went, or everybody has to.
const fn went_by_itself(reason: &Closed) -> bool {
    matches!(
        reason,
        Closed::StreamEnded | Closed::Disconnected { .. } | Closed::ByHost(_) | Closed::StoreFailed
    )
}

fn beginning(name: &[u8]) -> Bytes {
    Bytes::copy_from_slice(name.get(..NAME_BYTES_MAX).unwrap_or(name))
}

fn text(name: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(name)
}
