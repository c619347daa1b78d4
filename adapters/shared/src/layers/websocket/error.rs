//! What goes wrong with WebSocket, and what to try.

use std::fmt;
use std::sync::Arc;

use crate::Stranger;

/// Why WebSocket has ended a connection, or never made one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebSocketError {
    /// HTTP has no such path, host or header.
    NotSendable,
    /// The server answers with this HTTP status instead of going over to WebSocket.
    Status(u16),
    /// The other end does not speak HTTP.
    NotHttp(Stranger),
    /// The server does not agree to `mqtt` as the protocol on WebSocket.
    NoSubprotocol,
    /// The answer of the server is not one to this request.
    BadAnswer(&'static str),
    /// A client asks for something else, and was told so.
    Refused(WebSocketRefusal),
    /// The head of a request or an answer is longer than 8 KiB.
    HeadTooLong,
    /// The connection ended in the middle of the handshake.
    EndedInHandshake,
    /// The other end sent text, which carries no MQTT.
    Text,
    /// The other end sent a message or frame that is larger than the bound.
    TooLarge,
    /// The other end does not keep to the protocol.
    Protocol(Arc<str>),
    /// The other end closed, with this code and what it says about it.
    Closed(u16, Arc<str>),
    /// The connection ended without the farewell of WebSocket: what came last may be missing.
    Cut,
}

/// Why a server has refused to go over to WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WebSocketRefusal {
    /// The request is not one for WebSocket of version 13. Status 400.
    BadRequest,
    /// It is for another path. Status 404.
    Path,
    /// It does not offer `mqtt` as the protocol on WebSocket. Status 400.
    NoSubprotocol,
}

impl WebSocketError {
    /// Whether another connection with the same settings may succeed: what only another setting or another server can mend
    /// is final.
    #[must_use]
    pub const fn may_succeed_later(&self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 408 | 425 | 429 | 500..),
            Self::NotSendable | Self::NotHttp(_) | Self::NoSubprotocol | Self::BadAnswer(_) | Self::HeadTooLong => {
                false
            }
            Self::Refused(_) | Self::EndedInHandshake | Self::Text | Self::TooLarge => true,
            Self::Protocol(_) | Self::Closed(..) | Self::Cut => true,
        }
    }

    pub(crate) const fn advice(&self) -> &'static str {
        match self {
            Self::NotSendable => "write paths with percent encoding, and headers in ASCII",
            Self::Status(300..=399) => "the server sends its clients somewhere else: ask its operator for the URL",
            Self::Status(401 | 403 | 407) => "the server wants to know who asks: see `WebSocket::header`",
            Self::Status(404) => "check the path: many servers have /mqtt, some have /",
            Self::Status(426) => "no WebSocket answers there: check port and path",
            Self::Status(500..) => "the server has trouble of its own: its log may say more",
            Self::Status(_) => "check port and path: no MQTT over WebSocket is offered there",
            Self::NotHttp(Stranger::Mqtt) => "the server speaks MQTT without WebSocket there: use mqtt:// or mqtts://",
            Self::NotHttp(Stranger::Tls) => "the server expects TLS: use wss://",
            Self::NotHttp(_) | Self::BadAnswer(_) | Self::HeadTooLong => {
                "no WebSocket answers there: check host, port and path"
            }
            Self::NoSubprotocol => "the WebSocket there is not for MQTT: check port and path",
            Self::EndedInHandshake => {
                "the server may expect no WebSocket there, or TLS: check the port, or use wss://; its log may say why"
            }
            Self::TooLarge => "raise the bound with `message_bytes`, if the other end is trusted",
            Self::Refused(_) => "the client has to ask for the path of this server, and for the protocol mqtt",
            Self::Text | Self::Protocol(_) | Self::Closed(..) | Self::Cut => "the log of the server may say more",
        }
    }
}

impl fmt::Display for WebSocketRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadRequest => "it is not a request for WebSocket",
            Self::Path => "it is for another path",
            Self::NoSubprotocol => "it does not offer mqtt",
        })
    }
}

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocket: ")?;
        match self {
            Self::NotSendable => f.write_str("HTTP has no such path, host or header"),
            Self::Status(status) => write!(f, "the server answers with HTTP status {status}"),
            Self::NotHttp(_) => f.write_str("the other end does not speak HTTP"),
            Self::NoSubprotocol => f.write_str("the server does not agree to the protocol mqtt"),
            Self::BadAnswer(what) => write!(f, "the answer of the server is wrong: {what}"),
            Self::Refused(why) => write!(f, "the request of the client was refused: {why}"),
            Self::HeadTooLong => f.write_str("the head of a request or answer is too long"),
            Self::EndedInHandshake => f.write_str("the connection ended in the middle of the handshake"),
            Self::Text => f.write_str("the other end sent text"),
            Self::TooLarge => f.write_str("the other end sent a message that is too large"),
            Self::Protocol(why) => write!(f, "the other end does not keep to the protocol: {why}"),
            Self::Closed(code, why) if why.is_empty() => write!(f, "the other end closed with code {code}"),
            Self::Closed(code, why) => write!(f, "the other end closed with code {code}: {why}"),
            Self::Cut => f.write_str("the connection was cut"),
        }
    }
}

impl std::error::Error for WebSocketError {}
