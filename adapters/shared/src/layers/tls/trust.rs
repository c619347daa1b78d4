//! Which servers are trusted.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ring::digest;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::pinned::Pinned;
use super::{TlsSetupError, provider};

/// Which servers are trusted: those whose certificate comes from one of some authorities, or those with exactly this one.
#[derive(Clone)]
pub struct Trust {
    pub(super) verifier: Arc<dyn ServerCertVerifier>,
}

impl Trust {
    /// The authorities that this machine trusts. They are read once, here; on Unix the variables `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` say where from.
    ///
    /// # Errors
    /// If there are none.
    pub fn platform() -> Result<Self, TlsSetupError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Some systems have certificates in their store that nobody can read.
        let (added, _) = roots.add_parsable_certificates(found.certs);
        match (added, found.errors.first()) {
            (0, Some(error)) => Err(TlsSetupError::NoPlatformRoots(error.to_string().into())),
            (0, None) => Err(TlsSetupError::NoPlatformRoots("it has no certificates".into())),
            _ => Self::of_roots(roots),
        }
    }

    /// The authorities with these certificates, as PEM: one of one's own, for instance.
    ///
    /// # Errors
    /// If there is none, or something else.
    pub fn roots_pem(pem: impl AsRef<[u8]>) -> Result<Self, TlsSetupError> {
        Self::of_roots(roots(pem.as_ref())?)
    }

    /// The authorities with the certificates in a file of PEM.
    ///
    /// # Errors
    /// If the file cannot be read, or holds no certificate, or something else.
    pub fn roots_file(path: impl AsRef<Path>) -> Result<Self, TlsSetupError> {
        let path = path.as_ref();
        let in_file = |error: TlsSetupError| TlsSetupError::CertificateFile(path.to_owned(), error.to_string().into());
        Self::roots_pem(read(path)?).map_err(in_file)
    }

    /// The servers with exactly one of these certificates, as PEM. Neither its name nor its dates nor its issuer matter then.
    ///
    /// # Errors
    /// If there is none, or something else.
    pub fn pinned_pem(pem: impl AsRef<[u8]>) -> Result<Self, TlsSetupError> {
        let certificates = certificates(pem.as_ref())?;
        Ok(Self::pinned_sha256(certificates.iter().map(|one| sha256(one))))
    }

    /// The servers with a certificate of one of these SHA-256 sums, as `openssl x509 -fingerprint -sha256` shows them. Neither
    /// its name nor its dates nor its issuer matter then.
    #[must_use]
    pub fn pinned_sha256(sums: impl IntoIterator<Item = [u8; 32]>) -> Self {
        Self {
            verifier: Arc::new(Pinned::new(sums.into_iter().collect())),
        }
    }

    fn of_roots(roots: RootCertStore) -> Result<Self, TlsSetupError> {
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        match verifier {
            Ok(verifier) => Ok(Self { verifier }),
            Err(error) => Err(TlsSetupError::Certificate(error.to_string().into())),
        }
    }
}

/// The sum that a certificate is pinned by.
pub(super) fn sha256(certificate: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    for (place, byte) in sum
        .iter_mut()
        .zip(digest::digest(&digest::SHA256, certificate).as_ref())
    {
        *place = *byte;
    }
    sum
}

/// The authorities with these certificates.
pub(super) fn roots(pem: &[u8]) -> Result<RootCertStore, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        let added = roots.add(certificate);
        added.map_err(|error| TlsSetupError::Certificate(error.to_string().into()))?;
    }
    Ok(roots)
}

/// The certificates in this text: one at least.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| TlsSetupError::Certificate(error.to_string().into()))?;
    if found.is_empty() {
        return Err(TlsSetupError::NoCertificate);
    }
    Ok(found)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsSetupError> {
    std::fs::read(path).map_err(|error| TlsSetupError::File(path.to_owned(), error.kind()))
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}
