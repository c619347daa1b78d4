//! What a broker asks of the connections that it hosts.

use alloc::vec::Vec;

use mqtt_proto::{QoS, Version};

use super::{Accept, AcceptError, AcceptErrorKind, Phase, ServerConnection};
use crate::flow::Pressed;
use crate::qos::{Withdrawable, Withdrawn};
use crate::session::{Holding, SessionState};
use crate::time::Instant;
use crate::{Message, PublishError};

impl ServerConnection {
    /// Whether a client waits for an answer and this one could be given, whichever session comes with it.
    pub(crate) fn can_accept(&self, accept: &Accept) -> Result<(), AcceptErrorKind> {
        self.check(accept)?;
        self.connack(accept).map(|_| ())
    }

    /// Accepts, with a session that is stored if it outlives the connection and there is a store.
    pub(crate) fn accept_as(&mut self, now: Instant, accept: Accept, has_store: bool) -> Result<(), AcceptError> {
        self.advance(now);
        let expiry = self.granted_expiry().unwrap_or(self.session_expiry_seconds);
        if has_store && expiry > 0 && accept.session.is_none() {
            self.flow.session.keep_in_store();
        }
        self.accept(now, accept)
    }

    /// Queues a message for the client. A connection that has ended and was not dealt with still has the session: there it
    /// waits for the next connection, as it would in the session alone.
    ///
    /// A message for a client of MQTT 3 keeps its properties: it may get to another client yet, or to this one by MQTT 5.0.
    ///
    /// All sessions of the broker together have so many bytes `left`.
    pub(crate) fn queue(&mut self, now: Instant, message: Message, tag: u64, left: u64) -> Result<(), PublishError> {
        if self.phase == Phase::Connected && self.version.has_properties() {
            return self.publish_within(now, message, tag, left).map(|_| ());
        }
        if self.phase != Phase::Connected {
            if !self.has_session {
                return Err(PublishError::Closed);
            }
            if message.qos == QoS::AtMostOnce {
                return Ok(());
            }
        }
        self.advance(now);
        self.flow.queue_for_any(message, tag, left)
    }

    /// It is this late.
    #[inline]
    pub(crate) fn tell_time(&mut self, now: Instant) {
        self.advance(now);
    }

    /// While it pauses, nothing is read from the client, and what waits for it stands still.
    pub(crate) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Nothing that waits to be sent is sent any more.
    pub(crate) fn fall_silent(&mut self) {
        self.connack = None;
        self.wire.give_up();
    }

    /// How many packets were read since the last call.
    pub(crate) fn take_packets(&mut self) -> u32 {
        core::mem::take(&mut self.packets)
    }

    /// What comes next may be long in coming: queues that hold nothing give their memory back.
    pub(crate) fn rest(&mut self) {
        self.flow.rest();
        self.requests.rest();
        crate::rest::buffer(&mut self.wire.urgent);
    }

    /// Nothing but a packet that asks for something was told: its place is not wanted again soon.
    pub(crate) fn rest_events(&mut self) {
        self.flow.rest_events();
    }

    /// While it is held, nothing is sent that was not sent before.
    pub(crate) fn hold(&mut self, is_held: bool) {
        self.flow.session.outgoing.hold(is_held);
    }

    /// Takes messages out that were never sent and are not wanted any more.
    pub(crate) fn withdraw_unsent(&mut self, mut is_wanted: impl FnMut(Withdrawable<'_>) -> bool) -> Vec<Withdrawn> {
        let mut withdrawn = self.flow.session.withdraw_unsent(&mut is_wanted);
        self.flow.withdraw_frames(is_wanted, &mut withdrawn);
        withdrawn
    }

    /// Whether the client is sent messages of QoS 0 as they are encoded for a version, and which that is.
    #[inline]
    pub(crate) fn takes_frames(&self) -> Option<Version> {
        if self.phase == Phase::Connected {
            self.flow.takes_frames()
        } else {
            None
        }
    }

    /// Queues a message of QoS 0 that is encoded. All sessions of the broker together have so many bytes `left`. An error says
    /// that it was not queued, or that others gave way to it.
    #[inline]
    pub(crate) fn queue_frame(&mut self, frame: &[u8], retain: bool, left: u64) -> Result<(), Pressed> {
        self.flow.queue_frame(frame, retain, left)
    }

    /// How many bytes the messages take that wait for the client or are on their way to it.
    #[inline]
    pub(crate) fn queued_bytes(&self) -> u64 {
        self.flow.queued_bytes()
    }

    /// A time before which nothing is due, known without looking.
    #[inline]
    pub(crate) fn idle_until(&self) -> Instant {
        if self.flow.session.outgoing.has_deadlines() {
            return Instant::ZERO;
        }
        self.wire.timers.bound()
    }

    /// When something is due.
    pub(crate) fn find_deadline(&mut self) -> Option<Instant> {
        self.wire.timers.find_bound();
        self.poll_timeout().map(|timeout| timeout.at)
    }

    /// Whether there is nothing to tell.
    #[inline]
    pub(crate) fn is_told(&self) -> bool {
        self.flow.is_told()
    }

    /// Whether there is nothing to be sent, and the driver has taken all that was.
    #[inline]
    pub(crate) fn is_silent(&self) -> bool {
        self.phase == Phase::Connected && self.connack.is_none() && !self.wire.has_output() && self.flow.is_silent()
    }

    /// Whether a message of QoS 0 waits to be sent.
    pub(crate) fn has_plain(&self) -> bool {
        self.phase == Phase::Connected && self.flow.session.outgoing.has_plain()
    }

    /// Whether messages are queued for the client, on this connection or for its next one.
    pub(crate) fn takes_messages(&self) -> bool {
        self.phase == Phase::Connected || self.has_session && self.session_expiry_seconds > 0
    }

    /// Whether the connection has ended: nothing more is taken from it.
    pub(crate) fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// How long the session outlives the connection, in seconds.
    pub(crate) const fn session_expiry_seconds(&self) -> u32 {
        self.session_expiry_seconds
    }

    /// How many messages to the client have not ended.
    pub(crate) fn outgoing_len(&self) -> usize {
        self.flow.outgoing_len()
    }

    /// What the session and the connection hold for the client.
    pub(crate) fn holding(&self) -> Holding {
        let (messages, bytes) = self.flow.frames_waiting();
        let held = self.flow.session.holding();
        Holding {
            messages: held.messages.saturating_add(messages),
            bytes: held.bytes.saturating_add(bytes),
            ..held
        }
    }

    /// The session, as long as it is here.
    pub(crate) const fn session(&self) -> &SessionState {
        &self.flow.session
    }

    /// The keep-alive of the client in seconds.
    pub(crate) const fn keep_alive_seconds(&self) -> u16 {
        self.keep_alive_seconds
    }

    /// Whether there may be something for the store.
    pub(crate) fn has_changes(&self) -> bool {
        self.flow.session.has_changes()
    }
}
