//! Prints messages as they come.

use std::io::{self, BufWriter, Stdout, Write};

use bytes::Bytes;
use mqtt_tokio::session::proto::TopicFilter;
use mqtt_tokio::{Acknowledgement, Client, Incoming, Message, QoS, Subscription};

use super::SubscribeArguments;
use crate::client::format::Printer;
use crate::screen::note;

/// How much is written at once.
const BUFFER: usize = 1 << 16;

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All that was asked for has been printed.
    Done,
    /// There will be no more messages.
    Lost,
}

/// Prints messages as they come.
#[derive(Debug)]
pub(super) struct Reader {
    printer: Printer,
    hidden: Vec<TopicFilter<Bytes>>,
    out: BufWriter<Stdout>,
    /// What has been printed and not been written for sure.
    printed: Vec<Acknowledgement>,
    left: Option<u64>,
    skips_retained: bool,
    wants_retained: bool,
    removes_retained: bool,
}

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Printed,
    Skipped,
    /// It is the first one that nobody wants.
    Last,
}

impl Reader {
    pub(super) fn new(arguments: &SubscribeArguments, printer: Printer, hidden: Vec<TopicFilter<Bytes>>) -> Self {
        Self {
            printer,
            hidden,
            out: BufWriter::with_capacity(BUFFER, io::stdout()),
            printed: Vec::new(),
            left: arguments.count.map(Into::into),
            skips_retained: arguments.no_retained,
            wants_retained: arguments.retained_only,
            removes_retained: arguments.remove_retained,
        }
    }

    /// Prints until enough has been printed, or there is no more. What waits is written whenever nothing else has come.
    pub(super) async fn read(
        &mut self,
        client: &Client,
        subscription: &mut Subscription,
        mut others: Option<&mut Subscription>,
    ) -> io::Result<End> {
        loop {
            let waiting = match subscription.try_next() {
                Some(incoming) => Some(incoming),
                None => others.as_mut().and_then(|others| others.try_next()),
            };
            let incoming = match waiting {
                Some(incoming) => incoming,
                None => {
                    self.finish()?;
                    tokio::select! {
                        incoming = subscription.next() => match incoming {
                            Some(incoming) => incoming,
                            None => return Ok(End::Lost),
                        },
                        incoming = next_of(others.as_deref_mut()) => incoming,
                    }
                }
            };
            if self.take(client, incoming).await? {
                return Ok(End::Done);
            }
        }
    }

    /// Writes what waits, and acknowledges it.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()?;
        for acknowledgement in self.printed.drain(..) {
            // It may belong to a connection that has ended: the message comes again then.
            let _ = acknowledgement.acknowledge();
        }
        Ok(())
    }

    /// Prints a message, or not. Whether it was the last.
    async fn take(&mut self, client: &Client, incoming: Incoming) -> io::Result<bool> {
        let Incoming {
            message,
            acknowledgement,
            ..
        } = incoming;
        let fate = self.fate(&message);
        let is_printed = fate == Fate::Printed && self.printer.print(&mut self.out, &message)?;
        if fate == Fate::Printed && !is_printed {
            note(format_args!("mqtt: {}: the payload is not JSON", message.topic));
        }
        self.printed.extend(acknowledgement);
        if self.removes_retained && message.retain && !message.payload.is_empty() && !self.is_hidden(&message) {
            remove(client, &message).await;
        }
        if is_printed {
            self.left = self.left.map(|left| left.saturating_sub(1));
        }
        Ok(fate == Fate::Last || self.left == Some(0))
    }

    fn fate(&self, message: &Message) -> Fate {
        if self.wants_retained && !message.retain {
            Fate::Last
        } else if (self.skips_retained && message.retain) || self.is_hidden(message) {
            Fate::Skipped
        } else {
            Fate::Printed
        }
    }

    fn is_hidden(&self, message: &Message) -> bool {
        self.hidden.iter().any(|filter| filter.matches(&message.topic))
    }
}

/// Waits for the next message that belongs to no subscription, or for ever.
async fn next_of(others: Option<&mut Subscription>) -> Incoming {
    if let Some(others) = others
        && let Some(incoming) = others.next().await
    {
        return incoming;
    }
    std::future::pending().await
}

/// Removes a retained message. The end of the client waits for it.
async fn remove(client: &Client, message: &Message) {
    let mut empty = message.clone();
    empty.payload = Bytes::new();
    empty.retain = true;
    empty.qos = QoS::AtLeastOnce;
    empty.expiry_seconds = None;
    empty.properties = Default::default();
    // The end of the client says what ends it.
    let _ = client.publish(empty).accepted().await;
}
