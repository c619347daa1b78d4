//! A session from the records of an earlier life, for either role.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{PacketId, PropertyId, QoS};

use super::{SessionEvent, SessionState};
use crate::Op;
use crate::qos::RestoredMessage;
use crate::queue::Queue;
use crate::store::{InboxRecord, Key, MessageRecord, OutgoingRecord, OutgoingState, PayloadOf, Record, SessionRecord};

/// An operation of an earlier life that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveOp {
    /// Its handle in this life.
    pub op: Op,
    /// The tag that the host gave it.
    pub tag: u64,
}

/// A record that could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// Where it stood.
    pub key: Key,
}

/// What came of the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreReport {
    /// The messages that are still on their way out.
    pub live: Vec<LiveOp>,
    /// Records that could not be used. The messages they belong to are lost; everything else goes on.
    pub quarantined: Vec<Quarantined>,
    /// The records of an exchange of QoS 2 or of the session itself were damaged. Half a session cannot keep its promise:
    /// it begins anew with what was never sent.
    pub session_ended: bool,
}

/// Records in any order.
#[derive(Debug, Default)]
pub(crate) struct Records {
    session: Option<SessionRecord>,
    outgoing: BTreeMap<u64, OutgoingRecord>,
    inbox: BTreeMap<u64, InboxRecord>,
    payloads: BTreeMap<PayloadOf, Bytes>,
    incoming: Vec<PacketId>,
    /// Damaged records that end the session.
    ending: Vec<Key>,
    report: RestoreReport,
}

impl Records {
    /// Takes a record.
    pub(crate) fn record(&mut self, record: Record) {
        match record {
            Record::Session(record) => self.session = Some(record),
            Record::Outgoing(record) => {
                self.outgoing.insert(record.serial, record);
            }
            Record::Payload { of, bytes } => {
                self.payloads.insert(of, bytes);
            }
            Record::Incoming(record) => self.incoming.push(record.id),
            Record::Inbox(record) => {
                self.inbox.insert(record.delivery, record);
            }
        }
    }

    /// Takes what the store has under a key, as it was encoded. What is damaged is reported.
    pub(crate) fn encoded(&mut self, key: Key, bytes: &Bytes) {
        match Record::decode(bytes) {
            Ok(record) if record.key() == key => self.record(record),
            _ => self.damaged(key),
        }
    }

    /// Something stood under this key that cannot be read.
    pub(crate) fn damaged(&mut self, key: Key) {
        if matches!(key, Key::Session | Key::Incoming(_) | Key::Outgoing(_)) {
            self.report.session_ended = true;
            self.ending.push(key);
        }
        self.report.quarantined.push(Quarantined { key });
    }

    /// Whether there is a record of the session itself, which each session that is kept has before its peer can know of it.
    pub(crate) fn has_session(&self) -> bool {
        self.session.is_some_and(|record| record.is_kept)
    }

    /// Puts everything into a session that has nothing yet.
    pub(crate) fn restore<E: From<SessionEvent>>(
        mut self,
        session: &mut SessionState,
        told: &mut Queue<E>,
    ) -> RestoreReport {
        let session_ended = self.report.session_ended;
        match &self.session {
            Some(record) => session.restore(record),
            // Without the record the numbers that were told are not known; the clock is beyond all of them.
            None if session_ended => session.incoming.skip_deliveries(session.now.as_micros()),
            None => {}
        }
        for id in core::mem::take(&mut self.incoming) {
            session.incoming.restore_held(id);
        }
        if session_ended {
            // Records that are left out would come back in the next life.
            session.incoming.lose(&mut session.journal);
        }
        for (serial, record) in core::mem::take(&mut self.outgoing) {
            self.restore_outgoing(session, serial, record, session_ended);
        }
        for (delivery, record) in core::mem::take(&mut self.inbox) {
            match self.message(PayloadOf::Inbox(delivery), record.message) {
                Some(mut restored) => {
                    restored.message.expiry_seconds = restored.expires_at.map(|at| session.now.seconds_until(at));
                    session.tell_again(restored.message, delivery, told);
                }
                None => self.quarantine(Key::Inbox(delivery)),
            }
        }
        for Quarantined { key } in &self.report.quarantined {
            if !self.ending.contains(key) {
                session.journal.delete(|| *key);
            }
        }
        session.ends_by(self.ending);
        self.report
    }

    fn restore_outgoing(
        &mut self,
        session: &mut SessionState,
        serial: u64,
        record: OutgoingRecord,
        session_ended: bool,
    ) {
        let is_release = matches!(record.state, OutgoingState::Release { is_given_up: false, .. });
        let (id, message) = match record.state {
            OutgoingState::Release { id, .. } if !session_ended => (Some(id), None),
            OutgoingState::Release { .. } => return self.quarantine(Key::Outgoing(serial)),
            OutgoingState::Publish { ref message, .. } if !may_stand_in_store(message, session) => {
                return self.quarantine(Key::Outgoing(serial));
            }
            // What may have been sent in a session that ended is not sent again.
            OutgoingState::Publish { id: Some(_), .. } if session_ended => {
                return self.quarantine(Key::Outgoing(serial));
            }
            OutgoingState::Publish {
                id,
                message: message @ MessageRecord { qos, .. },
            } => match self.message(PayloadOf::Outgoing(serial), message) {
                Some(message) => (id, Some(message)),
                // The peer may hold the identifier of a message of QoS 2: it is released before it is used again.
                None if id.is_some() && qos == QoS::ExactlyOnce => {
                    self.quarantine(Key::Payload(PayloadOf::Outgoing(serial)));
                    (id, None)
                }
                None => return self.quarantine(Key::Outgoing(serial)),
            },
        };
        // Without its message, and not since the peer has that: its outcome is not awaited any more.
        let is_settled = message.is_none() && !is_release;
        match session.outgoing.restore(serial, record.tag, id, message) {
            Some(key) if is_settled => session.outgoing.settle(key),
            Some(key) => self.report.live.push(LiveOp {
                op: session.op(key, serial),
                tag: record.tag,
            }),
            None => self.quarantine(Key::Outgoing(serial)),
        }
    }

    fn quarantine(&mut self, key: Key) {
        if !self.report.quarantined.iter().any(|known| known.key == key) {
            self.report.quarantined.push(Quarantined { key });
        }
    }

    fn message(&mut self, of: PayloadOf, record: MessageRecord) -> Option<RestoredMessage> {
        let payload = match record.source_bytes {
            Some(_) => Bytes::new(),
            None => self.payloads.remove(&of)?,
        };
        Some(RestoredMessage {
            source_bytes: record.source_bytes,
            expires_at: record.expires_at,
            message: record.into_message(payload),
        })
    }
}

/// Whether this machine can have written it: none writes down a message of QoS 0, and only servers name subscriptions.
fn may_stand_in_store(message: &MessageRecord, session: &SessionState) -> bool {
    let names_subscriptions = message.properties.has(PropertyId::SubscriptionIdentifier);
    message.qos != QoS::AtMostOnce && (session.manner.names_subscriptions || !names_subscriptions)
}
