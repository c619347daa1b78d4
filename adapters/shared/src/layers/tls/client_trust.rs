//! Which certificates of clients a server takes.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::trust::roots;
use super::{TlsSetupError, provider};

/// Which certificates of clients a server takes: those that its authorities have issued, and have not revoked.
///
/// ```no_run
/// use mqtt_adapter::ClientTrust;
///
/// let trust = ClientTrust::roots_pem(std::fs::read("authority.pem")?)?
///     .revocation_lists_pem(std::fs::read("revoked.pem")?)?
///     .may_show_none();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientTrust {
    roots: Arc<RootCertStore>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
    may_show_none: bool,
}

impl ClientTrust {
    /// Certificates of these authorities, given as PEM. A client that shows none is turned away.
    ///
    /// # Errors
    /// If there is no authority, or something else.
    pub fn roots_pem(pem: impl AsRef<[u8]>) -> Result<Self, TlsSetupError> {
        Ok(Self {
            roots: Arc::new(roots(pem.as_ref())?),
            revoked: Vec::new(),
            may_show_none: false,
        })
    }

    /// A client that shows none is let in.
    #[must_use]
    pub const fn may_show_none(mut self) -> Self {
        self.may_show_none = true;
        self
    }

    /// Turns away what these lists, given as PEM, have revoked: may be called again and again, for one authority each.
    ///
    /// With a list, each authority whose clients are to be let in needs one that has not expired: a certificate that no list
    /// tells of is turned away too. Only the certificate of the client itself is looked up, not those of authorities.
    ///
    /// # Errors
    /// If there is no list, or something else.
    pub fn revocation_lists_pem(mut self, pem: impl AsRef<[u8]>) -> Result<Self, TlsSetupError> {
        let before = self.revoked.len();
        for list in CertificateRevocationListDer::pem_slice_iter(pem.as_ref()) {
            let list = list.map_err(|error| TlsSetupError::RevocationList(error.to_string().into()))?;
            self.revoked.push(list);
        }
        if self.revoked.len() == before {
            return Err(TlsSetupError::RevocationList("there is none".into()));
        }
        Ok(self)
    }

    pub(super) fn verifier(self) -> Result<Arc<dyn ClientCertVerifier>, TlsSetupError> {
        let has_lists = !self.revoked.is_empty();
        let mut builder = WebPkiClientVerifier::builder_with_provider(self.roots, provider()).with_crls(self.revoked);
        if has_lists {
            builder = builder
                .only_check_end_entity_revocation()
                .enforce_revocation_expiration();
        }
        if self.may_show_none {
            builder = builder.allow_unauthenticated();
        }
        let refused = |error: rustls::server::VerifierBuilderError| match error {
            rustls::server::VerifierBuilderError::InvalidCrl(error) => {
                TlsSetupError::RevocationList(rustls::Error::from(error).to_string().into())
            }
            error => TlsSetupError::Certificate(error.to_string().into()),
        };
        match builder.build() {
            Ok(clients) => Ok(clients),
            Err(error) => Err(refused(error)),
        }
    }
}

impl fmt::Debug for ClientTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTrust")
            .field("authorities", &self.roots.len())
            .field("revocation_lists", &self.revoked.len())
            .field("may_show_none", &self.may_show_none)
            .finish()
    }
}
