//! What failures mean to whoever runs a command: words, and a code.

use std::io;
use std::path::Path;

use mqtt_tokio::session::proto::QoS;
use mqtt_tokio::session::{Closed, Outcome, PublishError as Refusal};
use mqtt_tokio::{Cause, Failure, PublishError, SubscribeError};

use crate::Ending;

/// The server refused.
pub(crate) const REFUSED: u8 = 3;
/// A message of QoS 1 or 2 was not acknowledged.
pub(crate) const UNACKNOWLEDGED: u8 = 4;
/// It was not done in time. mosquitto's clients have the same code.
pub(crate) const TIMED_OUT: u8 = 27;

/// There is no connection, or no longer.
pub(crate) fn of_connection(failure: &Failure) -> Ending {
    let message = format!("{}: {}", failure.endpoint, failure.cause);
    let ending = Ending::failed(message).advice(failure.advice());
    match is_refusal(failure) {
        true => ending.code(REFUSED),
        false => ending,
    }
}

fn is_refusal(failure: &Failure) -> bool {
    matches!(
        failure.cause,
        Cause::Closed(Closed::Refused { .. } | Closed::Disconnected { .. })
    )
}

/// A file could not be read.
pub(crate) fn of_file(path: &Path, error: &io::Error) -> Ending {
    Ending::failed(format_args!("{}: {error}", path.display()))
}

/// A message was not published.
pub(crate) fn of_message(error: &PublishError, qos: QoS) -> Ending {
    match error {
        PublishError::NotTaken(Refusal::NotSupported(_) | Refusal::TooLarge { .. })
        | PublishError::Failed(Outcome::Refused(_) | Outcome::NotSupported(_) | Outcome::TooLarge { .. }) => {
            Ending::failed(error).code(REFUSED)
        }
        PublishError::Ended(failure) if qos == QoS::AtMostOnce || is_refusal(failure) => of_connection(failure),
        PublishError::Ended(failure) => {
            let message = format!(
                "a message of QoS {} was not acknowledged: {}",
                qos.bits(),
                failure.cause
            );
            Ending::failed(message).advice(failure.advice()).code(UNACKNOWLEDGED)
        }
        PublishError::Failed(outcome) if qos != QoS::AtMostOnce => {
            let ending = Ending::failed(error).code(UNACKNOWLEDGED);
            match outcome {
                Outcome::SessionLost => ending.advice("-c with -i keeps the session over lost connections"),
                _ => ending,
            }
        }
        _ => Ending::failed(error),
    }
}

/// There is no subscription.
pub(crate) fn of_subscription(error: &SubscribeError) -> Ending {
    match error {
        SubscribeError::Filters(_) => Ending::misused(error),
        SubscribeError::Refused(_) | SubscribeError::NotUnsubscribed(_) => Ending::failed(error).code(REFUSED),
        SubscribeError::Ended(failure) => of_connection(failure),
        _ => Ending::failed(error),
    }
}
