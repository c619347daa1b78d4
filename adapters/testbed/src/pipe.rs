//! A stream in memory that is as bad as streams can be: it takes and gives as little as it is told to, and waits in between.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use mqtt_adapter::Transport;

/// One direction of a stream in memory.
#[derive(Debug, Default)]
pub struct Pipe {
    /// What has been written and not been read.
    pub bytes: VecDeque<u8>,
    /// Nothing more will be written.
    pub is_closed: bool,
}

/// One end of it.
#[derive(Debug)]
pub struct End {
    reads: Arc<Mutex<Pipe>>,
    writes: Arc<Mutex<Pipe>>,
    /// How much moves at most, in turn; 0 is none. Of odd length, since reads and writes alternate.
    portions: &'static [usize],
    turn: usize,
    calls: Arc<AtomicU64>,
    writing_waits: bool,
}

impl End {
    /// What this end writes.
    pub fn written(&self) -> MutexGuard<'_, Pipe> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this end reads.
    pub fn unread(&self) -> MutexGuard<'_, Pipe> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn portion(&mut self, cx: &Context<'_>) -> usize {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.turn += 1;
        let portion = self.portions[self.turn % self.portions.len()];
        if portion == 0 {
            cx.waker().wake_by_ref();
        }
        portion
    }
}

impl Transport for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let portion = self.portion(cx).min(buffer.len());
        let mut pipe = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let len = portion.min(pipe.bytes.len());
        for (place, byte) in buffer.iter_mut().zip(pipe.bytes.drain(..len)) {
            *place = byte;
        }
        match len {
            0 if !(pipe.is_closed && pipe.bytes.is_empty()) => Poll::Pending,
            len => Poll::Ready(Ok(len)),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let portion = self.portion(cx);
        self.writing_waits = portion == 0;
        if self.writing_waits {
            return Poll::Pending;
        }
        let mut pipe = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = pipe.bytes.len();
        pipe.bytes
            .extend(slices.iter().flat_map(|slice| slice.iter()).take(portion));
        Poll::Ready(Ok(pipe.bytes.len() - before))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        assert!(!self.writing_waits, "a socket of smol would forget whom to wake");
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.written().is_closed = true;
        Poll::Ready(Ok(()))
    }
}

/// The other end is gone.
impl Drop for End {
    fn drop(&mut self) {
        self.written().is_closed = true;
    }
}

/// Both ends of a stream that moves so much at most, in turn, and the number of calls. With a portion of 0, whoever asks is
/// woken at once.
#[must_use]
pub fn ends(portions: &'static [usize]) -> (End, End, Arc<AtomicU64>) {
    let (there, back, calls) = (Arc::default(), Arc::default(), Arc::<AtomicU64>::default());
    let end = |reads: &Arc<_>, writes: &Arc<_>| End {
        reads: Arc::clone(reads),
        writes: Arc::clone(writes),
        portions,
        turn: 0,
        calls: Arc::clone(&calls),
        writing_waits: false,
    };
    (end(&back, &there), end(&there, &back), calls)
}
