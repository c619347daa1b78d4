//! How the load generator waits: for sockets, and for the next message of an offered rate.

use std::io;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// How many sockets one wait tells of.
const EVENTS_AT_ONCE: usize = 1024;
/// The token of the timer, which no connection has.
#[cfg(target_os = "linux")]
const TIMER: Token = Token(usize::MAX);

/// From here on a millisecond more makes no difference.
#[cfg(target_os = "linux")]
const COARSE: Duration = Duration::from_millis(50);

/// A socket that something has happened to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) client: usize,
    pub(super) is_readable: bool,
    pub(super) is_writable: bool,
}

/// Waits for sockets, and at most for a time.
///
/// The wait of the system itself counts milliseconds, which is as long as a message takes; on Linux a timer of its own is exact.
pub(super) struct Waiter {
    poll: Poll,
    events: Events,
    #[cfg(target_os = "linux")]
    timer: std::os::fd::OwnedFd,
}

impl Waiter {
    #[cfg(target_os = "linux")]
    pub(super) fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        use std::os::fd::AsRawFd;

        let poll = Poll::new()?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let mut source = mio::unix::SourceFd(&timer.as_raw_fd());
        poll.registry().register(&mut source, TIMER, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_AT_ONCE),
            timer,
        })
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_AT_ONCE),
        })
    }

    pub(super) fn register(&self, stream: &mut TcpStream, client: usize) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(stream, Token(client), interest)
    }

    /// Waits until something happens to a socket, or the time is over.
    pub(super) fn wait(&mut self, time: Duration, ready: &mut Vec<Ready>) -> io::Result<()> {
        let time = self.arm(time)?;
        match self.poll.poll(&mut self.events, time) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        let sockets = self.events.iter().filter(|event| event.token().0 != usize::MAX);
        ready.extend(sockets.map(|event| Ready {
            client: event.token().0,
            is_readable: event.is_readable() || event.is_read_closed() || event.is_error(),
            is_writable: event.is_writable(),
        }));
        Ok(())
    }

    /// Sets the timer. The limit that remains for the wait of the system.
    #[cfg(target_os = "linux")]
    fn arm(&self, time: Duration) -> io::Result<Option<Duration>> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

        if time.is_zero() || time >= COARSE {
            return Ok(Some(time));
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let once = Itimerspec {
            it_interval: zero,
            it_value: Timespec::try_from(time).map_err(|_| io::ErrorKind::InvalidInput)?,
        };
        // To set it also takes back that it has rung.
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(None)
    }

    #[cfg(not(target_os = "linux"))]
    fn arm(&self, time: Duration) -> io::Result<Option<Duration>> {
        Ok(Some(time))
    }
}
