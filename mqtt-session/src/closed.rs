//! Why a connection ended.

use bytes::Bytes;
use mqtt_proto::{
    ConnAckProperties, ConnAckReason, DecodeError, DisconnectProperties, DisconnectReason, Role, Text, Version,
};

use crate::timers::Timer;

/// Why a connection ended: in the last event of each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closed {
    /// The peer sent something that is not MQTT as it should be.
    Malformed(DecodeError),
    /// The peer sent a well-formed packet that it may not send here, against this statement.
    Violation(Violation, Statement),
    /// The server refused the connection.
    Refused {
        /// Why.
        reason: ConnAckReason,
        /// What it says about it: a reason in words, another server.
        properties: ConnAckProperties<Bytes>,
    },
    /// The peer said farewell.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// What it says about it.
        properties: DisconnectProperties<Bytes>,
    },
    /// The stream ended without a farewell.
    StreamEnded,
    /// The stream could not be opened.
    NotOpened,
    /// Something did not happen in time.
    TimedOut(Timer),
    /// The host ended it, for this reason.
    ByHost(DisconnectReason),
    /// The store failed: nothing can be promised any more.
    StoreFailed,
    /// The host could not go on with a payload in the middle of its packet.
    SourceFailed,
    /// The host refused the client's CONNECT.
    RefusedByHost(ConnAckReason),
    /// What has to be sent cannot be encoded, or is larger than the peer accepts: CONNECT of a client, or an answer of a server
    /// that has a code for each filter. Trying again cannot help.
    NotEncodable(mqtt_proto::EncodeError),
}

/// A statement of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Statement {
    /// Its id in the specification of [`version`](Self::version); ids that begin with `U5-` are ours, for rules that carry no
    /// label in the text of MQTT 5.0.
    pub id: &'static str,
    /// The version that states it. What MQTT 3.1 demands is found in the statements of 3.1.1.
    pub version: Version,
}

impl core::fmt::Display for Statement {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.id)?;
        match self.version {
            Version::V5 => Ok(()),
            _ => f.write_str(" of MQTT 3.1.1"),
        }
    }
}

impl Closed {
    /// The statement of the specification that the peer broke, if it broke one.
    ///
    /// ```
    /// use mqtt_session::proto::Version;
    /// use mqtt_session::{Client, ClientConfig, Event, Instant};
    ///
    /// let now = Instant::ZERO;
    /// let mut client = Client::new(ClientConfig::new("c")?, now);
    /// client.handle_open(now);
    /// // A server that answers CONNECT with PINGRESP.
    /// client.handle_input(now, &mut &[0xD0, 0][..]);
    /// let closed = core::iter::from_fn(|| client.poll_event()).find_map(|event| match event {
    ///     Event::Closed { reason, .. } => Some(reason),
    ///     _ => None,
    /// });
    /// let closed = closed.expect("that ends the connection");
    /// let statement = closed.statement().expect("it may not do that");
    /// assert_eq!((statement.id, statement.version), ("MQTT-3.2.0-1", Version::V5));
    /// assert!(closed.to_string().ends_with("[MQTT-3.2.0-1]"));
    /// # Ok::<(), mqtt_session::proto::TextError>(())
    /// ```
    #[must_use]
    pub const fn statement(&self) -> Option<Statement> {
        match self {
            Self::Malformed(error) => Some(Statement {
                id: error.statement(),
                version: error.version(),
            }),
            Self::Violation(_, statement) => Some(*statement),
            _ => None,
        }
    }
}

/// Why a connection is to end by what came, before the version and the sender are known to it.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Malformed(DecodeError),
    Violation(Violation),
    /// The peer has said that it ends.
    Said(Closed),
}

impl Fault {
    /// The end of a connection of this version, over what its other end has sent.
    pub(crate) fn closed(self, version: Version, sender: Role) -> Closed {
        match self {
            Self::Malformed(error) => Closed::Malformed(error),
            Self::Violation(violation) => violation.closed(version, sender),
            Self::Said(closed) => closed,
        }
    }
}

macro_rules! violations {
    ($($(#[$meta:meta])* $name:ident: $v5:literal, $v3:literal, $reason:ident, $text:literal;)*) => {
        /// A well-formed packet that may not come here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Violation {
            $($(#[$meta])* $name,)*
        }

        impl Violation {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The statement of the specification that it breaks, if this end has sent it.
            #[must_use]
            pub const fn statement(self, version: Version, sender: Role) -> &'static str {
                match (self, version.has_properties(), sender) {
                    // Some are stated twice, once for each end.
                    (Self::ReceiveMaximumExceeded, true, Role::Server) => "MQTT-3.3.4-9",
                    (Self::UnexpectedAuth, true, Role::Client) => "MQTT-4.12.0-7",
                    (Self::TopicAliasAboveMaximum, true, Role::Client) => "MQTT-3.2.2-17",
                    (Self::QoSNotSupported, true, Role::Server) => "U5-3.3.4-c",
                    $((Self::$name, true, _) => $v5, (Self::$name, false, _) => $v3,)*
                }
            }

            /// The end of a connection over it, if this end has sent it.
            #[must_use]
            pub const fn closed(self, version: Version, sender: Role) -> Closed {
                let id = self.statement(version, sender);
                Closed::Violation(self, Statement { id, version })
            }

            /// The reason code of the DISCONNECT that answers it, since MQTT 5.0.
            #[must_use]
            pub const fn disconnect_reason(self) -> DisconnectReason {
                match self {
                    $(Self::$name => DisconnectReason::$reason,)*
                }
            }

            /// The reason code of the CONNACK that answers it before the client is accepted.
            #[must_use]
            pub const fn connack_reason(self) -> ConnAckReason {
                match self {
                    Self::ClientIdMissing => ConnAckReason::ClientIdentifierNotValid,
                    Self::OtherAuthenticationMethod => ConnAckReason::BadAuthenticationMethod,
                    _ => ConnAckReason::ProtocolError,
                }
            }
        }

        impl core::fmt::Display for Violation {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(match self { $(Self::$name => $text,)* })
            }
        }
    };
}

violations! {
    /// A packet other than CONNACK or AUTH before CONNACK.
    PacketBeforeConnAck: "MQTT-3.2.0-1", "MQTT-3.2.0-1", ProtocolError, "the server sent another packet before CONNACK";
    /// A packet other than CONNECT as the first one.
    PacketBeforeConnect: "MQTT-3.1.0-1", "MQTT-3.1.0-1", ProtocolError, "the first packet is not CONNECT";
    /// A second CONNECT.
    SecondConnect: "MQTT-3.1.0-2", "MQTT-3.1.0-2", ProtocolError, "the client sent a second CONNECT";
    /// No client identifier, together with a session that is to be kept.
    ClientIdMissing: "MQTT-3.1.3-6", "MQTT-3.1.3-8", ProtocolError, "a client without a name asked for a session that is kept";
    /// A packet other than AUTH or DISCONNECT while the client is being authenticated.
    PacketWhileAuthenticating: "MQTT-3.1.2-30", "MQTT-4.8.0-1", ProtocolError, "the client sent another packet before it was authenticated";
    /// A QoS above the maximum that the server has announced, or that the client has never asked for.
    QoSNotSupported: "MQTT-3.2.2-11", "MQTT-4.8.0-1", QoSNotSupported, "the QoS is above the maximum";
    /// RETAIN, although retained messages were announced as not available.
    RetainNotSupported: "MQTT-3.2.2-14", "MQTT-4.8.0-1", RetainNotSupported, "retained messages were announced as not available";
    /// A wildcard, although they were announced as not available.
    WildcardNotSupported: "U5-3.2.2-e", "U5-3.2.2-e", WildcardSubscriptionsNotSupported, "wildcards were announced as not available";
    /// A shared subscription, although they were announced as not available.
    SharedNotSupported: "U5-3.2.2-g", "U5-3.2.2-g", SharedSubscriptionsNotSupported, "shared subscriptions were announced as not available";
    /// A Subscription Identifier, although they were announced as not available.
    SubscriptionIdsNotSupported: "U5-3.2.2-f", "U5-3.2.2-f", SubscriptionIdentifiersNotSupported, "subscription identifiers were announced as not available";
    /// A session expiry in DISCONNECT, although CONNECT asked for none.
    SessionExpiryFromZero: "U5-3.14.2-a", "U5-3.14.2-a", ProtocolError, "DISCONNECT sets a session expiry that CONNECT had set to zero";
    /// CONNACK without a name for a client that has none.
    AssignedClientIdMissing: "MQTT-3.2.2-16", "MQTT-4.8.0-1", ProtocolError, "the server accepts a client without a name and gives it none";
    /// A Reason String or User Properties, although CONNECT asked for none.
    ProblemInformationNotAsked: "MQTT-3.1.2-29", "MQTT-4.8.0-1", ProtocolError, "the server explains itself in words that CONNECT asked it to leave out";
    /// A second CONNACK.
    SecondConnAck: "MQTT-3.2.0-2", "MQTT-3.2.0-1", ProtocolError, "the server sent a second CONNACK";
    /// Session Present although the client has no session.
    SessionPresentWithoutSession: "MQTT-3.2.2-4", "MQTT-3.2.2-1", ProtocolError, "the server has a session that the client asked to drop";
    /// More unacknowledged messages than the Receive Maximum.
    ReceiveMaximumExceeded: "MQTT-3.3.4-7", "MQTT-4.8.0-1", ReceiveMaximumExceeded, "more messages are open than the Receive Maximum allows";
    /// A topic alias without a topic that nothing was said about.
    TopicAliasUnknown: "U5-3.3.2-b", "U5-3.3.2-b", ProtocolError, "the topic alias stands for nothing";
    /// A topic alias above the Topic Alias Maximum.
    TopicAliasAboveMaximum: "MQTT-3.1.2-26", "MQTT-4.8.0-1", TopicAliasInvalid, "the topic alias is above the maximum";
    /// PUBACK for a message of QoS 2, PUBREC or PUBCOMP for one of QoS 1.
    AcknowledgementOfOtherQoS: "MQTT-2.2.1-5", "MQTT-2.3.1-6", ProtocolError, "the acknowledgement does not belong to the QoS of its message";
    /// PUBACK or PUBREC for a message whose payload is still being sent.
    AnswerBeforeTheEnd: "MQTT-2.2.1-5", "MQTT-2.3.1-6", ProtocolError, "a message is acknowledged that has not been sent in whole";
    /// SUBACK or UNSUBACK for an identifier that nothing is asked under.
    AnswerToNothing: "MQTT-2.2.1-6", "MQTT-2.3.1-7", ProtocolError, "a SUBACK or UNSUBACK answers nothing that was asked";
    /// Another number of codes than of filters.
    CodeCountDiffers: "MQTT-3.8.4-6", "MQTT-3.8.4-5", ProtocolError, "there are not as many codes as filters";
    /// PUBLISH with the identifier of a message of QoS 2 that has not ended.
    IdentifierInUse: "MQTT-2.2.1-3", "MQTT-2.3.1-2", ProtocolError, "the identifier of a message was used again before its end";
    /// AUTH without an authentication method in CONNECT.
    UnexpectedAuth: "MQTT-4.12.0-6", "MQTT-4.8.0-1", ProtocolError, "AUTH came although no authentication method was agreed";
    /// AUTH that does not say by which method.
    AuthWithoutMethod: "U5-3.15-a", "MQTT-4.8.0-1", ProtocolError, "AUTH names no authentication method";
    /// Another authentication method than that of CONNECT.
    OtherAuthenticationMethod: "MQTT-4.12.0-5", "MQTT-4.8.0-1", ProtocolError, "the authentication method is not that of CONNECT";
    /// More answers wait for the peer than [`Limits::replies`](crate::Limits) allows.
    RepliesNotRead: "MQTT-4.9.0-3", "MQTT-4.8.0-2", QuotaExceeded, "the peer asks for answers and does not read them";
}

impl core::error::Error for Violation {}

impl core::fmt::Display for Closed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "the peer sent a malformed packet: {error}"),
            Self::Violation(violation, statement) => {
                write!(f, "the peer broke the protocol: {violation} [{statement}]")
            }
            Self::Refused { reason, properties } => {
                write!(f, "the server refused the connection: {}", phrase(reason.meaning()))?;
                write_words(f, properties.reason_string(), properties.server_reference())
            }
            Self::Disconnected { reason, properties } => {
                write!(f, "the peer disconnected: {}", phrase(reason.meaning()))?;
                write_words(f, properties.reason_string(), properties.server_reference())
            }
            Self::StreamEnded => f.write_str("the stream ended without a farewell"),
            Self::NotOpened => f.write_str("the stream could not be opened"),
            Self::TimedOut(timer) => write!(f, "timed out: {timer}"),
            Self::ByHost(reason) => write!(f, "closed by this end: {}", phrase(reason.meaning())),
            Self::StoreFailed => f.write_str("the store failed"),
            Self::SourceFailed => f.write_str("the host could not go on with a payload that was being sent"),
            Self::RefusedByHost(reason) => write!(f, "the client was refused: {}", phrase(reason.meaning())),
            Self::NotEncodable(error) => write!(f, "what has to be sent cannot be: {error}"),
        }
    }
}

/// A sentence within another one.
fn phrase(meaning: &str) -> &str {
    meaning.strip_suffix('.').unwrap_or(meaning)
}

/// What the peer says in its own words, which are quoted: they may be anything.
fn write_words(
    f: &mut core::fmt::Formatter<'_>,
    reason: Option<Text<&[u8]>>,
    server: Option<Text<&[u8]>>,
) -> core::fmt::Result {
    if let Some(reason) = reason {
        write!(f, "; it says {:?}", reason.as_str())?;
    }
    if let Some(server) = server {
        write!(f, "; it names another server, {:?}", server.as_str())?;
    }
    Ok(())
}
