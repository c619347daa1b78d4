//! Standard output, as long as somebody reads it.

use std::io::{self, StdoutLock, Write};

/// Standard output. What is written after a failure is left out, so that what was asked for is done to its end.
pub(super) struct Screen {
    out: StdoutLock<'static>,
    failed: Option<io::Error>,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            out: io::stdout().lock(),
            failed: None,
        }
    }

    /// Whether nothing more is shown.
    pub(super) const fn is_closed(&self) -> bool {
        self.failed.is_some()
    }

    /// How it went. Whoever ends reading has enough: that is no failure.
    pub(super) fn end(mut self) -> io::Result<()> {
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
