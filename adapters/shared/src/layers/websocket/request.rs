//! What a client asks for, and whether the answer is one.

use tungstenite::handshake::client::{Response, generate_key, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::http::{self, HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{MESSAGE_BYTES, SUBPROTOCOL, WebSocketError};

/// WebSocket for a client. Where it goes is in the URL; without a path there, it is `/mqtt`.
#[derive(Clone, Debug)]
pub struct WebSocket {
    headers: HeaderMap,
    message_bytes: usize,
}

impl WebSocket {
    /// With no headers beside those that WebSocket needs, and messages of 2 MiB at most.
    #[must_use]
    pub fn new() -> Self {
        Self {
            headers: HeaderMap::new(),
            message_bytes: MESSAGE_BYTES,
        }
    }

    /// One more header of the request: `Authorization` or `Cookie`, for instance.
    ///
    /// # Errors
    /// If HTTP has no such header.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, WebSocketError> {
        let name = HeaderName::try_from(name).map_err(|_| WebSocketError::NotSendable)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| WebSocketError::NotSendable)?;
        // It may be a secret.
        value.set_sensitive(true);
        self.headers.append(name, value);
        Ok(self)
    }

    /// How large a message of the server, and a frame of it, may be. Default 2 MiB. It has to hold the largest packet, and
    /// what the server puts into one message with it. A larger one ends the connection.
    #[must_use]
    pub fn message_bytes(mut self, bytes: usize) -> Self {
        self.message_bytes = bytes;
        self
    }
}

impl Default for WebSocket {
    fn default() -> Self {
        Self::new()
    }
}

/// A request that is ready but for its key.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    request: http::Request<()>,
    pub(super) message_bytes: usize,
}

impl Request {
    pub(crate) fn new(websocket: &WebSocket, authority: &str, path: &str) -> Result<Self, WebSocketError> {
        let request = http::Request::get(path)
            .header(header::HOST, authority)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
            .body(());
        let mut request = request.map_err(|_| WebSocketError::NotSendable)?;
        for name in websocket.headers.keys() {
            if request.headers().contains_key(name) || name == header::SEC_WEBSOCKET_KEY {
                return Err(WebSocketError::NotSendable);
            }
        }
        request.headers_mut().extend(websocket.headers.clone());
        let prepared = Self {
            request,
            message_bytes: websocket.message_bytes,
        };
        // What cannot be written is found here, and not at each connection.
        prepared.with_key("").map(|_| prepared)
    }

    /// The bytes of the request, and the key that the answer has to prove to have seen.
    pub(super) fn encoded(&self) -> (Vec<u8>, String) {
        let key = generate_key();
        let bytes = self.with_key(&key).unwrap_or_default();
        (bytes, derive_accept_key(key.as_bytes()))
    }

    fn with_key(&self, key: &str) -> Result<Vec<u8>, WebSocketError> {
        let mut request = self.request.clone();
        let value = HeaderValue::from_str(key).map_err(|_| WebSocketError::NotSendable)?;
        request.headers_mut().insert(header::SEC_WEBSOCKET_KEY, value);
        let generated = generate_request(request);
        generated
            .map(|(bytes, _)| bytes)
            .map_err(|_| WebSocketError::NotSendable)
    }
}

/// Whether a whole head agrees to the request with this proof.
pub(super) fn verify(head: &[u8], proof: &str) -> Result<(), WebSocketError> {
    let Ok(Some((_, response))) = Response::try_parse(head) else {
        return Err(WebSocketError::BadAnswer("it is not HTTP"));
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(WebSocketError::Status(response.status().as_u16()));
    }
    let headers = response.headers();
    if !has_token(headers, &header::UPGRADE, "websocket") || !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err(WebSocketError::BadAnswer("it does not go over to WebSocket"));
    }
    if one_value(headers, &header::SEC_WEBSOCKET_ACCEPT) != Some(proof.as_bytes()) {
        return Err(WebSocketError::BadAnswer("it is not for this request"));
    }
    if headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err(WebSocketError::BadAnswer("it has extensions that nobody asked for"));
    }
    // [MQTT-6.0.0-4]
    match one_value(headers, &header::SEC_WEBSOCKET_PROTOCOL) {
        Some(value) if value == SUBPROTOCOL.as_bytes() => Ok(()),
        _ => Err(WebSocketError::NoSubprotocol),
    }
}

/// Whether a header that is a list has this word.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|word| word.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// The value of a header that is there exactly once.
fn one_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}
