//! A stream with the layers that are on it.

use std::fmt;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};

#[cfg(any(feature = "tls", feature = "websocket"))]
use super::layered::Layered;
#[cfg(feature = "tls")]
use super::tls::{Session as TlsLayer, TlsSession};
#[cfg(feature = "websocket")]
use super::websocket::Session as WebSocketLayer;
use super::{ClientLayers, LayerError, ServerLayers};
use crate::Transport;

/// A stream with TLS, WebSocket, both or nothing on it. It is a stream as well, of the bytes of MQTT.
///
/// Handshakes are made while it is read and written. What a layer has against going on comes as an error of the stream:
/// [`LayerError::of`] finds it there.
pub struct Carrier<T> {
    kind: Kind<T>,
}

enum Kind<T> {
    Plain(T),
    #[cfg(feature = "tls")]
    Tls(Box<Layered<TlsLayer, T>>),
    #[cfg(feature = "websocket")]
    WebSocket(Box<Layered<WebSocketLayer, T>>),
    #[cfg(all(feature = "tls", feature = "websocket"))]
    Both(Box<Layered<WebSocketLayer, Layered<TlsLayer, T>>>),
    /// A layer could not even begin.
    #[cfg(feature = "tls")]
    Failed(LayerError),
}

impl<T: Transport> Carrier<T> {
    /// Without any layer.
    pub const fn plain(stream: T) -> Self {
        Self {
            kind: Kind::Plain(stream),
        }
    }

    /// The end of a client.
    #[must_use]
    #[cfg_attr(not(any(feature = "tls", feature = "websocket")), allow(unused_variables))]
    pub fn client(stream: T, layers: &ClientLayers) -> Self {
        let kind = Kind::Plain(stream);
        #[cfg(feature = "tls")]
        let kind = match &layers.tls {
            Some((tls, name)) => with_tls(kind, TlsLayer::client(tls, name)),
            None => kind,
        };
        #[cfg(feature = "websocket")]
        let kind = match &layers.websocket {
            Some(request) => with_websocket(kind, WebSocketLayer::client(request)),
            None => kind,
        };
        Self { kind }
    }

    /// The end of a server.
    #[must_use]
    #[cfg_attr(not(any(feature = "tls", feature = "websocket")), allow(unused_variables))]
    pub fn server(stream: T, layers: &ServerLayers) -> Self {
        let kind = Kind::Plain(stream);
        #[cfg(feature = "tls")]
        let kind = match &layers.tls {
            Some(tls) => with_tls(kind, TlsLayer::server(tls)),
            None => kind,
        };
        #[cfg(feature = "websocket")]
        let kind = match &layers.websocket {
            Some(websocket) => with_websocket(kind, WebSocketLayer::server(websocket)),
            None => kind,
        };
        Self { kind }
    }

    /// Ready when all handshakes are over, and what this end has said in them is sent.
    ///
    /// # Errors
    /// If the stream is broken, or a layer refuses to go on.
    pub fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Plain(_) => {
                let _ = cx;
                Poll::Ready(Ok(()))
            }
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => stream.poll_open(cx),
            #[cfg(feature = "websocket")]
            Kind::WebSocket(stream) => stream.poll_open(cx),
            #[cfg(all(feature = "tls", feature = "websocket"))]
            Kind::Both(stream) => stream.poll_open(cx),
            #[cfg(feature = "tls")]
            Kind::Failed(error) => Poll::Ready(Err(error.clone().into())),
        }
    }

    /// The layer whose handshake is not over, and how an end of it there is told.
    pub(crate) fn ended_early(&self) -> Option<LayerError> {
        #[cfg(any(feature = "tls", feature = "websocket"))]
        use super::layer::Layer;
        match &self.kind {
            Kind::Plain(_) => None,
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => Some(stream.layer().ended_early()),
            #[cfg(feature = "websocket")]
            Kind::WebSocket(stream) => Some(stream.layer().ended_early()),
            #[cfg(all(feature = "tls", feature = "websocket"))]
            Kind::Both(stream) if !stream.stream().layer().is_open() => Some(stream.stream().layer().ended_early()),
            #[cfg(all(feature = "tls", feature = "websocket"))]
            Kind::Both(stream) => Some(stream.layer().ended_early()),
            #[cfg(feature = "tls")]
            Kind::Failed(error) => Some(error.clone()),
        }
    }

    /// The stream below all layers.
    #[cfg(feature = "broker")]
    pub(crate) fn lowest(&self) -> Option<&T> {
        match &self.kind {
            Kind::Plain(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => Some(stream.stream()),
            #[cfg(feature = "websocket")]
            Kind::WebSocket(stream) => Some(stream.stream()),
            #[cfg(all(feature = "tls", feature = "websocket"))]
            Kind::Both(stream) => Some(stream.stream().stream()),
            #[cfg(feature = "tls")]
            Kind::Failed(_) => None,
        }
    }

    /// What TLS has agreed on, once its handshake is over.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn tls(&self) -> Option<TlsSession> {
        match &self.kind {
            Kind::Tls(stream) => stream.layer().agreed(),
            #[cfg(feature = "websocket")]
            Kind::Both(stream) => stream.stream().layer().agreed(),
            _ => None,
        }
    }
}

impl<T> Carrier<T> {
    /// The same layers, in the state that they are in, on another stream that goes on where this one is: such as one that
    /// waits on a socket, and one that polls it.
    ///
    /// # Errors
    /// What the change says.
    #[cfg(feature = "broker")]
    #[cfg_attr(docsrs, doc(cfg(feature = "broker")))]
    pub fn map<U>(self, change: impl FnOnce(T) -> io::Result<U>) -> io::Result<Carrier<U>> {
        let kind = match self.kind {
            Kind::Plain(stream) => Kind::Plain(change(stream)?),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => Kind::Tls(Box::new(stream.map(change)?)),
            #[cfg(feature = "websocket")]
            Kind::WebSocket(stream) => Kind::WebSocket(Box::new(stream.map(change)?)),
            #[cfg(all(feature = "tls", feature = "websocket"))]
            Kind::Both(stream) => Kind::Both(Box::new(stream.map(|stream| stream.map(change))?)),
            #[cfg(feature = "tls")]
            Kind::Failed(error) => Kind::Failed(error),
        };
        Ok(Carrier { kind })
    }
}

#[cfg(feature = "tls")]
fn with_tls<T: Transport>(kind: Kind<T>, session: Result<TlsLayer, super::tls::TlsError>) -> Kind<T> {
    match (kind, session) {
        (Kind::Plain(stream), Ok(session)) => Kind::Tls(Box::new(Layered::new(session, stream))),
        (_, Err(error)) => Kind::Failed(LayerError::Tls(error)),
        (kind, Ok(_)) => kind,
    }
}

#[cfg(feature = "websocket")]
fn with_websocket<T: Transport>(kind: Kind<T>, session: WebSocketLayer) -> Kind<T> {
    match kind {
        Kind::Plain(stream) => Kind::WebSocket(Box::new(Layered::new(session, stream))),
        #[cfg(feature = "tls")]
        Kind::Tls(stream) => Kind::Both(Box::new(Layered::new(session, *stream))),
        kind => kind,
    }
}

/// Calls the same method of whatever stream it is.
macro_rules! pass_on {
    ($self:ident, $stream:ident => $call:expr) => {
        match &mut $self.kind {
            Kind::Plain($stream) => $call,
            #[cfg(feature = "tls")]
            Kind::Tls($stream) => $call,
            #[cfg(feature = "websocket")]
            Kind::WebSocket($stream) => $call,
            #[cfg(all(feature = "tls", feature = "websocket"))]
            Kind::Both($stream) => $call,
            #[cfg(feature = "tls")]
            Kind::Failed(error) => Poll::Ready(Err(error.clone().into())),
        }
    };
}

impl<T: Transport> Transport for Carrier<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        pass_on!(self, stream => stream.poll_read(cx, buffer))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        pass_on!(self, stream => stream.poll_write(cx, slices))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pass_on!(self, stream => stream.poll_flush(cx))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pass_on!(self, stream => stream.poll_close(cx))
    }
}

impl<T> fmt::Debug for Carrier<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Plain(_) => "plain",
            #[cfg(feature = "tls")]
            Kind::Tls(_) => "TLS",
            #[cfg(feature = "websocket")]
            Kind::WebSocket(_) => "WebSocket",
            #[cfg(all(feature = "tls", feature = "websocket"))]
            Kind::Both(_) => "WebSocket on TLS",
            #[cfg(feature = "tls")]
            Kind::Failed(_) => "failed",
        };
        f.debug_tuple("Carrier").field(&kind).finish()
    }
}
