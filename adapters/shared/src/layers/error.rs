//! Why a layer has ended a stream.

use std::fmt;
use std::io;

#[cfg(feature = "tls")]
use super::tls::TlsError;
#[cfg(feature = "websocket")]
use super::websocket::WebSocketError;

/// Why a layer above a stream has ended it. An [`io::Error`] that such a layer gave holds one: see [`LayerError::of`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerError {
    /// TLS has.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    Tls(TlsError),
    /// WebSocket has.
    #[cfg(feature = "websocket")]
    #[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
    WebSocket(WebSocketError),
}

impl LayerError {
    /// What a layer has said, if this error is of one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Whether another connection may succeed.
    #[must_use]
    pub fn may_succeed_later(&self) -> bool {
        match *self {
            #[cfg(feature = "tls")]
            Self::Tls(ref error) => error.may_succeed_later(),
            #[cfg(feature = "websocket")]
            Self::WebSocket(ref error) => error.may_succeed_later(),
        }
    }

    pub(crate) fn advice(&self) -> &'static str {
        match *self {
            #[cfg(feature = "tls")]
            Self::Tls(ref error) => error.advice(),
            #[cfg(feature = "websocket")]
            Self::WebSocket(ref error) => error.advice(),
        }
    }

    fn kind(&self) -> io::ErrorKind {
        match *self {
            #[cfg(feature = "tls")]
            Self::Tls(TlsError::Cut | TlsError::EndedInHandshake) => io::ErrorKind::UnexpectedEof,
            #[cfg(feature = "websocket")]
            Self::WebSocket(WebSocketError::Cut | WebSocketError::EndedInHandshake) => io::ErrorKind::UnexpectedEof,
            #[cfg(any(feature = "tls", feature = "websocket"))]
            _ => io::ErrorKind::InvalidData,
        }
    }
}

impl From<LayerError> for io::Error {
    fn from(error: LayerError) -> Self {
        Self::new(error.kind(), error)
    }
}

impl fmt::Display for LayerError {
    #[cfg_attr(not(any(feature = "tls", feature = "websocket")), allow(unused_variables))]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            #[cfg(feature = "tls")]
            Self::Tls(ref error) => error.fmt(f),
            #[cfg(feature = "websocket")]
            Self::WebSocket(ref error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LayerError {}
