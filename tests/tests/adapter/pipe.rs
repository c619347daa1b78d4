//! A stream in memory of which the trials decide how much moves, and which counts how often it is asked.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use mqtt_adapter::Transport;

/// What an end reads, what it has written, and how often it was asked.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) input: VecDeque<u8>,
    /// Nothing will follow the input.
    pub(crate) is_ended: bool,
    pub(crate) output: Vec<u8>,
    pub(crate) calls: usize,
    /// How much is taken and given at most, in turn, an odd number of them, since reads and writes alternate. 0: nothing, and
    /// the waker is woken at once.
    pub(crate) portions: &'static [usize],
}

/// One end of a wire; the trial holds the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct End(pub(crate) Arc<Mutex<Wire>>);

impl End {
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Wire) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wire {
    fn portion(&mut self, cx: &Context<'_>) -> usize {
        self.calls += 1;
        let portion = match self.portions {
            [] => usize::MAX,
            portions => portions[self.calls % portions.len()],
        };
        if portion == 0 {
            cx.waker().wake_by_ref();
        }
        portion
    }
}

impl Transport for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.with(|wire| {
            let len = wire.portion(cx).min(buffer.len()).min(wire.input.len());
            for (place, byte) in buffer.iter_mut().zip(wire.input.drain(..len)) {
                *place = byte;
            }
            match len == 0 && !(wire.is_ended && wire.input.is_empty()) {
                true => Poll::Pending,
                false => Poll::Ready(Ok(len)),
            }
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.with(|wire| {
            let portion = wire.portion(cx);
            let bytes = slices.iter().flat_map(|slice| slice.iter()).take(portion);
            let before = wire.output.len();
            wire.output.extend(bytes);
            match wire.output.len() - before {
                0 => Poll::Pending,
                len => Poll::Ready(Ok(len)),
            }
        })
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
