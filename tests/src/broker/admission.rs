//! Who is let in, and what becomes of sessions then: kept outside of the machines, from what the host says and is told.
//!
//! A session goes over to another connection, ends since somebody begins anew, and is begun, only when the host lets a client of
//! that name in. One that is refused, or whose answer comes when it is gone, changes nothing.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use mqtt_session::proto::{ConnAckReason, DisconnectReason};
use mqtt_session::{Closed, ConnectionId, Instant};

use super::wills::Asked;

/// A connection, and the machine that has it.
pub(super) type Key = (usize, ConnectionId);

/// A client that waits for the host.
#[derive(Clone, Debug)]
pub(super) struct Knock {
    pub(super) key: Key,
    pub(super) client: usize,
    pub(super) at: Instant,
    /// Its place among all that have come.
    pub(super) turn: u64,
    /// It has named a method, and the steps that it has been asked for.
    pub(super) has_method: bool,
    pub(super) steps: u32,
}

/// What the books know of the session of a client.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    is_there: bool,
    connection: Option<Key>,
    /// When it ends, if nobody is connected to it.
    ends_at: Option<Instant>,
    /// The place of the one who was let in last.
    last_turn: u64,
}

/// The books.
#[derive(Clone, Debug)]
pub(super) struct Doors {
    pub(super) waiting: Vec<Knock>,
    /// Those that were asked for a step of their authentication.
    asked: BTreeMap<Key, Knock>,
    turns: u64,
    /// Connections that ended without being let in.
    gone: BTreeSet<Key>,
    /// Those that were told so, and what.
    refused: BTreeMap<Key, ConnAckReason>,
    of: Vec<Standing>,
    /// Whom the host lets in at this moment, and whom it refuses.
    admitting: Option<(usize, Key)>,
    refusing: Option<(Key, ConnAckReason)>,
    /// The host is asked who may come in.
    asks: bool,
    /// The end of a connection takes effect when it comes.
    is_prompt: bool,
}

impl Doors {
    pub(super) fn new(clients: usize, asks: bool, is_prompt: bool) -> Self {
        Self {
            waiting: Vec::new(),
            asked: BTreeMap::new(),
            turns: 0,
            gone: BTreeSet::new(),
            refused: BTreeMap::new(),
            of: vec![Standing::default(); clients],
            admitting: None,
            refusing: None,
            asks,
            is_prompt,
        }
    }

    /// A client wants to come in.
    pub(super) fn knocks(&mut self, key: Key, client: usize, at: Instant, has_method: bool) {
        self.turns += 1;
        self.waiting.push(Knock {
            key,
            client,
            at,
            turn: self.turns,
            has_method,
            steps: 0,
        });
    }

    /// It was asked for a step of its authentication.
    pub(super) fn challenged(&mut self, mut knock: Knock) {
        knock.steps += 1;
        self.asked.insert(knock.key, knock);
    }

    /// That step has come.
    pub(super) fn steps(&mut self, key: Key) -> Result<(), String> {
        let knock = self.asked.remove(&key);
        let knock = knock.ok_or_else(|| format!("{key:?} sends a step that nobody asked for"))?;
        self.waiting.push(knock);
        Ok(())
    }

    /// Whether a connection has ended without being let in.
    pub(super) fn is_gone(&self, key: Key) -> bool {
        self.gone.contains(&key)
    }

    /// Whether there is a session of this client.
    pub(super) fn has_session(&self, client: usize) -> bool {
        self.of[client].is_there
    }

    /// What a client was told that was not let in.
    pub(super) fn refusal(&self, key: Key) -> Option<ConnAckReason> {
        self.refused.get(&key).copied()
    }

    /// From here on the host lets somebody in, or no more.
    pub(super) const fn admits(&mut self, who: Option<(usize, Key)>) {
        self.admitting = who;
    }

    pub(super) const fn refuses(&mut self, what: Option<(Key, ConnAckReason)>) {
        self.refusing = what;
    }

    /// What has come of one who was let in: it is connected, or there was no room for it. Whether one who came later was let in
    /// before; `None` if there was no room.
    pub(super) fn was_let_in(&mut self, knock: &Knock) -> Result<Option<bool>, String> {
        let standing = &mut self.of[knock.client];
        if standing.connection != Some(knock.key) {
            return match self.gone.contains(&knock.key) {
                true => Ok(None),
                false => Err(format!("{knock:?} was let in, and nothing came of it: {standing:?}")),
            };
        }
        let is_late = standing.last_turn > knock.turn;
        standing.last_turn = standing.last_turn.max(knock.turn);
        Ok(Some(is_late))
    }

    /// A client is connected.
    pub(super) fn connected(
        &mut self,
        client: usize,
        key: Key,
        session_present: bool,
        asked: Option<Asked>,
    ) -> Result<(), String> {
        if self.asks && self.admitting != Some((client, key)) {
            return Err(format!("client {client} is connected, and nobody has let it in"));
        }
        let standing = &mut self.of[client];
        let begins_anew = asked.is_some_and(|asked| asked.clean_start);
        if standing.connection.is_some() || session_present != standing.is_there || session_present && begins_anew {
            return Err(format!(
                "client {client} is connected, with a session {session_present}, by {asked:?}: {standing:?}"
            ));
        }
        standing.is_there = true;
        standing.connection = Some(key);
        standing.ends_at = None;
        Ok(())
    }

    /// The connection of a client has ended.
    pub(super) fn disconnected(
        &mut self,
        client: usize,
        key: Key,
        (reason, asked): (&Closed, Option<Asked>),
        now: Instant,
    ) -> Result<(), String> {
        let standing = &mut self.of[client];
        let is_taken_over = matches!(reason, Closed::ByHost(DisconnectReason::SessionTakenOver));
        let is_known = standing.connection == Some(key);
        let is_another = self.admitting.is_some_and(|(who, other)| who == client && other != key);
        if !is_known || is_taken_over && self.asks && !is_another {
            return Err(format!(
                "client {client} is disconnected, {reason}, and {:?} is let in: {standing:?}",
                self.admitting
            ));
        }
        standing.connection = None;
        let expiry = asked.map_or(0, |asked| asked.expiry_at_the_end(reason));
        standing.ends_at = (expiry < u32::MAX).then(|| now.saturating_add(Duration::from_secs(expiry.into())));
        Ok(())
    }

    /// A connection has ended whose client was not let in. `may_be_full`: the broker may refuse somebody by itself.
    pub(super) fn not_let_in(&mut self, key: Key, reason: &Closed, may_be_full: bool) -> Result<(), String> {
        self.gone.insert(key);
        let told = match reason {
            Closed::RefusedByHost(told) => {
                let is_full = matches!(
                    told,
                    ConnAckReason::QuotaExceeded | ConnAckReason::ConnectionRateExceeded
                );
                if self.refusing != Some((key, *told)) && !(is_full && may_be_full) {
                    return Err(format!(
                        "{key:?} is refused: {reason}, and the host says {:?}",
                        self.refusing
                    ));
                }
                *told
            }
            Closed::TimedOut(_) => ConnAckReason::ServerUnavailable,
            _ => return Ok(()),
        };
        self.refused.insert(key, told);
        Ok(())
    }

    /// A session has ended. `anew`: what its client says who is let in.
    pub(super) fn session_ended(&mut self, client: usize, anew: Option<Asked>, now: Instant) -> Result<(), String> {
        let standing = core::mem::take(&mut self.of[client]);
        self.of[client].last_turn = standing.last_turn;
        let is_over = standing.ends_at.is_some_and(|at| at <= now) || !self.is_prompt;
        let is_replaced = anew.is_some_and(|asked| asked.clean_start) || !self.asks;
        if !standing.is_there || standing.connection.is_some() || !is_over && !is_replaced {
            return Err(format!(
                "the session of {client} has ended at {now:?}, and {:?} is let in: {standing:?}",
                self.admitting
            ));
        }
        Ok(())
    }

    /// On which connection a client is let in at this moment.
    pub(super) fn admitted(&self, client: usize) -> Option<Key> {
        self.admitting.filter(|(who, _)| *who == client).map(|(_, key)| key)
    }

    /// The broker has ended, and comes back with this session of a client, which ends then.
    pub(super) fn restarted(&mut self, client: usize, session: Option<Option<Instant>>) {
        self.of[client] = Standing {
            is_there: session.is_some(),
            ends_at: session.flatten(),
            ..Standing::default()
        };
    }

    /// All connections have ended with the broker: nobody waits any more.
    pub(super) fn forget_connections(&mut self) {
        self.waiting.clear();
        self.asked.clear();
        self.gone.clear();
        self.refused.clear();
        self.turns = 0;
    }
}
