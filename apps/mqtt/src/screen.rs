//! Standard output and standard error, as long as somebody reads them.

use std::fmt::Display;
use std::io::{self, StdoutLock, Write};

/// Says a line on standard error. Nobody has to hear it: it is no failure if nobody can.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints text on standard output. Whoever ends reading has enough.
pub(crate) fn print(text: impl Display) -> io::Result<()> {
    let mut screen = Screen::new();
    write!(screen, "{text}")?;
    screen.end()
}

/// Standard output. What is written after a failure is left out, so that what was asked for is done to its end.
pub(crate) struct Screen {
    out: StdoutLock<'static>,
    failed: Option<io::Error>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self {
            out: io::stdout().lock(),
            failed: None,
        }
    }

    /// Whether nothing more is shown.
    pub(crate) const fn is_closed(&self) -> bool {
        self.failed.is_some()
    }

    /// How it went. Whoever ends reading has enough: that is no failure.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.flush()?;
        match self.failed {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    /// Keeps why it failed.
    fn heed<T>(&mut self, result: io::Result<T>, instead: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.failed = Some(error);
                Ok(instead)
            }
            other => other,
        }
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed() {
            return Ok(bytes.len());
        }
        let written = self.out.write(bytes);
        self.heed(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed() {
            return Ok(());
        }
        let flushed = self.out.flush();
        self.heed(flushed, ())
    }
}
