//! TLS as a client wants it.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::{Identity, TlsSetupError, Trust, provider};

/// TLS for a client, by rustls: TLS 1.3 and 1.2.
///
/// ```no_run
/// use mqtt_adapter::{ClientOptions, Identity, Tls, Trust};
///
/// let tls = Tls::new(Trust::roots_file("authority.pem")?)
///     .identity(Identity::from_pem_files("sensor.pem", "sensor.key")?);
/// let options = ClientOptions::from_url("mqtts://broker.example")?.tls(tls);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What rustls does not do
/// - TLS 1.1 and older, RSA key exchange, CBC and pre-shared keys. A server that has nothing else is told as
///   [`TlsError::Incompatible`](super::TlsError) or by its alert.
/// - Certificates that name their server only as common name, or an IP address only as text: they need a subject
///   alternative name. Those of version 1 of X.509, and those of an authority that a server shows as its own, are refused
///   as well. [`Trust::pinned_sha256`] takes all of these.
/// - Asking whether a certificate was revoked: no list is fetched.
/// - Keys that are encrypted, and PKCS #12: convert them first (`openssl pkey`, `openssl pkcs12`).
///
/// The settings are shared by all clones, and so are the sessions that shorten later handshakes.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl Tls {
    /// TLS with servers that are trusted by this.
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        let versions = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = versions.unwrap_or_else(|_| unreachable!("the cryptography has all that these versions need"));
        let config = builder
            .dangerous()
            .with_custom_certificate_verifier(trust.verifier)
            .with_no_client_auth();
        Self {
            config: Arc::new(config),
            server_name: None,
        }
    }

    /// Shows this certificate to a server that asks for one.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        Arc::make_mut(&mut self.config).client_auth_cert_resolver = identity.certified;
        self
    }

    /// Offers these protocols by ALPN. Default: none, since few servers of MQTT ask for one. Those that share port 443 with
    /// other protocols may want `mqtt`, or a name of their own.
    #[must_use]
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// The name or address that the certificate has to be for, and that is sent to the server. Default: the host of the URL.
    ///
    /// # Errors
    /// If it is neither a name nor an address.
    pub fn server_name(mut self, name: &str) -> Result<Self, TlsSetupError> {
        self.server_name = Some(parsed(name)?);
        Ok(self)
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The name that the certificate of the server at this host has to be for.
    pub(crate) fn name_for(&self, host: &str) -> Result<ServerName<'static>, TlsSetupError> {
        self.server_name.clone().map_or_else(|| parsed(host), Ok)
    }
}

fn parsed(name: &str) -> Result<ServerName<'static>, TlsSetupError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsSetupError::ServerName)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.server_name)
            .field("has_identity", &self.config.client_auth_cert_resolver.has_certs())
            .finish_non_exhaustive()
    }
}
