//! A stream and a driver, joined: bytes move as far as the stream goes.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use mqtt_session::{Batch, Driver, Instant, Machine, Next, Wait};

use crate::{Clock, Transport};

/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;
/// How much of it is given to a machine before its events are taken. Not more packets fit into it than events wait in a machine
/// by default before it drops messages of QoS 0.
const FEED_BYTES: usize = 1024;
/// How many pieces one write takes.
const SLICES: usize = 64;
/// How long a stream that was closed at this end is read from, so that what was written last arrives: a socket that is
/// dropped with unread input resets the connection, and the other end may lose what it has not read.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How much of what the other end still says is read for that.
const CLOSE_BYTES: usize = 1 << 20;
/// How often bytes move in one poll before others get their turn.
const ROUNDS: usize = 64;
/// How many first bytes of a stream are kept, to say who answers there.
const GREETING_BYTES: usize = 16;

/// What there is to do for whoever serves a machine.
#[derive(Debug)]
pub enum Step<E> {
    /// Store this batch. When it is durable, say so with the machine's `handle_stored` and the number of the batch.
    Store(Batch),
    /// Deal with this event.
    Event(E),
}

/// The stream of one machine: open, being closed, or none. It does what the driver's [`Wait`] says.
pub struct Channel<T> {
    stream: Option<T>,
    closing: Option<Closing<T>>,
    scratch: Box<[u8]>,
    /// What of it the driver has not got yet.
    unread: Range<usize>,
    feed_bytes: usize,
    greeting: Vec<u8>,
    is_unflushed: bool,
    deadline: Option<Instant>,
    read_bytes: u64,
    written_bytes: u64,
    error: Option<io::Error>,
}

/// A stream to which nothing more is written.
struct Closing<T> {
    stream: T,
    until: Instant,
    is_closed: bool,
    left_bytes: usize,
}

/// What moving bytes came to.
#[derive(PartialEq, Eq)]
enum Moved {
    /// The driver may have something new.
    Something,
    /// Everything waits.
    Nothing,
}

impl<T: Transport> Channel<T> {
    /// Without a stream.
    #[must_use]
    pub fn new() -> Self {
        Self {
            stream: None,
            closing: None,
            scratch: vec![0; READ_BYTES].into(),
            unread: 0..0,
            feed_bytes: FEED_BYTES,
            greeting: Vec::new(),
            is_unflushed: false,
            deadline: None,
            read_bytes: 0,
            written_bytes: 0,
            error: None,
        }
    }

    /// With a stream that is open.
    #[must_use]
    pub fn over(stream: T) -> Self {
        let mut channel = Self::new();
        channel.open(stream);
        channel
    }

    /// Gives a machine at once all that was read: for one that holds at least 4096 events.
    #[must_use]
    pub const fn feeding_all(mut self) -> Self {
        self.feed_bytes = READ_BYTES;
        self
    }

    /// A stream is open. The one before is dropped.
    pub fn open(&mut self, stream: T) {
        self.stream = Some(stream);
        self.unread = 0..0;
        self.closing = None;
        self.greeting.clear();
        self.is_unflushed = false;
        self.error = None;
    }

    /// Drops the stream, without a farewell.
    pub fn cut(&mut self) {
        self.stream = None;
        self.closing = None;
    }

    /// Whether there is a stream, be it one that is being closed.
    #[must_use]
    pub const fn has_stream(&self) -> bool {
        self.stream.is_some() || self.closing.is_some()
    }

    /// The stream that is open, or is being closed.
    #[must_use]
    pub const fn stream(&self) -> Option<&T> {
        match (&self.stream, &self.closing) {
            (Some(stream), _) => Some(stream),
            (None, Some(closing)) => Some(&closing.stream),
            (None, None) => None,
        }
    }

    /// When to poll again at the latest: as of the last [`poll_step`](Self::poll_step).
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let closing = self.closing.as_ref().map(|closing| closing.until);
        match (self.deadline, closing) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// The first bytes that came over the stream: they tell who answers there.
    #[must_use]
    pub fn greeting(&self) -> &[u8] {
        &self.greeting
    }

    /// Bytes that were read from all streams.
    #[must_use]
    pub const fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Bytes that were written to all streams.
    #[must_use]
    pub const fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// The error that ended the last stream.
    pub const fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// What to do next; `Pending` when there is nothing but to wait, for the stream, a command or the
    /// [`deadline`](Self::deadline). Nothing is lost if it is not polled again for a while.
    pub fn poll_step<M: Machine>(
        &mut self,
        cx: &mut Context<'_>,
        driver: &mut Driver<M>,
        clock: &Clock,
    ) -> Poll<Step<M::Event>> {
        for _ in 0..ROUNDS {
            let now = clock.now();
            let wait = match driver.next(now) {
                Next::Store(batch) => return Poll::Ready(Step::Store(batch.clone())),
                Next::Event(event) => return Poll::Ready(Step::Event(event)),
                Next::Wait(wait) => wait,
                _ => return Poll::Pending,
            };
            self.deadline = wait.until.map(|timeout| timeout.at);
            if self.exchange(cx, driver, wait, now) == Moved::Nothing {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn exchange<M: Machine>(
        &mut self,
        cx: &mut Context<'_>,
        driver: &mut Driver<M>,
        wait: Wait,
        now: Instant,
    ) -> Moved {
        self.linger(cx, now);
        if wait.closes {
            self.close(cx, now);
            driver.closed(now);
            return Moved::Something;
        }
        match self.transfer(cx, driver, wait, now) {
            Ok(moved) => moved,
            Err(error) => {
                self.error = Some(error);
                self.stream = None;
                driver.closed(now);
                Moved::Something
            }
        }
    }

    /// Writes what fits, and reads what is there: never one instead of the other.
    fn transfer<M: Machine>(
        &mut self,
        cx: &mut Context<'_>,
        driver: &mut Driver<M>,
        wait: Wait,
        now: Instant,
    ) -> io::Result<Moved> {
        let Some(stream) = &mut self.stream else {
            return Ok(Moved::Nothing);
        };
        let mut moved = Moved::Nothing;
        if wait.writes {
            match write(cx, driver, stream) {
                Ok(0) => {}
                Ok(written) => {
                    self.written_bytes += written;
                    self.is_unflushed = true;
                    moved = Moved::Something;
                }
                Err(error) => {
                    // The other end may have said why before it closed.
                    driver
                        .read_buffer()
                        .extend_from_slice(&self.scratch[self.unread.clone()]);
                    read_last(cx, driver, stream, &mut self.scratch, wait);
                    driver.received(now);
                    return Err(error);
                }
            }
        }
        if self.is_unflushed && driver.outbox().is_empty() {
            self.is_unflushed = stream.poll_flush(cx)?.is_pending();
        }
        if wait.read_bytes == 0 {
            return Ok(moved);
        }
        if self.unread.is_empty() {
            match stream.poll_read(cx, &mut self.scratch)? {
                Poll::Pending => return Ok(moved),
                Poll::Ready(0) => {
                    self.stream = None;
                    driver.closed(now);
                    return Ok(Moved::Something);
                }
                Poll::Ready(len) => self.arrived(len),
            }
        }
        let len = self.unread.len().min(wait.read_bytes).min(self.feed_bytes);
        let fed = self.unread.start..self.unread.start + len;
        self.unread.start = fed.end;
        driver.read_buffer().extend_from_slice(&self.scratch[fed]);
        driver.received(now);
        Ok(Moved::Something)
    }

    /// So much has been read.
    fn arrived(&mut self, len: usize) {
        self.unread = 0..len;
        self.read_bytes += len as u64;
        let wanted = GREETING_BYTES - self.greeting.len();
        self.greeting.extend(self.scratch[..len].iter().take(wanted));
    }

    /// This end has said everything.
    fn close(&mut self, cx: &mut Context<'_>, now: Instant) {
        self.closing = self.stream.take().map(|stream| Closing {
            stream,
            until: now + CLOSE_TIMEOUT,
            is_closed: false,
            left_bytes: CLOSE_BYTES,
        });
        self.linger(cx, now);
    }

    /// Lets what was written last arrive.
    fn linger(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Some(closing) = &mut self.closing else { return };
        if now >= closing.until || closing.poll(cx, &mut self.scratch).is_ready() {
            self.closing = None;
        }
    }
}

impl<T: Transport> Closing<T> {
    /// Ready when the stream can be dropped.
    fn poll(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<()> {
        if !self.is_closed {
            match self.stream.poll_close(cx) {
                Poll::Ready(Ok(())) => self.is_closed = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
        }
        loop {
            match self.stream.poll_read(cx, scratch) {
                Poll::Ready(Ok(len)) if len > 0 && len <= self.left_bytes => self.left_bytes -= len,
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Writes until the stream takes no more or nothing is left, many packets at once.
fn write<M: Machine, T: Transport>(cx: &mut Context<'_>, driver: &mut Driver<M>, stream: &mut T) -> io::Result<u64> {
    let mut written = 0;
    while !driver.outbox().is_empty() {
        let mut chunks = [&[][..]; SLICES];
        let filled = driver.outbox().chunks(&mut chunks);
        let slices = chunks.map(IoSlice::new);
        match stream.poll_write(cx, &slices[..filled])? {
            Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(len) => {
                written += len as u64;
                driver.outbox().advance(len);
            }
            Poll::Pending => break,
        }
    }
    Ok(written)
}

/// Reads what has arrived on a stream that cannot be written to any more.
fn read_last<M: Machine, T: Transport>(
    cx: &mut Context<'_>,
    driver: &mut Driver<M>,
    stream: &mut T,
    scratch: &mut [u8],
    wait: Wait,
) {
    let mut room = wait.read_bytes;
    while room > 0 {
        let most = room.min(scratch.len());
        match stream.poll_read(cx, &mut scratch[..most]) {
            Poll::Ready(Ok(len)) if len > 0 => {
                driver.read_buffer().extend_from_slice(&scratch[..len]);
                room -= len;
            }
            _ => return,
        }
    }
}

impl<T: Transport> Default for Channel<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> std::fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("is_open", &self.stream.is_some())
            .field("is_closing", &self.closing.is_some())
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
