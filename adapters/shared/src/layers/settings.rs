//! Which layers there are, for each end.

#[cfg(feature = "tls")]
use rustls::pki_types::ServerName;

#[cfg(feature = "tls")]
use super::tls::{Tls, TlsServer};
#[cfg(feature = "websocket")]
use super::websocket::{Request, WebSocket, WebSocketServer};
use crate::{DialError, Endpoint, Scheme};

/// What a client has between MQTT and its streams: TLS, WebSocket on it, both or nothing. The client of an application has
/// what its URL and its options say; this is for whoever serves a machine over a stream of their own.
#[derive(Clone, Debug, Default)]
pub struct ClientLayers {
    #[cfg(feature = "tls")]
    pub(super) tls: Option<(Tls, ServerName<'static>)>,
    #[cfg(feature = "websocket")]
    pub(super) websocket: Option<Request>,
}

/// What a listener has between MQTT and the streams of its clients: TLS, WebSocket on it, both or nothing.
#[derive(Clone, Debug, Default)]
pub struct ServerLayers {
    #[cfg(feature = "tls")]
    pub(super) tls: Option<TlsServer>,
    #[cfg(feature = "websocket")]
    pub(super) websocket: Option<WebSocketServer>,
}

/// What the options of a client say about layers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
    #[cfg(feature = "websocket")]
    pub(crate) websocket: Option<WebSocket>,
}

impl ClientLayers {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// TLS, with a server at this host: its certificate has to be for that, unless the settings have another name.
    ///
    /// # Errors
    /// If the host is neither a name nor an address.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn tls(mut self, tls: &Tls, host: &str) -> Result<Self, super::tls::TlsSetupError> {
        self.tls = Some((tls.clone(), tls.name_for(host)?));
        Ok(self)
    }

    /// WebSocket, on TLS if there is any: the path on the server at this host and port.
    ///
    /// # Errors
    /// If HTTP has no such path or host.
    #[cfg(feature = "websocket")]
    #[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
    pub fn websocket(
        mut self,
        websocket: &WebSocket,
        authority: &str,
        path: &str,
    ) -> Result<Self, super::websocket::WebSocketError> {
        self.websocket = Some(Request::new(websocket, authority, path)?);
        Ok(self)
    }

    /// What the URL asks for.
    pub(crate) fn of(endpoint: &Endpoint, wanted: &mut Wanted) -> Result<Self, DialError> {
        let (with_tls, with_websocket) = match endpoint.scheme() {
            Scheme::Mqtt | Scheme::Unix => (false, false),
            Scheme::Mqtts => (true, false),
            Scheme::Ws => (false, true),
            Scheme::Wss => (true, true),
        };
        let mut layers = Self::new();
        if with_tls {
            layers = layers.with_tls(endpoint, wanted)?;
        }
        if with_websocket {
            layers = layers.with_websocket(endpoint, wanted)?;
        }
        Ok(layers)
    }

    #[cfg(feature = "tls")]
    fn with_tls(self, endpoint: &Endpoint, wanted: &mut Wanted) -> Result<Self, DialError> {
        let tls = match wanted.tls.take() {
            Some(tls) => Ok(tls),
            None => super::tls::Trust::platform().map(Tls::new),
        };
        // Later connections read no authorities again, and shorten their handshakes.
        tls.and_then(|tls| self.tls(wanted.tls.insert(tls), endpoint.host()))
            .map_err(|error| DialError::Layer(super::LayerError::Tls(error.into())))
    }

    #[cfg(not(feature = "tls"))]
    fn with_tls(self, _: &Endpoint, _: &mut Wanted) -> Result<Self, DialError> {
        Err(DialError::NotSupported(
            "build with the feature `tls`; or bring TLS of your own as a dialer, and use mqtt:// or ws://",
        ))
    }

    #[cfg(feature = "websocket")]
    fn with_websocket(self, endpoint: &Endpoint, wanted: &Wanted) -> Result<Self, DialError> {
        let websocket = wanted.websocket.clone().unwrap_or_default();
        self.websocket(&websocket, &endpoint.authority(), endpoint.path())
            .map_err(|error| DialError::Layer(super::LayerError::WebSocket(error)))
    }

    #[cfg(not(feature = "websocket"))]
    fn with_websocket(self, _: &Endpoint, _: &Wanted) -> Result<Self, DialError> {
        Err(DialError::NotSupported(
            "build with the feature `websocket`; or bring WebSocket of your own as a dialer, and use mqtt://",
        ))
    }
}

impl ServerLayers {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// TLS.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn tls(mut self, tls: TlsServer) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Whether TLS as it is here, now, would let in a client that has shown these certificates, the first of them its own: for
    /// connections that are open when authorities or revocation lists change. Looking takes as long as it does when a client
    /// comes in.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn admits(&self, certificates: &[bytes::Bytes]) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.admits(certificates))
    }

    /// WebSocket, on TLS if there is any.
    #[cfg(feature = "websocket")]
    #[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
    #[must_use]
    pub fn websocket(mut self, websocket: WebSocketServer) -> Self {
        self.websocket = Some(websocket);
        self
    }
}
