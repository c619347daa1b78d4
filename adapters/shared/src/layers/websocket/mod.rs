//! WebSocket by tungstenite, as a layer: see [`WebSocket`] for a client and [`WebSocketServer`] for a listener.

mod error;
mod head;
mod request;
mod response;
mod session;

pub use error::{WebSocketError, WebSocketRefusal};
pub(crate) use request::Request;
pub use request::WebSocket;
pub use response::WebSocketServer;
pub(crate) use session::Session;

/// The name of MQTT among the protocols on WebSocket.
const SUBPROTOCOL: &str = "mqtt";

/// What clients of MQTT 3.1, which knows no WebSocket, ask for instead. A server takes it too.
const SUBPROTOCOL_3_1: &str = "mqttv3.1";

/// How large a message or a frame may be, if nothing else is said: twice what a packet may be by default.
const MESSAGE_BYTES: usize = 2 << 20;
