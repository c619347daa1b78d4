//! SUBSCRIBE and UNSUBSCRIBE, from the command to the answer.

use alloc::collections::VecDeque;

use bytes::Bytes;
use mqtt_proto::{
    EncodeError, Filters, PacketId, Properties, SubAck, Subscribe, SubscribeProperties, TopicFilters, UnsubAck,
    Unsubscribe, UnsubscribeProperties,
};

use super::{Client, Event, Phase};
use crate::fingerprint::Fingerprint;
use crate::outbox::Outbox;
use crate::time::Instant;
use crate::{Capability, Limit, Op, Outcome, Violation};

/// What stands in the `key` of an [`Op`] that is no message.
pub(super) const KEY: u32 = u32::MAX;

/// Why SUBSCRIBE or UNSUBSCRIBE was not taken. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// As many as this limit allows are unanswered.
    QueueFull(Limit),
    /// The connected server does not support it.
    NotSupported(Capability),
    /// A filter asks for a QoS above [`ClientConfig::maximum_qos`](crate::ClientConfig::maximum_qos).
    AboveMaximumQoS,
    /// It cannot be encoded in the version of this client.
    NotEncodable(EncodeError),
    /// The machine is shutting down.
    Closed,
}

impl core::fmt::Display for RequestError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::QueueFull(limit) => write!(f, "too many requests are unanswered ({limit:?})"),
            Self::NotSupported(capability) => write!(f, "the server does not support this: {capability:?}"),
            Self::AboveMaximumQoS => f.write_str("a filter asks for a QoS that this client does not take"),
            Self::NotEncodable(error) => write!(f, "the packet cannot be sent: {error}"),
            Self::Closed => f.write_str("the machine is shutting down"),
        }
    }
}

impl core::error::Error for RequestError {}

#[derive(Clone, Debug)]
enum Body {
    Subscribe(Filters<Bytes>, SubscribeProperties<Bytes>),
    Unsubscribe(TopicFilters<Bytes>, UnsubscribeProperties<Bytes>),
}

#[derive(Clone, Debug)]
struct Request {
    serial: u64,
    tag: u64,
    id: Option<PacketId>,
    body: Body,
    is_sent: bool,
    deadline: Option<Instant>,
}

/// What was asked and not answered, in the order of asking.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    open: VecDeque<Request>,
    next_serial: u64,
    limit: u16,
}

impl Requests {
    pub(super) const fn new(limit: u16) -> Self {
        Self {
            open: VecDeque::new(),
            next_serial: 1,
            limit,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Unanswered requests go again on the next connection.
    pub(super) fn disconnected(&mut self) {
        for request in &mut self.open {
            request.is_sent = false;
        }
    }

    /// From `at` on the request is late. Whether there is such a request.
    pub(super) fn set_deadline(&mut self, op: Op, at: Instant) -> bool {
        let found = self.open.iter_mut().find(|request| request.serial == op.serial);
        found.map(|request| request.deadline = Some(at)).is_some()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.iter().filter_map(|request| request.deadline).min()
    }

    pub(super) fn fingerprint(&self, mark: &mut Fingerprint<'_>) {
        mark.count(self.open.len());
        for request in &self.open {
            mark.number(request.tag);
            mark.number(request.id.map_or(0, PacketId::get));
            mark.number(request.is_sent);
            mark.number(matches!(request.body, Body::Subscribe(..)));
            mark.time(request.deadline);
        }
    }

    fn position(&self, id: PacketId) -> Option<usize> {
        self.open
            .iter()
            .position(|request| request.id == Some(id) && request.is_sent)
    }
}

impl Client {
    /// Subscribes to filters. The answer comes with a `Completed` event with the tag: a code for each filter.
    ///
    /// # Errors
    /// If it can never be sent, or there is no room for it. Nothing has changed then.
    pub fn subscribe(
        &mut self,
        now: Instant,
        filters: Filters<Bytes>,
        properties: SubscribeProperties<Bytes>,
        tag: u64,
    ) -> Result<Op, RequestError> {
        let maximum = self.config.maximum_qos;
        if filters.iter().any(|subscription| subscription.options.qos > maximum) {
            return Err(RequestError::AboveMaximumQoS);
        }
        if self.phase == Phase::Connected {
            self.capabilities
                .allow_subscribe(&filters, &properties)
                .map_err(RequestError::NotSupported)?;
        }
        self.ask(now, Body::Subscribe(filters, properties), tag)
    }

    /// Unsubscribes from filters. The answer comes with a `Completed` event with the tag.
    ///
    /// # Errors
    /// If it can never be sent, or there is no room for it. Nothing has changed then.
    pub fn unsubscribe(&mut self, now: Instant, filters: TopicFilters<Bytes>, tag: u64) -> Result<Op, RequestError> {
        self.ask(now, Body::Unsubscribe(filters, Properties::empty()), tag)
    }

    fn ask(&mut self, now: Instant, body: Body, tag: u64) -> Result<Op, RequestError> {
        self.advance(now);
        if self.leaving.is_some() || self.phase == Phase::Stopped {
            return Err(RequestError::Closed);
        }
        let version = self.config.version;
        match &body {
            Body::Subscribe(..) => subscribe_packet(&body, PacketId::MAX).map(|packet| packet.encoded_len(version)),
            Body::Unsubscribe(..) => unsubscribe_packet(&body, PacketId::MAX).map(|packet| packet.encoded_len(version)),
        }
        .transpose()
        .map_err(RequestError::NotEncodable)?;
        if self.requests.open.len() >= usize::from(self.requests.limit.max(1)) {
            return Err(RequestError::QueueFull(Limit::Requests));
        }
        let serial = self.requests.next_serial;
        self.requests.next_serial = serial.saturating_add(1);
        self.requests.open.push_back(Request {
            serial,
            tag,
            id: None,
            body,
            is_sent: false,
            deadline: None,
        });
        Ok(self.flow.session.op(KEY, serial))
    }

    pub(super) fn tell_late_requests(&mut self) {
        let now = self.flow.now();
        let is_late = |request: &&mut Request| request.deadline.is_some_and(|at| at <= now);
        for request in self.requests.open.iter_mut().filter(is_late) {
            request.deadline = None;
            let (op, tag) = (self.flow.session.op(KEY, request.serial), request.tag);
            self.flow.tell(Event::Late { op, tag });
        }
    }

    pub(super) fn cancel_request(&mut self, op: Op) -> bool {
        let open = &self.requests.open;
        let found = open
            .iter()
            .position(|request| request.serial == op.serial && request.id.is_none());
        match found {
            Some(index) => {
                self.answer(index, Outcome::Cancelled);
                true
            }
            None => false,
        }
    }

    /// Ends a request.
    fn answer(&mut self, index: usize, outcome: Outcome) {
        let Some(request) = self.requests.open.remove(index) else {
            return;
        };
        if let Some(id) = request.id {
            self.flow.session.outgoing.return_id(id);
        }
        let op = self.flow.session.op(KEY, request.serial);
        let tag = request.tag;
        self.flow.tell(Event::Completed { op, tag, outcome });
    }

    #[inline]
    pub(super) fn transmit_requests(&mut self, outbox: &mut Outbox) {
        if self.requests.len() > 0 {
            self.send_requests(outbox);
        }
    }

    fn send_requests(&mut self, outbox: &mut Outbox) {
        while outbox.has_room() {
            let Some(index) = self.requests.open.iter().position(|request| !request.is_sent) else {
                return;
            };
            if !self.send_request(index, outbox) {
                return;
            }
        }
    }

    /// Sends or ends a request. `false`: there is no identifier for it.
    fn send_request(&mut self, index: usize, outbox: &mut Outbox) -> bool {
        let Some(request) = self.requests.open.get_mut(index) else {
            return false;
        };
        let Some(id) = request.id.or_else(|| self.flow.session.outgoing.lend_id()) else {
            return false;
        };
        request.id = Some(id);
        request.is_sent = true;
        let body = request.body.clone();
        if let Body::Subscribe(filters, properties) = &body {
            if let Err(capability) = self.capabilities.allow_subscribe(filters, properties) {
                self.answer(index, Outcome::NotSupported(capability));
                return true;
            }
        }
        let version = self.config.version;
        let limit = self.flow.peer_packet_bytes();
        let len = match &body {
            Body::Subscribe(..) => subscribe_packet(&body, id).map(|packet| packet.encoded_len(version)),
            Body::Unsubscribe(..) => unsubscribe_packet(&body, id).map(|packet| packet.encoded_len(version)),
        };
        let bytes = len
            .and_then(Result::ok)
            .and_then(|len| u32::try_from(len).ok())
            .unwrap_or(u32::MAX);
        if bytes > limit {
            self.answer(index, Outcome::TooLarge { bytes, limit });
            return true;
        }
        let buffer = outbox.buffer();
        let written = match &body {
            Body::Subscribe(..) => subscribe_packet(&body, id).map(|packet| packet.encode_to(version, buffer)),
            Body::Unsubscribe(..) => unsubscribe_packet(&body, id).map(|packet| packet.encode_to(version, buffer)),
        };
        debug_assert!(matches!(written, Some(Ok(_))), "its length was computed: {written:?}");
        outbox.count(1);
        true
    }

    pub(super) fn on_suback(&mut self, ack: &SubAck<&[u8]>) -> Result<(), Violation> {
        let index = self.requests.position(ack.id).ok_or(Violation::AnswerToNothing)?;
        match self.requests.open.get(index).map(|request| &request.body) {
            Some(Body::Subscribe(filters, _)) if filters.iter().count() == ack.codes.iter().len() => {}
            Some(Body::Subscribe(..)) => return Err(Violation::CodeCountDiffers),
            _ => return Err(Violation::AnswerToNothing),
        }
        self.answer(index, Outcome::Subscribed(ack.to_owned()));
        Ok(())
    }

    pub(super) fn on_unsuback(&mut self, ack: &UnsubAck<&[u8]>) -> Result<(), Violation> {
        let index = self.requests.position(ack.id).ok_or(Violation::AnswerToNothing)?;
        let has_codes = self.config.version.has_properties();
        match self.requests.open.get(index).map(|request| &request.body) {
            Some(Body::Unsubscribe(filters, _)) if !has_codes || filters.iter().count() == ack.codes.iter().len() => {}
            Some(Body::Unsubscribe(..)) => return Err(Violation::CodeCountDiffers),
            _ => return Err(Violation::AnswerToNothing),
        }
        self.answer(index, Outcome::Unsubscribed(ack.to_owned()));
        Ok(())
    }
}

fn subscribe_packet(body: &Body, id: PacketId) -> Option<Subscribe<Bytes>> {
    match body {
        Body::Subscribe(filters, properties) => Some(Subscribe {
            id,
            filters: filters.clone(),
            properties: properties.clone(),
        }),
        Body::Unsubscribe(..) => None,
    }
}

fn unsubscribe_packet(body: &Body, id: PacketId) -> Option<Unsubscribe<Bytes>> {
    match body {
        Body::Unsubscribe(filters, properties) => Some(Unsubscribe {
            id,
            filters: filters.clone(),
            properties: properties.clone(),
        }),
        Body::Subscribe(..) => None,
    }
}
