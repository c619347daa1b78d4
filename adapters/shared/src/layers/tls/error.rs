//! What goes wrong with TLS, and what to try.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::{CertificateError, Error};

use super::pinned::OtherCertificate;
use crate::Stranger;

/// Why settings for TLS cannot be made from this.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsSetupError {
    /// A file cannot be read.
    File(PathBuf, io::ErrorKind),
    /// A file has no certificate, or one that is not valid.
    CertificateFile(PathBuf, Arc<str>),
    /// There is no certificate where one should be.
    NoCertificate,
    /// A certificate is not valid.
    Certificate(Arc<str>),
    /// A revocation list is not valid.
    RevocationList(Arc<str>),
    /// There is no private key where one should be, or it is encrypted.
    NoKey,
    /// The private key cannot be used.
    Key(Arc<str>),
    /// The private key is not that of the certificate.
    KeyOfOther,
    /// This machine has no certificates of authorities.
    NoPlatformRoots(Arc<str>),
    /// What the certificate is to be for is neither a name nor an address.
    ServerName,
}

/// Why TLS has ended a connection, or never made one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsError {
    /// The settings cannot be used.
    Setup(TlsSetupError),
    /// The certificate comes from nobody who is trusted.
    UnknownIssuer,
    /// The certificate is not valid any more.
    Expired,
    /// The certificate is not valid yet.
    NotValidYet,
    /// The certificate is for other names.
    #[non_exhaustive]
    WrongName {
        /// The name that it is not for.
        expected: String,
        /// The names that it is for.
        presented: Vec<String>,
    },
    /// The certificate is not one of those that are pinned, but one with this SHA-256 sum.
    NotPinned([u8; 32]),
    /// Something else is wrong with the certificate.
    Certificate(Arc<str>),
    /// The other end has not shown a certificate.
    NoCertificate,
    /// The other end refuses.
    Alert(TlsAlert),
    /// The other end does not speak TLS.
    NotTls(Stranger),
    /// The two ends have no version, cipher or protocol in common.
    Incompatible(Arc<str>),
    /// The other end does not keep to the protocol, or somebody is in between.
    Protocol(Arc<str>),
    /// The connection ended in the middle of the handshake.
    EndedInHandshake,
    /// The connection ended without the farewell of TLS: what came last may be missing.
    Cut,
}

/// A refusal by the other end, as TLS numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TlsAlert(pub u8);

impl TlsAlert {
    /// Whether it is about the certificate that this end has shown, or has not.
    #[must_use]
    pub const fn is_about_certificate(self) -> bool {
        matches!(self.0, 41..=46 | 48 | 49 | 116)
    }

    /// Whether another try with the same settings is refused as well.
    const fn is_final(self) -> bool {
        self.is_about_certificate() || matches!(self.0, 40 | 70 | 71 | 86 | 109 | 110 | 112 | 120)
    }

    const fn name(self) -> &'static str {
        match self.0 {
            10 => "unexpected message",
            20 => "bad record",
            40 => "handshake failure",
            42 => "bad certificate",
            43 => "unsupported certificate",
            44 => "certificate revoked",
            45 => "certificate expired",
            46 => "certificate unknown",
            47 => "illegal parameter",
            48 => "unknown certificate authority",
            49 => "access denied",
            50 => "decode error",
            51 => "decrypt error",
            70 => "protocol version",
            71 => "insufficient security",
            80 => "internal error",
            90 => "user canceled",
            112 => "unrecognised name",
            116 => "certificate required",
            120 => "no application protocol",
            _ => "an alert",
        }
    }
}

impl fmt::Display for TlsAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

impl TlsError {
    /// What rustls says. The greeting is what the other end began with, as long as the handshake goes on.
    pub(super) fn new(error: &Error, greeting: &[u8]) -> Self {
        match error {
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::AlertReceived(alert) => Self::Alert(TlsAlert(u8::from(*alert))),
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Self::Incompatible(error.to_string().into()),
            _ => match stranger(greeting) {
                Some(stranger) => Self::NotTls(stranger),
                None => Self::Protocol(error.to_string().into()),
            },
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotValidYet,
            CertificateError::NotValidForNameContext { expected, presented } => Self::WrongName {
                expected: expected.to_str().into_owned(),
                presented: presented.clone(),
            },
            CertificateError::BadSignature => Self::Certificate(
                "it is not signed by the authority that it names, which may have another key by now".into(),
            ),
            CertificateError::Other(other) => match other.0.downcast_ref::<OtherCertificate>() {
                Some(OtherCertificate(sum)) => Self::NotPinned(*sum),
                None => Self::Certificate(other.to_string().into()),
            },
            other => Self::Certificate(other.to_string().into()),
        }
    }

    /// Whether another connection with the same settings may succeed: what only another certificate, another setting or
    /// another server can mend is final.
    #[must_use]
    pub const fn may_succeed_later(&self) -> bool {
        match self {
            // A machine whose clock is not set yet gets there.
            Self::NotValidYet | Self::Protocol(_) | Self::EndedInHandshake | Self::Cut => true,
            Self::Alert(alert) => !alert.is_final(),
            _ => false,
        }
    }

    pub(crate) const fn advice(&self) -> &'static str {
        match self {
            Self::Setup(error) => error.advice(),
            Self::UnknownIssuer => {
                "if it is an authority of your own, trust it with `Trust::roots_file`; if the server has made its own \
                 certificate, with `Trust::pinned_pem`"
            }
            Self::Expired => {
                "the server needs another certificate; if it has a new one, check the clock of this machine"
            }
            Self::NotValidYet => "check the clock of this machine",
            Self::WrongName { .. } => "use a name that the certificate is for, or set it with `Tls::server_name`",
            Self::NotPinned(_) => {
                "if the server has another certificate by now, pin that one; if not, somebody is in between"
            }
            Self::Certificate(_) | Self::NoCertificate => {
                "the server needs another certificate, or this one pinned: `Trust::pinned_pem`"
            }
            Self::Alert(alert) => alert.advice(),
            Self::NotTls(Stranger::Mqtt) => {
                "the server speaks MQTT without TLS there: use mqtt://, or its port for TLS"
            }
            Self::NotTls(Stranger::Http) => "a web server without TLS answers there: check the port",
            Self::NotTls(_) => "no server with TLS answers there: check host and port",
            Self::Incompatible(_) => "the server has to speak TLS 1.2 or 1.3 with a cipher of today",
            Self::EndedInHandshake => {
                "the server may expect no TLS there: check the port, or use mqtt:// or ws://; its log may say why"
            }
            Self::Protocol(_) | Self::Cut => "the log of the server may say more",
        }
    }
}

impl TlsAlert {
    const fn advice(self) -> &'static str {
        match self.0 {
            41 | 116 => "the server wants a client certificate: set one with `Tls::identity`",
            40 => "the server may want a client certificate (`Tls::identity`), or a cipher that is not of today",
            42..=46 | 48 | 49 => {
                "the server does not take the client certificate: check it, its authority and its dates"
            }
            70 | 71 => "the server has to speak TLS 1.2 or 1.3 with a cipher of today",
            112 => "the server is not known by this name: set another one with `Tls::server_name`",
            120 => "the server wants another protocol: set it with `Tls::alpn`",
            _ => "the log of the server may say more",
        }
    }
}

/// Who begins like this, if it is not TLS.
fn stranger(greeting: &[u8]) -> Option<Stranger> {
    match greeting {
        [] | [0x14..=0x17, 0x03, ..] | [0x14..=0x17] => None,
        // CONNACK of a server, CONNECT of a client.
        [0x10 | 0x20, ..] => Some(Stranger::Mqtt),
        [b'G', b'E', b'T', b' ', ..] => Some(Stranger::Http),
        _ => Some(Stranger::from_greeting(greeting)),
    }
}

impl TlsSetupError {
    const fn advice(&self) -> &'static str {
        match self {
            Self::File(..) => "check the path and the rights of this process",
            Self::CertificateFile(..) | Self::NoCertificate | Self::Certificate(_) => {
                "give certificates as PEM, with BEGIN CERTIFICATE"
            }
            Self::RevocationList(_) => "give each list as PEM, with BEGIN X509 CRL",
            Self::NoKey | Self::Key(_) => "give the key as PEM, with BEGIN PRIVATE KEY, and not encrypted",
            Self::KeyOfOther => "give the key that the certificate was made for",
            Self::NoPlatformRoots(_) => {
                "install them (ca-certificates), or name your authority with `Trust::roots_file`"
            }
            Self::ServerName => "use a name or an address",
        }
    }
}

impl fmt::Display for TlsSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificateFile(path, why) => write!(f, "{}: {why}", path.display()),
            Self::File(path, kind) => write!(f, "{} cannot be read: {kind}", path.display()),
            Self::NoCertificate => f.write_str("there is no certificate"),
            Self::RevocationList(why) => write!(f, "the revocation list is not valid: {why}"),
            Self::Certificate(why) => write!(f, "the certificate is not valid: {why}"),
            Self::NoKey => f.write_str("there is no private key"),
            Self::Key(why) => write!(f, "the private key cannot be used: {why}"),
            Self::KeyOfOther => f.write_str("the private key is not that of the certificate"),
            Self::NoPlatformRoots(why) => write!(f, "this machine trusts no authorities: {why}"),
            Self::ServerName => f.write_str("what the certificate is to be for is neither a name nor an address"),
        }
    }
}

impl std::error::Error for TlsSetupError {}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TLS: ")?;
        match self {
            Self::Setup(error) => error.fmt(f),
            Self::UnknownIssuer => f.write_str("the certificate comes from nobody who is trusted"),
            Self::Expired => f.write_str("the certificate has expired"),
            Self::NotValidYet => f.write_str("the certificate is not valid yet"),
            Self::WrongName { expected, presented } => {
                write!(
                    f,
                    "the certificate is not for {expected}, but for {}",
                    presented.join(", ")
                )
            }
            Self::NotPinned(sum) => {
                f.write_str("the certificate is not the pinned one; its SHA-256 sum is ")?;
                sum.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Certificate(why) => write!(f, "the certificate is not valid: {why}"),
            Self::NoCertificate => f.write_str("the other end has shown no certificate"),
            Self::Alert(alert) => write!(f, "the other end refuses: {alert}"),
            Self::NotTls(_) => f.write_str("what answers there does not speak TLS"),
            Self::Incompatible(why) => write!(f, "the two ends have too little in common: {why}"),
            Self::Protocol(why) => write!(f, "the other end does not keep to the protocol: {why}"),
            Self::EndedInHandshake => f.write_str("the connection ended in the middle of the handshake"),
            Self::Cut => f.write_str("the connection was cut"),
        }
    }
}

impl std::error::Error for TlsError {}

impl From<TlsSetupError> for TlsError {
    fn from(error: TlsSetupError) -> Self {
        Self::Setup(error)
    }
}
