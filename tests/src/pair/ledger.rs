//! What became of each message: the book that both ends are held against.
//!
//! Each message has a tag of its own, which its payload begins with. What a host does for a received message is its
//! *effect*. Where the machine writes a record when the message is acknowledged, the host writes its effect in the same
//! batch, and loses it with that batch.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use mqtt_session::{Instant, Outcome, QoS};

use super::Side;

/// What becomes durable together with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// A host has done its work for a message.
    HandedOver(u64),
    /// A client has written down that the server had lost the session: for which time.
    LossStored(u64),
}

/// Whether an operation goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Life {
    Live,
    Ended(Outcome),
    /// Its machine has ended without having promised anything, or its session was given up by the host.
    Gone,
}

/// A message.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) from: Side,
    pub(super) qos: QoS,
    pub(super) topic: u8,
    /// Its place among all messages of the run.
    order: u64,
    pub(super) expires_at: Option<Instant>,
    pub(super) payload_bytes: usize,
    pub(super) is_source: bool,
    life: Life,
    /// It stood in an outbox since its session began.
    pub(super) was_sent: bool,
    /// It stood in an outbox at all.
    was_ever_sent: bool,
    /// It may have been sent in an earlier life.
    pub(super) may_be_repeated: bool,
    /// The receiver has refused it, in words or for a version without words.
    was_refused: bool,
    was_told: bool,
    effects: u32,
    pending: u32,
    /// Its sender had given it up and told so, and a restart found it as it was before.
    came_back: bool,
    /// Its record at the receiver was damaged.
    may_be_lost: bool,
}

/// All messages and requests of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    messages: BTreeMap<u64, Entry>,
    requests: BTreeMap<u64, bool>,
    /// The last message that was told for the first time, by sender, topic and QoS.
    last_told: BTreeMap<(Side, u8, u8), u64>,
    next_tag: u64,
    /// How often the server has lost the session.
    pub(super) losses: u64,
    /// The client has not written down that it knows of the last one.
    pub(super) is_split: bool,
    /// The two ends go on with sessions that do not belong together, which MQTT cannot notice.
    pub(super) is_mixed: bool,
    /// Messages of QoS 2 go again as new when the session was lost.
    repeats_all: bool,
    pub(super) fault: Option<String>,
}

/// A message that is about to be published.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewMessage {
    pub(super) from: Side,
    pub(super) qos: QoS,
    pub(super) topic: u8,
    pub(super) payload_bytes: usize,
    pub(super) expires_at: Option<Instant>,
    pub(super) is_source: bool,
}

impl Ledger {
    pub(super) fn new(repeats_all: bool) -> Self {
        Self {
            repeats_all,
            ..Self::default()
        }
    }

    /// Something went wrong. The first fault is the one to look at.
    pub(super) fn fault(&mut self, what: impl FnOnce() -> String) {
        if self.fault.is_none() {
            self.fault = Some(what());
        }
    }

    pub(super) fn new_tag(&mut self) -> u64 {
        self.next_tag += 1;
        self.next_tag
    }

    pub(super) fn published(&mut self, tag: u64, new: NewMessage) {
        self.messages.insert(
            tag,
            Entry {
                from: new.from,
                qos: new.qos,
                topic: new.topic,
                order: tag,
                expires_at: new.expires_at,
                payload_bytes: new.payload_bytes,
                is_source: new.is_source,
                life: Life::Live,
                was_sent: false,
                was_ever_sent: false,
                may_be_repeated: false,
                was_refused: false,
                was_told: false,
                effects: 0,
                pending: 0,
                came_back: false,
                may_be_lost: false,
            },
        );
    }

    pub(super) fn asked(&mut self, tag: u64) {
        self.requests.insert(tag, false);
    }

    pub(super) fn entry(&self, tag: u64) -> Option<&Entry> {
        self.messages.get(&tag)
    }

    pub(super) fn is_live(&self, tag: u64) -> bool {
        match self.messages.get(&tag) {
            Some(entry) => entry.life == Life::Live,
            None => self.requests.get(&tag) == Some(&false),
        }
    }

    /// How many operations go on.
    pub(super) fn live(&self) -> usize {
        let messages = self.messages.values().filter(|entry| entry.life == Life::Live).count();
        messages + self.requests.values().filter(|done| !**done).count()
    }

    /// An operation ended: once, and as its message allows.
    pub(super) fn completed(&mut self, side: Side, tag: u64, outcome: &Outcome, now: Instant) {
        if let Some(done) = self.requests.get_mut(&tag) {
            if core::mem::replace(done, true) {
                self.fault(|| format!("request {tag} ended twice: {outcome:?}"));
            }
            return;
        }
        let excused = self.is_mixed;
        let Some(entry) = self.messages.get_mut(&tag) else {
            return self.fault(|| format!("{tag}, which nobody published, ended: {outcome:?}"));
        };
        let before = core::mem::replace(&mut entry.life, Life::Ended(outcome.clone()));
        let why = match outcome {
            _ if before != Life::Live || entry.from != side => Some("a second time"),
            Outcome::Sent if entry.qos != QoS::AtMostOnce => Some("without acknowledgement"),
            Outcome::Acknowledged(_) | Outcome::Refused(_) if entry.qos == QoS::AtMostOnce => Some("with QoS 0"),
            Outcome::Refused(_) if !entry.was_refused && !excused => Some("although nobody refused it"),
            Outcome::Expired | Outcome::Cancelled | Outcome::Dropped(_) if entry.was_sent => Some("after it was sent"),
            Outcome::Expired if entry.expires_at.is_none_or(|at| at > now) => Some("too early"),
            _ => None,
        };
        if let Some(why) = why {
            self.fault(|| format!("{tag} ended {why}: {outcome:?}, before: {before:?}"));
        }
    }

    /// An event of this message was polled for the first time, or again.
    pub(super) fn told(&mut self, tag: u64) {
        let mixed = self.is_mixed;
        let Some(entry) = self.messages.get_mut(&tag) else {
            return self.fault(|| format!("{tag} was told, and nobody published it"));
        };
        // What came back after its end has lost its place.
        if core::mem::replace(&mut entry.was_told, true) || entry.came_back {
            return;
        }
        let order = entry.order;
        let last = self
            .last_told
            .entry((entry.from, entry.topic, entry.qos.bits()))
            .or_default();
        let before = core::mem::replace(last, order);
        if before > order && !mixed {
            self.fault(|| format!("{tag} was told after {before}, which was published later"));
        }
    }

    /// A host has done its work for a message. With `pending`, it is part of a batch that is not durable.
    pub(super) fn handed_over(&mut self, tag: u64, pending: bool) {
        let excused = self.is_mixed || self.repeats_all;
        let Some(entry) = self.messages.get_mut(&tag) else {
            return;
        };
        *(if pending {
            &mut entry.pending
        } else {
            &mut entry.effects
        }) += 1;
        if entry.qos == QoS::ExactlyOnce && entry.effects + entry.pending > 1 && !excused {
            self.fault(|| format!("{tag} of QoS 2 was handed over twice"));
        }
    }

    pub(super) fn refused(&mut self, tag: u64) {
        if let Some(entry) = self.messages.get_mut(&tag) {
            entry.was_refused = true;
        }
    }

    /// A batch became durable, or was lost, and the effects in it.
    pub(super) fn settle(&mut self, effects: &[Effect], is_durable: bool) {
        for effect in effects {
            match effect {
                Effect::HandedOver(tag) => {
                    if let Some(entry) = self.messages.get_mut(tag) {
                        entry.pending -= 1;
                        entry.effects += u32::from(is_durable);
                    }
                }
                Effect::LossStored(loss) => self.is_split &= !(is_durable && *loss == self.losses),
            }
        }
    }

    /// Effects that no batch will carry are lost with their machine.
    pub(super) fn forget_pending(&mut self, receiver: Side) {
        for entry in self.messages.values_mut().filter(|entry| entry.from != receiver) {
            entry.pending = 0;
        }
    }

    pub(super) fn sent(&mut self, tag: u64) {
        if let Some(entry) = self.messages.get_mut(&tag) {
            entry.was_sent = true;
            entry.was_ever_sent = true;
        }
    }

    /// The server has lost the session, and the client has yet to hear of it.
    pub(super) fn split(&mut self) {
        self.losses += 1;
        self.is_split = true;
    }

    pub(super) fn may_be_lost(&mut self, tag: u64) {
        if let Some(entry) = self.messages.get_mut(&tag) {
            entry.may_be_lost = true;
        }
    }

    /// A session of this sender begins: nothing was sent in it.
    pub(super) fn session_began(&mut self, from: Side) {
        for entry in self.messages.values_mut().filter(|entry| entry.from == from) {
            entry.was_sent = false;
            entry.may_be_repeated = false;
        }
    }

    /// What the next life of a machine has not sent itself, it knows only from its records.
    pub(super) fn session_restored(&mut self, from: Side) {
        for entry in self.messages.values_mut().filter(|entry| entry.from == from) {
            entry.was_sent &= entry.may_be_repeated;
        }
    }

    /// The machine of this side has ended. What its next life has found goes on, and what that may have sent.
    pub(super) fn restarted(&mut self, from: Side, live: &BTreeMap<u64, bool>) {
        for (tag, entry) in self.messages.iter_mut().filter(|(_, entry)| entry.from == from) {
            match live.get(tag) {
                Some(may_be_sent) => {
                    entry.came_back |= matches!(
                        entry.life,
                        Life::Ended(Outcome::TooLarge { .. } | Outcome::NotSupported(_) | Outcome::SourceFailed)
                    );
                    entry.life = Life::Live;
                    entry.may_be_repeated = *may_be_sent;
                }
                None if entry.life == Life::Live => entry.life = Life::Gone,
                None => {}
            }
        }
        if from == Side::Client {
            self.requests.values_mut().for_each(|done| *done = true);
        }
    }

    /// Everything has come to rest: holds each message against what was said of it.
    pub(super) fn close(&mut self) {
        let excused = self.is_mixed;
        let unfinished = self.requests.iter().find(|(_, done)| !**done).map(|(tag, _)| *tag);
        if let Some(tag) = unfinished {
            self.fault(|| format!("request {tag} never ended"));
        }
        // What went again as new may have been handed over in the session before.
        let repeats_all = self.repeats_all;
        let found = self.messages.iter().find_map(|(tag, entry)| {
            let why = entry.contradiction(excused, repeats_all)?;
            Some(format!("{tag} {why}: {entry:?}"))
        });
        if let Some(found) = found {
            self.fault(|| found);
        }
    }
}

impl Entry {
    fn contradiction(&self, excused: bool, repeats_all: bool) -> Option<&'static str> {
        let is_exact = self.qos == QoS::ExactlyOnce;
        match &self.life {
            Life::Live => Some("never ended"),
            Life::Ended(Outcome::Acknowledged(_))
                if self.effects == 0 && !self.was_refused && !self.may_be_lost && !excused =>
            {
                Some("was acknowledged and is lost")
            }
            Life::Ended(Outcome::Refused(_)) if is_exact && self.effects > 0 && !excused && !repeats_all => {
                Some("was refused and handed over")
            }
            Life::Ended(Outcome::Expired | Outcome::Cancelled | Outcome::Dropped(_))
                if is_exact && self.effects > 0 && !self.was_ever_sent =>
            {
                Some("was never sent and handed over")
            }
            _ => None,
        }
    }
}

/// The payload of a message: its tag, and bytes that follow from it.
pub(super) fn payload(tag: u64, len: usize) -> Bytes {
    let mut bytes = BytesMut::with_capacity(len);
    bytes.extend_from_slice(&tag.to_be_bytes());
    bytes.extend((8..len).map(|place| filler(tag, place)));
    bytes.freeze()
}

fn filler(tag: u64, place: usize) -> u8 {
    tag.to_le_bytes()[0] ^ place.to_le_bytes()[0]
}

/// The tag of a payload, if it is whole.
pub(super) fn tag_of(payload: &[u8]) -> Option<u64> {
    let (head, rest) = payload.split_first_chunk()?;
    let tag = u64::from_be_bytes(*head);
    let is_whole = rest
        .iter()
        .enumerate()
        .all(|(place, byte)| *byte == filler(tag, place + 8));
    is_whole.then_some(tag)
}
