//! Tells on stderr what is being worked on and how much is left.

use std::io::{IsTerminal, Write, stderr};
use std::time::Instant;

/// One series of steps.
pub struct Progress {
    what: &'static str,
    steps: usize,
    done: usize,
    started: Instant,
}

impl Progress {
    /// A series of `steps` steps.
    pub fn new(what: &'static str, steps: usize) -> Self {
        Self {
            what,
            steps,
            done: 0,
            started: Instant::now(),
        }
    }

    /// Begins the next step. On a terminal it takes the place of the last one.
    pub fn step(&mut self, name: &str) {
        self.done += 1;
        let line = format!(
            "{} {} of {}, {} s: {name}",
            self.what,
            self.done,
            self.steps,
            self.started.elapsed().as_secs()
        );
        if stderr().is_terminal() {
            eprint!("\r\x1b[2K{line}");
            if self.done == self.steps {
                eprintln!();
            }
            // A line that is not shown is no reason to stop measuring.
            let _ = stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }
}
