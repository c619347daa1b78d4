//! Servers that close the connection without a word for a message that they do not take: all that MQTT 3 lets them do. The
//! client sends the message again on the next connection, and would without end.

use std::io::ErrorKind;
use std::time::Duration;

use mqtt_tokio::session::Closed;
use mqtt_tokio::{Cause, Client, ConnectionState, Failure, QoS};
use tokio::time::Instant;

use crate::Ending;
use crate::client::failing::REFUSED;

/// After so many connections in a row that the server closed for the same message, it is not sent again.
const TRIES: u32 = 3;
/// A connection on which the message went out at its beginning, and that lasted for longer, has ended for something else.
const JUDGEMENT: Duration = Duration::from_secs(10);

/// Waits until the server has closed one connection after the other for the same message.
pub(super) async fn refusal(client: Client, qos: QoS) -> Ending {
    let mut states = client.states();
    let mut count = Count::default();
    let mut accepted = None;
    while let Some(state) = states.next().await {
        match state {
            ConnectionState::Connected { .. } => accepted = Some(Instant::now()),
            ConnectionState::Disconnected { failure, .. } => {
                // One that the server has not accepted says nothing about a message.
                let Some(accepted) = accepted.take() else { continue };
                let statistics = client.statistics();
                let end = End {
                    is_wordless: is_wordless(&failure.cause) && accepted.elapsed() <= JUDGEMENT,
                    has_open_message: statistics.unfinished > 0,
                    messages_ended: statistics.delivered + statistics.undelivered,
                };
                if count.is_reached(&end) {
                    return of_silence(&failure, qos);
                }
            }
            _ => {}
        }
    }
    std::future::pending().await
}

/// How an accepted connection has ended.
#[derive(Clone, Copy, Debug)]
struct End {
    /// The other end has closed it, soon after it was accepted, and has said nothing.
    is_wordless: bool,
    /// A message was sent on it, or again on it, and was not acknowledged.
    has_open_message: bool,
    /// How many messages have come to their end since the beginning.
    messages_ended: u64,
}

/// Counts the connections that ended for the same message.
#[derive(Debug, Default)]
struct Count {
    ends: u32,
    /// As of the last one that counted: if it is another number by now, there was progress.
    messages_ended: u64,
}

impl Count {
    /// Whether this end is the last one that it takes.
    fn is_reached(&mut self, end: &End) -> bool {
        if !end.is_wordless || !end.has_open_message || end.messages_ended != self.messages_ended {
            self.ends = 0;
        }
        self.messages_ended = end.messages_ended;
        self.ends += u32::from(end.is_wordless && end.has_open_message);
        self.ends >= TRIES
    }
}

/// Whether the other end has closed the connection, and has not said why. A network that breaks mostly falls silent instead.
fn is_wordless(cause: &Cause) -> bool {
    match cause {
        Cause::Closed(Closed::StreamEnded) => true,
        Cause::Broken(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof
        ),
        _ => false,
    }
}

fn of_silence(failure: &Failure, qos: QoS) -> Ending {
    let message = format!(
        "{}: the server has closed {TRIES} connections in a row without a word when it was sent the same message of QoS {}, \
         and has not acknowledged it",
        failure.endpoint,
        qos.bits()
    );
    let advice = "it probably does not take this message: it is not permitted, too large, or has a QoS that the server does \
                  not have; if not, another client may have the same client identifier; the log of the server may say more";
    Ending::failed(message).advice(advice).code(REFUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: End = End {
        is_wordless: true,
        has_open_message: true,
        messages_ended: 0,
    };

    /// How many of these ends it takes, if they are enough.
    fn reached(ends: impl IntoIterator<Item = End>) -> Option<usize> {
        let mut count = Count::default();
        ends.into_iter().position(|end| count.is_reached(&end)).map(|at| at + 1)
    }

    #[test]
    fn the_same_message_is_sent_on_so_many_connections_and_no_more() {
        assert_eq!(reached([CLOSED; 9]), Some(TRIES as usize));
    }

    #[test]
    fn whoever_makes_progress_goes_on() {
        let progress = (0..100).map(|end| End {
            messages_ended: end / 2,
            ..CLOSED
        });
        assert_eq!(reached(progress), None);
        // What was acknowledged before the message that is not taken does not count for it.
        let late = (0..100).map(|end: u64| End {
            messages_ended: end.min(5),
            ..CLOSED
        });
        assert_eq!(reached(late), Some(5 + TRIES as usize));
    }

    #[test]
    fn connections_that_end_without_a_message_or_for_something_else_do_not_count() {
        let idle = || End {
            has_open_message: false,
            ..CLOSED
        };
        let broken = || End {
            is_wordless: false,
            ..CLOSED
        };
        assert_eq!(reached((0..100).map(|_| idle())), None);
        assert_eq!(reached((0..100).map(|_| broken())), None);
        let between = (0..100).flat_map(|_| [CLOSED, CLOSED, broken(), CLOSED, CLOSED, idle()]);
        assert_eq!(reached(between), None);
    }
}
