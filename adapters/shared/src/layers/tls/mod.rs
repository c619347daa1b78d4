//! TLS by rustls, as a layer: see [`Tls`] for a client and [`TlsServer`] for a listener.

mod client;
mod client_trust;
mod error;
mod identity;
mod pinned;
mod server;
mod session;
mod trust;

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;

pub use client::Tls;
pub use client_trust::ClientTrust;
pub use error::{TlsAlert, TlsError, TlsSetupError};
pub use identity::Identity;
pub use server::TlsServer;
pub(crate) use session::Session;
pub use session::TlsSession;
pub use trust::Trust;

/// The cryptography of this crate. It is not made the default of the process: others in it choose for themselves.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}
