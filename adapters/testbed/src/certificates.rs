//! Certificates for one test: those that are committed expire.

use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, date_time_ymd,
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
    /// The number that its authority knows it by.
    pub serial: u64,
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

    /// A certificate of a client with this name, whose subject is `CN=<name>, O=Tests`.
    #[must_use]
    pub fn client(&self, name: &str) -> Issued {
        self.issue(name, Valid::Always, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// A list that revokes these, as PEM.
    ///
    /// # Panics
    /// If it cannot be signed.
    #[must_use]
    pub fn revocation_list(&self, revoked: &[&Issued], valid: Valid) -> String {
        let [this_update, next_update] = match valid {
            Valid::Always => [2001, 4000],
            Valid::UntilLongAgo => [2000, 2001],
            Valid::NotYet => [3999, 4000],
        }
        .map(|year| date_time_ymd(year, 1, 1));
        let revoked_certs = revoked.iter().map(|issued| RevokedCertParams {
            serial_number: issued.serial.into(),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).expect("it can be signed");
        list.pem().expect("it can be written")
    }

    fn issue(&self, name: &str, valid: Valid, purpose: ExtendedKeyUsagePurpose) -> Issued {
        static ISSUED: AtomicU64 = AtomicU64::new(1);
        let serial = ISSUED.fetch_add(1, Ordering::Relaxed);
        let mut params = CertificateParams::new([name.to_owned()]).expect("it is a name");
        params.serial_number = Some(serial.into());
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationName, "Tests");
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
            serial,
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
