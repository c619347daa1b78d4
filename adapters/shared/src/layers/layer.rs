//! What a protocol between MQTT and a stream is.

use std::io::IoSlice;

use super::LayerError;

/// A protocol between MQTT and a stream. It has no stream itself: bytes go in and come out at both of its sides, and any split
/// of them means the same.
pub(crate) trait Layer {
    /// Takes some of what the stream has brought, and says how much. While there is nothing to [`read`](Self::read), that is
    /// something.
    fn receive(&mut self, bytes: &[u8]) -> Result<usize, LayerError>;

    /// The stream has ended: there is an end to [`read`](Self::read) now.
    fn receive_end(&mut self) -> Result<(), LayerError>;

    /// Whether MQTT can be written: the handshake is over.
    fn is_open(&self) -> bool;

    /// Gives what MQTT is to read. `None`: nothing yet. No bytes: the other end has said that nothing follows.
    fn read(&mut self, buffer: &mut [u8]) -> Option<usize>;

    /// Takes what MQTT writes, as far as there is room, once it [is open](Self::is_open).
    fn write(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, LayerError>;

    /// This end has said everything.
    fn close(&mut self);

    /// What is to be written to the stream.
    fn outgoing(&mut self) -> &mut Outgoing;

    /// The stream ended or broke, as far as it is known, before the handshake was over.
    fn ended_early(&self) -> LayerError;
}

/// Bytes on their way to a stream.
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            sent: 0,
        }
    }

    /// What is left to be sent.
    pub(crate) fn left(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left().is_empty()
    }

    /// So much has been sent.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.is_empty() {
            self.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }

    /// To put something at the end of it.
    pub(crate) const fn end(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}
