//! The head of a request or an answer of HTTP, as it comes in.

use super::WebSocketError;
use crate::Stranger;

/// How long a head may be.
const HEAD_BYTES: usize = 8 * 1024;
const END: &[u8] = b"\r\n\r\n";

/// What has come so far of a head that begins in a known way.
pub(super) struct Head {
    begins: &'static [u8],
    bytes: Vec<u8>,
}

impl Head {
    pub(super) const fn new(begins: &'static [u8]) -> Self {
        Self {
            begins,
            bytes: Vec::new(),
        }
    }

    /// Takes what belongs to the head, and says how much that is. `true`: this is its end.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(usize, bool), WebSocketError> {
        let before = self.bytes.len();
        let room = HEAD_BYTES - before;
        self.bytes.extend(bytes.iter().take(room));
        // What does not even begin as it should is never waited for.
        if self
            .bytes
            .iter()
            .zip(self.begins)
            .any(|(found, wanted)| found != wanted)
        {
            return Err(WebSocketError::NotHttp(stranger(&self.bytes)));
        }
        let from = before.saturating_sub(END.len() - 1);
        let end = self.bytes[from..].windows(END.len()).position(|window| window == END);
        match end {
            Some(at) => {
                self.bytes.truncate(from + at + END.len());
                Ok((self.bytes.len() - before, true))
            }
            None if self.bytes.len() == HEAD_BYTES => Err(WebSocketError::HeadTooLong),
            None => Ok((bytes.len(), false)),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn stranger(greeting: &[u8]) -> Stranger {
    match greeting {
        // CONNECT of a client, CONNACK of a server.
        [0x10 | 0x20, ..] => Stranger::Mqtt,
        // A handshake or an alert.
        [0x15 | 0x16, ..] => Stranger::Tls,
        _ => Stranger::from_greeting(greeting),
    }
}
