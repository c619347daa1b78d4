//! What the device sees of the world: a stream and the time.

use mqtt_session::Instant;

/// A stream that never waits, and the time.
pub trait Port {
    /// The time.
    fn now(&mut self) -> Instant;

    /// Opens a stream to the server. Returns whether there is one.
    fn open(&mut self) -> bool;

    /// Takes bytes that have arrived, and returns how many; `None` if the stream has ended.
    fn read(&mut self, into: &mut [u8]) -> Option<usize>;

    /// Sends bytes, and returns how many went; `None` if the stream has ended.
    fn write(&mut self, bytes: &[u8]) -> Option<usize>;
}
