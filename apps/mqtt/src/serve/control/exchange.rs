//! Requests and answers on one connection, each with a deadline.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::ctl::protocol::{End, Fault, Kind, REQUEST_BYTES, Request};

/// A request comes at once, or the connection ends.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// The shards are asked in this time, or whoever asked is told that they are too busy.
const ASK_TIME: Duration = Duration::from_secs(50);
/// An answer is asked for, written and read in this time, or the connection ends. What is left behind the time for asking is enough
/// to wait for what has begun, and to tell of it.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// A stream until a point in time.
struct Timed<'s> {
    stream: &'s UnixStream,
    until: Instant,
}

impl Timed<'_> {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(Some(left)),
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line of an answer: items, and at last an end or an error.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer<'a, T> {
    Item(T),
    End(End),
    Error(&'a Fault),
}

impl Fault {
    pub(super) fn new(kind: Kind, message: impl std::fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
        }
    }
}

/// A connection.
pub(super) struct Exchange<'s> {
    input: BufReader<Timed<'s>>,
    output: BufWriter<Timed<'s>>,
}

/// Where the items of an answer go.
pub(super) struct Output<'e, 's> {
    writer: &'e mut BufWriter<Timed<'s>>,
    ask_until: Instant,
    end: End,
}

/// Why an answer ends before its end.
pub(super) enum Stopped {
    /// Whoever asked is told.
    Fault(Fault),
    /// Nobody can be told.
    Broken(io::Error),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl<'s> Exchange<'s> {
    pub(super) fn new(stream: &'s UnixStream) -> io::Result<Self> {
        // It may have been accepted from a listener that does not wait.
        stream.set_nonblocking(false)?;
        let timed = || Timed {
            stream,
            until: Instant::now() + REQUEST_TIME,
        };
        Ok(Self {
            input: BufReader::new(timed()),
            output: BufWriter::new(timed()),
        })
    }

    /// The next request. `None`: there is none.
    pub(super) fn request(&mut self) -> io::Result<Option<Result<Request, Fault>>> {
        self.input.get_mut().until = Instant::now() + REQUEST_TIME;
        let mut line = Vec::new();
        let read = (&mut self.input).take(REQUEST_BYTES).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        if read as u64 == REQUEST_BYTES && !line.ends_with(b"\n") {
            let message = format!("a request has at most {REQUEST_BYTES} bytes");
            return Ok(Some(Err(Fault::new(Kind::BadRequest, message))));
        }
        let request = serde_json::from_slice(&line);
        Ok(Some(request.map_err(|error| Fault::new(Kind::BadRequest, error))))
    }

    /// Writes an answer, and how it ended.
    pub(super) fn answer(&mut self, answer: impl FnOnce(&mut Output<'_, 's>) -> Result<(), Stopped>) -> io::Result<()> {
        let now = Instant::now();
        self.output.get_mut().until = now + ANSWER_TIME;
        let mut output = Output {
            writer: &mut self.output,
            ask_until: now + ASK_TIME,
            end: End::default(),
        };
        match answer(&mut output) {
            Ok(()) => output.line(&Answer::<()>::End(output.end))?,
            Err(Stopped::Fault(fault)) => output.line(&Answer::<()>::Error(&fault))?,
            Err(Stopped::Broken(error)) => return Err(error),
        }
        self.output.flush()
    }

    /// Says why there is no answer, and nothing after it.
    pub(super) fn refuse(&mut self, fault: &Fault) -> io::Result<()> {
        self.answer(|_| Err(Stopped::Fault(fault.clone())))
    }
}

impl Output<'_, '_> {
    /// Until when shards are asked.
    pub(super) const fn ask_until(&self) -> Instant {
        self.ask_until
    }

    /// How many items were written.
    pub(super) const fn items(&self) -> u64 {
        self.end.items
    }

    /// Writes an item.
    pub(super) fn item(&mut self, item: &impl Serialize) -> io::Result<()> {
        self.end.items += 1;
        self.line(&Answer::Item(item))
    }

    /// Writes an item of an answer that takes longer: it is there at once, and there is as much time for the next.
    pub(super) fn beat(&mut self, item: &impl Serialize) -> io::Result<()> {
        self.writer.get_mut().until = Instant::now() + ANSWER_TIME;
        self.item(item)?;
        self.writer.flush()
    }

    /// Whether there is room for one more, by the limit of the request. If there is not, the end says so.
    pub(super) fn has_room(&mut self, limit: Option<u64>) -> bool {
        let has_room = limit.is_none_or(|limit| self.end.items < limit);
        self.end.more |= !has_room;
        has_room
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut *self.writer, line)?;
        self.writer.write_all(b"\n")
    }
}
