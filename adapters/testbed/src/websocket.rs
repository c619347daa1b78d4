//! WebSocket by hand, one byte after the other: what a peer may say that no library would.

use tungstenite::handshake::derive_accept_key;

/// The head of a request of a client, for `/mqtt` and with these subprotocols.
#[must_use]
pub fn request(subprotocols: &str) -> Vec<u8> {
    let head = format!(
        "GET /mqtt HTTP/1.1\r\nHost: broker.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: {subprotocols}\r\n\r\n"
    );
    head.into_bytes()
}

/// The answer of a server to the head of a request.
///
/// # Panics
/// If the request has no key.
#[must_use]
pub fn answer(request: &[u8], subprotocol: &str) -> Vec<u8> {
    let request = String::from_utf8_lossy(request).into_owned();
    let key = request
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let proof = derive_accept_key(key.expect("a request has a key").as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {proof}\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
    );
    head.into_bytes()
}

/// A frame with this first byte: what it is, and 0x80 if it is the last of its message. A client masks.
///
/// # Panics
/// If the payload is longer than 65,535 bytes.
#[must_use]
pub fn frame(first: u8, payload: &[u8], is_masked: bool) -> Vec<u8> {
    let mask_bit = if is_masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match u8::try_from(payload.len()) {
        Ok(len) if len < 126 => bytes.push(mask_bit | len),
        _ => {
            bytes.push(mask_bit | 126);
            bytes.extend(u16::try_from(payload.len()).expect("it is short").to_be_bytes());
        }
    }
    let mask = if is_masked { [7, 11, 13, 17] } else { [0; 4] };
    if is_masked {
        bytes.extend(mask);
    }
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A frame, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is, and 0x80 if it is the last of its message.
    pub first: u8,
    /// Whether its payload was masked.
    pub is_masked: bool,
    /// Its payload, without a mask.
    pub payload: Vec<u8>,
}

/// Takes apart what consists of whole frames.
///
/// # Panics
/// If it does not.
#[must_use]
pub fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut take = |count: usize| {
        let (taken, rest) = bytes.split_at_checked(count)?;
        bytes = rest;
        Some(taken.to_vec())
    };
    let mut frames = Vec::new();
    while let Some(head) = take(2) {
        let is_masked = head[1] & 0x80 != 0;
        let len = match head[1] & 0x7F {
            126 => take(2)
                .expect("the frame is whole")
                .iter()
                .fold(0, |len, byte| len << 8 | usize::from(*byte)),
            len => usize::from(len),
        };
        let mask = if is_masked {
            take(4).expect("the frame is whole")
        } else {
            vec![0; 4]
        };
        let payload = take(len).expect("the frame is whole");
        let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        frames.push(Frame {
            first: head[0],
            is_masked,
            payload: payload.collect(),
        });
    }
    frames
}
