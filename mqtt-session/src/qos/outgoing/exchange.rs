//! One message on its way out, and where it stands.

use mqtt_proto::{PacketId, QoS};

use crate::journal::Ticket;
use crate::message::Message;
use crate::slab::{Linked, Links};
use crate::store::{MessageRecord, OutgoingRecord, OutgoingState, Record};
use crate::time::Instant;

/// One message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(in crate::qos) links: Links,
    pub(crate) serial: u64,
    pub(crate) tag: u64,
    /// Whether the outcome was told already, and the exchange goes on without an operation.
    pub(in crate::qos) told: bool,
    pub(in crate::qos) id: Option<PacketId>,
    /// How many bytes of the bound for queued messages it uses: none any more when the message is gone.
    pub(in crate::qos) bytes: u64,
    /// Gone as soon as the peer has it.
    pub(in crate::qos) message: Option<Message>,
    /// The payload has this many bytes, and the host gives them when they are sent.
    pub(crate) source_bytes: Option<u32>,
    pub(crate) expires_at: Option<Instant>,
    /// The connection that what is due was last sent on. Zero: none.
    pub(in crate::qos) sent_on: u32,
    /// The connection whose quota it uses. Zero: none.
    pub(in crate::qos) charged_on: u32,
    /// It may have been sent on any connection, also in an earlier life.
    pub(crate) repeated: bool,
    pub(in crate::qos) ticket: Ticket,
}

/// What is left to tell of an exchange that has ended. It is small: exchanges are dropped where they stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) serial: u64,
    pub(crate) tag: u64,
    told: bool,
    /// The QoS, unless the peer had the message and only its release was left.
    qos: Option<QoS>,
}

impl Ended {
    /// Whether somebody waits for its outcome.
    pub(crate) const fn has_op(&self) -> bool {
        !self.told
    }

    /// Whether the message was still to be taken by the peer.
    pub(crate) const fn had_message(&self) -> bool {
        self.qos.is_some()
    }

    pub(in crate::qos) fn is_plain(&self) -> bool {
        self.qos == Some(QoS::AtMostOnce)
    }
}

/// Where an exchange stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Queued,
    PublishDue,
    AwaitAck,
    AwaitRec,
    ReleaseDue,
    AwaitComp,
}

impl Exchange {
    pub(crate) const fn id(&self) -> Option<PacketId> {
        self.id
    }

    pub(crate) const fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    /// Where it stands, seen from this connection.
    pub(crate) fn state(&self, connection: u32) -> State {
        let sent = self.sent_on == connection;
        match (&self.message, self.id) {
            (Some(_), None) => State::Queued,
            (Some(_), Some(_)) if !sent => State::PublishDue,
            (Some(message), Some(_)) if message.qos == QoS::AtLeastOnce => State::AwaitAck,
            (Some(_), Some(_)) => State::AwaitRec,
            (None, _) if sent => State::AwaitComp,
            (None, _) => State::ReleaseDue,
        }
    }

    /// Whether somebody waits for its outcome.
    pub(crate) const fn has_op(&self) -> bool {
        !self.told
    }

    /// What is left to tell when it ends.
    pub(in crate::qos) fn ended(&self) -> Ended {
        Ended {
            serial: self.serial,
            tag: self.tag,
            told: self.told,
            qos: self.message.as_ref().map(|message| message.qos),
        }
    }

    pub(in crate::qos) fn record(&self) -> Option<Record> {
        let state = match &self.message {
            Some(message) => OutgoingState::Publish {
                id: self.id,
                message: message_record(message, self.expires_at, self.source_bytes),
            },
            None => OutgoingState::Release {
                id: self.id?,
                is_given_up: self.told,
            },
        };
        Some(Record::Outgoing(OutgoingRecord {
            serial: self.serial,
            tag: self.tag,
            state,
        }))
    }
}

pub(crate) fn message_record(
    message: &Message,
    expires_at: Option<Instant>,
    source_bytes: Option<u32>,
) -> MessageRecord {
    MessageRecord {
        qos: message.qos,
        retain: message.retain,
        topic: message.topic.clone(),
        properties: message.properties.clone(),
        expires_at,
        source_bytes,
    }
}

impl Linked for Exchange {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }

    fn links_ref(&self) -> &Links {
        &self.links
    }
}
