//! Why there is no connection: what happened, where, and what to try.

use std::fmt;
use std::io;
use std::sync::Arc;

use mqtt_session::proto::{ConnAckReason, DisconnectReason};
use mqtt_session::{Closed, Timer, Violation};

use crate::{AuthenticationError, Endpoint, LayerError};

/// Why a stream could not be opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DialError {
    /// The name of the host has no address, or nobody could be asked for it.
    Resolve(Arc<io::Error>),
    /// No address of the host took the connection.
    Connect(Arc<io::Error>),
    /// It took longer than [`ClientOptions::connect_timeout`](crate::ClientOptions::connect_timeout).
    TimedOut,
    /// The server took the connection, but the handshake of TLS or WebSocket was not over by then.
    HandshakeTimedOut,
    /// TLS or WebSocket refuses to go on.
    Layer(LayerError),
    /// This adapter does not speak what the URL asks for.
    NotSupported(&'static str),
}

impl DialError {
    /// The name of a host could not be resolved.
    #[must_use]
    pub fn resolve(error: io::Error) -> Self {
        Self::Resolve(Arc::new(error))
    }

    /// A connection was not taken.
    #[must_use]
    pub fn connect(error: io::Error) -> Self {
        Self::Connect(Arc::new(error))
    }

    /// Whether another try may succeed.
    #[must_use]
    pub fn may_succeed_later(&self) -> bool {
        match self {
            Self::Resolve(error) | Self::Connect(error) => !matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
            ),
            Self::TimedOut | Self::HandshakeTimedOut => true,
            Self::Layer(error) => error.may_succeed_later(),
            Self::NotSupported(_) => false,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "check the name, and that this machine can resolve names",
            Self::Connect(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => "nothing listens there: check the port, and that the server runs",
                io::ErrorKind::NotFound => "there is no such socket: check the path, and that the server runs",
                io::ErrorKind::PermissionDenied => "this process may not connect there: check its rights",
                _ => "check the network between here and there",
            },
            Self::TimedOut => "nobody answers: check host, port and firewalls, or raise `connect_timeout`",
            Self::HandshakeTimedOut => {
                "something answers there, but not to TLS or WebSocket: check port and scheme, or raise `connect_timeout`"
            }
            Self::Layer(error) => error.advice(),
            Self::NotSupported(advice) => advice,
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(error) => write!(f, "the name could not be resolved: {error}"),
            Self::Connect(error) => write!(f, "the connection could not be opened: {error}"),
            Self::TimedOut => f.write_str("the connection could not be opened in time"),
            Self::HandshakeTimedOut => f.write_str("the handshake was not over in time"),
            Self::Layer(error) => error.fmt(f),
            Self::NotSupported(_) => f.write_str("this adapter cannot open such a connection"),
        }
    }
}

impl std::error::Error for DialError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Resolve(error) | Self::Connect(error) => Some(error),
            Self::Layer(error) => Some(error),
            _ => None,
        }
    }
}

/// Who answers at a port, if it is not who is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stranger {
    /// Somebody who speaks MQTT, where TLS or WebSocket is expected.
    Mqtt,
    /// A web server.
    Http,
    /// A server that expects TLS.
    Tls,
    /// A server that expects SSH.
    Ssh,
    /// Somebody else.
    Unknown,
}

impl Stranger {
    /// Who speaks like this.
    pub(crate) fn from_greeting(greeting: &[u8]) -> Self {
        if greeting.starts_with(b"HTTP/") || greeting.starts_with(b"<") {
            Self::Http
        } else if greeting.starts_with(b"SSH-") {
            Self::Ssh
        } else if greeting.first() == Some(&0x15) && greeting.get(1) == Some(&0x03) {
            // A TLS alert.
            Self::Tls
        } else {
            Self::Unknown
        }
    }
}

/// Why a connection was not made, or has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// Where the server is.
    pub endpoint: Endpoint,
    /// What happened.
    pub cause: Cause,
}

/// What ended a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// No stream could be opened.
    Dial(DialError),
    /// Something else than an MQTT server answers.
    NotMqtt(Stranger),
    /// The machine has ended it, or seen it end.
    Closed(Closed),
    /// The stream broke.
    Broken(Arc<io::Error>),
    /// The application does not take its messages, and [`ClientOptions::held_messages`](crate::ClientOptions) or
    /// [`ClientOptions::held_bytes`](crate::ClientOptions) is reached.
    NotTaken,
    /// An exchange of enhanced authentication came to no end at this end.
    Authentication(AuthenticationError),
    /// A client with a store needs a client identifier: its session is kept under it.
    Nameless,
    /// The store cannot be used, or has failed. What was confirmed is in it.
    #[cfg(feature = "store")]
    Store(mqtt_store::StoreError),
    /// The application has ended it.
    Disconnected,
}

impl Failure {
    /// No stream could be opened.
    #[must_use]
    pub const fn new(endpoint: Endpoint, error: DialError) -> Self {
        Self {
            endpoint,
            cause: Cause::Dial(error),
        }
    }

    /// What to try.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match &self.cause {
            Cause::Dial(error) => error.advice(),
            Cause::NotMqtt(Stranger::Http) => {
                "a web server answers there: use the MQTT port, or ws:// if it is a WebSocket"
            }
            Cause::NotMqtt(Stranger::Tls) => "the server expects TLS: use mqtts://",
            Cause::NotMqtt(Stranger::Ssh) => "an SSH server answers there: check the port",
            Cause::NotMqtt(Stranger::Mqtt | Stranger::Unknown) => "no MQTT server answers there: check host and port",
            Cause::Closed(Closed::Refused { reason, .. }) => refusal_advice(*reason),
            Cause::Closed(Closed::StreamEnded) => {
                "the server closed without a word: its log may say why; other versions of MQTT may be worth a try"
            }
            Cause::Closed(Closed::Violation(Violation::AcknowledgementOfOtherQoS, _)) => {
                "the server does not do QoS 2 although it accepts such messages: publish with QoS 1"
            }
            Cause::Closed(Closed::NotEncodable(_)) => {
                "leave out of the options what this version of MQTT does not have"
            }
            Cause::Closed(Closed::TimedOut(Timer::Handshake)) => {
                "something answers there, but not to CONNECT: check the port, and whether the server expects TLS or WebSocket"
            }
            Cause::Closed(Closed::TimedOut(Timer::PingResponse)) => {
                "the server has gone silent: check the network between here and there"
            }
            Cause::Closed(Closed::Disconnected {
                reason: DisconnectReason::SessionTakenOver,
                ..
            }) => "another client has the same client identifier: give each its own",
            Cause::Closed(_) | Cause::Broken(_) => "the log of the server may say more",
            Cause::NotTaken => "take messages faster, drop subscriptions that nobody reads, or raise the bound",
            Cause::Authentication(error) => error.advice(),
            Cause::Nameless => "set a client identifier",
            // The error of a store says it itself.
            #[cfg(feature = "store")]
            Cause::Store(_) => "start another client then",
            Cause::Disconnected => "connect again",
        }
    }
}

const fn refusal_advice(reason: ConnAckReason) -> &'static str {
    match reason {
        ConnAckReason::UnsupportedProtocolVersion => "set another version: the server does not speak this one",
        ConnAckReason::ClientIdentifierNotValid => "set another client identifier",
        ConnAckReason::BadUserNameOrPassword | ConnAckReason::NotAuthorized => "check user name and password",
        ConnAckReason::BadAuthenticationMethod => {
            "set another authentication method: the server does not know this one"
        }
        ConnAckReason::Banned => "ask those who run the server: it does not want this client",
        ConnAckReason::ServerUnavailable | ConnAckReason::ServerBusy | ConnAckReason::QuotaExceeded => {
            "try again later"
        }
        ConnAckReason::ConnectionRateExceeded => "connect less often",
        ConnAckReason::RetainNotSupported => "leave `retain` out of the will: the server retains nothing",
        ConnAckReason::QoSNotSupported => "give the will a lower QoS: the server does not do this one",
        ConnAckReason::UseAnotherServer | ConnAckReason::ServerMoved => "connect to another server",
        _ => "the log of the server may say more",
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What layers and streams say may be whole sentences.
        let cause = self.cause.to_string();
        let cause = cause.trim_end_matches('.');
        write!(f, "{}: {cause}; {}", self.endpoint, self.advice())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(error) => error.fmt(f),
            Self::NotMqtt(_) => f.write_str("what answers there does not speak MQTT"),
            Self::Closed(closed) => closed.fmt(f),
            Self::Broken(error) => write!(f, "the stream broke: {error}"),
            Self::NotTaken => f.write_str("the application does not take its messages"),
            Self::Authentication(error) => error.fmt(f),
            Self::Nameless => f.write_str("a client with a store has no client identifier"),
            #[cfg(feature = "store")]
            Self::Store(error) => error.fmt(f),
            Self::Disconnected => f.write_str("disconnected by this end"),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::Dial(error) => Some(error),
            Cause::Broken(error) => Some(error),
            Cause::Authentication(error) => Some(error),
            #[cfg(feature = "store")]
            Cause::Store(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use mqtt_session::proto::DisconnectProperties;

    use super::*;

    #[test]
    fn strangers_are_known_by_their_greeting() {
        assert_eq!(Stranger::from_greeting(b"HTTP/1.1 400 Bad"), Stranger::Http);
        assert_eq!(Stranger::from_greeting(b"SSH-2.0-OpenSSH_"), Stranger::Ssh);
        assert_eq!(Stranger::from_greeting(&[0x15, 3, 1, 0, 2, 2, 70]), Stranger::Tls);
        assert_eq!(Stranger::from_greeting(&[0x15]), Stranger::Unknown);
        assert_eq!(Stranger::from_greeting(b""), Stranger::Unknown);
    }

    #[test]
    fn a_failure_says_what_where_and_what_to_try() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let failure = Failure {
            endpoint: Endpoint::tcp("broker.example", 1883),
            cause: Cause::Dial(DialError::connect(refused)),
        };
        assert_eq!(
            failure.to_string(),
            "mqtt://broker.example:1883: the connection could not be opened: connection refused; \
             nothing listens there: check the port, and that the server runs"
        );
    }

    #[test]
    fn no_sentence_of_others_ends_in_front_of_what_to_try() {
        let failure = Failure {
            endpoint: Endpoint::tcp("broker.example", 1883),
            cause: Cause::Broken(Arc::new(io::Error::other("It has ended."))),
        };
        let told = failure.to_string();
        assert!(told.contains("the stream broke: It has ended; "), "{told}");
    }

    #[test]
    fn what_a_silent_server_and_a_double_mean_is_said() {
        let advice = |closed: Closed| {
            let endpoint = Endpoint::tcp("broker.example", 1883);
            let cause = Cause::Closed(closed);
            Failure { endpoint, cause }.advice()
        };
        assert!(advice(Closed::TimedOut(Timer::PingResponse)).starts_with("the server has gone silent"));
        let taken_over = Closed::Disconnected {
            reason: DisconnectReason::SessionTakenOver,
            properties: DisconnectProperties::empty(),
        };
        assert!(advice(taken_over).starts_with("another client has the same client identifier"));
    }

    #[test]
    fn what_depends_on_this_machine_alone_is_not_tried_again() {
        let kind = |kind: io::ErrorKind| DialError::connect(kind.into()).may_succeed_later();
        assert!(kind(io::ErrorKind::ConnectionRefused) && kind(io::ErrorKind::NotFound));
        assert!(!kind(io::ErrorKind::PermissionDenied) && !kind(io::ErrorKind::InvalidInput));
        assert!(DialError::TimedOut.may_succeed_later());
        assert!(!DialError::NotSupported("x").may_succeed_later());
    }
}
