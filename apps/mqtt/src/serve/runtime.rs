//! What the broker runs on: tokio, else smol, else threads alone.

use mqtt_adapter::host::{Host, Running, StartError};

#[cfg(feature = "tokio")]
pub(super) const NAME: &str = "tokio";
#[cfg(all(feature = "smol", not(feature = "tokio")))]
pub(super) const NAME: &str = "smol";
#[cfg(all(feature = "std", not(any(feature = "tokio", feature = "smol"))))]
pub(super) const NAME: &str = "threads";

/// Starts a broker.
pub(super) fn start(host: Host) -> Result<Running, StartError> {
    #[cfg(feature = "tokio")]
    return mqtt_tokio::broker::start(host);
    #[cfg(all(feature = "smol", not(feature = "tokio")))]
    return mqtt_smol::broker::start(host);
    #[cfg(all(feature = "std", not(any(feature = "tokio", feature = "smol"))))]
    return mqtt_std::broker::start(host);
}
