//! Sends one message after the other, and hears how each ended.

use std::collections::VecDeque;

use bytes::Bytes;
use indicatif::ProgressBar;
use mqtt_tokio::session::PublishError as Refusal;
use mqtt_tokio::{Client, Completion, Message, PublishError, Published, QoS};

use super::payloads::Payloads;
use crate::Ending;
use crate::client::failing::of_message;
use crate::client::voice::Voice;

/// How many messages wait for their end at a time.
const WINDOW: usize = 2048;
/// Of how many failures each is told.
const TOLD: u64 = 10;

/// Sends one message after the other, and hears how each ended.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    /// What all messages have in common.
    message: Message,
    voice: Voice,
    bar: ProgressBar,
    open: VecDeque<Completion>,
    taken: u64,
    failed: u64,
    first_failure: Option<Ending>,
}

impl Sender {
    pub(super) fn new(client: Client, message: Message, voice: Voice, bar: ProgressBar) -> Self {
        Self {
            client,
            message,
            voice,
            bar,
            open: VecDeque::new(),
            taken: 0,
            failed: 0,
            first_failure: None,
        }
    }

    /// Sends all, and waits for the end of each.
    pub(super) async fn send_all(&mut self, mut payloads: Payloads) -> Result<(), Ending> {
        loop {
            if self.open.len() >= WINDOW {
                self.hear().await;
            }
            let has_open = !self.open.is_empty();
            let payload = tokio::select! {
                payload = payloads.next() => payload?,
                ended = first(&mut self.open), if has_open => {
                    self.heard(ended);
                    continue;
                }
            };
            let Some(payload) = payload else { break };
            self.send(payload).await;
        }
        while !self.open.is_empty() {
            self.hear().await;
        }
        Ok(())
    }

    /// How it ended, once nothing is open.
    pub(super) fn ended(self) -> Result<(), Ending> {
        match self.first_failure {
            None => Ok(()),
            Some(only) if self.taken == 1 => Err(only),
            Some(first) => {
                let message = format!("{} of {} messages were not published", self.failed, self.taken);
                Err(Ending::failed(message).code(first.exit_code()))
            }
        }
    }

    /// How it ended, if it was stopped for this reason.
    pub(super) fn stopped(&self, why: &str, code: u8) -> Ending {
        let what = match self.message.qos {
            QoS::AtMostOnce => "sent",
            _ => "acknowledged",
        };
        match self.open.len() {
            0 => Ending::failed(why).code(code),
            open => Ending::failed(format_args!("{why}: {open} messages were not {what}")).code(code),
        }
    }

    async fn send(&mut self, payload: Bytes) {
        let mut message = self.message.clone();
        message.payload = payload;
        self.taken += 1;
        loop {
            match self.client.try_publish(message) {
                Ok(completion) => return self.open.push_back(completion),
                Err(refused) => match refused.error {
                    PublishError::NotTaken(Refusal::QueueFull(_)) if !self.open.is_empty() => {
                        message = *refused.message;
                        self.hear().await;
                    }
                    error => return self.heard(Err(error)),
                },
            }
        }
    }

    /// Waits for the end of the oldest.
    async fn hear(&mut self) {
        let ended = first(&mut self.open).await;
        self.heard(ended);
    }

    fn heard(&mut self, ended: Result<Published, PublishError>) {
        self.bar.inc(1);
        match ended {
            Ok(Published::Acknowledged(reason)) => {
                let meaning = reason.meaning().trim_end_matches('.');
                self.voice.detail(format_args!("acknowledged: {meaning}"));
            }
            Ok(_) => self.voice.detail("sent"),
            Err(error) => {
                self.failed += 1;
                let ending = of_message(&error, self.message.qos);
                if self.taken > 1 && self.failed <= TOLD {
                    self.voice.say(&error);
                }
                self.first_failure.get_or_insert(ending);
            }
        }
    }
}

/// Waits for the end of the oldest, and takes it out. A dropped future has taken nothing.
async fn first(open: &mut VecDeque<Completion>) -> Result<Published, PublishError> {
    match open.front_mut() {
        Some(oldest) => {
            let ended = oldest.await;
            open.pop_front();
            ended
        }
        None => std::future::pending().await,
    }
}
