//! Who this end is.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::trust::{certificates, read};
use super::{TlsSetupError, provider};

/// A certificate and its private key: of a server, or of a client that shows who it is.
#[derive(Clone)]
pub struct Identity {
    pub(super) certified: Arc<SingleCertAndKey>,
}

impl Identity {
    /// From PEM: the certificate, followed by those of the authorities between it and the root, and its private key. The key
    /// is PKCS #8, PKCS #1 or SEC1, and not encrypted.
    ///
    /// # Errors
    /// If there is no certificate or no key, or they do not belong together.
    pub fn from_pem(certificates_pem: impl AsRef<[u8]>, key_pem: impl AsRef<[u8]>) -> Result<Self, TlsSetupError> {
        let chain = certificates(certificates_pem.as_ref())?;
        let key = match PrivateKeyDer::from_pem_slice(key_pem.as_ref()) {
            Ok(key) => key,
            Err(pem::Error::NoItemsFound) => return Err(TlsSetupError::NoKey),
            Err(error) => return Err(TlsSetupError::Key(error.to_string().into())),
        };
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsSetupError::KeyOfOther,
            rustls::Error::InvalidCertificate(fault) => TlsSetupError::Certificate(fault.to_string().into()),
            other => TlsSetupError::Key(other.to_string().into()),
        })?;
        Ok(Self {
            certified: Arc::new(certified.into()),
        })
    }

    /// From files of PEM.
    ///
    /// # Errors
    /// If a file cannot be read, there is no certificate or no key, or they do not belong together.
    pub fn from_pem_files(certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsSetupError> {
        Self::from_pem(read(certificates.as_ref())?, read(key.as_ref())?)
    }
}

/// The key is not shown.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
