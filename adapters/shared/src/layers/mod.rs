//! What lies between MQTT and a stream: TLS, WebSocket, both or nothing.
//!
//! A layer is a state machine over bytes (`layer.rs`), which `layered.rs` puts on a stream: so it is the same in all adapters,
//! for clients and servers, and is tested without any socket.

mod carrier;
mod error;
#[cfg(any(feature = "tls", feature = "websocket"))]
mod layer;
#[cfg(any(feature = "tls", feature = "websocket"))]
mod layered;
mod opening;
mod settings;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(feature = "websocket")]
pub(crate) mod websocket;

pub use carrier::Carrier;
pub use error::LayerError;
pub(crate) use opening::Opening;
pub(crate) use settings::Wanted;
pub use settings::{ClientLayers, ServerLayers};
