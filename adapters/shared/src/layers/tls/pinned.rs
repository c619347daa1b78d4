//! Servers that are known by their certificate alone.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::provider;
use super::trust::sha256;

/// Trusts the certificates with one of these sums.
#[derive(Debug)]
pub(super) struct Pinned {
    sums: Vec<[u8; 32]>,
}

/// The certificate has another sum: this one.
#[derive(Debug)]
pub(super) struct OtherCertificate(pub(super) [u8; 32]);

impl Pinned {
    pub(super) const fn new(sums: Vec<[u8; 32]>) -> Self {
        Self { sums }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let sum = sha256(end_entity);
        if self.sums.contains(&sum) {
            return Ok(ServerCertVerified::assertion());
        }
        let other = OtherError(std::sync::Arc::new(OtherCertificate(sum)));
        Err(CertificateError::Other(other).into())
    }

    // That the server has the key of its certificate is checked as for any other.

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &provider().signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl std::fmt::Display for OtherCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it is another certificate")
    }
}

impl std::error::Error for OtherCertificate {}
