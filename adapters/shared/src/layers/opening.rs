//! A stream of a client on its way: it is dialed, and then its layers make their handshakes.

use std::task::{Context, Poll, ready};

use super::settings::Wanted;
use super::{Carrier, ClientLayers, LayerError};
use crate::{AnyStream, Dial, DialError, Dialing, Endpoint};

/// A stream that is being opened.
pub(crate) enum Opening {
    /// By the adapter, below all layers.
    Dialing {
        dialing: Dialing,
        layers: Box<ClientLayers>,
    },
    /// By the layers.
    Shaking(Carrier<AnyStream>),
    /// By nobody: it is known already that it cannot be.
    Refused(DialError),
}

impl Opening {
    pub(crate) fn new<D: Dial>(dialer: &mut D, endpoint: &Endpoint, wanted: &Wanted) -> Self {
        match ClientLayers::of(endpoint, wanted) {
            Ok(layers) => Self::Dialing {
                dialing: dialer.dial(endpoint),
                layers: Box::new(layers),
            },
            Err(error) => Self::Refused(error),
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Carrier<AnyStream>, DialError>> {
        loop {
            match self {
                Self::Refused(error) => return Poll::Ready(Err(error.clone())),
                Self::Dialing { dialing, layers } => match ready!(dialing.as_mut().poll(cx)) {
                    Ok(stream) => *self = Self::Shaking(Carrier::client(stream, layers)),
                    Err(error) => return Poll::Ready(Err(error)),
                },
                Self::Shaking(carrier) => {
                    let opened = ready!(carrier.poll_open(cx));
                    let carrier = std::mem::replace(self, Self::Refused(DialError::TimedOut));
                    let Self::Shaking(carrier) = carrier else { continue };
                    return Poll::Ready(match opened {
                        Ok(()) => Ok(carrier),
                        Err(error) => Err(match LayerError::of(&error).cloned().or(carrier.ended_early()) {
                            Some(fault) => DialError::Layer(fault),
                            None => DialError::connect(error),
                        }),
                    });
                }
            }
        }
    }

    /// Why it is not open, after too long a time.
    pub(crate) fn timed_out(&self) -> DialError {
        match self {
            Self::Shaking(carrier) => match carrier.ended_early() {
                Some(_) => DialError::HandshakeTimedOut,
                None => DialError::TimedOut,
            },
            _ => DialError::TimedOut,
        }
    }
}
