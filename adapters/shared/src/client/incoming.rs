//! A message that has been taken from its stream.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use mqtt_session::proto::ReasonCode;
use mqtt_session::{AcknowledgeError, DeliveryId, Message};

use super::Shared;
use super::acceptance::Place;
use super::claims::Token;
use crate::Failure;

/// A message that has been taken from its stream.
#[derive(Debug)]
#[non_exhaustive]
pub struct Incoming {
    /// The message.
    pub message: Message,
    /// The number of this hand-over, for a message of QoS 1 or 2. A client with a store tells a message that was not
    /// acknowledged again after a restart, under the same number, and uses no number again. So an application that keeps the
    /// number together with what the message does has that done once.
    pub delivery: Option<DeliveryId>,
    /// The same hand-over was told before, in an earlier life of this client: what the message does may have been done.
    pub redelivered: bool,
    /// With [`Acknowledge::ByApplication`](crate::Acknowledge::ByApplication): what a message of QoS 1 or 2 is acknowledged
    /// by. Without a store the server is told nothing until then, and sends no more than `receive_maximum` such messages. With
    /// one it has been told when the message was stored, and this is what takes the message out of the store.
    pub acknowledgement: Option<Acknowledgement>,
}

impl Incoming {
    /// The message has been dealt with: the same as [`Acknowledgement::acknowledge`], and nothing where there is none, which is
    /// so for QoS 0 and for messages that the client acknowledges by itself.
    ///
    /// ```no_run
    /// # async fn example(mut jobs: mqtt_adapter::Subscription) -> Result<(), Box<dyn std::error::Error>> {
    /// while let Some(incoming) = jobs.next().await {
    ///     println!("{:?}", incoming.message.payload);
    ///     incoming.acknowledge()?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the message is of QoS 1 and its connection has ended: the server sends it again. Not with a store.
    pub fn acknowledge(self) -> Result<Acknowledged, AcknowledgeError> {
        match self.acknowledgement {
            Some(acknowledgement) => acknowledgement.acknowledge(),
            None => Ok(Acknowledged { storing: None }),
        }
    }

    /// The message is refused with this reason: the same as [`Acknowledgement::refuse`], and nothing where there is none.
    ///
    /// # Errors
    /// If no acknowledgement can carry the reason, or the message is of QoS 1 and its connection has ended. With a store
    /// always in MQTT 5.0: the server was told that the message was stored. It stays there.
    pub fn refuse(self, reason: ReasonCode) -> Result<(), AcknowledgeError> {
        match self.acknowledgement {
            Some(acknowledgement) => acknowledgement.refuse(reason),
            None => Ok(()),
        }
    }
}

/// The right to acknowledge one message, once. One that is dropped has acknowledged nothing. Without a store, the server sends
/// the message again on another connection (QoS 1), or waits for as long as the session lasts (QoS 2). With one, the message
/// stays in it, and is told again by the next client of the session; while `inbox_messages` of
/// [`Limits`](mqtt_session::Limits) stay there, no further ones are told.
///
/// If a message belongs to several subscriptions of this client, each gets one, and the server is told when all have been
/// used.
#[must_use = "a message that is never acknowledged comes again"]
pub struct Acknowledgement {
    pub(super) shared: Arc<Shared>,
    pub(super) token: Token,
}

impl Acknowledgement {
    /// The message has been dealt with, and will be acknowledged whatever becomes of what is returned: that waits until it is
    /// durable, if there is a store. A process that dies before may be told the message again.
    ///
    /// # Errors
    /// If the message is of QoS 1 and its connection has ended: the server sends it again. Not with a store.
    pub fn acknowledge(self) -> Result<Acknowledged, AcknowledgeError> {
        let storing = self.shared.with(|core, now| {
            core.dealt_with(now, &self.token)?;
            Ok(core.is_durable().then(|| core.acceptance.begin()))
        })?;
        Ok(Acknowledged {
            storing: storing.map(|place| (self.shared, place)),
        })
    }

    /// The message is refused with this reason. MQTT 3 cannot say so: there it is acknowledged.
    ///
    /// # Errors
    /// If no acknowledgement can carry the reason, or the message is of QoS 1 and its connection has ended. With a store
    /// always in MQTT 5.0: the server was told that the message was stored. It stays there.
    pub fn refuse(self, reason: ReasonCode) -> Result<(), AcknowledgeError> {
        self.shared.with(|core, now| core.refuse(now, &self.token, reason))
    }

    /// The number of this hand-over.
    #[must_use]
    pub const fn delivery(&self) -> DeliveryId {
        self.token.delivery
    }
}

/// Waits until an acknowledgement is durable: from then on the message is not told again, in this life or another. Without a
/// store it is ready at once. Nothing depends on whether it is awaited; it is no handle that keeps the client.
///
/// If a message belongs to several subscriptions, the last one of their acknowledgements is what is stored.
pub struct Acknowledged {
    storing: Option<(Arc<Shared>, Place)>,
}

impl Future for Acknowledged {
    /// Or why the store was not told any more.
    type Output = Result<(), Arc<Failure>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some((shared, place)) = &this.storing else {
            return Poll::Ready(Ok(()));
        };
        let stored = shared.with(|core, _| core.poll_stored(*place, cx));
        if stored.is_ready() {
            this.storing = None;
        }
        stored
    }
}

impl Drop for Acknowledged {
    fn drop(&mut self) {
        if let Some((shared, place)) = self.storing.take() {
            shared.with(|core, _| core.acceptance.leave(place, &mut core.wakers));
        }
    }
}

impl fmt::Debug for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acknowledged")
            .field("waits", &self.storing.is_some())
            .finish()
    }
}

impl fmt::Debug for Acknowledgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Acknowledgement").field(&self.token.delivery).finish()
    }
}
