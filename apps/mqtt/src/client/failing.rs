//! What failures mean to whoever runs a command: words, and a code.

use std::io;
use std::path::Path;

use mqtt_tokio::session::proto::{DisconnectReason, QoS};
use mqtt_tokio::session::{Closed, Outcome, PublishError as Refusal};
use mqtt_tokio::{Cause, DialError, Failure, LayerError, PublishError, SubscribeError, TlsAlert, TlsError};

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
    let advice = match &failure.cause {
        Cause::Dial(DialError::Layer(LayerError::Tls(error))) => tls_advice(error),
        _ => None,
    };
    let ending = Ending::failed(message).advice(advice.unwrap_or(failure.advice()));
    match is_refusal(failure) {
        true => ending.code(REFUSED),
        false => ending,
    }
}

/// What options do about an error of TLS, where they do anything.
pub(crate) const fn tls_advice(error: &TlsError) -> Option<&'static str> {
    Some(match error {
        TlsError::UnknownIssuer => {
            "if it is an authority of your own, name it with --cafile; if the server has made its own certificate, \
             name that with --cafile or --tls-fingerprint"
        }
        TlsError::WrongName { .. } => "use a name that the certificate is for, or give it with --tls-name",
        TlsError::NotPinned(_) => {
            "if the server has another certificate by now, give its sum with --tls-fingerprint; if not, somebody is in \
             between"
        }
        TlsError::Certificate(_) | TlsError::NoCertificate => {
            "the server needs another certificate, or this one named with --tls-fingerprint"
        }
        TlsError::Alert(TlsAlert(41 | 116)) => "the server wants a certificate of this client: use --cert and --key",
        TlsError::Alert(TlsAlert(40)) => {
            "the server may want a certificate of this client (--cert and --key), or a cipher that is not of today"
        }
        TlsError::Alert(TlsAlert(112)) => "the server is not known by this name: give another one with --tls-name",
        TlsError::Alert(TlsAlert(120)) => "the server wants another protocol: give it with --tls-alpn",
        _ => return None,
    })
}

fn is_refusal(failure: &Failure) -> bool {
    matches!(
        failure.cause,
        Cause::Closed(Closed::Refused { .. } | Closed::Disconnected { .. })
    )
}

/// Whether the server has ended the connection for a packet that it was sent.
pub(crate) fn is_blame(failure: &Failure) -> bool {
    let Cause::Closed(Closed::Disconnected { reason, .. }) = &failure.cause else {
        return false;
    };
    matches!(
        reason,
        DisconnectReason::MalformedPacket
            | DisconnectReason::ProtocolError
            | DisconnectReason::TopicNameInvalid
            | DisconnectReason::PacketTooLarge
            | DisconnectReason::PayloadFormatInvalid
            | DisconnectReason::RetainNotSupported
            | DisconnectReason::QoSNotSupported
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
