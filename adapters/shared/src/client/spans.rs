//! What the connection of a client does, for subscribers of `tracing`. Without that feature nothing of this is there.
//!
//! One span, `mqtt_client`, holds everything that the connection does. Payloads and passwords are in none of the events, topics
//! only where the level is `TRACE`.

use mqtt_session::Event;

use crate::{DialError, Endpoint};

/// The span of one client.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    #[cfg(feature = "tracing")]
    client: tracing::Span,
}

impl Spans {
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        Self {
            #[cfg(feature = "tracing")]
            client: tracing::info_span!("mqtt_client", server = %endpoint),
        }
    }

    /// Everything that `work` does belongs to the client.
    #[inline]
    pub(super) fn within<R>(&self, work: impl FnOnce() -> R) -> R {
        #[cfg(feature = "tracing")]
        let _entered = self.client.enter();
        work()
    }
}

#[cfg(feature = "tracing")]
pub(super) fn dialing() {
    tracing::debug!("opening a stream");
}

#[cfg(feature = "tracing")]
pub(super) fn dial_failed(error: &DialError) {
    tracing::warn!(%error, "no stream");
}

#[cfg(feature = "tracing")]
pub(super) fn event(event: &Event) {
    match event {
        Event::Connected { session_present, .. } => tracing::info!(session_present, "connected"),
        Event::Closed { reason, retry_at } => {
            tracing::info!(reason = %reason, tries_again = retry_at.is_some(), "the connection has ended");
        }
        Event::Message(received) => {
            let message = &received.message;
            let (topic, qos, bytes) = (&message.topic, message.qos, message.payload.len());
            let redelivered = received.redelivered;
            tracing::trace!(%topic, ?qos, bytes, redelivered, "a message has come");
        }
        Event::Completed { outcome, .. } => tracing::trace!(?outcome, "an operation has ended"),
        Event::Dropped { messages } => tracing::warn!(messages, "messages of QoS 0 were dropped"),
        _ => {}
    }
}

#[cfg(not(feature = "tracing"))]
mod silent {
    use super::{DialError, Event};

    #[inline(always)]
    pub(in crate::client) const fn dialing() {}

    #[inline(always)]
    pub(in crate::client) const fn dial_failed(_: &DialError) {}

    #[inline(always)]
    pub(in crate::client) const fn event(_: &Event) {}
}

#[cfg(not(feature = "tracing"))]
pub(super) use silent::{dial_failed, dialing, event};
