//! TLS, as every command that speaks it is told.

use std::path::PathBuf;

use super::values::fingerprint;

/// TLS.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsArguments {
    /// TLS with servers whose certificate comes from these authorities, in PEM
    #[arg(long, value_name = "FILE")]
    pub cafile: Option<PathBuf>,
    /// The same from all files of a folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "cafile")]
    pub capath: Option<PathBuf>,
    /// TLS with servers that this machine trusts; the default for mqtts://, wss:// and port 8883
    #[arg(long)]
    pub tls_use_os_certs: bool,
    /// TLS with the server that has exactly this certificate, by its SHA-256 sum; neither name nor dates count then
    #[arg(long, value_name = "SHA256", value_parser = fingerprint, conflicts_with_all = ["cafile", "capath", "tls_use_os_certs"])]
    pub tls_fingerprint: Option<[u8; 32]>,
    /// Name that the certificate of the server has to be for [default: the host]
    #[arg(long, value_name = "NAME")]
    pub tls_name: Option<String>,
    /// Certificate of this client, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Private key of this client, in PEM and not encrypted
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Protocol to ask for by ALPN
    #[arg(long, value_name = "PROTOCOL")]
    pub tls_alpn: Option<String>,
}

impl TlsArguments {
    /// Whether one of them asks for TLS.
    pub(crate) fn ask_for_it(&self) -> bool {
        self.cafile.is_some()
            || self.capath.is_some()
            || self.cert.is_some()
            || self.tls_use_os_certs
            || self.tls_fingerprint.is_some()
            || self.tls_name.is_some()
    }
}
