//! A server for tests: it routes messages, keeps sessions and retained messages, and does what a test asks it to.

mod authentication;
mod routing;

pub use authentication::{Conduct, METHOD};
pub use routing::Naming;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use mqtt_session::proto::{
    AckProperties, ConnAckProperties, ConnAckReason, Connect, SubAckReason, Text, TopicFilter, UnsubAckReason,
};
use mqtt_session::{
    Accept, Capabilities, Instant, Limits, Message, PublishError, ServerConfig, ServerConnection, ServerEvent, Session,
    SessionConfig,
};

use routing::{Interest, named};

type Filters = Vec<Interest>;

/// A server for tests.
#[derive(Default)]
pub struct Hub {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_id: u64,
    peers: BTreeMap<u64, Peer>,
    parked: BTreeMap<Bytes, Parked>,
    retained: BTreeMap<Bytes, Message>,
    refusal: Option<ConnAckReason>,
    refused_filter: Option<Bytes>,
    allowed: Option<Bytes>,
    connects: u64,
    farewells: u64,
    wills: u64,
    is_shut: bool,
    naming: Naming,
    conduct: Conduct,
    proofs: u64,
    listeners: Vec<Waker>,
}

#[derive(Default)]
struct Peer {
    client_id: Bytes,
    is_connected: bool,
    filters: Filters,
    /// `None`: drop the connection.
    mail: VecDeque<Option<Message>>,
    /// Messages that were to be sent when the connection had ended.
    late: Vec<Message>,
    waker: Option<Waker>,
    proof: Option<authentication::Proof>,
}

struct Parked {
    session: Session,
    session_expiry_seconds: u32,
    filters: Filters,
}

impl Hub {
    /// What its connections are to be.
    #[must_use]
    pub fn config(&self) -> ServerConfig {
        let limits = Limits::default()
            .queued_messages(100_000)
            .packet_bytes(4 << 20)
            .queued_bytes(1 << 30);
        let mut capabilities = Capabilities::default();
        capabilities.subscription_ids = self.lock().naming != Naming::Refused;
        ServerConfig::default()
            .capabilities(capabilities)
            .session(SessionConfig::default().limits(limits))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- what tests ask for

    /// From here on every client is refused with this reason, or none is.
    pub fn refuse(&self, reason: Option<ConnAckReason>) {
        self.lock().refusal = reason;
    }

    /// This client is not refused.
    pub fn allow(&self, client_id: &'static str) {
        self.lock().allowed = Some(client_id.into());
    }

    /// How messages of several subscriptions are sent. Whether identifiers are refused is said to connections that are
    /// accepted later.
    pub fn naming(&self, naming: Naming) {
        self.lock().naming = naming;
    }

    /// This filter is refused.
    pub fn refuse_filter(&self, filter: &'static str) {
        self.lock().refused_filter = Some(filter.into());
    }

    /// Drops all connections without a word.
    pub fn cut(&self) {
        let mut woken = Vec::new();
        for peer in self.lock().peers.values_mut() {
            peer.mail.push_front(None);
            woken.extend(peer.waker.take());
        }
        woken.into_iter().for_each(Waker::wake);
    }

    /// Ends everything: no further connection is accepted.
    pub fn shut(&self) {
        self.cut();
        let mut state = self.lock();
        state.is_shut = true;
        let wakers = std::mem::take(&mut state.listeners);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether it has been shut.
    #[must_use]
    pub fn is_shut(&self) -> bool {
        self.lock().is_shut
    }

    pub(crate) fn poll_shut(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.is_shut {
            return Poll::Ready(());
        }
        // There may be several listeners.
        if !state.listeners.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.listeners.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Forgets the sessions of clients that are not connected.
    pub fn forget_sessions(&self) {
        self.lock().parked.clear();
    }

    /// Publishes a message to all who want it.
    pub fn publish(&self, message: &Message) {
        let woken = self.lock().route(message);
        woken.into_iter().for_each(Waker::wake);
    }

    /// How many clients have said CONNECT.
    #[must_use]
    pub fn connects(&self) -> u64 {
        self.lock().connects
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.lock().peers.len()
    }

    /// How many clients have said DISCONNECT.
    #[must_use]
    pub fn farewells(&self) -> u64 {
        self.lock().farewells
    }

    /// How many wills were published.
    #[must_use]
    pub fn wills(&self) -> u64 {
        self.lock().wills
    }

    /// Whether a connected client has subscribed to exactly this.
    #[must_use]
    pub fn has_subscription(&self, filter: &str) -> bool {
        let state = self.lock();
        let mut filters = state.peers.values().flat_map(|peer| &peer.filters);
        filters.any(|other| other.filter.as_bytes() == filter.as_bytes())
    }

    /// How long the session of a client that is not connected is to be kept, if there is one.
    #[must_use]
    pub fn session_expiry(&self, client_id: &'static str) -> Option<u32> {
        let state = self.lock();
        let parked = state.parked.get(client_id.as_bytes());
        parked.map(|parked| parked.session_expiry_seconds)
    }

    // ---- what connections do

    pub(crate) fn attach(&self) -> u64 {
        let mut state = self.lock();
        state.last_id += 1;
        let id = state.last_id;
        state.peers.insert(id, Peer::default());
        id
    }

    pub(crate) fn detach(&self, id: u64) {
        self.lock().peers.remove(&id);
    }

    pub(crate) fn poll_mail(&self, id: u64, cx: &Context<'_>) -> Poll<Option<Message>> {
        let mut state = self.lock();
        let Some(peer) = state.peers.get_mut(&id) else {
            return Poll::Pending;
        };
        match peer.mail.pop_front() {
            Some(mail) => Poll::Ready(mail),
            None => {
                peer.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Sends a message to the client of a connection; if it has ended, its session will.
    pub(crate) fn send(&self, id: u64, machine: &mut ServerConnection, now: Instant, message: Message) {
        match machine.publish(now, message.clone(), 0) {
            Ok(_) => {}
            Err(PublishError::Closed) => self.lock().peers.entry(id).or_default().late.push(message),
            Err(error) => panic!("the queue is large enough: {error}"),
        }
    }

    pub(crate) fn on_event(&self, id: u64, machine: &mut ServerConnection, now: Instant, event: ServerEvent) {
        match event {
            ServerEvent::Connect(connect) => {
                match connect.properties.authentication_method().map(|text| text.to_owned()) {
                    Some(method) => self.on_method(id, machine, now, (method.as_bytes(), connect)),
                    None => self.on_connect(id, machine, now, (&connect, ConnAckProperties::empty())),
                }
            }
            ServerEvent::Authenticate { reason, properties } => {
                self.on_authenticate(id, machine, now, (reason, &properties));
            }
            ServerEvent::Message(received) => self.publish(&received.message),
            ServerEvent::Subscribe {
                request,
                filters,
                properties,
            } => {
                let id_of_all = properties.subscription_id();
                let interest = |(filter, options)| Interest {
                    filter,
                    options,
                    id: id_of_all,
                };
                let filters = filters.iter().map(|one| (one.filter.to_owned(), one.options));
                let filters = filters.map(interest).collect();
                let (codes, retained) = self.lock().subscribe(id, filters);
                let properties = AckProperties::empty();
                machine
                    .subscribed(now, request, codes, properties)
                    .expect("it was asked for");
                for message in retained {
                    self.send(id, machine, now, message);
                }
            }
            ServerEvent::Unsubscribe { request, filters, .. } => {
                let mut state = self.lock();
                let peer = state.peers.entry(id).or_default();
                let codes: Vec<UnsubAckReason> = filters.iter().map(|filter| peer.unsubscribe(&filter)).collect();
                let properties = AckProperties::empty();
                machine
                    .unsubscribed(now, request, codes, properties)
                    .expect("it was asked for");
            }
            ServerEvent::Closed {
                reason,
                will,
                session_expiry_seconds,
            } => {
                let mut state = self.lock();
                state.farewells += u64::from(matches!(reason, mqtt_session::Closed::Disconnected { .. }));
                let peer = state.peers.get_mut(&id).map(std::mem::take).unwrap_or_default();
                if let Some(session) = machine.take_session().filter(|_| session_expiry_seconds > 0) {
                    let filters = peer.filters;
                    let mut session = session;
                    for message in peer.late.into_iter().chain(peer.mail.into_iter().flatten()) {
                        session.publish(now, message, 0).expect("the queue is large enough");
                    }
                    let parked = Parked {
                        session,
                        session_expiry_seconds,
                        filters,
                    };
                    state.parked.insert(peer.client_id, parked);
                }
                drop(state);
                if let Some(will) = will {
                    self.lock().wills += 1;
                    let message = Message::new(will.topic.into_inner(), will.payload.into_inner());
                    let message = message.expect("it was checked").qos(will.qos).retain(will.retain);
                    self.publish(&message);
                }
            }
            _ => {}
        }
    }

    fn on_connect(
        &self,
        id: u64,
        machine: &mut ServerConnection,
        now: Instant,
        (connect, properties): (&Connect<Bytes>, ConnAckProperties<Bytes>),
    ) {
        let mut state = self.lock();
        state.connects += 1;
        let client_id = match connect.client_id.is_empty() {
            true => Bytes::from(format!("assigned-{id}")),
            false => connect.client_id.clone().into_inner(),
        };
        let is_taken = state
            .peers
            .values()
            .any(|peer| peer.is_connected && peer.client_id == client_id);
        let is_allowed = state.allowed.as_ref() == Some(&client_id);
        let refusal = state
            .refusal
            .filter(|_| !is_allowed)
            .or(is_taken.then_some(ConnAckReason::ServerUnavailable));
        if let Some(reason) = refusal {
            machine
                .refuse_client(now, reason, ConnAckProperties::empty())
                .expect("it was asked for");
            return;
        }
        let parked = state.parked.remove(&client_id).filter(|_| !connect.clean_start);
        let peer = state.peers.entry(id).or_default();
        peer.client_id = client_id.clone();
        peer.is_connected = true;
        let mut accept = Accept::new().properties(properties);
        if let Some(parked) = parked {
            peer.filters = parked.filters;
            accept = accept.session(parked.session);
        }
        if connect.client_id.is_empty() && connect.version.has_properties() {
            accept = accept.assigned_client_id(Text::from_bytes(client_id).expect("it is text"));
        }
        machine.accept(now, accept).expect("it was asked for");
    }
}

impl State {
    /// Gives a message to all who want it, and keeps it if it is to be retained.
    fn route(&mut self, message: &Message) -> Vec<Waker> {
        if message.retain {
            let topic = Bytes::copy_from_slice(message.topic.as_bytes());
            match message.payload.is_empty() {
                true => self.retained.remove(&topic),
                false => self.retained.insert(topic, message.clone()),
            };
        }
        let mut woken = Vec::new();
        for peer in self.peers.values_mut() {
            for copy in self.naming.copies(&peer.filters, message) {
                peer.mail.push_back(Some(copy));
                woken.extend(peer.waker.take());
            }
        }
        for parked in self.parked.values_mut() {
            for copy in self.naming.copies(&parked.filters, message) {
                let _ = parked.session.publish(Instant::ZERO, copy, 0);
            }
        }
        woken
    }

    fn subscribe(&mut self, id: u64, filters: Filters) -> (Vec<SubAckReason>, Vec<Message>) {
        let (mut codes, mut retained) = (Vec::new(), Vec::new());
        let peer = self.peers.entry(id).or_default();
        for interest in filters {
            let Interest { filter, options, .. } = &interest;
            if self.refused_filter.as_deref() == Some(filter.as_bytes()) {
                codes.push(SubAckReason::NotAuthorized);
                continue;
            }
            codes.push(SubAckReason::granted(options.qos));
            let matching = self.retained.values().filter(|message| filter.matches(&message.topic));
            retained.extend(matching.map(|message| named(message, [&interest]).retain(true)));
            peer.filters.retain(|other| other.filter != *filter);
            peer.filters.push(interest);
        }
        (codes, retained)
    }
}

impl Peer {
    fn unsubscribe(&mut self, filter: &TopicFilter<&[u8]>) -> UnsubAckReason {
        let before = self.filters.len();
        self.filters.retain(|other| other.filter != *filter);
        match before == self.filters.len() {
            true => UnsubAckReason::NoSubscriptionExisted,
            false => UnsubAckReason::Success,
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("connects", &self.connects())
            .finish_non_exhaustive()
    }
}
