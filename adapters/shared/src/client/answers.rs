//! The exchanges of enhanced authentication, as the keeper leads them.
//!
//! The code of the application is called without the lock: it may have a handle of this very client.

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use mqtt_session::proto::AuthReason;
use mqtt_session::{Event, Instant};

use crate::authentication::Begin;
use crate::{Answering, AuthenticationError, Authenticator, ClientOptions};

/// What the application is asked.
#[derive(Clone, Debug)]
pub(super) enum Question {
    /// How CONNECT begins an exchange.
    Connect,
    /// How an open connection is authenticated again.
    Again,
    /// What is said to this data of the server.
    Server(Option<Bytes>),
}

/// The answer to a question, or why there is none.
pub(super) type Answer = Result<Option<Bytes>, AuthenticationError>;

/// Whoever answers for the application.
pub(super) struct Answers {
    begin: Option<Begin>,
    timeout: Duration,
    /// The exchange that is under way.
    authenticator: Option<Box<dyn Authenticator>>,
    asked: Option<Asked>,
    /// The server has to go on by then, on an open connection.
    server_until: Option<Instant>,
    /// The connection has ended. What belongs to it is dropped without the lock.
    is_over: bool,
}

struct Asked {
    question: Question,
    answering: Answering,
    until: Instant,
}

impl Answers {
    pub(super) fn new(options: &ClientOptions) -> Self {
        Self {
            begin: options.begin_authentication.clone(),
            timeout: options.authentication_timeout,
            authenticator: None,
            asked: None,
            server_until: None,
            is_over: false,
        }
    }

    /// Whether the application answers at all.
    pub(super) const fn is_wanted(&self) -> bool {
        self.begin.is_some()
    }

    /// When to poll again at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let asked = self.asked.as_ref().map(|asked| asked.until);
        asked.into_iter().chain(self.server_until).min()
    }

    /// The connection has ended, and its exchange with it.
    pub(super) fn end(&mut self) {
        self.is_over = true;
        self.server_until = None;
    }

    /// The server is to go on, on an open connection.
    pub(super) fn wait_for_server(&mut self, now: Instant) {
        self.server_until = Some(now.saturating_add(self.timeout));
    }

    /// Whether the server has taken too long, which is told once.
    pub(super) fn server_is_late(&mut self, now: Instant) -> bool {
        self.server_until.take_if(|until| *until <= now).is_some()
    }

    /// Whether the application is to see an event first.
    pub(super) fn step(&mut self, event: &Event) -> Option<Step> {
        match event {
            Event::Connected { .. } => Some(Step::Accepts),
            Event::Authenticate { reason, properties } => {
                self.server_until = None;
                if *reason == AuthReason::Success {
                    return Some(Step::Accepts);
                }
                let data = properties.authentication_data();
                let data = data.map(|data| Bytes::copy_from_slice(data.as_bytes()));
                Some(Step::Asks(Question::Server(data)))
            }
            _ => None,
        }
    }

    // ---- without the lock

    /// Asks the application.
    pub(super) fn ask(&mut self, question: Question, now: Instant) {
        self.forget_ended();
        if matches!(question, Question::Connect | Question::Again) {
            self.authenticator = self.begin.as_ref().map(|begin| begin());
        }
        let Some(authenticator) = &mut self.authenticator else {
            return;
        };
        let answering = match &question {
            Question::Connect | Question::Again => authenticator.first(),
            Question::Server(data) => authenticator.answer(data.clone()),
        };
        let until = now.saturating_add(self.timeout);
        self.asked = Some(Asked {
            question,
            answering,
            until,
        });
    }

    /// What the application says, once.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<(Question, Answer)> {
        self.forget_ended();
        let asked = self.asked.as_mut()?;
        let answer = match asked.answering.as_mut().poll(cx) {
            Poll::Ready(answer) => answer.map_err(AuthenticationError::Unanswered),
            Poll::Pending if now >= asked.until => Err(AuthenticationError::AnswerTimedOut),
            Poll::Pending => return None,
        };
        self.asked.take().map(|asked| (asked.question, answer))
    }

    /// The server has accepted: what its last word comes to.
    pub(super) fn accept(&mut self, event: &Event) -> Result<(), AuthenticationError> {
        let data = match event {
            Event::Connected { properties, .. } => properties.authentication_data(),
            Event::Authenticate { properties, .. } => properties.authentication_data(),
            _ => None,
        };
        let data = data.map(|data| Bytes::copy_from_slice(data.as_bytes()));
        match self.authenticator.take() {
            Some(mut authenticator) => authenticator.accepted(data).map_err(AuthenticationError::Unanswered),
            None => Ok(()),
        }
    }

    fn forget_ended(&mut self) {
        if std::mem::take(&mut self.is_over) {
            self.asked = None;
            self.authenticator = None;
        }
    }
}

/// What an event of the machine has to do with an authentication.
pub(super) enum Step {
    /// The application is asked.
    Asks(Question),
    /// The server has accepted.
    Accepts,
}
