//! Progress, if somebody looks.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error, if that is a terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// For what takes an unknown time.
    pub(crate) fn waiting(what: &'static str) -> Self {
        let progress = Self::new(ProgressBar::no_length(), "{spinner} {msg}, {elapsed}", what);
        progress.0.enable_steady_tick(Duration::from_millis(200));
        progress
    }

    /// For so many of something.
    pub(crate) fn counting(what: &'static str) -> Self {
        Self::new(
            ProgressBar::new(0),
            "{msg} {wide_bar} {pos} of {len}, {eta} to go",
            what,
        )
    }

    /// The same for bytes.
    pub(crate) fn of_bytes(what: &'static str) -> Self {
        let template = "{msg} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} to go";
        Self::new(ProgressBar::new(0), template, what)
    }

    fn new(bar: ProgressBar, template: &str, what: &'static str) -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        bar.set_draw_target(ProgressDrawTarget::stderr());
        let bar = match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        Self(bar.with_message(what))
    }

    pub(crate) fn tell(&self, done: u64, all: u64) {
        self.0.set_length(all);
        self.0.set_position(done);
    }

    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}
