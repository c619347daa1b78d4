//! What the clients of a script do.

use core::fmt;

use mqtt_proto::{QoS, RetainHandling, SubscriptionOptions, Version};

/// An interval in seconds that a [`Action::Wait`] outlasts.
pub(super) const SHORT: u32 = 3;
/// An interval in seconds that outlasts every script.
pub(super) const LONG: u32 = 1000;

/// Some clients, and what they do one after the other.
#[derive(Clone, Debug)]
pub struct Script {
    /// What it was drawn from.
    pub seed: u64,
    /// The version that each client speaks.
    pub clients: Vec<Version>,
    /// What they do. A step that makes no sense when its turn comes is passed over, so any of them can be left out.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Who does it.
    pub client: usize,
    /// What is done.
    pub action: Action,
}

/// What a client does. What its version does not have is left out of the packets.
#[derive(Clone, Debug)]
pub enum Action {
    /// Connects; if it is connected already, a second connection takes the session over.
    Connect(Connect),
    /// Subscribes.
    Subscribe {
        /// The Subscription Identifier.
        id: Option<u32>,
        /// Filters with their options.
        filters: Vec<(&'static str, SubscriptionOptions)>,
    },
    /// Unsubscribes.
    Unsubscribe(Vec<&'static str>),
    /// Publishes.
    Publish(Message),
    /// Acknowledges nothing from now on, and releases nothing.
    Hold,
    /// Acknowledges and releases what was held back, and the rest at once.
    Release,
    /// The connection ends without DISCONNECT.
    Cut {
        /// By a reset, and not by an orderly end of the stream.
        reset: bool,
    },
    /// DISCONNECT.
    Leave {
        /// The server is to publish the will.
        with_will: bool,
        /// Another Session Expiry Interval.
        expiry: Option<u32>,
    },
    /// Everybody waits until whatever is short is over.
    Wait,
}

/// A CONNECT.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Clean Session or Clean Start.
    pub clean: bool,
    /// The Session Expiry Interval.
    pub expiry: Option<u32>,
    /// The Receive Maximum.
    pub receive_maximum: Option<u16>,
    /// The will.
    pub will: Option<Will>,
}

/// A will.
#[derive(Clone, Debug)]
pub struct Will {
    /// What is published.
    pub message: Message,
    /// The Will Delay Interval.
    pub delay: Option<u32>,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where to.
    pub topic: &'static str,
    /// What tells it from every other one of the script; nothing if its payload is empty.
    pub number: Option<u32>,
    /// The QoS.
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
    /// The Message Expiry Interval.
    pub expiry: Option<u32>,
    /// Whether it has the other properties that a message may have.
    pub is_adorned: bool,
}

impl Message {
    /// The payload.
    #[must_use]
    pub fn payload(&self) -> String {
        self.number.map_or_else(String::new, |number| format!("m{number}"))
    }
}

impl Script {
    /// Whether no client speaks MQTT 5.0.
    #[must_use]
    pub fn is_of_3_1_1(&self) -> bool {
        self.clients.iter().all(|version| !version.has_properties())
    }
}

/// How a client is called.
#[must_use]
pub fn name(client: usize) -> &'static str {
    ["anna", "bert", "carl"].get(client).copied().unwrap_or("nobody")
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.action {
            Action::Wait => write!(f, "everybody waits"),
            action => write!(f, "{} {action}", name(self.client)),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(connect) => write!(f, "connects{connect}"),
            Self::Subscribe { id, filters } => {
                write!(f, "subscribes")?;
                for (filter, options) in filters {
                    write!(f, " {filter} ({})", Options(*options))?;
                }
                said(f, "identifier", *id)
            }
            Self::Unsubscribe(filters) => write!(f, "unsubscribes {}", filters.join(" ")),
            Self::Publish(message) => write!(f, "publishes {message}"),
            Self::Hold => write!(f, "acknowledges nothing"),
            Self::Release => write!(f, "acknowledges everything"),
            Self::Cut { reset: true } => write!(f, "resets the connection"),
            Self::Cut { reset: false } => write!(f, "closes the connection"),
            Self::Leave { with_will, expiry } => {
                write!(f, "disconnects{}", if *with_will { " with its will" } else { "" })?;
                said(f, "expiry", *expiry)
            }
            Self::Wait => write!(f, "waits"),
        }
    }
}

impl fmt::Display for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", if self.clean { " clean" } else { "" })?;
        said(f, "expiry", self.expiry)?;
        said(f, "receive maximum", self.receive_maximum.map(u32::from))?;
        if let Some(will) = &self.will {
            write!(f, ", will {}", will.message)?;
            said(f, "delay", will.delay)?;
        }
        Ok(())
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} to {} qos {}", self.payload(), self.topic, self.qos.bits())?;
        write!(f, "{}", if self.retain { " retained" } else { "" })?;
        write!(f, "{}", if self.is_adorned { " adorned" } else { "" })?;
        said(f, "message expiry", self.expiry)
    }
}

struct Options(SubscriptionOptions);

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.0;
        write!(f, "qos {}", options.qos.bits())?;
        write!(f, "{}", if options.no_local { ", no local" } else { "" })?;
        let kept = if options.retain_as_published {
            ", retain as published"
        } else {
            ""
        };
        write!(f, "{kept}")?;
        match options.retain_handling {
            RetainHandling::Send => Ok(()),
            RetainHandling::SendIfNew => write!(f, ", retained if new"),
            RetainHandling::DoNotSend => write!(f, ", nothing retained"),
        }
    }
}

fn said(f: &mut fmt::Formatter<'_>, what: &str, number: Option<u32>) -> fmt::Result {
    number.map_or(Ok(()), |number| write!(f, ", {what} {number}"))
}
