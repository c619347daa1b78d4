//! The host of a simulation lets clients in or not, later, and in another order than they came.

use mqtt_session::proto::{ConnAckProperties, ConnAckReason};
use mqtt_session::{BrokerEvent, Closed, Event};

use super::World;
use crate::broker::admission::{Key, Knock};

const REFUSALS: [ConnAckReason; 4] = [
    ConnAckReason::NotAuthorized,
    ConnAckReason::BadUserNameOrPassword,
    ConnAckReason::ServerUnavailable,
    ConnAckReason::ServerBusy,
];
/// So many steps of an authentication are asked for at most.
const STEPS: u32 = 2;

impl World {
    /// Some of those who wait get their answers, or in the end all.
    pub(super) fn answer_the_door(&mut self, all: bool) -> Result<(), String> {
        let waiting = self.doors.waiting.len();
        let mut some = if all { waiting } else { self.some_of(waiting) };
        while some > 0 && !self.doors.waiting.is_empty() {
            some -= 1;
            let place = self.random.place(self.doors.waiting.len());
            let knock = self.doors.waiting.remove(place);
            self.answer_knock(&knock)?;
        }
        Ok(())
    }

    /// Whoever finds no room for its session in the end stays away.
    pub(super) fn stay_away(&mut self) {
        for (index, connection) in core::mem::take(&mut self.without_room) {
            let link = self.peers[index].link.as_ref();
            if link.is_none_or(|link| link.id != connection) {
                continue;
            }
            self.restart_client(index);
            self.peers[index].is_out = true;
            self.watch.note(|| format!("{index} stays away"));
        }
    }

    fn some_of(&mut self, waiting: usize) -> usize {
        match waiting {
            0 => 0,
            _ => self.random.place(waiting + 1),
        }
    }

    fn answer_knock(&mut self, knock: &Knock) -> Result<(), String> {
        self.watch.counts.knocks += 1;
        let is_gone = self.doors.is_gone(knock.key);
        self.watch.counts.answered_too_late += u64::from(is_gone);
        let before = self.session_of(knock.client);
        let refusals = if self.is_resting { 5 } else { 20 };
        let has_taken = if self.random.percent(refusals) {
            self.refuse(knock)?
        } else if knock.has_method && knock.steps < STEPS && self.random.percent(40) {
            let taken = self.challenge(knock);
            if taken {
                self.doors.challenged(knock.clone());
            }
            taken
        } else {
            return self.let_in(knock, is_gone, before);
        };
        self.is_unchanged(knock, before)?;
        is_taken(knock, has_taken, is_gone)
    }

    fn refuse(&mut self, knock: &Knock) -> Result<bool, String> {
        let (place, connection) = knock.key;
        let reason = self.random.one_of(&REFUSALS);
        self.watch
            .note(|| format!("the host refuses {}: {reason:?}", knock.client));
        self.doors.refuses(Some((knock.key, reason)));
        let broker = &mut self.cluster.shards[place].broker;
        let answer = broker.refuse(self.now, connection, reason, ConnAckProperties::empty());
        self.hear()?;
        self.doors.refuses(None);
        if answer.is_ok() {
            self.watch.counts.refused_at_the_door += 1;
            self.watch.counts.refused_beside_a_session += u64::from(self.doors.has_session(knock.client));
            if self.doors.refusal(knock.key) != Some(reason) {
                return Err(format!("{knock:?} was refused, and nothing came of it"));
            }
        }
        Ok(answer.is_ok())
    }

    fn challenge(&mut self, knock: &Knock) -> bool {
        let (place, connection) = knock.key;
        self.watch.note(|| format!("the host asks {} for a step", knock.client));
        let broker = &mut self.cluster.shards[place].broker;
        let is_asked = broker.challenge(self.now, connection, Some(b"go on")).is_ok();
        self.watch.counts.challenges += u64::from(is_asked);
        is_asked
    }

    fn let_in(&mut self, knock: &Knock, is_gone: bool, before: Option<Snapshot>) -> Result<(), String> {
        let (place, connection) = knock.key;
        self.watch
            .note(|| format!("the host lets {} in, {:?}", knock.client, knock.turn));
        self.doors.admits(Some((knock.client, knock.key)));
        let broker = &mut self.cluster.shards[place].broker;
        let answer = broker.admit(self.now, connection, ConnAckProperties::empty());
        self.hear()?;
        self.doors.admits(None);
        is_taken(knock, answer.is_ok(), is_gone)?;
        if answer.is_err() {
            return self.is_unchanged(knock, before);
        }
        let Some(is_out_of_order) = self.doors.was_let_in(knock)? else {
            return self.is_unchanged(knock, before);
        };
        self.watch.counts.let_in_out_of_order += u64::from(is_out_of_order);
        self.watch.counts.let_in_late += u64::from(knock.at < self.now);
        Ok(())
    }

    /// Nothing of the session of a client is another thing than before.
    fn is_unchanged(&self, knock: &Knock, before: Option<Snapshot>) -> Result<(), String> {
        let after = self.session_of(knock.client);
        if before == after {
            return Ok(());
        }
        Err(format!("{knock:?} was not let in, and {before:?} is {after:?}"))
    }

    fn session_of(&self, client: usize) -> Option<Snapshot> {
        let name = &self.peers[client].name;
        let broker = &self.cluster.shards[self.cluster.place_of(name)].broker;
        let session = broker.session(name.as_bytes())?;
        let connection = session.connection().map(mqtt_session::ConnectionId::number);
        Some(Snapshot {
            id: session.id().number(),
            connection,
            holds: [
                session.subscriptions_len(),
                session.messages(),
                session.in_flight(),
                session.incoming(),
            ],
            times: [session.ends_at(), session.will_at(), session.since()],
            expiry_seconds: session.expiry_seconds(),
        })
    }

    /// What an event means for the session of a client.
    pub(super) fn note_session(&mut self, place: usize, event: &BrokerEvent) -> Result<(), String> {
        match event {
            BrokerEvent::Connected {
                connection,
                client_id,
                session_present,
                ..
            } => {
                let said = self.wills.said(place, *connection);
                match self.client_named(client_id) {
                    Some(client) => self
                        .doors
                        .connected(client, (place, *connection), *session_present, said),
                    None => Ok(()),
                }
            }
            BrokerEvent::Disconnected {
                connection,
                client_id,
                reason,
            } => {
                let said = self.wills.said(place, *connection);
                let key = (place, *connection);
                match self.client_named(client_id) {
                    Some(client) => self.doors.disconnected(client, key, (reason, said), self.now),
                    None => Ok(()),
                }
            }
            BrokerEvent::NotAdmitted {
                connection,
                client_id,
                reason,
                ..
            } => {
                let is_full = matches!(reason, Closed::RefusedByHost(ConnAckReason::QuotaExceeded));
                let client = self.client_named(client_id).filter(|_| is_full && self.is_resting);
                self.without_room.extend(client.map(|client| (client, *connection)));
                let may_be_full = self.plan.bounds.refuses_clients();
                self.doors.not_let_in((place, *connection), reason, may_be_full)
            }
            BrokerEvent::SessionEnded { client_id } => {
                let Some(client) = self.client_named(client_id) else {
                    return Ok(());
                };
                let admitted = self.doors.admitted(client);
                let anew = admitted.and_then(|(place, connection)| self.wills.said(place, connection));
                self.doors.session_ended(client, anew, self.now)
            }
            _ => Ok(()),
        }
    }

    /// A client is told that it is not let in, which somebody has to have said.
    pub(super) fn judge_refusal(&mut self, index: usize, event: &Event) -> Result<(), String> {
        let Event::Closed {
            reason: Closed::Refused { reason, .. },
            ..
        } = event
        else {
            return Ok(());
        };
        let peer = &self.peers[index];
        let key: Option<Key> = peer
            .link
            .as_ref()
            .map(|link| (self.cluster.place_of(&peer.name), link.id));
        let before = peer.link.as_ref().and_then(|link| link.refusal);
        let said = before.or_else(|| key.and_then(|key| self.doors.refusal(key)));
        let is_said = match self.plan.clients[index].version.has_properties() {
            true => said == Some(*reason),
            false => said.is_some_and(|said| said.for_v3() == Some(*reason)),
        };
        if !is_said {
            return Err(format!("client {index} is refused, {reason:?}, and {said:?} was said"));
        }
        self.watch.counts.told_to_stay_out += 1;
        Ok(())
    }
}

/// What there is to be seen of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    id: u64,
    connection: Option<u64>,
    holds: [usize; 4],
    times: [Option<mqtt_session::Instant>; 3],
    expiry_seconds: u32,
}

/// The broker takes the answer of the host if and only if the client still waits for it.
fn is_taken(knock: &Knock, has_taken: bool, is_gone: bool) -> Result<(), String> {
    if has_taken == is_gone {
        return Err(format!(
            "{knock:?} is gone, {is_gone}, and its answer was taken, {has_taken}"
        ));
    }
    Ok(())
}
