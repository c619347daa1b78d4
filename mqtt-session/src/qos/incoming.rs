//! Messages on their way in, from PUBLISH to the last acknowledgement.
//!
//! ```text
//!              PUBLISH               acknowledged            PUBREL             stored
//!   (free) ─────────────> Waiting ─────────────> Accepted ─────────> Releasing ────────> (free)
//!                            │ refused               ▲ │ PUBLISH again: PUBREC again
//!                            └───────> Refused       └─┘
//!                                         └──> (free) with its PUBREC
//! ```
//!
//! The drawing is that of QoS 2, whose identifiers are part of the session. QoS 1 has nothing but a place in the line of
//! PUBACKs of its connection.
//!
//! Acknowledgements leave in the order in which their messages came [MQTT-4.6.0-2, MQTT-4.6.0-3], each when it was handed
//! over and the store has what it promises, and only on a connection on which its PUBLISH came.

mod fingerprint;
mod lines;
mod lives;

use alloc::collections::VecDeque;

use mqtt_proto::{PacketId, PubAckReason, PubRecReason};

use crate::journal::{Journal, Ticket};
use crate::op::AcknowledgeError;
use crate::store::{IncomingRecord, Key, PayloadOf, Record};
use lines::Lines;

/// What a PUBLISH of QoS 1 or 2 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// A message to hand over under this number.
    New(u64),
    /// One that is known: it is answered, and not handed over again.
    Repeated,
    /// One more than the Receive Maximum.
    TooMany,
}

/// An acknowledgement that may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ack {
    PubAck(PacketId, PubAckReason),
    PubRec(PacketId, PubRecReason),
}

/// What a PUBREL met: whether the identifier is known, what its PUBCOMP waits for, and whether that gives back quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Released {
    pub(crate) found: bool,
    pub(crate) ticket: Ticket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Waiting,
    Accepted(Ticket),
    Refused(PubRecReason),
    Releasing(Ticket),
}

/// An identifier of QoS 2 in use by the peer.
#[derive(Clone, Copy, Debug)]
struct Held {
    step: Step,
    /// The connection that a PUBREC stands in line on. Zero: none.
    owed_on: u32,
    /// The connection whose quota it uses.
    charged_on: u32,
}

impl Held {
    /// Whether a PUBCOMP has been earned: the identifier is the peer's to use again.
    fn is_over(&self, journal: &Journal) -> bool {
        matches!(self.step, Step::Releasing(ticket) if journal.is_stored(ticket))
    }
}

/// A place in the line of PUBACKs.
#[derive(Clone, Copy, Debug)]
struct Slot {
    id: PacketId,
    delivery: u64,
    answer: Option<(PubAckReason, Ticket)>,
}

/// A hand-over that waits for the host.
#[derive(Clone, Copy, Debug)]
struct Open {
    delivery: u64,
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    ExactlyOnce(PacketId),
    Inbox,
    Done,
}

/// All messages on their way in of one session.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    lines: Lines,
    open_waiting: u32,
    inbox: u32,
    next_delivery: u64,
    // Of the connection:
    connection: u32,
    pubacks_waiting: u32,
    maximum: u16,
    charged: u16,
}

impl Incoming {
    pub(crate) fn new() -> Self {
        Self {
            lines: Lines::default(),
            open_waiting: 0,
            inbox: 0,
            next_delivery: 1,
            connection: 0,
            pubacks_waiting: 0,
            maximum: 0,
            charged: 0,
        }
    }

    /// Gives back the memory of what holds nothing.
    #[cfg(feature = "broker")]
    pub(crate) fn rest(&mut self) {
        self.lines.rest();
    }

    /// How many identifiers of QoS 2 are in use by the peer.
    #[cfg(feature = "broker")]
    pub(crate) fn held(&self) -> usize {
        self.lines.held.len()
    }

    /// A connection begins. Tokens of QoS 1 die with the one before.
    pub(crate) fn connected(&mut self, connection: u32, maximum: u16) {
        self.disconnected();
        self.connection = connection;
        self.maximum = maximum;
    }

    pub(crate) fn disconnected(&mut self) {
        if let Some(lines) = self.lines.get_mut() {
            lines.pubacks.clear();
            lines.pubrecs.clear();
        }
        self.pubacks_waiting = 0;
        self.charged = 0;
    }

    /// The number of a hand-over that nothing is owed for.
    pub(crate) fn number(&mut self) -> u64 {
        let number = self.next_delivery;
        self.next_delivery = number.saturating_add(1);
        number
    }

    pub(crate) const fn next_delivery(&self) -> u64 {
        self.next_delivery
    }

    pub(crate) fn skip_deliveries(&mut self, floor: u64) {
        self.next_delivery = self.next_delivery.max(floor);
    }

    /// How many acknowledgements the host owes.
    pub(crate) const fn owed_by_host(&self) -> u32 {
        // Each of them stands for a message in memory.
        self.open_waiting.wrapping_add(self.pubacks_waiting)
    }

    /// How many messages stand in the inbox.
    pub(crate) const fn in_inbox(&self) -> u32 {
        self.inbox
    }

    /// A PUBLISH of QoS 1 came: whatever its DUP flag, it is a message of its own. [MQTT-4.3.2-5]
    #[inline(always)]
    pub(crate) fn at_least_once(&mut self, id: PacketId) -> Arrival {
        if !self.charge() {
            return Arrival::TooMany;
        }
        let delivery = self.number();
        self.lines.pubacks.push_back(Slot {
            id,
            delivery,
            answer: None,
        });
        self.pubacks_waiting = self.pubacks_waiting.saturating_add(1);
        Arrival::New(delivery)
    }

    /// A PUBLISH of QoS 2 came: its identifier alone says whether it is known. [MQTT-4.3.3-10]
    #[inline]
    pub(crate) fn exactly_once(&mut self, id: PacketId, journal: &Journal) -> Arrival {
        let connection = self.connection;
        if let Some(mut held) = self.lines.held.get(id).filter(|held| !held.is_over(journal)) {
            if held.charged_on != connection && !self.charge() {
                return Arrival::TooMany;
            }
            held.charged_on = connection;
            if held.owed_on != connection {
                held.owed_on = connection;
                self.lines.pubrecs.push_back(id);
            }
            self.lines.held.insert(id, held);
            return Arrival::Repeated;
        }
        if !self.charge() {
            return Arrival::TooMany;
        }
        let delivery = self.number();
        let lines = &mut *self.lines;
        lines.held.insert(
            id,
            Held {
                step: Step::Waiting,
                owed_on: connection,
                charged_on: connection,
            },
        );
        lines.pubrecs.push_back(id);
        lines.open.push_back(Open {
            delivery,
            of: Of::ExactlyOnce(id),
        });
        self.open_waiting = self.open_waiting.saturating_add(1);
        Arrival::New(delivery)
    }

    /// Whether a PUBLISH of QoS 2 with this identifier would be a repetition.
    pub(crate) fn is_known(&self, id: PacketId, journal: &Journal) -> bool {
        self.lines.held.get(id).is_some_and(|held| !held.is_over(journal))
    }

    fn charge(&mut self) -> bool {
        let fits = self.charged < self.maximum;
        if fits {
            self.charged = self.charged.saturating_add(1);
        }
        fits
    }

    /// The message stands in the inbox: it is accepted, and waits there for the host.
    pub(crate) fn move_to_inbox(&mut self, delivery: u64, ticket: Ticket) {
        if let Some(slot) = self.slot(delivery) {
            slot.answer = Some((PubAckReason::Success, ticket));
            self.pubacks_waiting = self.pubacks_waiting.saturating_sub(1);
            self.open_inbox(delivery);
            return;
        }
        let Some(open) = self.opened(delivery) else { return };
        if let Of::ExactlyOnce(id) = open.of {
            open.of = Of::Inbox;
            self.open_waiting = self.open_waiting.saturating_sub(1);
            self.inbox = self.inbox.saturating_add(1);
            if let Some(held) = self.held_mut(id) {
                held.step = Step::Accepted(ticket);
            }
        }
    }

    fn open_inbox(&mut self, delivery: u64) {
        let of = Of::Inbox;
        // One that had to wait for room may have been overtaken.
        let place = self.lines.open.partition_point(|open| open.delivery < delivery);
        self.lines.open.insert(place, Open { delivery, of });
        self.inbox = self.inbox.saturating_add(1);
    }

    /// The host has handed the message over, or refuses it.
    #[inline(always)]
    pub(crate) fn acknowledge(
        &mut self,
        delivery: u64,
        code: u8,
        journal: &mut Journal,
    ) -> Result<(), AcknowledgeError> {
        if let Some(slot) = self.slot(delivery) {
            if slot.answer.is_none() {
                let reason = PubAckReason::from_value(code).ok_or(AcknowledgeError::ReasonNotListed)?;
                slot.answer = Some((reason, Ticket::NONE));
                self.pubacks_waiting = self.pubacks_waiting.saturating_sub(1);
                return Ok(());
            }
        }
        let open = self.opened(delivery).ok_or(AcknowledgeError::Unknown)?;
        match open.of {
            Of::Done => return Err(AcknowledgeError::Unknown),
            Of::Inbox if code >= 0x80 => return Err(AcknowledgeError::CannotRefuse),
            Of::Inbox => {
                open.of = Of::Done;
                self.inbox = self.inbox.saturating_sub(1);
                journal.delete(|| Key::Inbox(delivery));
                journal.delete(|| Key::Payload(PayloadOf::Inbox(delivery)));
            }
            Of::ExactlyOnce(id) => {
                let reason = PubRecReason::from_value(code).ok_or(AcknowledgeError::ReasonNotListed)?;
                open.of = Of::Done;
                self.open_waiting = self.open_waiting.saturating_sub(1);
                self.decide(id, reason, journal);
            }
        }
        self.tidy();
        Ok(())
    }

    /// The message counts as never received: the peer sends it again.
    pub(crate) fn withdraw(&mut self, delivery: u64) {
        let Some(open) = self.opened(delivery) else { return };
        if let Of::ExactlyOnce(id) = core::mem::replace(&mut open.of, Of::Done) {
            self.open_waiting = self.open_waiting.saturating_sub(1);
            self.forget(id);
        }
        self.tidy();
    }

    #[inline(always)]
    fn decide(&mut self, id: PacketId, reason: PubRecReason, journal: &mut Journal) {
        let Some(held) = self.held_mut(id) else { return };
        if held.step != Step::Waiting {
            return;
        }
        held.step = if reason.is_error() {
            Step::Refused(reason)
        } else {
            Step::Accepted(journal.put(|| Record::Incoming(IncomingRecord { id })))
        };
    }

    /// Forgets what is done at the front, and all that is done if that is most of it.
    #[inline]
    fn tidy(&mut self) {
        let Some(lines) = self.lines.get_mut() else { return };
        while lines.open.front().is_some_and(|open| open.of == Of::Done) {
            lines.open.pop_front();
        }
        let spare = lines.open.len().saturating_sub(64);
        if spare > 0 {
            let live = usize::try_from(self.open_waiting.saturating_add(self.inbox)).unwrap_or(usize::MAX);
            if spare > live.saturating_mul(2) {
                lines.open.retain(|open| open.of != Of::Done);
            }
        }
    }

    #[inline(always)]
    fn slot(&mut self, delivery: u64) -> Option<&mut Slot> {
        let pubacks = &mut self.lines.get_mut()?.pubacks;
        place(pubacks, delivery, |slot| slot.delivery).and_then(|place| pubacks.get_mut(place))
    }

    #[inline(always)]
    fn opened(&mut self, delivery: u64) -> Option<&mut Open> {
        let open = &mut self.lines.get_mut()?.open;
        place(open, delivery, |open| open.delivery).and_then(|place| open.get_mut(place))
    }

    #[inline]
    fn held_mut(&mut self, id: PacketId) -> Option<&mut Held> {
        self.lines.get_mut()?.held.get_mut(id)
    }

    /// Whether there are acknowledgements that are still to be sent.
    #[cfg(feature = "broker")]
    #[inline]
    pub(crate) fn has_answers(&self) -> bool {
        !self.lines.pubacks.is_empty() || !self.lines.pubrecs.is_empty()
    }

    /// Takes the next acknowledgement that may leave.
    #[inline(always)]
    pub(crate) fn next_ack(&mut self, journal: &Journal) -> Option<Ack> {
        let lines = self.lines.get_mut()?;
        if lines.pubacks.is_empty() && lines.pubrecs.is_empty() {
            return None;
        }
        self.take_ack(journal)
    }

    #[inline(always)]
    fn take_ack(&mut self, journal: &Journal) -> Option<Ack> {
        let lines = self.lines.get_mut()?;
        match lines.pubacks.front() {
            Some(&Slot {
                id,
                answer: Some((reason, ticket)),
                ..
            }) if journal.is_stored(ticket) => {
                lines.pubacks.pop_front();
                self.charged = self.charged.saturating_sub(1);
                Some(Ack::PubAck(id, reason))
            }
            _ if lines.pubrecs.is_empty() => None,
            _ => self.next_pubrec(journal),
        }
    }

    #[inline(never)]
    fn next_pubrec(&mut self, journal: &Journal) -> Option<Ack> {
        loop {
            let lines = self.lines.get_mut()?;
            let id = *lines.pubrecs.front()?;
            let Some(held) = lines.held.get_mut(id) else {
                lines.pubrecs.pop_front();
                continue;
            };
            let reason = match held.step {
                Step::Waiting => return None,
                Step::Accepted(ticket) if !journal.is_stored(ticket) => return None,
                Step::Accepted(_) | Step::Releasing(_) => PubRecReason::Success,
                Step::Refused(reason) => reason,
            };
            lines.pubrecs.pop_front();
            held.owed_on = 0;
            if reason.is_error() {
                // The identifier is free with it. [MQTT-4.3.3-9]
                self.forget(id);
            }
            return Some(Ack::PubRec(id, reason));
        }
    }

    /// The identifier is free.
    fn forget(&mut self, id: PacketId) {
        match self.lines.get_mut().and_then(|lines| lines.held.remove(id)) {
            Some(held) if held.charged_on == self.connection => self.charged = self.charged.saturating_sub(1),
            _ => {}
        }
    }

    /// PUBREL came. It is answered whatever is known of it. [MQTT-4.3.3-11]
    #[inline]
    pub(crate) fn pubrel(&mut self, id: PacketId, journal: &mut Journal) -> Released {
        let unknown = Released {
            found: false,
            ticket: Ticket::NONE,
        };
        let Some(held) = self.held_mut(id) else { return unknown };
        match held.step {
            Step::Releasing(ticket) => Released { found: true, ticket },
            Step::Refused(_) => {
                self.forget(id);
                unknown
            }
            Step::Waiting | Step::Accepted(_) => {
                let ticket = journal.delete(|| Key::Incoming(id));
                held.step = Step::Releasing(ticket);
                Released { found: true, ticket }
            }
        }
    }

    /// PUBCOMP goes out: the identifier is free. [MQTT-4.3.3-12]
    #[inline]
    pub(crate) fn completed(&mut self, id: PacketId) {
        if matches!(
            self.lines.held.get(id),
            Some(Held {
                step: Step::Releasing(_),
                ..
            })
        ) {
            self.forget(id);
        }
    }
}

/// The place of a number in a line that rises. While all messages are of the same QoS, their numbers follow each other.
#[inline(always)]
fn place<T>(line: &VecDeque<T>, number: u64, number_of: impl Fn(&T) -> u64) -> Option<usize> {
    let first = number_of(line.front()?);
    let guess = usize::try_from(number.checked_sub(first)?).ok()?;
    match line.get(guess) {
        Some(entry) if number_of(entry) == number => Some(guess),
        _ => line.binary_search_by_key(&number, number_of).ok(),
    }
}
