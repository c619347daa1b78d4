//! Certificates for one test: those that are committed expire.

use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

/// An authority that issues certificates.
#[derive(Debug)]
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Valid {
    /// At any time that a test may run at.
    Always,
    /// Not any more.
    UntilLongAgo,
    /// Not yet.
    NotYet,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// If there is no randomness to be had.
    #[must_use]
    pub fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(1);
        let mut params = CertificateParams::default();
        // One of the same name with another key is told apart from one that nobody knows.
        let name = format!("Authority {}", MADE.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("there is randomness");
        let certificate = params.self_signed(&key).expect("it can be signed");
        Self {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Its own certificate, as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate of a server with this name or address.
    #[must_use]
    pub fn server(&self, name: &str) -> Issued {
        self.server_valid(name, Valid::Always)
    }

    /// The same, valid at that time.
    #[must_use]
    pub fn server_valid(&self, name: &str, valid: Valid) -> Issued {
        self.issue(name, valid, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate of a client with this name.
    #[must_use]
    pub fn client(&self, name: &str) -> Issued {
        self.issue(name, Valid::Always, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(&self, name: &str, valid: Valid, purpose: ExtendedKeyUsagePurpose) -> Issued {
        let mut params = CertificateParams::new([name.to_owned()]).expect("it is a name");
        params.extended_key_usages = vec![purpose];
        match valid {
            Valid::Always => {}
            Valid::UntilLongAgo => params.not_after = date_time_ymd(2001, 1, 1),
            Valid::NotYet => params.not_before = date_time_ymd(4000, 1, 1),
        }
        let key = KeyPair::generate().expect("there is randomness");
        let certificate = params.signed_by(&key, &self.issuer).expect("it can be signed");
        Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
