//! TLS as a listener wants it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::client_trust::ClientTrust;
use super::{Identity, TlsSetupError, provider};

/// TLS for a listener, by rustls: TLS 1.3 and 1.2.
///
/// ```no_run
/// use mqtt_adapter::{ClientTrust, Identity, ServerLayers, TlsServer};
///
/// let tls = TlsServer::new(Identity::from_pem_files("server.pem", "server.key")?)
///     .clients(ClientTrust::roots_pem(std::fs::read("authority.pem")?)?)?;
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
    clients: Arc<dyn ClientCertVerifier>,
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
        let verifier = Arc::clone(&clients);
        let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(resolver);
        config.alpn_protocols.clone_from(&alpn);
        Self {
            identity,
            alpn,
            clients,
            config: Arc::new(config),
        }
    }

    /// Looks at certificates of clients. Default: none is asked for.
    ///
    /// # Errors
    /// If the authorities or the revocation lists cannot be used.
    pub fn clients(self, trust: ClientTrust) -> Result<Self, TlsSetupError> {
        Ok(Self::built(self.identity, self.alpn, trust.verifier()?))
    }

    /// Chooses one of these protocols by ALPN, and turns away clients that offer others only. Default: none, and what clients
    /// offer does not matter.
    #[must_use]
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        Arc::make_mut(&mut self.config).alpn_protocols.clone_from(&self.alpn);
        self
    }

    /// See [`ServerLayers::admits`](crate::ServerLayers::admits).
    pub(in crate::layers) fn admits(&self, certificates: &[Bytes]) -> bool {
        if !self.clients.offer_client_auth() {
            return true;
        }
        let mut certificates = certificates.iter().map(|der| CertificateDer::from(der.as_ref()));
        let Some(own) = certificates.next() else {
            return !self.clients.client_auth_mandatory();
        };
        let issuers: Vec<_> = certificates.collect();
        self.clients.verify_client_cert(&own, &issuers, UnixTime::now()).is_ok()
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
