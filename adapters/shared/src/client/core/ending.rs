//! What ends a connection, and with it perhaps the client.

use std::io;
use std::sync::Arc;

use mqtt_session::{Closed, Instant, Violation};

use super::Core;
use crate::client::reauthentication::ReauthenticateError;
use crate::client::states::ConnectionState;
use crate::{Cause, DialError, Failure, LayerError, Stranger};

/// What the stream was like that has ended.
pub(in crate::client) struct Ending {
    pub(in crate::client) greeting: Vec<u8>,
    pub(in crate::client) error: Option<io::Error>,
}

impl Core {
    pub(super) fn on_closed(&mut self, now: Instant, reason: Closed, retry_at: Option<Instant>, ending: Ending) {
        let was_accepted = std::mem::take(&mut self.is_accepted);
        self.has_stream = false;
        self.statistics.disconnections += 1;
        let is_stranger = !was_accepted
            && matches!(
                reason,
                Closed::Malformed(_) | Closed::Violation(Violation::PacketBeforeConnAck, _)
            );
        if let Some(cause) = self.store_failure.take() {
            return self.end(cause);
        }
        // What a layer has against a server is told as in a handshake, as long as the server has accepted nothing; a mere end
        // is the server's.
        let refusal = |error: &&io::Error| !was_accepted && error.kind() != io::ErrorKind::UnexpectedEof;
        let fault = ending.error.as_ref().filter(refusal).and_then(LayerError::of).cloned();
        let is_final = is_stranger
            || fault.as_ref().is_some_and(|fault| !fault.may_succeed_later())
            || matches!(&self.cut, Some(Cause::Authentication(error)) if !error.may_succeed_later());
        let cause = match (self.cut.take(), reason) {
            (Some(cause), _) => cause,
            (None, _) if is_stranger => Cause::NotMqtt(Stranger::from_greeting(&ending.greeting)),
            (None, Closed::ByHost(_)) => Cause::Disconnected,
            (None, Closed::StreamEnded) => match (fault, ending.error) {
                (Some(fault), _) => Cause::Dial(DialError::Layer(fault)),
                (None, Some(error)) => Cause::Broken(Arc::new(error)),
                (None, None) => Cause::Closed(Closed::StreamEnded),
            },
            (None, reason) => Cause::Closed(reason),
        };
        let failure = self.failure(cause);
        let failed = || Err(ReauthenticateError::Failed(Arc::clone(&failure)));
        self.reauthentication.end(&mut self.wakers, failed);
        match retry_at {
            Some(at) if !is_final => {
                let retry_in = at.saturating_since(now);
                let state = ConnectionState::Disconnected { failure, retry_in };
                self.states.push(state, &mut self.wakers);
            }
            _ => {
                self.driver.machine_mut().abort(now);
                self.end_for(failure);
            }
        }
    }

    fn failure(&self, cause: Cause) -> Arc<Failure> {
        let endpoint = self.endpoint.clone();
        Arc::new(Failure { endpoint, cause })
    }

    /// All batches up to this one are durable.
    pub(in crate::client) fn stored(&mut self, now: Instant, upto: u64) {
        self.driver.machine_mut().handle_stored(now, upto);
        self.acceptance.stored(upto, &mut self.wakers);
    }

    /// Nothing can be promised any more: nothing is acknowledged, and the client ends.
    pub(in crate::client) fn store_failed(&mut self, now: Instant, cause: Cause) {
        self.has_lost_store = true;
        self.driver.machine_mut().handle_store_failed(now);
        if self.has_stream {
            // The machine tells the end of the connection.
            self.store_failure = Some(cause);
        } else {
            self.end(cause);
        }
    }

    /// Ends the connection if the application wants to go and everything has ended, or its time has come.
    pub(in crate::client) fn go_if_done(&mut self, now: Instant) {
        let Some(until) = self.leaving else { return };
        if self.ending.is_some() || (self.unfinished() > 0 && now < until) {
            return;
        }
        let machine = self.driver.machine_mut();
        if now < until {
            machine.disconnect_with(now, self.farewell.clone());
        } else {
            machine.abort(now);
        }
        if !self.has_stream {
            // The machine tells the end of a connection, and there is none.
            self.end(Cause::Disconnected);
        }
    }

    /// There will be no connection any more.
    pub(in crate::client) fn end(&mut self, cause: Cause) {
        self.end_for(self.failure(cause));
    }

    fn end_for(&mut self, failure: Arc<Failure>) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(failure);
        if !self.is_durable() {
            self.finish();
        }
    }

    /// Everything has ended, and is stored if it is to be.
    pub(in crate::client) fn finish(&mut self) {
        let Some(failure) = self.ending.clone().filter(|_| self.ended.is_none()) else {
            return;
        };
        self.ended = Some(Arc::clone(&failure));
        let failed = || Err(ReauthenticateError::Failed(Arc::clone(&failure)));
        self.reauthentication.end(&mut self.wakers, failed);
        self.acceptance.call_all(&mut self.wakers);
        self.states.push(ConnectionState::Ended { failure }, &mut self.wakers);
        self.claims.end_all(&mut self.wakers);
        self.ops.wake_all(&mut self.wakers);
        self.messages_line.call_all(&mut self.wakers);
        self.requests_line.call_all(&mut self.wakers);
    }
}
