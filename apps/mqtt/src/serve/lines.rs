//! Lines of the log on their way to standard error, by a thread of their own: whoever does not read it keeps nobody waiting.

use std::cell::Cell;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// So much waits to be written. Further lines are lost, and counted.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// After so long it is tried again to write what could not be written.
const PAUSE: Duration = Duration::from_millis(20);

thread_local! {
    /// Whether this is the thread that writes: what it says of lost lines is not lost itself, and stands where they would.
    static WRITES: Cell<bool> = const { Cell::new(false) };
}

/// Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines.
    waiting: Vec<u8>,
    /// What the thread says that writes.
    own: Vec<u8>,
    is_writing: bool,
    /// Lines that were lost, and not told of.
    lost: u64,
    lost_in_all: u64,
}

impl Lines {
    /// Starts the thread. It calls this with a number where so many lines were lost.
    pub(super) fn start(&self, to: impl Write + Send + 'static, tell_lost: fn(u64)) -> io::Result<()> {
        let lines = self.clone();
        let thread = thread::Builder::new().name("mqtt-log".to_owned());
        thread.spawn(move || lines.write_all(to, tell_lost))?;
        Ok(())
    }

    /// Takes a line, or counts it.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        let has_room = state.waiting.len().saturating_add(line.len()) <= WAITING_BYTES_MAX;
        if WRITES.get() {
            state.own.extend_from_slice(line);
        } else if has_room {
            state.waiting.extend_from_slice(line);
            self.shared.changed.notify_all();
        } else {
            state.lost += 1;
            state.lost_in_all += 1;
        }
    }

    /// Waits until all is written, and not longer than this.
    pub(super) fn flush(&self, patience: Duration) {
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        // There is nobody who could be told what is left.
        let _ = self.shared.changed.wait_timeout_while(self.lock(), patience, is_busy);
    }

    /// How many lines were lost.
    pub(super) fn lost_in_all(&self) -> u64 {
        self.lock().lost_in_all
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, mut to: impl Write, tell_lost: fn(u64)) {
        WRITES.set(true);
        let mut taken = Vec::new();
        loop {
            let lost = self.take(&mut taken);
            if lost > 0 {
                // Behind what had room, and before what has room again.
                tell_lost(lost);
                taken.append(&mut self.lock().own);
            }
            let lines = taken.iter().filter(|byte| **byte == b'\n').count() as u64;
            if write_patiently(&mut to, &taken).is_err() {
                self.lock().lost_in_all += lines;
            }
            self.lock().is_writing = false;
            self.shared.changed.notify_all();
        }
    }

    /// All that waits, once there is something; and how many lines were lost behind it.
    fn take(&self, taken: &mut Vec<u8>) -> u64 {
        let is_quiet = |state: &mut State| state.waiting.is_empty();
        let waited = self.shared.changed.wait_while(self.lock(), is_quiet);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        // Room for a storm is not kept for ever.
        *taken = std::mem::take(&mut state.waiting);
        state.is_writing = true;
        std::mem::take(&mut state.lost)
    }
}

impl Write for Lines {
    /// A whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Also to a pipe that somebody has set not to wait.
fn write_patiently(to: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Takes what is written when somebody wants it.
    struct Reader(SyncSender<Vec<u8>>);

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .send(bytes.to_vec())
                .map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(tell_lost: fn(u64)) -> (Lines, Receiver<Vec<u8>>) {
        let (sender, receiver) = sync_channel(0);
        let lines = Lines::default();
        lines.start(Reader(sender), tell_lost).expect("a thread");
        (lines, receiver)
    }

    #[test]
    fn lines_keep_their_order_and_all_of_them_come() {
        let (lines, reader) = lines(|_| {});
        let mut all = Vec::new();
        for number in 0..1000 {
            lines.push(format!("{number}\n").as_bytes());
            all.extend_from_slice(format!("{number}\n").as_bytes());
        }
        let mut read = Vec::new();
        while read.len() < all.len() {
            read.extend(reader.recv_timeout(PATIENCE).expect("more comes"));
        }
        assert_eq!(read, all);
        lines.flush(PATIENCE);
        assert_eq!(lines.lost_in_all(), 0);
    }

    #[test]
    fn lines_are_told_to_be_lost_where_they_would_stand() {
        static LINES: OnceLock<Lines> = OnceLock::new();
        let (lines, reader) = lines(|_| LINES.get().expect("it is set").push(b"lost\n"));
        LINES.set(lines.clone()).expect("it is set once");
        lines.push(b"first\n");
        // It is taken before the rest comes, and not read.
        while !lines.lock().waiting.is_empty() {
            thread::yield_now();
        }
        let line = [&vec![b'x'; WAITING_BYTES_MAX - 1][..], b"\n"].concat();
        lines.push(&line);
        lines.push(b"this one\n");
        assert_eq!(lines.lost_in_all(), 1);
        let mut read = reader.recv_timeout(PATIENCE).expect("the first");
        // Once there is room again.
        while !lines.lock().waiting.is_empty() {
            thread::yield_now();
        }
        lines.push(b"later\n");
        while !read.ends_with(b"later\n") || !read.windows(5).any(|part| part == b"lost\n") {
            read.extend(reader.recv_timeout(PATIENCE).expect("more comes"));
        }
        assert!(read.ends_with(b"x\nlost\nlater\n"));
    }

    #[test]
    fn who_does_not_read_keeps_nobody_waiting() {
        let (lines, reader) = lines(|_| {});
        let line = vec![b'x'; WAITING_BYTES_MAX / 4];
        // Four of them may be under way, and four have room.
        for _ in 0..9 {
            lines.push(&line);
        }
        assert!((1..=5).contains(&lines.lost_in_all()), "{}", lines.lost_in_all());
        lines.flush(Duration::ZERO);
        drop(reader);
    }
}
