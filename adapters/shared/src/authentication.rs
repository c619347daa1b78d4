//! Enhanced authentication, since MQTT 5.0: how an application answers what a server asks.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mqtt_session::proto::{Binary, Text};
use mqtt_session::{AuthenticateError, Authentication};

use crate::{ClientOptions, OptionsError};

/// What the application says to the server, as soon as it knows: the data, if there is any.
pub type Answering = Pin<Box<dyn Future<Output = Result<Option<Bytes>, Unanswered>> + Send>>;

/// The client's side of one exchange of an authentication method. Each exchange has a value of its own, so nothing of one that
/// was cut gets into the next.
///
/// Futures are polled by what keeps the connection: they may wait, for an answer of another server perhaps, and must not
/// block. How long they may take is [`ClientOptions::authentication_timeout`].
///
/// ```
/// use bytes::Bytes;
/// use mqtt_adapter::{Answering, Authenticator, ClientOptions, Unanswered};
///
/// /// Sends back what the server says, turned round.
/// struct Reverse;
///
/// impl Authenticator for Reverse {
///     fn answer(&mut self, data: Option<Bytes>) -> Answering {
///         Box::pin(async move {
///             let data = data.ok_or_else(|| Unanswered::never("the server asks nothing"))?;
///             Ok(Some(data.iter().rev().copied().collect()))
///         })
///     }
/// }
///
/// let options = ClientOptions::tcp("broker.example", 1883).authentication("REVERSE", || Reverse)?;
/// # Ok::<(), mqtt_adapter::OptionsError>(())
/// ```
pub trait Authenticator: Send {
    /// How the exchange begins: in CONNECT, or in the AUTH of [`Client::reauthenticate`](crate::Client::reauthenticate). By
    /// default with nothing.
    fn first(&mut self) -> Answering {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// The server asks with this data.
    fn answer(&mut self, data: Option<Bytes>) -> Answering;

    /// The server has accepted, and this is its last word: for methods in which it proves who it is. Nothing is sent to it
    /// before this returns. By default there is nothing to be proven.
    ///
    /// # Errors
    /// If the server is not who it should be. The connection ends.
    fn accepted(&mut self, data: Option<Bytes>) -> Result<(), Unanswered> {
        let _ = data;
        Ok(())
    }
}

/// The application does not answer, and why.
#[derive(Clone, Debug)]
pub struct Unanswered {
    error: Arc<dyn Error + Send + Sync>,
    may_succeed_later: bool,
}

impl Unanswered {
    /// Trying again would not help: what the server says is wrong, or there is no secret.
    #[must_use]
    pub fn never(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            error: Arc::from(error.into()),
            may_succeed_later: false,
        }
    }

    /// Another connection may do better: whoever has the secret could not be asked.
    #[must_use]
    pub fn later(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            may_succeed_later: true,
            ..Self::never(error)
        }
    }
}

/// Why an exchange of enhanced authentication came to no end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// The [`Authenticator`] of the application does not answer.
    Unanswered(Unanswered),
    /// It did not answer within [`ClientOptions::authentication_timeout`].
    AnswerTimedOut,
    /// The server did not go on with an authentication of the open connection within that time.
    ServerTimedOut,
    /// The server asks, and the client has no [`Authenticator`].
    NoAuthenticator,
    /// The answer cannot be sent.
    NotSent(AuthenticateError),
}

impl AuthenticationError {
    /// Whether another connection may do better.
    #[must_use]
    pub const fn may_succeed_later(&self) -> bool {
        match self {
            Self::Unanswered(unanswered) => unanswered.may_succeed_later,
            Self::AnswerTimedOut | Self::ServerTimedOut => true,
            Self::NoAuthenticator | Self::NotSent(_) => false,
        }
    }

    pub(crate) const fn advice(&self) -> &'static str {
        match self {
            Self::Unanswered(_) => "the authenticator of the application says why",
            Self::AnswerTimedOut => "answer sooner, or raise `authentication_timeout`",
            Self::ServerTimedOut => "the log of the server may say more",
            Self::NoAuthenticator => "set `authentication` of the options",
            Self::NotSent(_) => "answer with less data",
        }
    }
}

impl fmt::Display for AuthenticationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered(unanswered) => {
                write!(f, "the authentication was given up by this end: {}", unanswered.error)
            }
            Self::AnswerTimedOut => f.write_str("the application did not answer the server's authentication in time"),
            Self::ServerTimedOut => f.write_str("the server did not go on with the authentication in time"),
            Self::NoAuthenticator => f.write_str("the server asks for an authentication, and nobody answers here"),
            Self::NotSent(error) => error.fmt(f),
        }
    }
}

impl Error for AuthenticationError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unanswered(unanswered) => Some(&*unanswered.error),
            Self::NotSent(error) => Some(error),
            _ => None,
        }
    }
}

/// Makes what answers in one exchange.
pub(crate) type Begin = Arc<dyn Fn() -> Box<dyn Authenticator> + Send + Sync>;

impl ClientOptions {
    /// Enhanced authentication by this method, since MQTT 5.0. `begin` is called for each exchange: one for each connection,
    /// and one for each [`reauthenticate`](crate::Client::reauthenticate).
    ///
    /// # Errors
    /// If the name of the method is not valid text.
    pub fn authentication<A: Authenticator + 'static>(
        self,
        method: impl Into<Bytes>,
        begin: impl Fn() -> A + Send + Sync + 'static,
    ) -> Result<Self, OptionsError> {
        let method = Text::from_bytes(method.into()).map_err(OptionsError::Text)?;
        let mut options = self.configure(|config| config.authentication(Some(Authentication { method, data: None })));
        options.begin_authentication = Some(Arc::new(move || Box::new(begin())));
        Ok(options)
    }

    /// How long the [`Authenticator`] may take for each answer, and the server for each step of a
    /// [`reauthenticate`](crate::Client::reauthenticate). Default 10 s. When the time is over the connection ends, and another
    /// one is opened. While a client connects, the server has `handshake_timeout` of [`Limits`](mqtt_session::Limits) for each
    /// step.
    #[must_use]
    pub const fn authentication_timeout(mut self, time: Duration) -> Self {
        self.authentication_timeout = time;
        self
    }
}

/// The data of a CONNECT, if it fits.
pub(crate) fn first_data(data: Option<Bytes>) -> Result<Option<Binary<Bytes>>, AuthenticationError> {
    let not_sent = |error: mqtt_session::proto::BinaryTooLong| {
        AuthenticationError::NotSent(AuthenticateError::NotEncodable(error.into()))
    };
    data.map(Binary::new).transpose().map_err(not_sent)
}
