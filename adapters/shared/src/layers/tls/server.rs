//! TLS as a listener wants it.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::trust::roots;
use super::{Identity, TlsSetupError, provider};

/// TLS for a listener, by rustls: TLS 1.3 and 1.2.
///
/// ```no_run
/// use mqtt_adapter::{Identity, ServerLayers, TlsServer};
///
/// let tls = TlsServer::new(Identity::from_pem_files("server.pem", "server.key")?)
///     .requires_client_certificate(std::fs::read("authority.pem")?)?;
/// let layers = ServerLayers::new().tls(tls);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A certificate that a client shows is there to be looked at as
/// [`TlsSession::peer_certificates`](super::TlsSession::peer_certificates), once the client has said CONNECT. What rustls
/// does not do is listed at [`Tls`](super::Tls).
#[derive(Clone)]
pub struct TlsServer {
    identity: Identity,
    alpn: Vec<Vec<u8>>,
    config: Arc<ServerConfig>,
}

impl TlsServer {
    /// A server with this certificate, which asks clients for none.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self::built(identity, Vec::new(), WebPkiClientVerifier::no_client_auth())
    }

    fn built(identity: Identity, alpn: Vec<Vec<u8>>, clients: Arc<dyn ClientCertVerifier>) -> Self {
        let versions = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = versions.unwrap_or_else(|_| unreachable!("the cryptography has all that these versions need"));
        let resolver = Arc::clone(&identity.certified);
        let mut config = builder.with_client_cert_verifier(clients).with_cert_resolver(resolver);
        config.alpn_protocols.clone_from(&alpn);
        Self {
            identity,
            alpn,
            config: Arc::new(config),
        }
    }

    /// Turns away clients that do not show a certificate of these authorities, as PEM.
    ///
    /// # Errors
    /// If there is no authority, or something else.
    pub fn requires_client_certificate(self, roots_pem: impl AsRef<[u8]>) -> Result<Self, TlsSetupError> {
        self.with_clients(roots_pem.as_ref(), false)
    }

    /// The same, but clients may show no certificate at all.
    ///
    /// # Errors
    /// If there is no authority, or something else.
    pub fn asks_for_client_certificate(self, roots_pem: impl AsRef<[u8]>) -> Result<Self, TlsSetupError> {
        self.with_clients(roots_pem.as_ref(), true)
    }

    fn with_clients(self, pem: &[u8], may_show_none: bool) -> Result<Self, TlsSetupError> {
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(pem)?), provider());
        if may_show_none {
            builder = builder.allow_unauthenticated();
        }
        match builder.build() {
            Ok(clients) => Ok(Self::built(self.identity, self.alpn, clients)),
            Err(error) => Err(TlsSetupError::Certificate(error.to_string().into())),
        }
    }

    /// Chooses one of these protocols by ALPN, and turns away clients that offer others only. Default: none, and what clients
    /// offer does not matter.
    #[must_use]
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        Arc::make_mut(&mut self.config).alpn_protocols.clone_from(&self.alpn);
        self
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer")
            .field("alpn", &self.alpn)
            .finish_non_exhaustive()
    }
}
