//! Files with certificates and keys, and what is told of one that holds something else.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use mqtt_adapter::{Identity, TlsSetupError};

/// A file, and the option or the key that names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) option: &'a str,
    pub(crate) path: &'a Path,
}

/// What a file can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Certificate,
    Key,
    RevocationList,
}

/// What is made of the file, which is to hold this; or what is wrong with it.
pub(crate) fn with<T>(
    source: Source<'_>,
    wanted: Content,
    make: impl FnOnce(&[u8]) -> Result<T, TlsSetupError>,
) -> Result<T, String> {
    let bytes = source.read()?;
    make(&bytes).map_err(|error| source.told(wanted, &bytes, &error))
}

/// Who this end is, or what is wrong with which of the two files.
pub(crate) fn identity(certificate: Source<'_>, key: Source<'_>) -> Result<Identity, String> {
    let (chain, secret) = (certificate.read()?, key.read()?);
    Identity::from_pem(&chain, &secret).map_err(|error| match error {
        TlsSetupError::NoKey | TlsSetupError::Key(_) => key.told(Content::Key, &secret, &error),
        TlsSetupError::KeyOfOther => key.fault(format_args!("{error} in {}", certificate.path.display())),
        error => certificate.told(Content::Certificate, &chain, &error),
    })
}

impl Source<'_> {
    fn read(&self) -> Result<Vec<u8>, String> {
        fs::read(self.path).map_err(|error| format!("{}: {} cannot be read: {error}", self.option, self.path.display()))
    }

    /// What is wrong with it.
    pub(crate) fn fault(&self, what: impl Display) -> String {
        format!("{}: {}: {what}", self.option, self.path.display())
    }

    fn told(&self, wanted: Content, bytes: &[u8], error: &TlsSetupError) -> String {
        match instead_of(wanted, bytes) {
            Some(found) => self.fault(format_args!("{error}: the file {found}")),
            None => self.fault(error),
        }
    }
}

/// What a file holds that does not hold what it is to.
fn instead_of(wanted: Content, bytes: &[u8]) -> Option<String> {
    if bytes.trim_ascii().is_empty() {
        return Some("is empty".to_owned());
    }
    let text = String::from_utf8_lossy(bytes);
    let mut found: Vec<String> = Vec::new();
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let label = line
            .strip_prefix("-----BEGIN ")
            .and_then(|line| line.strip_suffix("-----"));
        let Some(label) = label else { continue };
        // A key of OpenSSL's older form says in front of its bytes that it is encrypted.
        let is_encrypted = lines.peek().is_some_and(|next| next.ends_with("ENCRYPTED"));
        if content(label) == Some(wanted) && !is_encrypted {
            return None;
        }
        let name = name(label, is_encrypted);
        if !found.contains(&name) {
            found.push(name);
        }
    }
    Some(match found.is_empty() {
        false => format!("holds {}", found.join(" and ")),
        true if is_der(bytes) => "holds DER, not PEM".to_owned(),
        true => "holds neither PEM nor DER".to_owned(),
    })
}

/// What stands behind this label, if it is of use.
fn content(label: &str) -> Option<Content> {
    match label {
        "CERTIFICATE" => Some(Content::Certificate),
        "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => Some(Content::Key),
        "X509 CRL" => Some(Content::RevocationList),
        _ => None,
    }
}

fn name(label: &str, is_encrypted: bool) -> String {
    match (label, content(label)) {
        (_, Some(Content::Key)) if is_encrypted => "a private key that is encrypted".to_owned(),
        (_, Some(Content::Key)) => "a private key".to_owned(),
        (_, Some(Content::Certificate)) => "a certificate".to_owned(),
        (_, Some(Content::RevocationList)) => "a revocation list".to_owned(),
        ("ENCRYPTED PRIVATE KEY", None) => "a private key that is encrypted".to_owned(),
        ("OPENSSH PRIVATE KEY", None) => "a private key in the form of OpenSSH".to_owned(),
        ("PUBLIC KEY" | "RSA PUBLIC KEY", None) => "a public key".to_owned(),
        ("CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST", None) => "a request for a certificate".to_owned(),
        ("TRUSTED CERTIFICATE", None) => "a certificate in OpenSSL's own form (TRUSTED CERTIFICATE)".to_owned(),
        // Whatever it says is not told in full: it may be anything.
        (label, None) => format!("{:?} as PEM", label.chars().take(32).collect::<String>()),
    }
}

/// Whether it is one sequence of DER, which is what certificates, keys and their containers are.
fn is_der(bytes: &[u8]) -> bool {
    let (header, len) = match *bytes {
        [0x30, len @ ..=0x7F, ..] => (2, usize::from(len)),
        [0x30, 0x81, len, ..] => (3, usize::from(len)),
        [0x30, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        [0x30, 0x83, one, two, three, ..] => (5, u32::from_be_bytes([0, one, two, three]) as usize),
        _ => return false,
    };
    bytes.len() == header + len
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(label: &str) -> String {
        format!("-----BEGIN {label}-----\r\nAAAA\r\n-----END {label}-----\r\n")
    }

    #[test]
    fn what_stands_in_a_file_is_told_if_it_is_not_what_is_wanted() {
        use Content::{Certificate, Key, RevocationList};
        let both = pem("PRIVATE KEY") + &pem("CERTIFICATE") + &pem("PRIVATE KEY");
        let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
        for (wanted, text, told) in [
            (Certificate, both.as_str(), None),
            (Key, &both, None),
            (RevocationList, &pem("X509 CRL"), None),
            (RevocationList, &both, Some("holds a private key and a certificate")),
            (Certificate, &pem("EC PRIVATE KEY"), Some("holds a private key")),
            (Key, &pem("CERTIFICATE"), Some("holds a certificate")),
            (
                Key,
                &pem("ENCRYPTED PRIVATE KEY"),
                Some("holds a private key that is encrypted"),
            ),
            (Key, encrypted, Some("holds a private key that is encrypted")),
            (
                Certificate,
                &pem("CERTIFICATE REQUEST"),
                Some("holds a request for a certificate"),
            ),
            (Certificate, &pem("X509 CRL"), Some("holds a revocation list")),
            (Certificate, &pem("PGP MESSAGE"), Some("holds \"PGP MESSAGE\" as PEM")),
            (Certificate, "", Some("is empty")),
            (Key, "\n \n", Some("is empty")),
            (Certificate, "\x30\x03\x02\x01\x05", Some("holds DER, not PEM")),
            (Certificate, "\x30\x03\x02\x01", Some("holds neither PEM nor DER")),
            (Certificate, "listener 1883", Some("holds neither PEM nor DER")),
        ] {
            assert_eq!(
                instead_of(wanted, text.as_bytes()).as_deref(),
                told,
                "{wanted:?} in {text}"
            );
        }
    }

    #[test]
    fn a_long_file_of_der_is_known() {
        for (header, len) in [
            (&[0x30, 0x81, 200][..], 200),
            (&[0x30, 0x82, 2, 0], 512),
            (&[0x30, 0x83, 1, 0, 0], 65536),
        ] {
            let mut bytes = header.to_vec();
            bytes.resize(header.len() + len, 0);
            assert!(is_der(&bytes), "{len}");
            bytes.push(0);
            assert!(!is_der(&bytes), "{len}");
        }
    }
}
