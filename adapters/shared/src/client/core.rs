//! What a handle and the keeper of the connection share: the machine, and who waits for what.

mod ending;

pub(super) use ending::Ending;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use mqtt_session::proto::{AuthReason, Disconnect, QoS, ReasonCode, Version};
use mqtt_session::{
    AcknowledgeError, Capability, Client as Machine, Driver, Event, Instant, Op, Outcome, Received, RequestError,
};

use super::acceptance::{Acceptance, Place};
use super::claims::{Claims, Routed, Token};
use super::durable::{self, Durable};
use super::line::Line;
use super::ops::{Ops, RENEWAL, REQUEST};
use super::reauthentication::Reauthentication;
use super::restored::{Restored, Restoring};
use super::states::{ConnectionState, Log};
use super::statistics::Statistics;
use super::wakers::Wakers;
use crate::options::Unclaimed;
use crate::{Acknowledge, AuthenticationError, Cause, ClientOptions, DialError, Endpoint, Failure};

/// What a handle and the keeper share.
pub(super) struct Core {
    pub(super) driver: Driver<Machine>,
    pub(super) endpoint: Endpoint,
    pub(super) version: Version,
    pub(super) acknowledge: Acknowledge,
    /// The highest QoS that the server has, as the application knows.
    pub(super) maximum_qos: QoS,
    /// What the store had, if there is one.
    pub(super) restored: Option<Arc<Restored>>,
    /// Operations of an earlier life, whose tags mean nothing here.
    restored_ops: HashSet<Op>,
    pub(super) acceptance: Acceptance,
    /// The store cannot be used any more, and nothing is heard of it.
    pub(super) has_lost_store: bool,
    /// Why.
    store_failure: Option<Cause>,
    pub(super) ops: Ops,
    pub(super) messages_line: Line,
    pub(super) requests_line: Line,
    pub(super) claims: Claims,
    pub(super) states: Log,
    pub(super) statistics: Statistics,
    pub(super) wakers: Wakers,
    /// How the keeper is told of a command.
    pub(super) keeper: Option<Waker>,
    /// The application wants to go: when everything has ended, or at this time.
    pub(super) leaving: Option<Instant>,
    /// What it says then.
    farewell: Disconnect<Bytes>,
    /// There will be no connection any more. What is to be stored still is.
    pub(super) ending: Option<Arc<Failure>>,
    /// Everything is stored too.
    pub(super) ended: Option<Arc<Failure>>,
    /// The server has accepted the stream that is open.
    is_accepted: bool,
    has_stream: bool,
    /// The application answers in an authentication.
    pub(super) has_authenticator: bool,
    pub(super) reauthentication: Reauthentication,
    /// Why this end drops the stream, or opens none.
    cut: Option<Cause>,
    unfinished_messages: usize,
    unfinished_requests: usize,
    /// The claims that are being asked for, by tag.
    pub(super) subscribing: BTreeMap<u64, u64>,
    /// Claims that are to be asked for again, and those that are.
    to_renew: Vec<u64>,
    renewing: BTreeSet<u64>,
}

impl Core {
    /// A client, and its store, if it has one.
    pub(super) fn new(options: &ClientOptions, now: Instant) -> (Self, Option<Durable>) {
        let mut config = options.machine_config();
        // All that one read brings fits, and messages come whole.
        config.limits.events = config.limits.events.max(4096);
        config.limits.whole_packet_bytes = u32::MAX;
        let version = config.version;
        let (machine, restoring) = durable::machine(options, config, now);
        let mut core = Self::over(machine, version, options);
        let durable = match restoring {
            Restoring::Memory => None,
            Restoring::Durable(durable, restored, live) => {
                core.unfinished_messages = live.len();
                core.restored_ops = live.into_iter().collect();
                core.restored = Some(Arc::new(restored));
                Some(durable)
            }
            Restoring::Failed(cause) => {
                core.driver.machine_mut().abort(now);
                core.end(cause);
                None
            }
        };
        (core, durable)
    }

    fn over(machine: Machine, version: Version, options: &ClientOptions) -> Self {
        Self {
            version,
            driver: Driver::new(machine),
            endpoint: options.endpoint().clone(),
            acknowledge: options.acknowledge,
            maximum_qos: options.publish_qos_maximum,
            restored: None,
            restored_ops: HashSet::new(),
            acceptance: Acceptance::default(),
            has_lost_store: false,
            store_failure: None,
            ops: Ops::default(),
            messages_line: Line::default(),
            requests_line: Line::default(),
            claims: Claims::new(
                options.unclaimed_policy() == Unclaimed::Hold,
                options.stream_messages,
                options.held_messages,
                options.held_bytes,
            ),
            states: Log::default(),
            statistics: Statistics::default(),
            wakers: Wakers::default(),
            keeper: None,
            leaving: None,
            farewell: options.farewell.clone(),
            ending: None,
            ended: None,
            is_accepted: false,
            has_stream: false,
            has_authenticator: options.begin_authentication.is_some(),
            reauthentication: Reauthentication::default(),
            cut: None,
            unfinished_messages: 0,
            unfinished_requests: 0,
            subscribing: BTreeMap::new(),
            to_renew: Vec::new(),
            renewing: BTreeSet::new(),
        }
    }

    pub(super) fn statistics(&self) -> Statistics {
        Statistics {
            unfinished: self.unfinished(),
            held_messages: self.claims.held_messages,
            held_bytes: self.claims.held_bytes,
            ..self.statistics
        }
    }

    pub(super) const fn unfinished(&self) -> usize {
        self.unfinished_messages + self.unfinished_requests
    }

    /// Whether the session is in a store.
    pub(super) const fn is_durable(&self) -> bool {
        self.restored.is_some()
    }

    pub(super) const fn has_unfinished_messages(&self) -> bool {
        self.unfinished_messages > 0
    }

    pub(super) const fn has_unfinished_requests(&self) -> bool {
        self.unfinished_requests > 0
    }

    /// The keeper has something to do.
    pub(super) fn call_keeper(&mut self) {
        self.wakers.wake(self.keeper.take());
    }

    // ---- what handles do

    pub(super) fn message_taken(&mut self) {
        self.unfinished_messages += 1;
        self.statistics.published += 1;
        self.call_keeper();
    }

    pub(super) fn request_taken(&mut self) {
        self.unfinished_requests += 1;
        self.call_keeper();
    }

    /// The outcome of an operation, or why it will have none.
    pub(super) fn poll_outcome(&mut self, tag: u64, waker: &Waker) -> Poll<Result<Outcome, Arc<Failure>>> {
        match (self.ops.poll(tag, waker, &mut self.wakers), &self.ended) {
            (Poll::Ready(outcome), _) => Poll::Ready(Ok(outcome)),
            (Poll::Pending, Some(failure)) => Poll::Ready(Err(Arc::clone(failure))),
            (Poll::Pending, None) => Poll::Pending,
        }
    }

    /// Whether what is waited for is durable, or why it will not be.
    pub(super) fn poll_stored(&mut self, place: Place, cx: &Context<'_>) -> Poll<Result<(), Arc<Failure>>> {
        if self.acceptance.poll(place, cx.waker(), &mut self.wakers) {
            return Poll::Ready(Ok(()));
        }
        match &self.ended {
            Some(failure) => Poll::Ready(Err(Arc::clone(failure))),
            None => Poll::Pending,
        }
    }

    /// The application goes when everything has ended, or at this time: the earliest that was said counts.
    pub(super) fn leave(&mut self, at: Instant) {
        self.leaving = Some(self.leaving.map_or(at, |other| other.min(at)));
        self.call_keeper();
    }

    pub(super) fn leave_at_once(&mut self, now: Instant) {
        self.leave(now);
    }

    /// A message has been dealt with in one stream; when it has in all, it is acknowledged.
    pub(super) fn dealt_with(&mut self, now: Instant, token: &Token) -> Result<(), AcknowledgeError> {
        if token.is_last() {
            self.driver.machine_mut().acknowledge(now, token.delivery)?;
            self.call_keeper();
        }
        Ok(())
    }

    /// A message is refused.
    pub(super) fn refuse(&mut self, now: Instant, token: &Token, reason: ReasonCode) -> Result<(), AcknowledgeError> {
        self.driver.machine_mut().refuse(now, token.delivery, reason)?;
        self.call_keeper();
        Ok(())
    }

    /// A subscription is not wanted any more. What it held and nobody will take counts as taken, unless a store keeps it.
    pub(super) fn drop_claim(&mut self, now: Instant, id: u64) {
        let mut left = self.claims.remove(id, &mut self.wakers);
        if self.is_durable() {
            left = self.claims.hold_unclaimed(left, &mut self.wakers);
        }
        if self.acknowledge == Acknowledge::WhenTaken {
            for token in left.iter().filter_map(|held| held.token.as_ref()) {
                // It may belong to a connection that has ended.
                let _ = self.dealt_with(now, token);
            }
        }
    }

    // ---- what the keeper does

    pub(super) fn dialing(&mut self) {
        self.states.push(ConnectionState::Connecting, &mut self.wakers);
    }

    pub(super) fn dialed(&mut self, now: Instant) {
        self.has_stream = true;
        self.driver.opened(now);
    }

    pub(super) fn dial_failed(&mut self, now: Instant, error: DialError) {
        self.not_opened(now, error.may_succeed_later(), Cause::Dial(error));
    }

    /// There is no stream, for this reason.
    pub(super) fn not_opened(&mut self, now: Instant, may_succeed_later: bool, cause: Cause) {
        self.cut = Some(cause);
        self.driver.open_failed(now, may_succeed_later);
    }

    /// The stream is to be dropped, for this reason.
    pub(super) fn cut_for(&mut self, cause: Cause) {
        if self.has_stream {
            self.cut = Some(cause);
        }
    }

    /// Whether the stream is to be dropped.
    pub(super) const fn wants_cut(&self) -> bool {
        self.has_stream && self.cut.is_some()
    }

    pub(super) fn on_event(&mut self, now: Instant, event: Event, ending: impl FnOnce() -> Ending) {
        match event {
            Event::Connected { session_present, .. } => self.on_connected(now, session_present),
            Event::Message(received) => self.on_message(now, received),
            Event::Completed { op, outcome, .. } if self.restored_ops.remove(&op) => {
                self.count_message(&outcome);
                self.has_room(now);
            }
            Event::Completed { tag, outcome, .. } => self.on_completed(now, tag, outcome),
            Event::Dropped { messages } => self.statistics.dropped += messages,
            Event::Closed { reason, retry_at } => self.on_closed(now, reason, retry_at, ending()),
            Event::Authenticate {
                reason: AuthReason::Success,
                ..
            } => {
                self.reauthentication.end(&mut self.wakers, || Ok(()));
            }
            Event::Authenticate { .. } => self.authentication_failed(AuthenticationError::NoAuthenticator),
            _ => {}
        }
    }

    fn on_connected(&mut self, now: Instant, session_present: bool) {
        self.is_accepted = true;
        self.statistics.connections += 1;
        self.states
            .push(ConnectionState::Connected { session_present }, &mut self.wakers);
        if session_present {
            // What stands in a store has been acknowledged, and does not come again.
            if !self.is_durable() {
                self.claims.forget_repeated();
            }
        } else {
            // The machine itself asks again for what has not been answered.
            self.to_renew = self.claims.forgotten();
            self.to_renew.retain(|claim| !self.renewing.contains(claim));
        }
        self.renew(now);
    }

    /// Subscribes again, as far as the machine takes requests.
    fn renew(&mut self, now: Instant) {
        while let Some(id) = self.to_renew.pop() {
            match self.subscribe(now, id, REQUEST | RENEWAL | id) {
                Ok(()) => {
                    self.renewing.insert(id);
                    self.unfinished_requests += 1;
                }
                Err(RequestError::QueueFull(_)) if self.has_unfinished_requests() => {
                    // The next answer makes room.
                    self.to_renew.push(id);
                    return;
                }
                Err(_) => self.claims.end(id, &mut self.wakers),
            }
        }
    }

    /// Asks for what a claim wants, under an identifier if the server takes one.
    pub(super) fn subscribe(&mut self, now: Instant, id: u64, tag: u64) -> Result<(), RequestError> {
        let Claims { all, names, .. } = &mut self.claims;
        let claim = all.get(&id).ok_or(RequestError::Closed)?;
        let (filters, properties) = claim.request.as_ref().ok_or(RequestError::Closed)?;
        let machine = self.driver.machine_mut();
        let takes_names = self.version.has_properties() && machine.capabilities().subscription_ids;
        let properties = match takes_names {
            true => names
                .assign(claim.filters(), properties)
                .map_err(RequestError::NotEncodable)?,
            false => properties.clone(),
        };
        let name = properties.subscription_id();
        machine.subscribe(now, filters.clone(), properties, tag)?;
        names.asked(claim.filters(), name);
        Ok(())
    }

    fn on_message(&mut self, now: Instant, received: Received) {
        self.statistics.received += 1;
        match self.claims.route(received, &mut self.wakers) {
            Routed::Held => {}
            Routed::Dropped => self.statistics.dropped += 1,
            // What the inbox of the store holds is bounded by itself.
            Routed::TooMuch if self.is_durable() => {}
            Routed::TooMuch => self.cut_for(Cause::NotTaken),
            Routed::Unclaimed(delivery) => {
                self.statistics.unclaimed += 1;
                if let Some(delivery) = delivery {
                    let _ = self.driver.machine_mut().acknowledge(now, delivery);
                }
            }
        }
    }

    fn on_completed(&mut self, now: Instant, tag: u64, outcome: Outcome) {
        if tag & REQUEST == 0 {
            self.count_message(&outcome);
        } else {
            self.unfinished_requests = self.unfinished_requests.saturating_sub(1);
        }
        if tag & (REQUEST | RENEWAL) == REQUEST | RENEWAL {
            let claim = tag & !(REQUEST | RENEWAL);
            self.renewing.remove(&claim);
            if is_unnameable(&outcome) {
                self.to_renew.push(claim);
            } else if !is_granted(&outcome) {
                self.claims.end(claim, &mut self.wakers);
            }
        } else {
            let claim = self.subscribing.remove(&tag);
            if let Some(claim) = claim.and_then(|id| self.claims.all.get_mut(&id)) {
                // From here on it is asked for again when the server has lost it.
                claim.is_granted = is_granted(&outcome);
            }
            let waker = self.ops.complete(tag & !REQUEST, outcome);
            self.wakers.wake(waker);
        }
        self.has_room(now);
    }

    /// Something has ended, and made room for something else.
    fn has_room(&mut self, now: Instant) {
        self.messages_line.call_next(&mut self.wakers);
        self.requests_line.call_next(&mut self.wakers);
        self.renew(now);
    }

    fn count_message(&mut self, outcome: &Outcome) {
        self.unfinished_messages = self.unfinished_messages.saturating_sub(1);
        match outcome {
            Outcome::Sent | Outcome::Acknowledged(_) => self.statistics.delivered += 1,
            _ => self.statistics.undelivered += 1,
        }
    }
}

/// Whether a subscription has an identifier, and the server that it went to takes none. The next one is sent without, unless
/// the application has chosen it.
pub(super) fn is_unnameable(outcome: &Outcome) -> bool {
    *outcome == Outcome::NotSupported(Capability::SubscriptionIdentifiers)
}

/// Whether the server has granted at least one filter.
pub(super) fn is_granted(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Subscribed(answer) => answer.codes.iter().any(|code| code.granted_qos().is_some()),
        _ => false,
    }
}
