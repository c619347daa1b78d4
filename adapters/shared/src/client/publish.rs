//! Publishing: taken now or when there is room, and told how it ended.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use mqtt_session::proto::ReasonCode;
use mqtt_session::{Capability, Instant, Message, Outcome, PublishError as Refusal, QoS};

use super::Client;
use super::acceptance::Place;
use super::core::Core;
use super::ops::NOBODY;
use crate::Failure;

/// How far a published message has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Published {
    /// The client has taken it, and sends it as soon and as often as it has to. With a store, a message of QoS 1 or 2 is
    /// durable: it survives the process.
    Accepted,
    /// A message of QoS 0 has been given to the stream. Nobody will say more about it.
    Sent,
    /// The server has it: PUBACK or PUBCOMP with this reason.
    Acknowledged(ReasonCode),
}

/// Why a message was not published, or will not arrive.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PublishError {
    /// The client did not take it.
    NotTaken(Refusal),
    /// It ended otherwise than by being sent (QoS 0) or acknowledged.
    Failed(Outcome),
    /// The client has ended. A message that it had taken may have arrived.
    Ended(Arc<Failure>),
}

/// Why a message was not taken at once; and the message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TryPublishError {
    /// Why.
    pub error: PublishError,
    /// What was to be published.
    pub message: Box<Message>,
}

impl TryPublishError {
    /// The queue is full, so the message is taken when there is room: [`Client::publish`] waits for that. Everything else
    /// stays as it is.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self.error, PublishError::NotTaken(Refusal::QueueFull(_)))
    }
}

impl Client {
    /// Publishes a message: waits for room in the queue, if it is full, and then until the message has been sent (QoS 0) or
    /// acknowledged. [`Publish::accepted`] waits less long.
    ///
    /// Nothing happens until the future is polled. One that is dropped while it waits for room has published nothing; one
    /// that is dropped later has published the message.
    pub fn publish(&self, message: Message) -> Publish<'_> {
        Publish {
            client: self,
            message: Some(message),
            place: None,
            tag: None,
            storing: None,
            waits_for_outcome: true,
        }
    }

    /// Publishes a message at once, if there is room for it. What is returned waits for its end. With a store the message is
    /// not durable yet when this returns: [`Publish::accepted`] says when one is.
    ///
    /// # Errors
    /// If the queue is full, the message can never be sent, or the client has ended.
    pub fn try_publish(&self, message: Message) -> Result<Completion, TryPublishError> {
        let taken = self.with(|core, now| {
            if let Some(failure) = core.refuses() {
                return Err(PublishError::Ended(failure));
            }
            let tag = core.ops.begin();
            core.publish(now, message.clone(), tag).map_err(PublishError::NotTaken)
        });
        match taken {
            Ok(tag) => Ok(Completion {
                client: self.clone(),
                tag: Some(tag),
            }),
            Err(error) => Err(TryPublishError {
                error,
                message: Box::new(message),
            }),
        }
    }
}

impl Core {
    /// Why nothing is taken any more.
    pub(super) fn refuses(&self) -> Option<Arc<Failure>> {
        if let Some(failure) = &self.ending {
            return Some(Arc::clone(failure));
        }
        self.leaving.map(|_| {
            let endpoint = self.endpoint.clone();
            let cause = crate::Cause::Disconnected;
            Arc::new(Failure { endpoint, cause })
        })
    }

    /// Gives a message to the machine, and returns its tag.
    fn publish(&mut self, now: Instant, message: Message, tag: u64) -> Result<u64, Refusal> {
        let taken = match message.qos <= self.maximum_qos {
            true => self.driver.machine_mut().publish(now, message, tag),
            false => Err(Refusal::NotSupported(Capability::QoS)),
        };
        match taken {
            Ok(_) => {
                self.message_taken();
                Ok(tag)
            }
            Err(refusal) => {
                self.ops.withdraw(tag);
                Err(refusal)
            }
        }
    }
}

/// A message that is being published: see [`Client::publish`].
#[derive(Debug)]
#[must_use = "nothing is published until the future is polled"]
pub struct Publish<'c> {
    client: &'c Client,
    message: Option<Message>,
    /// The place in the line of those who wait for room.
    place: Option<u64>,
    tag: Option<u64>,
    /// Waits for the store.
    storing: Option<Place>,
    waits_for_outcome: bool,
}

impl Publish<'_> {
    /// Waits only until the client has taken the message: with a store, and for QoS 1 and 2, until the message is durable.
    pub fn accepted(mut self) -> Self {
        self.waits_for_outcome = false;
        self
    }

    /// Tries to get the message taken.
    fn poll_taken(&mut self, core: &mut Core, now: Instant, cx: &Context<'_>) -> Poll<Result<(), PublishError>> {
        let Some(message) = &self.message else {
            return Poll::Ready(Ok(()));
        };
        if let Some(failure) = core.refuses() {
            return Poll::Ready(Err(PublishError::Ended(failure)));
        }
        if core.messages_line.is_turn(self.place) {
            let tag = if self.waits_for_outcome {
                core.ops.begin()
            } else {
                NOBODY
            };
            match core.publish(now, message.clone(), tag) {
                Ok(tag) => {
                    self.tag = Some(tag).filter(|_| self.waits_for_outcome);
                    let waits_for_store =
                        core.is_durable() && !self.waits_for_outcome && message.qos != QoS::AtMostOnce;
                    self.storing = waits_for_store.then(|| core.acceptance.begin());
                    self.message = None;
                    // There may be room for the next one too.
                    if let Some(place) = self.place.take() {
                        core.messages_line.leave(place, &mut core.wakers);
                    }
                    return Poll::Ready(Ok(()));
                }
                // With nothing in the queue there will never be more room.
                Err(Refusal::QueueFull(_)) if core.has_unfinished_messages() => {}
                Err(refusal) => return Poll::Ready(Err(PublishError::NotTaken(refusal))),
            }
        }
        self.place = Some(core.messages_line.wait(self.place, cx.waker(), &mut core.wakers));
        Poll::Pending
    }
}

impl Publish<'_> {
    /// Waits until the message is durable, if there is a store.
    fn poll_stored(&mut self, core: &mut Core, cx: &Context<'_>) -> Poll<Result<(), PublishError>> {
        let Some(place) = self.storing else {
            return Poll::Ready(Ok(()));
        };
        let stored = core.poll_stored(place, cx);
        if matches!(stored, Poll::Ready(Ok(()))) {
            self.storing = None;
        }
        stored.map_err(PublishError::Ended)
    }
}

impl Future for Publish<'_> {
    type Output = Result<Published, PublishError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let client = this.client;
        client.with(|core, now| {
            match this.poll_taken(core, now, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
            let Some(tag) = this.tag else {
                return this.poll_stored(core, cx).map_ok(|()| Published::Accepted);
            };
            let ended = core.poll_outcome(tag, cx.waker());
            if ended.is_ready() {
                this.tag = None;
            }
            ended.map(published)
        })
    }
}

impl Drop for Publish<'_> {
    fn drop(&mut self) {
        let (place, tag, storing) = (self.place.take(), self.tag.take(), self.storing.take());
        if place.is_some() || tag.is_some() || storing.is_some() {
            self.client.with(|core, _| {
                if let Some(storing) = storing {
                    core.acceptance.leave(storing, &mut core.wakers);
                }
                if let Some(place) = place {
                    core.messages_line.leave(place, &mut core.wakers);
                }
                if let Some(tag) = tag {
                    core.ops.forget(tag, &mut core.wakers);
                }
            });
        }
    }
}

/// Waits for the end of a message that was taken. The message goes its way without it too.
#[derive(Debug)]
pub struct Completion {
    client: Client,
    tag: Option<u64>,
}

impl Future for Completion {
    type Output = Result<Published, PublishError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(tag) = this.tag else { return Poll::Pending };
        let ended = this.client.with(|core, _| core.poll_outcome(tag, cx.waker()));
        if ended.is_ready() {
            this.tag = None;
        }
        ended.map(published)
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(tag) = self.tag {
            self.client.with(|core, _| core.ops.forget(tag, &mut core.wakers));
        }
    }
}

fn published(ended: Result<Outcome, Arc<Failure>>) -> Result<Published, PublishError> {
    match ended {
        Ok(Outcome::Sent) => Ok(Published::Sent),
        Ok(Outcome::Acknowledged(reason)) => Ok(Published::Acknowledged(reason)),
        Ok(outcome) => Err(PublishError::Failed(outcome)),
        Err(failure) => Err(PublishError::Ended(failure)),
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTaken(refusal) => write!(f, "the message was not taken: {refusal}"),
            Self::Failed(outcome) => write!(f, "the message was not delivered: {}", Ended(outcome)),
            Self::Ended(failure) => write!(f, "the client has ended: {failure}"),
        }
    }
}

impl std::error::Error for PublishError {}

impl fmt::Display for TryPublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for TryPublishError {}

/// How an operation ended, for people.
pub(super) struct Ended<'o>(pub(super) &'o Outcome);

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Outcome::Refused(reason) => write!(f, "the server refused it: {}", reason.meaning().trim_end_matches('.')),
            Outcome::Expired => f.write_str("it expired before it was sent"),
            Outcome::Dropped(limit) => write!(f, "it was dropped to stay within a limit ({limit:?})"),
            Outcome::TooLarge { bytes, limit } => {
                write!(f, "it takes {bytes} bytes, and the server accepts {limit}")
            }
            Outcome::NotSupported(capability) => write!(f, "the server does not support this: {capability:?}"),
            Outcome::SessionLost => f.write_str("the server has lost the session; it may have arrived"),
            Outcome::Cancelled => f.write_str("it was cancelled"),
            other => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use mqtt_session::proto::ReasonCode;

    use super::*;

    #[test]
    fn a_refusal_is_told_as_a_part_of_a_sentence() {
        let refused = PublishError::Failed(Outcome::Refused(ReasonCode::NotAuthorized));
        assert_eq!(
            refused.to_string(),
            "the message was not delivered: the server refused it: Not authorized"
        );
    }
}
