//! A pipe in memory with blocking ends, as good or bad as a stream without a descriptor can be.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// One direction.
#[derive(Default)]
struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    is_closed: bool,
    reader_is_gone: bool,
}

/// How an end behaves.
#[derive(Clone, Copy)]
pub(crate) struct Habits {
    /// How long calls wait.
    pub(crate) waits: Duration,
    /// What they say then.
    pub(crate) nothing_yet: ErrorKind,
    /// How much a pipe holds.
    pub(crate) room: usize,
    /// How much a write takes at most.
    pub(crate) portion: usize,
    /// Every so many calls are interrupted; 0 is none.
    pub(crate) interrupted: u64,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            waits: SLICE,
            nothing_yet: ErrorKind::TimedOut,
            room: 64 * 1024,
            portion: usize::MAX,
            interrupted: 0,
        }
    }
}

/// What the ends of these tests wait.
pub(crate) const SLICE: Duration = Duration::from_millis(5);

/// What can be known of an end from outside.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) closings: AtomicU64,
    pub(crate) drops: AtomicU64,
    reads_from: Mutex<Option<Arc<Pipe>>>,
}

impl Watch {
    /// The other end seems to have ended.
    pub(crate) fn cut(&self) {
        let pipe = self.reads_from.lock().unwrap().clone().unwrap();
        pipe.state.lock().unwrap().is_closed = true;
        pipe.changed.notify_all();
    }
}

/// One end.
pub(crate) struct End {
    reads: Arc<Pipe>,
    writes: Arc<Pipe>,
    habits: Habits,
    calls: u64,
    watch: Arc<Watch>,
}

impl End {
    pub(crate) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    /// Says that nothing more will be written.
    pub(crate) fn close_writing(&mut self) -> io::Result<()> {
        self.watch.closings.fetch_add(1, Ordering::Relaxed);
        self.writes.state.lock().unwrap().is_closed = true;
        self.writes.changed.notify_all();
        Ok(())
    }

    fn call(&mut self) -> io::Result<()> {
        self.calls += 1;
        match self.habits.interrupted {
            0 => Ok(()),
            every if self.calls % every == 0 => Err(ErrorKind::Interrupted.into()),
            _ => Ok(()),
        }
    }

    /// Waits until something is so, for as long as this end does.
    fn wait<'a>(pipe: &'a Pipe, habits: &Habits, is_so: impl Fn(&State) -> bool) -> io::Result<MutexGuard<'a, State>> {
        let until = Instant::now() + habits.waits;
        let mut state = pipe.state.lock().unwrap();
        while !is_so(&state) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(habits.nothing_yet.into());
            }
            state = pipe.changed.wait_timeout(state, left).unwrap().0;
        }
        Ok(state)
    }
}

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watch.reads.fetch_add(1, Ordering::Relaxed);
        self.call()?;
        let mut state = Self::wait(&self.reads, &self.habits, |state| {
            !state.bytes.is_empty() || state.is_closed
        })?;
        let len = state.bytes.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(state.bytes.drain(..len)) {
            *place = byte;
        }
        self.reads.changed.notify_all();
        Ok(len)
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.watch.writes.fetch_add(1, Ordering::Relaxed);
        self.call()?;
        let room = self.habits.room;
        let mut state = Self::wait(&self.writes, &self.habits, |state| {
            state.bytes.len() < room || state.reader_is_gone
        })?;
        if state.reader_is_gone {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let len = bytes.len().min(room - state.bytes.len()).min(self.habits.portion);
        state.bytes.extend(&bytes[..len]);
        self.writes.changed.notify_all();
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.call()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.watch.drops.fetch_add(1, Ordering::Relaxed);
        self.writes.state.lock().unwrap().is_closed = true;
        self.reads.state.lock().unwrap().reader_is_gone = true;
        self.writes.changed.notify_all();
        self.reads.changed.notify_all();
    }
}

/// Both ends of a stream.
pub(crate) fn wire(habits: Habits) -> (End, End) {
    let (there, back) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
    let end = |reads: &Arc<Pipe>, writes: &Arc<Pipe>| End {
        reads: Arc::clone(reads),
        writes: Arc::clone(writes),
        habits,
        calls: 0,
        watch: Arc::new(Watch {
            reads_from: Mutex::new(Some(Arc::clone(reads))),
            ..Watch::default()
        }),
    };
    (end(&back, &there), end(&there, &back))
}
