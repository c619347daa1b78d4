//! What is told on standard output.

use std::fmt;
use std::io::{self, StdoutLock, Write};

use crate::Ending;

/// Standard output. When its reader has gone, nothing more is said; what is done, and the code at the end, stay the same.
pub(super) struct Telling {
    out: StdoutLock<'static>,
    is_read: bool,
}

impl Telling {
    pub(super) fn new() -> Self {
        Self {
            out: io::stdout().lock(),
            is_read: true,
        }
    }

    /// Says a line.
    pub(super) fn line(&mut self, line: impl fmt::Display) -> Result<(), Ending> {
        if !self.is_read {
            return Ok(());
        }
        match writeln!(self.out, "{line}").and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_read = false;
                Ok(())
            }
            said => Ok(said?),
        }
    }
}
