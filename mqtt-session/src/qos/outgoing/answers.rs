//! What the peer answers to messages on their way out.

use mqtt_proto::{PacketId, QoS};

use super::{Ended, Outgoing, State};
use crate::journal::Journal;
use crate::store::{Key, PayloadOf};

/// What an acknowledgement met.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answered {
    /// The exchange ended.
    Done(u32, Ended),
    /// The release is due.
    Released,
    /// The release is due or under way already.
    Repeated,
    /// The message with this id was not sent on this connection: it goes again, and is answered then.
    NotAsked,
    /// Nothing with this id waits for it.
    Unknown,
    /// The exchange with this id has another QoS.
    OtherQoS,
}

/// A release, to ask later whether it has been sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReleaseMark {
    key: u32,
    serial: u64,
}

impl Outgoing {
    /// The last release that is still to be sent on this connection.
    pub(crate) fn last_release_due(&self) -> Option<ReleaseMark> {
        self.due_release?;
        let key = self.releases.tail()?;
        let serial = self.serial(key);
        Some(ReleaseMark { key, serial })
    }

    /// Whether a release has been sent on this connection, or is over.
    pub(crate) fn is_released(&self, release: ReleaseMark) -> bool {
        match self.exchanges.get(release.key) {
            Some(exchange) if exchange.serial == release.serial => exchange.sent_on == self.connection,
            _ => true,
        }
    }

    /// PUBACK came in.
    #[inline]
    pub(crate) fn puback(&mut self, id: PacketId, journal: &mut Journal) -> Answered {
        match self.find(id) {
            Some((key, State::AwaitAck, _)) => self.end(key, journal),
            Some((_, _, QoS::ExactlyOnce)) => Answered::OtherQoS,
            _ => Answered::Unknown,
        }
    }

    /// PUBREC came in. With an error, the exchange is over and the id free. [U5-2.2.1-b]
    #[inline]
    pub(crate) fn pubrec(&mut self, id: PacketId, is_error: bool, journal: &mut Journal) -> Answered {
        match self.find(id) {
            Some((key, State::AwaitRec, _)) if is_error => self.end(key, journal),
            Some((key, State::AwaitRec, _)) => {
                self.release(key, journal);
                Answered::Released
            }
            Some((_, State::AwaitComp | State::ReleaseDue, _)) => Answered::Repeated,
            Some((_, State::PublishDue, QoS::ExactlyOnce)) => Answered::NotAsked,
            Some((_, _, QoS::AtLeastOnce)) => Answered::OtherQoS,
            _ => Answered::Unknown,
        }
    }

    /// PUBCOMP came in.
    #[inline]
    pub(crate) fn pubcomp(&mut self, id: PacketId, journal: &mut Journal) -> Answered {
        match self.find(id) {
            Some((key, State::AwaitComp, _)) => self.end(key, journal),
            Some((_, _, QoS::AtLeastOnce)) => Answered::OtherQoS,
            _ => Answered::Unknown,
        }
    }

    fn end(&mut self, key: u32, journal: &mut Journal) -> Answered {
        match self.remove(key, journal) {
            Some(ended) => Answered::Done(key, ended),
            None => Answered::Unknown,
        }
    }

    /// The peer has the message: from here on only its release is sent. [MQTT-4.3.3-6]
    fn release(&mut self, key: u32, journal: &mut Journal) {
        self.leave_publishes(key);
        let Some(exchange) = self.exchanges.get_mut(key) else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(core::mem::take(&mut exchange.bytes));
        exchange.message = None;
        exchange.sent_on = 0;
        let serial = exchange.serial;
        self.releases.push_back(&mut self.exchanges, key);
        if self.due_release.is_none() {
            self.due_release = Some(key);
        }
        self.write(key, journal);
        journal.delete(|| Key::Payload(PayloadOf::Outgoing(serial)));
    }

    /// The peer takes no packet as large as this message. A message of QoS 2 that it may have is released instead, so that
    /// its id can be used again without harm.
    pub(crate) fn give_up(&mut self, key: u32, journal: &mut Journal) -> Option<GivenUp> {
        let exchange = self.exchanges.get_mut(key)?;
        let qos = exchange.message.as_ref()?.qos;
        if qos == QoS::ExactlyOnce && exchange.repeated {
            let told = exchange.told;
            exchange.told = true;
            let (serial, tag) = (exchange.serial, exchange.tag);
            // For the host it has ended.
            self.forget_deadline(key);
            self.release(key, journal);
            return Some(GivenUp { serial, tag, told });
        }
        let ended = self.remove(key, journal)?;
        Some(GivenUp {
            serial: ended.serial,
            tag: ended.tag,
            told: !ended.has_op(),
        })
    }
}

/// A message that cannot be sent to this peer.
#[derive(Debug)]
pub(crate) struct GivenUp {
    pub(crate) serial: u64,
    pub(crate) tag: u64,
    pub(crate) told: bool,
}
