//! What is printed of one record: a line for people, or an object of JSON.

use std::fmt::{self, Write};

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use jiff::Timestamp;
use mqtt_session::{Instant, MessageRecord};
use serde::Serialize;

use super::kept::text;
use crate::json::Properties;

/// How payloads are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Show {
    /// As text; what is none, in hexadecimal (with --json in base64)
    #[default]
    Text,
    /// In hexadecimal
    Hex,
    /// Only how many bytes they have
    Size,
}

/// A record.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Line<'r> {
    Session {
        broker: &'r str,
        client: String,
        /// Whose the client is.
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// None: for ever.
        expiry_seconds: Option<u32>,
        ends_at: Option<String>,
    },
    /// A session that its client keeps, and not its broker.
    ClientSession {
        client: String,
    },
    Will {
        broker: &'r str,
        client: String,
        delay_seconds: u32,
        due_at: Option<String>,
        #[serde(flatten)]
        message: Message<'r>,
    },
    Subscription {
        broker: &'r str,
        client: String,
        filter: &'r str,
        qos: u8,
        no_local: bool,
        retain_as_published: bool,
        retain_handling: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        subscription_identifier: Option<u32>,
        /// Retained messages are still to be sent.
        is_replaying: bool,
    },
    Message {
        broker: &'r str,
        client: String,
        state: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        packet_id: Option<u16>,
        #[serde(flatten)]
        message: Option<Message<'r>>,
    },
    /// QoS 2, from the client: its release is awaited.
    Received {
        broker: &'r str,
        client: String,
        packet_id: u16,
    },
    Retained {
        broker: &'r str,
        publisher: Option<String>,
        #[serde(flatten)]
        message: Message<'r>,
    },
    Forward {
        broker: &'r str,
        #[serde(flatten)]
        message: Message<'r>,
    },
    Damaged {
        broker: &'r str,
        what: String,
    },
}

/// A message, with the names that mosquitto's clients give its parts.
#[derive(Serialize)]
pub(super) struct Message<'r> {
    topic: &'r str,
    qos: u8,
    retain: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Properties::is_empty")]
    properties: Properties<'r>,
    #[serde(flatten)]
    payload: Payload,
}

/// A payload, as it is to be shown.
#[derive(Serialize)]
struct Payload {
    /// None: it is not there.
    payloadlen: Option<usize>,
    #[serde(flatten)]
    shown: Shown,
}

#[derive(Serialize)]
enum Shown {
    #[serde(rename = "payload")]
    Text(String),
    #[serde(rename = "payload-base64")]
    Base64(String),
    #[serde(rename = "payload-hex")]
    Hex(String),
    #[serde(untagged)]
    Nothing {},
}

impl Payload {
    fn of(bytes: Option<&[u8]>, show: Show, is_json: bool) -> Self {
        let shown = match (bytes, show) {
            (None, _) | (_, Show::Size) => Shown::Nothing {},
            (Some(bytes), Show::Hex) => Shown::Hex(HEXLOWER.encode(bytes)),
            (Some(bytes), Show::Text) => match std::str::from_utf8(bytes) {
                Ok(text) => Shown::Text(text.to_owned()),
                Err(_) if is_json => Shown::Base64(BASE64.encode(bytes)),
                Err(_) => Shown::Hex(HEXLOWER.encode(bytes)),
            },
        };
        Self {
            payloadlen: bytes.map(<[u8]>::len),
            shown,
        }
    }
}

impl<'r> Message<'r> {
    pub(super) fn new(
        message: &'r MessageRecord,
        expiry_seconds: Option<u32>,
        payload: Option<&Bytes>,
        show: Show,
        is_json: bool,
    ) -> Self {
        Self {
            topic: message.topic.as_str(),
            qos: message.qos.bits(),
            retain: u8::from(message.retain),
            expires_at: message.expires_at.map(time),
            properties: Properties::of(&message.properties, expiry_seconds),
            payload: Payload::of(payload.map(|bytes| &bytes[..]), show, is_json),
        }
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\", QoS {}", text(self.topic.as_bytes()), self.qos)?;
        if self.retain != 0 {
            f.write_str(", retained")?;
        }
        if let Some(at) = &self.expires_at {
            write!(f, ", expires {at}")?;
        }
        match self.payload.payloadlen {
            Some(bytes) => write!(f, ", {bytes} bytes")?,
            None => f.write_str(", its payload is not there")?,
        }
        match &self.payload.shown {
            Shown::Text(payload) if !payload.is_empty() => write!(f, ": {}", payload.escape_debug()),
            Shown::Hex(payload) | Shown::Base64(payload) => write!(f, ": {payload}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session {
                broker,
                client,
                user,
                expiry_seconds,
                ends_at,
            } => {
                write!(f, "session of \"{}\" in {broker}", text(client.as_bytes()))?;
                if let Some(user) = user {
                    write!(f, ", of the user \"{}\"", text(user.as_bytes()))?;
                }
                match expiry_seconds {
                    Some(seconds) => write!(f, ": outlives its connection by {seconds} s")?,
                    None => f.write_str(": never ends")?,
                }
                ends_at.as_ref().map_or(Ok(()), |at| write!(f, ", ends {at}"))
            }
            Self::ClientSession { client } => write!(f, "session of the client \"{}\" itself", text(client.as_bytes())),
            Self::Will {
                delay_seconds,
                due_at,
                message,
                ..
            } => {
                write!(f, "  will to {message}; {delay_seconds} s after the connection")?;
                due_at.as_ref().map_or(Ok(()), |at| write!(f, ", due {at}"))
            }
            Self::Subscription { .. } => self.subscription(f),
            Self::Message {
                state,
                packet_id,
                message,
                ..
            } => {
                write!(f, "  message to the client, {state}")?;
                if let Some(id) = packet_id {
                    write!(f, " as packet {id}")?;
                }
                message.as_ref().map_or(Ok(()), |message| write!(f, ": {message}"))
            }
            Self::Received { packet_id, .. } => {
                write!(
                    f,
                    "  message of QoS 2 from the client, taken as packet {packet_id}; its PUBREL is awaited"
                )
            }
            Self::Retained { publisher, message, .. } => {
                write!(f, "retained: {message}")?;
                let publisher = publisher.as_ref();
                publisher.map_or(Ok(()), |client| write!(f, "; from \"{}\"", text(client.as_bytes())))
            }
            Self::Forward { message, .. } => write!(f, "on its way to other shards: {message}"),
            Self::Damaged { broker, what } => write!(f, "damaged in {broker}: {what}"),
        }
    }
}

impl Line<'_> {
    fn subscription(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Subscription {
            filter,
            qos,
            no_local,
            retain_as_published,
            retain_handling,
            subscription_identifier,
            is_replaying,
            ..
        } = self
        else {
            return Ok(());
        };
        write!(f, "  subscription to \"{}\", QoS {qos}", text(filter.as_bytes()))?;
        for (is_so, words) in [
            (*no_local, ", no local"),
            (*retain_as_published, ", retain as published"),
            (*retain_handling == 1, ", retained messages if new"),
            (*retain_handling == 2, ", no retained messages"),
            (*is_replaying, ", retained messages are still to be sent"),
        ] {
            if is_so {
                f.write_str(words)?;
            }
        }
        match subscription_identifier {
            Some(identifier) => write!(f, ", identifier {identifier}"),
            None => Ok(()),
        }
    }
}

/// A point in time as people and programs read it: UTC, to the second.
pub(super) fn time(at: Instant) -> String {
    let seconds = i64::try_from(at.as_micros() / 1_000_000).unwrap_or(i64::MAX);
    match Timestamp::from_second(seconds) {
        Ok(timestamp) => timestamp.to_string(),
        // Further away than any calendar goes.
        Err(_) => {
            let mut unix = String::new();
            // Text takes whatever is written to it.
            let _ = write!(unix, "{seconds} s after 1970");
            unix
        }
    }
}
