//! Progress, for who waits.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::arguments::BenchArguments;
use super::engine::nanos;
use super::figures::Counts;

/// A bar on a terminal, and nothing elsewhere.
pub(super) struct Screen {
    bar: ProgressBar,
    goal: Goal,
}

/// What the bar counts.
#[derive(Clone, Copy, Debug)]
enum Goal {
    Millis,
    Sent,
    Received,
}

impl Screen {
    pub(super) fn new(arguments: &BenchArguments) -> Self {
        let (goal, len) = match (arguments.retained, arguments.measured()) {
            (Some(count), _) => (Goal::Received, u64::from(count) * u64::from(arguments.subscribers)),
            (None, Some(time)) => (Goal::Millis, nanos(arguments.warm_up + time) / 1_000_000),
            (None, None) => (Goal::Sent, arguments.count.unwrap_or(0)),
        };
        let bar = ProgressBar::with_draw_target(Some(len), ProgressDrawTarget::hidden());
        if !arguments.quiet && io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let style = ProgressStyle::with_template("{wide_bar} {msg}, {elapsed} of about {duration}");
        Self {
            bar: match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            },
            goal,
        }
    }

    /// What is done before the load.
    pub(super) fn prepare(&self, what: &str, done: usize, of: usize) {
        self.bar.set_message(format!("{what}: {done} of {of}"));
    }

    pub(super) fn show(&self, now: u64, counts: Counts) {
        self.bar.set_position(match self.goal {
            Goal::Millis => now / 1_000_000,
            Goal::Sent => counts.sent,
            Goal::Received => counts.received,
        });
        self.bar
            .set_message(format!("{} sent, {} received", counts.sent, counts.received));
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
