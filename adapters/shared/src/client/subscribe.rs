//! Subscriptions: what was granted, and a stream of the messages that belong to it.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use mqtt_session::proto::{
    EncodeError, Filters, QoS, SubAckReason, SubscribeProperties, SubscriptionOptions, TopicFilters,
    TopicFiltersBuilder, UnsubAckReason,
};
use mqtt_session::{Instant, Outcome, RequestError as Refusal};

use super::Client;
use super::claims::{Claim, UNCLAIMED};
use super::core::{Core, is_granted, is_unnameable};
use super::incoming::{Acknowledgement, Incoming};
use super::ops::REQUEST;
use super::publish::Ended;
use crate::{Acknowledge, Failure};

/// Why there is no subscription, or a server did not end one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The filters cannot be sent: there is none, or one is not valid.
    Filters(EncodeError),
    /// The client did not take it.
    NotTaken(Refusal),
    /// The server refused all filters: a code for each.
    Refused(Vec<SubAckReason>),
    /// The server did not unsubscribe all filters: a code for each.
    NotUnsubscribed(Vec<UnsubAckReason>),
    /// It ended without an answer.
    Failed(Outcome),
    /// The client has ended.
    Ended(Arc<Failure>),
}

/// A SUBSCRIBE that is being put together: filters, and what else the server is to know.
#[derive(Clone, Debug)]
#[must_use = "nothing is subscribed until it is given to a client"]
pub struct Subscribing {
    filters: Vec<(Bytes, SubscriptionOptions)>,
    properties: SubscribeProperties<Bytes>,
}

impl Subscribing {
    /// A filter, at most with this QoS.
    pub fn new(filter: impl Into<Bytes>, qos: QoS) -> Self {
        Self {
            filters: vec![(filter.into(), SubscriptionOptions::new(qos))],
            properties: SubscribeProperties::empty(),
        }
    }

    /// A further filter, at most with this QoS.
    pub fn and(self, filter: impl Into<Bytes>, qos: QoS) -> Self {
        self.and_with(filter, SubscriptionOptions::new(qos))
    }

    /// A further filter, with all options.
    pub fn and_with(mut self, filter: impl Into<Bytes>, options: SubscriptionOptions) -> Self {
        self.filters.push((filter.into(), options));
        self
    }

    /// Sets the options of the last filter.
    pub fn options(mut self, options: SubscriptionOptions) -> Self {
        if let Some((_, last)) = self.filters.last_mut() {
            *last = options;
        }
        self
    }

    /// Sets Subscription Identifier and User Properties, since MQTT 5.0.
    ///
    /// A subscription without an identifier is given one by the client, which messages are routed by and do not show. One that
    /// is set here is sent as it is, to a server that takes one, and the messages of this subscription show theirs: it should be
    /// below 16,384, so that it is none of those.
    pub fn properties(mut self, properties: SubscribeProperties<Bytes>) -> Self {
        self.properties = properties;
        self
    }
}

impl Client {
    /// Subscribes to one filter, at most with this QoS. See [`subscribe_to`](Self::subscribe_to).
    ///
    /// # Errors
    /// If the filter is not valid, the server refuses it, or the client ends.
    pub async fn subscribe(&self, filter: impl Into<Bytes>, qos: QoS) -> Result<Subscription, SubscribeError> {
        self.subscribe_to(Subscribing::new(filter, qos)).await
    }

    /// Subscribes to filters, and waits for the answer of the server. The messages that belong to them are in the stream of
    /// the subscription, from the first one on, even if they come before the answer.
    ///
    /// One who drops the future is not subscribed at this end; the server may be told all the same.
    ///
    /// # Errors
    /// If the filters are not valid, the server refuses all of them, or the client ends.
    pub async fn subscribe_to(&self, request: Subscribing) -> Result<Subscription, SubscribeError> {
        let version = self.with(|core, _| core.version);
        let builder = request
            .filters
            .iter()
            .fold(Filters::builder(), |builder, (filter, options)| {
                builder.filter(filter, *options)
            });
        let filters = builder.build_for(version).map_err(SubscribeError::Filters)?;
        let chooses_name = request.properties.subscription_id().is_some();
        let claim = Claim::new(Some((filters, request.properties)));
        let id = self.with(|core, _| core.claims.add(claim));
        let mut subscription = Subscription {
            client: self.clone(),
            claim: id,
            granted: Vec::new(),
        };
        let asks = |core: &mut Core, now, tag| {
            core.subscribe(now, id, tag)?;
            core.subscribing.insert(tag, id);
            Ok(())
        };
        let mut outcome = self.ask(asks).await?;
        while is_unnameable(&outcome) && !chooses_name {
            // It was asked for before the server had said so.
            outcome = self.ask(asks).await?;
        }
        match outcome {
            Outcome::Subscribed(answer) => {
                subscription.granted = answer.codes.iter().collect();
                if !is_granted(&Outcome::Subscribed(answer)) {
                    return Err(SubscribeError::Refused(std::mem::take(&mut subscription.granted)));
                }
                Ok(subscription)
            }
            outcome => Err(SubscribeError::Failed(outcome)),
        }
    }

    /// Unsubscribes from filters of which this client has no [`Subscription`]: those of an earlier life.
    ///
    /// # Errors
    /// If the filters are not valid, the server refuses, or the client ends.
    pub async fn unsubscribe<F: AsRef<[u8]>>(
        &self,
        filters: impl IntoIterator<Item = F>,
    ) -> Result<(), SubscribeError> {
        let version = self.with(|core, _| core.version);
        let builder = filters
            .into_iter()
            .fold(TopicFilters::builder(), TopicFiltersBuilder::filter);
        let filters = builder.build_for(version).map_err(SubscribeError::Filters)?;
        let asks = |core: &mut Core, now, tag| {
            let machine = core.driver.machine_mut();
            machine.unsubscribe(now, filters.clone(), tag).map(|_| ())
        };
        match self.ask(asks).await? {
            Outcome::Unsubscribed(answer) if answer.codes.iter().all(|code| !code.is_error()) => {
                let forgotten = filters.iter().map(|filter| filter.to_owned());
                self.with(|core, _| forgotten.for_each(|filter| core.claims.names.forget(&filter)));
                Ok(())
            }
            Outcome::Unsubscribed(answer) => Err(SubscribeError::NotUnsubscribed(answer.codes.iter().collect())),
            outcome => Err(SubscribeError::Failed(outcome)),
        }
    }

    /// What belongs to no subscription, with [`Unclaimed::Hold`](crate::Unclaimed::Hold): messages of a session of an earlier
    /// life.
    #[must_use]
    pub fn unclaimed(&self) -> Subscription {
        Subscription {
            client: self.clone(),
            claim: UNCLAIMED,
            granted: Vec::new(),
        }
    }

    /// Gives a request to the machine, as soon as it has room, and waits for its end.
    async fn ask(
        &self,
        mut asks: impl FnMut(&mut Core, Instant, u64) -> Result<(), Refusal>,
    ) -> Result<Outcome, SubscribeError> {
        let mut asked = Asked {
            client: self,
            place: None,
            tag: None,
        };
        poll_fn(|cx| asked.poll(cx, &mut asks)).await
    }
}

/// A request on its way to the machine, and to its answer.
struct Asked<'c> {
    client: &'c Client,
    place: Option<u64>,
    tag: Option<u64>,
}

impl Asked<'_> {
    fn poll(
        &mut self,
        cx: &Context<'_>,
        asks: &mut impl FnMut(&mut Core, Instant, u64) -> Result<(), Refusal>,
    ) -> Poll<Result<Outcome, SubscribeError>> {
        let client = self.client;
        client.with(|core, now| {
            if self.tag.is_none() {
                if let Some(failure) = core.refuses() {
                    return Poll::Ready(Err(SubscribeError::Ended(failure)));
                }
                match self.take(core, now, asks) {
                    Ok(true) => {}
                    Ok(false) => {
                        self.place = Some(core.requests_line.wait(self.place, cx.waker(), &mut core.wakers));
                        return Poll::Pending;
                    }
                    Err(refusal) => return Poll::Ready(Err(SubscribeError::NotTaken(refusal))),
                }
            }
            let Some(tag) = self.tag else { return Poll::Pending };
            let ended = core.poll_outcome(tag, cx.waker());
            if ended.is_ready() {
                self.tag = None;
            }
            ended.map_err(SubscribeError::Ended)
        })
    }

    /// Whether the machine has taken the request.
    fn take(
        &mut self,
        core: &mut Core,
        now: Instant,
        asks: &mut impl FnMut(&mut Core, Instant, u64) -> Result<(), Refusal>,
    ) -> Result<bool, Refusal> {
        if !core.requests_line.is_turn(self.place) {
            return Ok(false);
        }
        let tag = core.ops.begin();
        match asks(core, now, tag | REQUEST) {
            Ok(()) => {
                core.request_taken();
                self.tag = Some(tag);
                if let Some(place) = self.place.take() {
                    core.requests_line.leave(place, &mut core.wakers);
                }
                Ok(true)
            }
            Err(refusal) => {
                core.ops.withdraw(tag);
                match refusal {
                    Refusal::QueueFull(_) if core.has_unfinished_requests() => Ok(false),
                    refusal => Err(refusal),
                }
            }
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.place.is_some() || self.tag.is_some() {
            self.client.with(|core, _| {
                if let Some(place) = self.place {
                    core.requests_line.leave(place, &mut core.wakers);
                }
                if let Some(tag) = self.tag {
                    core.ops.forget(tag, &mut core.wakers);
                }
            });
        }
    }
}

/// A subscription: what the server has granted, and the stream of its messages.
///
/// Messages find their stream by subscription identifier, if the server has them: of two subscriptions to overlapping filters
/// each gets what is sent for it, once. Elsewhere the filters decide, and a server that sends a copy for each of them has each
/// copy in both.
///
/// A message of QoS 1 or 2 is acknowledged when it is taken from here; so what nobody takes is bounded by the window that the
/// server keeps to, or with a store by `inbox_messages` of [`Limits`](mqtt_session::Limits). Messages of QoS 0 beyond [`ClientOptions::stream_messages`](crate::ClientOptions::stream_messages) are
/// dropped and counted. Neither keeps other streams or answers waiting.
///
/// When the server has lost the session, the client subscribes again by itself. The stream ends when the client does, or when
/// the server then refuses.
///
/// Dropping it does not unsubscribe, since the session may be meant to outlive this process: see
/// [`unsubscribe`](Self::unsubscribe). What came for it then and comes later is [`Unclaimed`](crate::Unclaimed) by it.
#[derive(Debug)]
pub struct Subscription {
    client: Client,
    claim: u64,
    granted: Vec<SubAckReason>,
}

impl Subscription {
    /// What the server said to each filter, in their order: the granted QoS, or why there is none.
    pub fn granted(&self) -> impl Iterator<Item = Result<QoS, SubAckReason>> {
        self.granted.iter().map(|code| code.granted_qos().ok_or(*code))
    }

    /// Waits for the next message. `None`: there will be no more. A dropped future has taken none.
    pub async fn next(&mut self) -> Option<Incoming> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// The next message, if there is one.
    pub fn try_next(&mut self) -> Option<Incoming> {
        self.client.with(|core, now| take(&self.client, core, now, self.claim))
    }

    /// How many messages of QoS 0 were dropped, since nobody took them in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.client
            .with(|core, _| core.claims.all.get(&self.claim).map_or(0, |claim| claim.dropped))
    }

    /// Unsubscribes from the filters that no other subscription of this client has. Messages that have come can still be
    /// taken; then the stream ends.
    ///
    /// # Errors
    /// If the server refuses, or the client ends.
    pub async fn unsubscribe(&mut self) -> Result<(), SubscribeError> {
        let id = self.claim;
        let filters = self.client.with(|core, _| {
            let claim = core.claims.all.get(&id);
            let filters = claim.map(|claim| claim.filters().to_vec()).unwrap_or_default();
            let alone = filters.into_iter().filter(|filter| !core.claims.is_shared(filter, id));
            alone.collect::<Vec<_>>()
        });
        if !filters.is_empty() {
            self.client.unsubscribe(filters).await?;
        }
        self.client.with(|core, _| core.claims.end(id, &mut core.wakers));
        Ok(())
    }

    pub(super) fn poll_message(&mut self, cx: &Context<'_>) -> Poll<Option<Incoming>> {
        let id = self.claim;
        self.client.with(|core, now| {
            if let Some(incoming) = take(&self.client, core, now, id) {
                return Poll::Ready(Some(incoming));
            }
            match core.claims.all.get_mut(&id) {
                Some(claim) if !claim.is_ended => {
                    core.wakers.put(&mut claim.waker, cx.waker());
                    Poll::Pending
                }
                _ => Poll::Ready(None),
            }
        })
    }
}

/// Takes the next message of a claim. Unless the application says so itself, it has been dealt with by that.
fn take(client: &Client, core: &mut Core, now: Instant, claim: u64) -> Option<Incoming> {
    let held = core.claims.take(claim)?;
    let delivery = held.token.as_ref().map(|token| token.delivery);
    let acknowledgement = match (held.token, core.acknowledge) {
        (Some(token), Acknowledge::ByApplication) => Some(Acknowledgement {
            shared: Arc::clone(&client.shared),
            token,
        }),
        (Some(token), Acknowledge::WhenTaken) => {
            // It may belong to a connection that has ended.
            let _ = core.dealt_with(now, &token);
            None
        }
        (None, _) => None,
    };
    Some(Incoming {
        message: held.message,
        delivery,
        redelivered: held.redelivered,
        acknowledgement,
    })
}

impl Stream for Subscription {
    type Item = Incoming;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        self.get_mut().poll_message(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.claim != UNCLAIMED {
            self.client.with(|core, now| core.drop_claim(now, self.claim));
        }
    }
}

/// What codes say, as parts of one sentence.
fn write_meanings(f: &mut fmt::Formatter<'_>, meanings: impl Iterator<Item = &'static str>) -> fmt::Result {
    for (place, meaning) in meanings.enumerate() {
        let before = if place == 0 { "" } else { "; " };
        write!(f, "{before}{}", meaning.trim_end_matches('.'))?;
    }
    Ok(())
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filters(error) => write!(f, "the filters cannot be sent: {error}"),
            Self::NotTaken(refusal) => write!(f, "the request was not taken: {refusal}"),
            Self::Refused(codes) => {
                f.write_str("the server refused all filters: ")?;
                write_meanings(f, codes.iter().map(|code| code.meaning()))
            }
            Self::NotUnsubscribed(codes) => {
                f.write_str("the server did not unsubscribe all filters: ")?;
                write_meanings(f, codes.iter().map(|code| code.meaning()))
            }
            Self::Failed(outcome) => write!(f, "the request was not answered: {}", Ended(outcome)),
            Self::Ended(failure) => write!(f, "the client has ended: {failure}"),
        }
    }
}

impl std::error::Error for SubscribeError {}
