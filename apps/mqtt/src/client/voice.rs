//! What is told on standard error while a command runs.

use std::fmt::Display;

use indicatif::ProgressBar;
use mqtt_tokio::{ConnectionState, States};

use crate::screen::note;

/// Tells as much as is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    is_quiet: bool,
    is_talkative: bool,
    bar: ProgressBar,
}

impl Voice {
    pub(crate) fn new(is_quiet: bool, is_talkative: bool) -> Self {
        Self {
            is_quiet,
            is_talkative,
            bar: ProgressBar::hidden(),
        }
    }

    /// Lines go above this bar from here on.
    pub(crate) fn above(mut self, bar: ProgressBar) -> Self {
        self.bar = bar;
        self
    }

    /// Whether nothing is to be told.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// What everybody should know.
    pub(crate) fn say(&self, words: impl Display) {
        if !self.is_quiet {
            self.bar.suspend(|| note(format_args!("mqtt: {words}")));
        }
    }

    /// What those want to know who look for a fault.
    pub(crate) fn detail(&self, words: impl Display) {
        if self.is_talkative {
            self.say(words);
        }
    }

    /// Tells what becomes of the connection.
    pub(crate) async fn tell_states(self, mut states: States) {
        let mut was_lost = false;
        while let Some(state) = states.next().await {
            match state {
                ConnectionState::Connecting => self.detail("connecting"),
                ConnectionState::Connected { session_present, .. } => {
                    let session = match session_present {
                        true => "the session goes on",
                        false => "the session is new",
                    };
                    match std::mem::take(&mut was_lost) {
                        true => self.say(format_args!("connected again; {session}")),
                        false => self.detail(format_args!("connected; {session}")),
                    }
                }
                ConnectionState::Disconnected { failure, retry_in, .. } => {
                    was_lost = true;
                    self.say(format_args!("{failure}"));
                    self.say(format_args!("trying again in {:.1} s", retry_in.as_secs_f64()));
                }
                // The command itself says why it has ended.
                ConnectionState::Ended { .. } => self.detail("disconnected"),
                _ => {}
            }
        }
    }
}
