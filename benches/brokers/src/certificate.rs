//! The certificate that all brokers of one run have.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::Failed;

/// A certificate that vouches for itself, on ECDSA with P-256, and its key. Its files are gone with this value.
#[derive(Debug)]
pub struct Certificate {
    folder: TempDir,
}

impl Certificate {
    /// A new one, for this machine.
    pub fn new() -> Result<Self, Failed> {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names)?;
        let own = Self {
            folder: tempfile::tempdir()?,
        };
        fs::write(own.file(), made.cert.pem())?;
        fs::write(own.key(), made.signing_key.serialize_pem())?;
        Ok(own)
    }

    /// The certificate, as PEM.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Its key, as PEM.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Arguments of `mqtt bench` for a broker with it on this port.
    pub fn arguments(&self, port: u16) -> [String; 4] {
        let file = self.file().display().to_string();
        let url = format!("mqtts://127.0.0.1:{port}");
        ["--connect".to_owned(), url, "--cafile".to_owned(), file]
    }
}
