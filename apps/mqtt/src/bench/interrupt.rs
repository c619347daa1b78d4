//! The signals that end a run before its time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::Ending;

/// Whether SIGINT or SIGTERM has come. What a run leaves is taken away then; a second signal ends the process at once.
pub(super) struct Interrupt {
    code: Arc<AtomicUsize>,
}

impl Interrupt {
    pub(super) fn new() -> io::Result<Self> {
        let code = Arc::new(AtomicUsize::new(0));
        let is_second = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let status = 128 + signal;
            // In this order: the first signal finds that it is no second one.
            flag::register_conditional_shutdown(signal, status, Arc::clone(&is_second))?;
            flag::register(signal, Arc::clone(&is_second))?;
            flag::register_usize(signal, Arc::clone(&code), status.unsigned_abs() as usize)?;
        }
        Ok(Self { code })
    }

    /// An end, with the code that a shell shows for the signal, if one has come.
    pub(super) fn check(&self) -> Result<(), Ending> {
        match u8::try_from(self.code.load(Ordering::Relaxed)) {
            Ok(0) => Ok(()),
            code => Err(Ending::failed("interrupted").code(code.unwrap_or(1))),
        }
    }
}
