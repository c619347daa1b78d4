//! Authenticating again on the open connection.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mqtt_session::{AuthenticateError, Instant};

use super::Client;
use super::answers::{Answer, Question};
use super::core::Core;
use super::wakers::Wakers;
use crate::authentication::first_data;
use crate::{AuthenticationError, Cause, Failure};

/// Why an open connection was not authenticated again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReauthenticateError {
    /// The options name no method: see [`ClientOptions::authentication`](crate::ClientOptions::authentication).
    NoMethod,
    /// There is no connection. The next one begins with an authentication anyway.
    NotConnected,
    /// The one before has not ended.
    UnderWay,
    /// The application did not say how it begins. The connection goes on.
    NotBegun(AuthenticationError),
    /// The connection has ended: the server refused, the application did, or there was another reason.
    Failed(Arc<Failure>),
}

type Ended = Result<(), ReauthenticateError>;

/// The authentication that is under way, and who waits for its end.
#[derive(Debug, Default)]
pub(super) struct Reauthentication {
    last: u64,
    current: Option<u64>,
    /// The keeper has not begun it yet.
    is_wanted: bool,
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    waker: Option<Waker>,
    ended: Option<Ended>,
}

impl Reauthentication {
    fn begin(&mut self) -> u64 {
        self.last += 1;
        self.current = Some(self.last);
        self.is_wanted = true;
        self.waiting.insert(self.last, Waiting::default());
        self.last
    }

    /// Whether the keeper is to begin one.
    pub(super) fn take_wanted(&mut self) -> bool {
        std::mem::take(&mut self.is_wanted)
    }

    pub(super) const fn is_under_way(&self) -> bool {
        self.current.is_some()
    }

    /// The one that is under way has ended, if there is one.
    pub(super) fn end(&mut self, wakers: &mut Wakers, ended: impl FnOnce() -> Ended) {
        self.is_wanted = false;
        let current = self.current.take();
        if let Some(waiting) = current.and_then(|number| self.waiting.get_mut(&number)) {
            waiting.ended = Some(ended());
            wakers.wake(waiting.waker.take());
        }
    }

    fn poll(&mut self, number: u64, waker: &Waker, wakers: &mut Wakers) -> Poll<Ended> {
        let Some(waiting) = self.waiting.get_mut(&number) else {
            return Poll::Pending;
        };
        match waiting.ended.take() {
            Some(ended) => Poll::Ready(ended),
            None => {
                wakers.put(&mut waiting.waker, waker);
                Poll::Pending
            }
        }
    }
}

impl Core {
    fn begin_reauthentication(&mut self) -> Result<u64, ReauthenticateError> {
        if let Some(failure) = self.refuses() {
            return Err(ReauthenticateError::Failed(failure));
        }
        if !self.has_authenticator {
            return Err(ReauthenticateError::NoMethod);
        }
        if !self.driver.machine().is_connected() {
            return Err(ReauthenticateError::NotConnected);
        }
        if self.reauthentication.is_under_way() {
            return Err(ReauthenticateError::UnderWay);
        }
        self.call_keeper();
        Ok(self.reauthentication.begin())
    }

    /// The application has answered. Whether a stream is to be opened.
    pub(super) fn answered(&mut self, now: Instant, question: &Question, answer: Answer) -> bool {
        let machine = self.driver.machine_mut();
        match (question, answer) {
            (Question::Connect, answer) => match answer.and_then(first_data) {
                Ok(data) => {
                    machine.set_authentication_data(data);
                    return true;
                }
                Err(error) => self.not_opened(now, error.may_succeed_later(), Cause::Authentication(error)),
            },
            (Question::Again, Ok(data)) => match machine.reauthenticate(now, data.as_deref()) {
                Ok(()) => {}
                Err(AuthenticateError::NotAsked) => self.not_begun(ReauthenticateError::NotConnected),
                Err(error) => self.not_begun(ReauthenticateError::NotBegun(AuthenticationError::NotSent(error))),
            },
            (Question::Again, Err(error)) => self.not_begun(ReauthenticateError::NotBegun(error)),
            (Question::Server(_), Ok(data)) => match machine.authenticate(now, data.as_deref()) {
                // The connection has ended, and says itself why.
                Ok(()) | Err(AuthenticateError::NotAsked) => {}
                Err(error) => self.authentication_failed(AuthenticationError::NotSent(error)),
            },
            (Question::Server(_), Err(error)) => self.authentication_failed(error),
        }
        false
    }

    fn not_begun(&mut self, error: ReauthenticateError) {
        self.reauthentication.end(&mut self.wakers, || Err(error));
    }

    /// The exchange cannot go on, and the connection with it.
    pub(super) fn authentication_failed(&mut self, error: AuthenticationError) {
        self.cut_for(Cause::Authentication(error));
    }
}

impl Client {
    /// Authenticates again on the open connection, by the method of [`ClientOptions::authentication`]: before a token runs out,
    /// for instance. Messages go on meanwhile.
    ///
    /// A dropped future does not stop it.
    ///
    /// [`ClientOptions::authentication`]: crate::ClientOptions::authentication
    ///
    /// # Errors
    /// If it cannot begin, or the connection ends before the server has accepted.
    pub async fn reauthenticate(&self) -> Result<(), ReauthenticateError> {
        let number = self.with(|core, _| core.begin_reauthentication())?;
        let waiter = Waiter { client: self, number };
        poll_fn(|cx| waiter.poll(cx)).await
    }
}

struct Waiter<'c> {
    client: &'c Client,
    number: u64,
}

impl Waiter<'_> {
    fn poll(&self, cx: &Context<'_>) -> Poll<Ended> {
        self.client
            .with(|core, _| core.reauthentication.poll(self.number, cx.waker(), &mut core.wakers))
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.client.with(|core, _| {
            let waiting = core.reauthentication.waiting.remove(&self.number);
            core.wakers.discard(waiting.and_then(|waiting| waiting.waker));
        });
    }
}

impl fmt::Display for ReauthenticateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMethod => f.write_str("the options name no authentication method"),
            Self::NotConnected => f.write_str("there is no connection to authenticate again on"),
            Self::UnderWay => f.write_str("the authentication before has not ended"),
            Self::NotBegun(error) => error.fmt(f),
            Self::Failed(failure) => write!(f, "the connection has ended: {failure}"),
        }
    }
}

impl std::error::Error for ReauthenticateError {}
