//! What is published.

use std::io::{self, IsTerminal};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc::Receiver;
use tokio::time::Sleep;

use super::PublishArguments;
use super::lines::{self, Lines};
use crate::Ending;
use crate::client::voice::Voice;

/// From how many messages on progress is shown.
const MANY: u64 = 100;

/// What is published, one payload after the other.
#[derive(Debug)]
pub(super) enum Payloads {
    /// These, so many times.
    Known {
        payloads: Vec<Bytes>,
        times: u64,
        pause: Duration,
        next: usize,
        /// The pause between two times, while there is one.
        pausing: Option<Pin<Box<Sleep>>>,
    },
    /// Lines, as they come.
    Lines {
        read: Receiver<Lines>,
        waiting: std::vec::IntoIter<Bytes>,
    },
}

impl Payloads {
    /// Files are read here, so that nothing is published if one of them cannot be read.
    pub(super) fn new(arguments: &PublishArguments) -> Result<Self, Ending> {
        if arguments.stdin_line {
            return Ok(Self::Lines {
                read: lines::of_stdin(),
                waiting: Vec::new().into_iter(),
            });
        }
        Ok(Self::Known {
            payloads: arguments.payload.read()?,
            times: arguments.repeat.get(),
            pause: arguments.repeat_delay,
            next: 0,
            pausing: None,
        })
    }

    /// The next one, or `None` after the last. A dropped future has taken none.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Ending> {
        match self {
            Self::Known {
                payloads,
                times,
                pause,
                next,
                pausing,
            } => {
                if *next == payloads.len() {
                    *next = 0;
                    *times -= 1;
                    *pausing = (*times > 0 && !pause.is_zero()).then(|| Box::pin(tokio::time::sleep(*pause)));
                }
                if let Some(sleep) = pausing {
                    sleep.as_mut().await;
                    *pausing = None;
                }
                let payload = payloads.get(*next).filter(|_| *times > 0).cloned();
                *next += usize::from(payload.is_some());
                Ok(payload)
            }
            Self::Lines { read, waiting } => loop {
                if let Some(line) = waiting.next() {
                    return Ok(Some(line));
                }
                match read.recv().await {
                    Some(lines) => *waiting = lines?.into_iter(),
                    None => return Ok(None),
                }
            },
        }
    }

    /// Shows progress, if somebody looks and there is much to do.
    pub(super) fn bar(&self, voice: &Voice, is_debugging: bool) -> ProgressBar {
        if voice.is_quiet() || is_debugging || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let (bar, template) = match self {
            Self::Known { payloads, times, .. } => {
                let messages = times.saturating_mul(payloads.len() as u64);
                if messages < MANY {
                    return ProgressBar::hidden();
                }
                (
                    ProgressBar::new(messages),
                    "{wide_bar} {pos} of {len}, {per_sec}, {eta} to go",
                )
            }
            // Whoever types sees the lines.
            Self::Lines { .. } if io::stdin().is_terminal() => return ProgressBar::hidden(),
            Self::Lines { .. } => (
                ProgressBar::no_length(),
                "{spinner} {pos} messages, {per_sec}, {elapsed}",
            ),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr());
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_payloads_are_repeated_in_turn() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut payloads = Payloads::Known {
            payloads: vec![Bytes::from("a"), Bytes::from("b")],
            times: 2,
            pause: Duration::ZERO,
            next: 0,
            pausing: None,
        };
        let mut all = Vec::new();
        while let Some(payload) = runtime.block_on(payloads.next()).unwrap() {
            all.push(payload);
        }
        assert_eq!(all, ["a", "b", "a", "b"]);
    }
    #[test]
    fn a_pause_that_never_ends_is_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let mut payloads = Payloads::Known {
            payloads: vec![Bytes::from("a")],
            times: 2,
            pause: Duration::MAX,
            next: 0,
            pausing: None,
        };
        runtime.block_on(async {
            assert_eq!(payloads.next().await.unwrap().unwrap(), "a");
            let next = tokio::time::timeout(Duration::from_millis(20), payloads.next()).await;
            assert!(next.is_err(), "the second one comes after the pause");
        });
    }
}
