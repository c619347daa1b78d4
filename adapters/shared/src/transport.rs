//! What an adapter needs of a stream.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

/// A stream of bytes, polled: the one shape that sockets, TLS, WebSocket and pipes of all runtimes have in common.
///
/// Each method that returns `Pending` has arranged for the waker of `cx` to be woken when it is worth another try. One task
/// reads and writes, so one waker is enough.
pub trait Transport {
    /// Reads what is there, at most as much as fits. No bytes: the other end has closed.
    ///
    /// # Errors
    /// If the stream is broken. It is not used any more then.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes what fits.
    ///
    /// # Errors
    /// If the stream is broken. It is not used any more then.
    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Sends on what a stream has kept of what was written.
    ///
    /// It is not called while writing waits: a socket of smol would forget whom to wake.
    ///
    /// # Errors
    /// If the stream is broken. It is not used any more then.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Tells the other end that nothing more will be written. Reading goes on.
    ///
    /// # Errors
    /// If the stream is broken. It is not used any more then.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        (**self).poll_write(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_close(cx)
    }
}
