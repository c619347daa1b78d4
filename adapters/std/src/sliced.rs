//! Streams that nothing waits for: they are read for a short while, again and again.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant as Clocked};

use mqtt_adapter::Transport;

use crate::reactor::{Reactor, Slice};
use crate::stream::Opens;

/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;
/// A shorter slice would be a processor that does nothing else.
const SHORTEST_SLICE: Duration = Duration::from_millis(1);

type Close<S> = Box<dyn FnMut(&mut S) -> io::Result<()> + Send>;

/// A blocking stream that the system cannot wait for, in slices: a serial port, a pipe in memory, a TLS stream of another
/// library. It goes wherever a socket goes: to a [`Connection`](crate::Connection) of either role, and to
/// [`start_with`](crate::start_with).
///
/// ```no_run
/// use std::time::Duration;
/// use mqtt_std::{ClientOptions, DialError, Sliced};
/// # use std::io;
/// # struct Port;
/// # impl io::Read for Port { fn read(&mut self, _: &mut [u8]) -> io::Result<usize> { Ok(0) } }
/// # impl io::Write for Port {
/// #     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> { Ok(bytes.len()) }
/// #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
/// # }
/// # fn open_port(_: &str, _: Duration) -> io::Result<Port> { Ok(Port) }
///
/// let slice = Duration::from_millis(10);
/// let client = mqtt_std::start_with(ClientOptions::tcp("behind-the-port", 1883), move |_| {
///     let port = open_port("/dev/ttyUSB0", slice).map_err(DialError::connect)?;
///     Ok(Sliced::new(port).read_slice(slice))
/// })?;
/// # Ok::<(), io::Error>(())
/// ```
///
/// # What the stream has to do
///
/// - `read` returns after a while also when nothing has come, with [`WouldBlock`](ErrorKind::WouldBlock) or
///   [`TimedOut`](ErrorKind::TimedOut). Setting this timeout of the stream is up to whoever opens it; it is to be no longer than the
///   [read slice](Self::read_slice). No bytes mean the end of the stream, and not that nothing has come.
/// - `write` writes what fits, and may wait until something does. If it may wait for long, it needs a timeout as well: two ends that do
///   nothing but write wait for each other for ever.
///
/// # What it costs
///
/// Nobody can wake a thread that reads. So whatever is not input waits for the end of the slice: a command of another thread and a
/// deadline of the machine, that of keep-alive too, are dealt with up to one slice late, and one write later if that blocks. Input is
/// dealt with as it comes, and so is what is done between two calls of [`next`](crate::Connection::next). A keep-alive of the client
/// should be many slices long, since a server closes after one and a half of it. An idle connection wakes its thread once in a slice.
///
/// While there is something to write, writing and reading take turns of one slice each; a turn ends sooner when there is nothing to do
/// in it but for waiting in a read. So without input, writing has at least half of the time. A handle of a client that is called while its
/// thread writes waits for that write, and not for a read.
///
/// A read that says sooner than after a slice that nothing has come is followed by a pause for the rest of it. In such a pause a command
/// is noticed at once, and input waits for its end.
pub struct Sliced<S> {
    stream: S,
    read_slice: Duration,
    write_bytes: usize,
    close: Option<Close<S>>,
}

impl<S: Read + Write + Send + 'static> Sliced<S> {
    /// The default of [`read_slice`](Self::read_slice): 20 ms.
    pub const READ_SLICE: Duration = Duration::from_millis(20);
    /// The default of [`write_bytes`](Self::write_bytes): 1 KiB.
    pub const WRITE_BYTES: usize = 1024;

    /// With the defaults.
    pub const fn new(stream: S) -> Self {
        Self {
            stream,
            read_slice: Self::READ_SLICE,
            write_bytes: Self::WRITE_BYTES,
            close: None,
        }
    }

    /// How long a read waits, as the timeout of the stream says, but at least a millisecond. Longer slices take less of the processor,
    /// and commands and deadlines wait longer.
    #[must_use]
    pub fn read_slice(mut self, slice: Duration) -> Self {
        self.read_slice = slice.max(SHORTEST_SLICE);
        self
    }

    /// How much one write is given at most, and at least one byte. Nothing is read while a write waits: a slow line needs a small number,
    /// or input may be lost there.
    #[must_use]
    pub fn write_bytes(mut self, bytes: usize) -> Self {
        self.write_bytes = bytes.max(1);
        self
    }

    /// How this end says that it writes nothing more, such as `shutdown(Shutdown::Write)`. The stream is then read from until the other
    /// end closes, for a second at most. Without this it is flushed and dropped at once; a TCP stream below it that has input which
    /// nobody read is reset then, and the other end may lose what was written last.
    #[must_use]
    pub fn closing(mut self, close: impl FnMut(&mut S) -> io::Result<()> + Send + 'static) -> Self {
        self.close = Some(Box::new(close));
        self
    }
}

impl<S> fmt::Debug for Sliced<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sliced")
            .field("read_slice", &self.read_slice)
            .field("write_bytes", &self.write_bytes)
            .finish_non_exhaustive()
    }
}

impl<S: Read + Write + Send + 'static> Opens for Sliced<S> {
    type Io = Turns<S>;

    fn open(self, reactor: &Arc<Reactor>) -> io::Result<Turns<S>> {
        let line = Arc::new(Line(Mutex::new(State::new(self))));
        let slice: Arc<dyn Slice> = Arc::clone(&line) as _;
        reactor.add_slice(&slice);
        Ok(Turns(line))
    }
}

/// The stream, for the machine: it never waits here for something to come.
pub(crate) struct Turns<S>(Arc<Line<S>>);

/// The stream, for the reactor, which reads where it would have to wait otherwise.
struct Line<S>(Mutex<State<S>>);

impl<S> Line<S> {
    /// There is one thread, so nobody is kept waiting: the lock is there because the compiler cannot know.
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct State<S> {
    sliced: Sliced<S>,
    /// What was read.
    buffer: Box<[u8]>,
    /// What of it has not been taken.
    unread: Range<usize>,
    /// What a write is given.
    gathered: Vec<u8>,
    /// Nothing more comes, and why.
    end: Option<io::Result<()>>,
    /// There is nothing to do but to wait for the stream.
    waits: bool,
    /// When the turn of writing began, if it has.
    writes_since: Option<Clocked>,
    /// When the turn of reading was over.
    read_at: Clocked,
}

impl<S: Read + Write> State<S> {
    fn new(sliced: Sliced<S>) -> Self {
        Self {
            sliced,
            buffer: vec![0; READ_BYTES].into(),
            unread: 0..0,
            gathered: Vec::new(),
            end: None,
            waits: false,
            writes_since: None,
            read_at: Clocked::now(),
        }
    }

    /// It is worth another try when the stream has been waited for.
    fn wait<T>(&mut self) -> Poll<T> {
        self.waits = true;
        Poll::Pending
    }

    /// Waits in the stream. `false`: nothing has come for as long as that was.
    fn read(&mut self) -> bool {
        match self.sliced.stream.read(&mut self.buffer) {
            Ok(0) => self.end = Some(Ok(())),
            Ok(len) => self.unread = 0..len,
            Err(error) if is_nothing_yet(&error) => return false,
            // Whatever has interrupted it may have left something to do.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.end = Some(Err(error)),
        }
        true
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.gathered.clear();
        for slice in slices {
            let room = self.sliced.write_bytes - self.gathered.len();
            self.gathered.extend(slice.iter().take(room));
        }
        loop {
            match self.sliced.stream.write(&self.gathered) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> Poll<io::Result<()>> {
        loop {
            match self.sliced.stream.flush() {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_nothing_yet(&error) => return self.wait(),
                flushed => return Poll::Ready(flushed),
            }
        }
    }
}

fn is_nothing_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

impl<S: Read + Write + Send> Slice for Line<S> {
    fn take(&self, is_woken: bool) -> Option<Duration> {
        let mut state = self.lock();
        if !std::mem::take(&mut state.waits) {
            return None;
        }
        let (slice, began) = (state.sliced.read_slice, Clocked::now());
        if is_woken && began.saturating_duration_since(state.read_at) < slice {
            return Some(Duration::ZERO);
        }
        // What stands in the buffer is taken first: then it is a write that waits.
        let is_full = !state.unread.is_empty() || state.end.is_some();
        let has_come = !is_full && state.read();
        state.writes_since = None;
        state.read_at = Clocked::now();
        Some(match has_come {
            true => Duration::ZERO,
            false => slice.saturating_sub(began.elapsed()),
        })
    }
}

impl<S: Read + Write> Transport for Turns<S> {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        if state.unread.is_empty() {
            let Some(end) = state.end.take() else {
                return state.wait();
            };
            // An error is told once.
            state.end = Some(Ok(()));
            return Poll::Ready(end.map(|()| 0));
        }
        let len = state.unread.len().min(buffer.len());
        let taken = state.unread.start..state.unread.start + len;
        state.unread.start = taken.end;
        buffer[..len].copy_from_slice(&state.buffer[taken]);
        Poll::Ready(Ok(len))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        let since = *state.writes_since.get_or_insert_with(Clocked::now);
        if since.elapsed() >= state.sliced.read_slice {
            return state.wait();
        }
        match state.write(slices) {
            Err(error) if is_nothing_yet(&error) => state.wait(),
            Err(error) => {
                // The other end may have said why before it closed.
                if state.unread.is_empty() && state.end.is_none() {
                    state.read();
                }
                Poll::Ready(Err(error))
            }
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().flush()
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.flush()?.is_pending() {
            return Poll::Pending;
        }
        let Sliced { stream, close, .. } = &mut state.sliced;
        Poll::Ready(match close {
            Some(close) => close(stream),
            // Dropping the stream is how the other end is told.
            None => Err(ErrorKind::Unsupported.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Far longer than whatever may keep a thread from running between two calls.
    const SLICE: Duration = Duration::from_millis(300);

    /// Takes everything, and has nothing to say.
    #[derive(Default)]
    struct Sink {
        reads: usize,
        longest_write: usize,
    }

    impl Read for Sink {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.reads += 1;
            Err(ErrorKind::TimedOut.into())
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.longest_write = self.longest_write.max(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn turns() -> Turns<Sink> {
        let sliced = Sliced::new(Sink::default()).read_slice(SLICE).write_bytes(5);
        Turns(Arc::new(Line(Mutex::new(State::new(sliced)))))
    }

    fn write(turns: &mut Turns<Sink>) -> Poll<usize> {
        let mut context = Context::from_waker(Waker::noop());
        let slices = [b"one", b"two"].map(|bytes| IoSlice::new(bytes));
        turns.poll_write(&mut context, &slices).map(|written| written.unwrap())
    }

    fn read(turns: &mut Turns<Sink>) -> Poll<usize> {
        let mut context = Context::from_waker(Waker::noop());
        turns.poll_read(&mut context, &mut [0]).map(|read| read.unwrap())
    }

    fn reads(turns: &Turns<Sink>) -> usize {
        turns.0.lock().sliced.stream.reads
    }

    #[test]
    fn writing_without_end_leaves_reading_its_turn() {
        let mut turns = turns();
        let began = Clocked::now();
        while write(&mut turns).is_ready() {
            assert!(began.elapsed() < Duration::from_secs(5), "it never ends");
        }
        assert!(began.elapsed() >= SLICE && reads(&turns) == 0);
        // Others have something to say all the time; it is read nevertheless.
        turns.0.take(true);
        assert_eq!(reads(&turns), 1);
        assert!(write(&mut turns).is_ready());
    }

    #[test]
    fn a_command_goes_before_reading_but_not_for_ever() {
        let mut turns = turns();
        turns.0.lock().read_at = Clocked::now();
        assert!(read(&mut turns).is_pending());
        assert_eq!((turns.0.take(true), reads(&turns)), (Some(Duration::ZERO), 0));
        std::thread::sleep(SLICE);
        assert!(read(&mut turns).is_pending());
        turns.0.take(true);
        assert_eq!(reads(&turns), 1);
    }

    #[test]
    fn a_read_that_did_not_wait_is_followed_by_the_rest_of_its_slice() {
        let mut turns = turns();
        assert!(read(&mut turns).is_pending());
        let rest = turns.0.take(false).unwrap();
        assert!(rest > Duration::ZERO && rest <= SLICE, "{rest:?}");
    }

    #[test]
    fn nothing_is_read_while_nobody_asks() {
        let mut turns = turns();
        assert!(write(&mut turns).is_ready());
        assert_eq!((turns.0.take(false), reads(&turns)), (None, 0));
    }

    #[test]
    fn a_write_is_given_no_more_than_was_asked_for() {
        let mut turns = turns();
        assert_eq!(write(&mut turns), Poll::Ready(5));
        assert_eq!(turns.0.lock().sliced.stream.longest_write, 5);
    }
}
