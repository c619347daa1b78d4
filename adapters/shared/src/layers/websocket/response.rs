//! What a server answers to a request.

use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::http::{HeaderValue, header};

use super::{MESSAGE_BYTES, SUBPROTOCOL, SUBPROTOCOL_3_1, WebSocketError, WebSocketRefusal};

/// WebSocket for a listener.
#[derive(Clone, Debug)]
pub struct WebSocketServer {
    path: Option<String>,
    pub(super) message_bytes: usize,
}

impl WebSocketServer {
    /// At every path, with messages of 2 MiB at most.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            path: None,
            message_bytes: MESSAGE_BYTES,
        }
    }

    /// At this path alone, with whatever query. Clients that ask for another one get status 404.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// How large a message of a client, and a frame of it, may be. Default 2 MiB. It has to hold the largest packet, and what
    /// a client puts into one message with it. A larger one ends the connection.
    #[must_use]
    pub const fn message_bytes(mut self, bytes: usize) -> Self {
        self.message_bytes = bytes;
        self
    }
}

impl Default for WebSocketServer {
    fn default() -> Self {
        Self::new()
    }
}

/// The answer to a whole head, and why it is a refusal if it is one.
pub(super) fn answer(head: &[u8], server: &WebSocketServer) -> (Vec<u8>, Result<(), WebSocketError>) {
    let refuse = |why, status: &str| {
        let answer =
            format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\nSec-WebSocket-Version: 13\r\n\r\n");
        (answer.into_bytes(), Err(WebSocketError::Refused(why)))
    };
    let Ok(Some((_, request))) = Request::try_parse(head) else {
        return refuse(WebSocketRefusal::BadRequest, "400 Bad Request");
    };
    if server.path.as_ref().is_some_and(|path| path != request.uri().path()) {
        return refuse(WebSocketRefusal::Path, "404 Not Found");
    }
    let Ok(mut response) = create_response(&request) else {
        return refuse(WebSocketRefusal::BadRequest, "400 Bad Request");
    };
    // [MQTT-6.0.0-3]
    let Some(chosen) = [SUBPROTOCOL, SUBPROTOCOL_3_1]
        .into_iter()
        .find(|name| offers(&request, name))
    else {
        return refuse(WebSocketRefusal::NoSubprotocol, "400 Bad Request");
    };
    // [MQTT-6.0.0-4]
    let chosen = HeaderValue::from_static(chosen);
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
    let mut answer = Vec::new();
    match write_response(&mut answer, &response) {
        Ok(()) => (answer, Ok(())),
        Err(_) => refuse(WebSocketRefusal::BadRequest, "400 Bad Request"),
    }
}

/// The names of these protocols are told apart by upper and lower case.
fn offers(request: &Request, name: &str) -> bool {
    let offers = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    offers
        .flat_map(|offer| offer.as_bytes().split(|byte| *byte == b','))
        .any(|offer| offer.trim_ascii() == name.as_bytes())
}
