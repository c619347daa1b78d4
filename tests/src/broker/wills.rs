//! Which will is owed, and when: kept outside of the machines, from what clients said in CONNECT and how connections ended.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use mqtt_session::proto::{Connect, Disconnect, DisconnectReason, QoS};
use mqtt_session::{Closed, ConnectionId, Instant};

/// What the host never allows as the topic of a will, when it is asked.
pub(super) const FORBIDDEN_WILL: &str = "w/deny";
/// To what wills are published.
pub(super) const WILL_TOPICS: [&str; 4] = ["w/a", "w/b", "w/c", FORBIDDEN_WILL];
/// What stands in the place of the number of a will, which is that of its CONNECT.
pub(super) const UNNUMBERED: &[u8; 9] = b"w00000000";

/// What CONNECT said of the session and of the will.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) clean_start: bool,
    expiry_seconds: u32,
    farewell: Option<(DisconnectReason, Option<u32>)>,
    will: Option<Will>,
}

/// A will, by the number in its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Will {
    pub(super) number: u64,
    pub(super) topic: &'static str,
    pub(super) qos: QoS,
    pub(super) is_retained: bool,
    delay_seconds: u32,
}

/// How a will came to be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Cut,
    KeepAlive,
    Takeover,
    Disconnect,
    Host,
    /// Its session ended before its delay had passed.
    SessionEnd,
    /// A restart found it waiting.
    Restart,
}

/// Where the will of a client stands that is not owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Nothing,
    /// Its connection is open.
    Armed(Will),
    /// Its connection has ended.
    Pending(Will, Instant, Cause),
    /// It was published before its time: its session has to end.
    Early(Will),
}

/// The will of one client.
#[derive(Clone, Debug, Default)]
struct OfClient {
    state: State,
    /// How many batches had been taken when its connection was accepted.
    armed_before: u64,
    /// How many had been when it was written down last.
    written_before: u64,
    /// Its session outlives its connections.
    lasts: bool,
    /// Those that were published or dropped since the broker began, and how many batches had been taken by then.
    settled: Vec<(u64, u64)>,
}

/// What the store has of the will of a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) number: u64,
    /// The delay, but no longer than the session.
    pub(super) delay_seconds: u32,
    pub(super) at: Option<Instant>,
}

/// How many batches of a machine there have been.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Batches {
    pub(super) taken: u64,
    pub(super) durable: u64,
}

/// Books of all wills.
#[derive(Clone, Debug)]
pub(super) struct Wills {
    of: Vec<OfClient>,
    /// Those that are to be published at once. Where the host is asked, they wait for what it says.
    owed: BTreeMap<u64, Cause>,
    connects: BTreeMap<(usize, ConnectionId), Asked>,
    /// All that were ever in a CONNECT.
    known: BTreeMap<u64, (usize, Will)>,
    asks: bool,
    /// How many were given up for want of room.
    given_up: u64,
}

impl Asked {
    pub(super) fn new(connect: &Connect<&[u8]>, number: u64) -> Self {
        let expiry_seconds = match (connect.version.has_properties(), connect.clean_start) {
            (true, _) => connect.properties.session_expiry().unwrap_or(0),
            (false, true) => 0,
            (false, false) => u32::MAX,
        };
        let will = connect.will.as_ref().map(|will| Will {
            number,
            topic: topic_of(will.topic.as_bytes()),
            qos: will.qos,
            is_retained: will.retain,
            delay_seconds: will.properties.will_delay().unwrap_or(0),
        });
        Self {
            clean_start: connect.clean_start,
            expiry_seconds,
            farewell: None,
            will,
        }
    }

    /// For how many seconds the session goes on that a connection leaves.
    pub(super) fn expiry_at_the_end(&self, reason: &Closed) -> u32 {
        // A client that ends for a reason of its own says nothing else.
        let farewell = self
            .farewell
            .filter(|(said, _)| matches!(reason, Closed::Disconnected { reason, .. } if reason == said));
        farewell.and_then(|(_, expiry)| expiry).unwrap_or(self.expiry_seconds)
    }
}

fn topic_of(bytes: &[u8]) -> &'static str {
    let topic = WILL_TOPICS.iter().find(|topic| topic.as_bytes() == bytes);
    topic.expect("wills of the simulation have a topic of theirs")
}

/// The number in the payload of a will.
pub(super) fn number_of(payload: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(payload).ok()?;
    text.strip_prefix('w')?.parse().ok()
}

impl Wills {
    pub(super) fn new(clients: usize, asks: bool) -> Self {
        Self {
            of: vec![OfClient::default(); clients],
            owed: BTreeMap::new(),
            connects: BTreeMap::new(),
            known: BTreeMap::new(),
            asks,
            given_up: 0,
        }
    }

    /// Of those that wait for the host some were given up. One that it would not have allowed is not owed.
    pub(super) const fn given_up(&mut self, times: u64) {
        self.given_up += times;
    }

    /// A client has begun to send CONNECT.
    pub(super) fn asked(&mut self, client: usize, place: usize, connection: ConnectionId, asked: Asked) {
        self.connects.insert((place, connection), asked);
        if let Some(will) = asked.will {
            self.known.insert(will.number, (client, will));
        }
    }

    /// A client says farewell, and for how long its session is to go on.
    pub(super) fn says_farewell(&mut self, place: usize, connection: ConnectionId, farewell: &Disconnect<Bytes>) {
        if let Some(asked) = self.connects.get_mut(&(place, connection)) {
            asked.farewell = Some((farewell.reason, farewell.properties.session_expiry()));
        }
    }

    /// What was said in the CONNECT of a connection that has not ended.
    pub(super) fn said(&self, place: usize, connection: ConnectionId) -> Option<Asked> {
        self.connects.get(&(place, connection)).copied()
    }

    /// The client and the will with a number.
    pub(super) fn known(&self, number: u64) -> Option<(usize, Will)> {
        self.known.get(&number).copied()
    }

    /// Whether the session of a client is one that a restart finds.
    pub(super) fn lasts(&self, client: usize) -> bool {
        self.of[client].lasts
    }

    /// A client is connected. Whether that keeps a will from being published.
    pub(super) fn connected(
        &mut self,
        client: usize,
        key: (usize, ConnectionId),
        session_present: bool,
        batches: Batches,
    ) -> Result<bool, String> {
        let asked = self.connects.get(&key);
        let asked = asked.ok_or_else(|| format!("client {client} is connected, and did not ask"))?;
        let of = &mut self.of[client];
        let comes_back = match of.state {
            State::Nothing => false,
            State::Pending(will, ..) if session_present => {
                of.settled.push((will.number, batches.taken));
                true
            }
            state => return Err(format!("client {client} is connected, and has {state:?}")),
        };
        of.state = asked.will.map_or(State::Nothing, State::Armed);
        of.armed_before = batches.taken;
        of.written_before = batches.taken;
        of.lasts = session_present || asked.expiry_seconds > 0;
        Ok(comes_back)
    }

    /// A connection has ended. Whether that drops its will.
    pub(super) fn disconnected(
        &mut self,
        client: usize,
        key: (usize, ConnectionId),
        reason: &Closed,
        now: Instant,
        batches: Batches,
    ) -> Result<bool, String> {
        let asked = self.connects.remove(&key);
        let asked = asked.ok_or_else(|| format!("client {client} is disconnected, and did not ask"))?;
        let of = &mut self.of[client];
        let State::Armed(will) = core::mem::take(&mut of.state) else {
            return match asked.will {
                Some(will) => Err(format!(
                    "client {client} is disconnected, and its {will:?} was not armed"
                )),
                None => Ok(false),
            };
        };
        let expiry = asked.expiry_at_the_end(reason);
        let cause = match reason {
            Closed::Disconnected { reason, .. } => {
                if *reason == DisconnectReason::NormalDisconnection {
                    of.settled.push((will.number, batches.taken));
                    return Ok(true);
                }
                Cause::Disconnect
            }
            Closed::TimedOut(_) => Cause::KeepAlive,
            Closed::ByHost(DisconnectReason::SessionTakenOver) => Cause::Takeover,
            Closed::ByHost(_) => Cause::Host,
            _ => Cause::Cut,
        };
        match will.delay_seconds.min(expiry) {
            0 => self.owe(client, will, cause, batches),
            delay => {
                let at = now.saturating_add(Duration::from_secs(delay.into()));
                let of = &mut self.of[client];
                of.state = State::Pending(will, at, cause);
                of.written_before = batches.taken;
            }
        }
        Ok(false)
    }

    fn owe(&mut self, client: usize, will: Will, cause: Cause, batches: Batches) {
        self.of[client].settled.push((will.number, batches.taken));
        if !(self.asks && will.topic == FORBIDDEN_WILL) {
            self.owed.insert(will.number, cause);
        }
    }

    /// A session has ended, and a will that waited is due. Returns its cause if it has been published already.
    pub(super) fn session_ended(&mut self, client: usize, batches: Batches) -> bool {
        match core::mem::take(&mut self.of[client].state) {
            State::Pending(will, ..) => {
                self.owe(client, will, Cause::SessionEnd, batches);
                false
            }
            State::Early(_) => true,
            other => {
                self.of[client].state = other;
                false
            }
        }
    }

    /// A will is published. Returns by what cause; `None` if the end of its session, of which nothing was heard, has to be it.
    pub(super) fn published(&mut self, number: u64, now: Instant, batches: Batches) -> Result<Option<Cause>, String> {
        if let Some(cause) = self.owed.remove(&number) {
            return Ok(Some(cause));
        }
        let known = self.known(number);
        let (client, will) = known.ok_or_else(|| format!("will {number} is published, and nobody has left it"))?;
        let of = &mut self.of[client];
        match of.state {
            State::Pending(waiting, at, cause) if waiting == will => {
                of.settled.push((number, batches.taken));
                of.state = if at > now { State::Early(will) } else { State::Nothing };
                Ok((at <= now).then_some(cause))
            }
            state => Err(format!(
                "{will:?} of client {client} is published at {now:?}, and it has {state:?}"
            )),
        }
    }

    /// All that the machines had to tell was heard: what is due has been published, if nothing waits for the host.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        is_quiet: bool,
        batches: impl Fn(usize) -> Batches,
    ) -> Result<(), String> {
        for client in 0..self.of.len() {
            match self.of[client].state {
                State::Pending(will, at, cause) if at <= now => {
                    self.of[client].state = State::Nothing;
                    self.owe(client, will, cause, batches(client));
                }
                State::Early(will) => return Err(format!("{will:?} of client {client} is published too early")),
                _ => {}
            }
        }
        if is_quiet && self.owed.len() as u64 <= core::mem::take(&mut self.given_up) {
            self.owed.clear();
        }
        match self.owed.first_key_value() {
            Some((number, cause)) if is_quiet => Err(format!(
                "will {number} is owed at {now:?} by {cause:?}, and not published"
            )),
            _ => Ok(()),
        }
    }

    /// The broker has ended, and comes back with what its store has of the will of a client. `was_told`: its client had an
    /// answer to the CONNECT of its open connection. Returns which wills were published by what is forgotten.
    pub(super) fn restarted(
        &mut self,
        client: usize,
        stored: Option<Stored>,
        was_told: bool,
        batches: Batches,
        (now, grace): (Instant, Duration),
    ) -> Result<Vec<u64>, String> {
        let of = &mut self.of[client];
        let (has, at) = match of.state {
            State::Armed(will) => (Some(will), None),
            State::Pending(will, at, _) => (Some(will), Some(at)),
            _ => (None, None),
        };
        let is_durable = batches.durable > of.armed_before || was_told;
        let has_to = has.filter(|_| of.lasts && is_durable);
        if let Some(will) = has_to.filter(|will| stored.is_none_or(|stored| stored.number != will.number)) {
            return Err(format!(
                "{will:?} of client {client} was lost: the store has {stored:?}"
            ));
        }
        let settled = core::mem::take(&mut of.settled);
        let is_forgotten = |(number, taken): &(u64, u64)| (batches.durable <= *taken).then_some(*number);
        let forgotten = settled.iter().filter_map(is_forgotten).collect();
        let Some(stored) = stored else {
            of.state = State::Nothing;
            return Ok(forgotten);
        };
        let is_settled = |(number, taken): &(u64, u64)| *number == stored.number && batches.durable > *taken;
        if let Some(settled) = settled.iter().find(|settled| is_settled(settled)) {
            return Err(format!("{stored:?} of client {client} comes back after {settled:?}"));
        }
        let is_written = batches.durable > of.written_before && has.is_some_and(|will| will.number == stored.number);
        if is_written && stored.at != at {
            return Err(format!("{stored:?} of client {client} is due at {at:?}"));
        }
        let own = self.known.get(&stored.number).map(|(_, will)| *will);
        let will = own.ok_or_else(|| format!("{stored:?} of client {client} is nobody's"))?;
        let delay = Duration::from_secs(stored.delay_seconds.into());
        let due = stored.at.unwrap_or_else(|| now.saturating_add(delay));
        of.state = State::Pending(will, due.max(now.saturating_add(grace)), Cause::Restart);
        of.armed_before = batches.taken;
        of.written_before = batches.taken;
        of.lasts = true;
        Ok(forgotten)
    }

    /// All connections have ended with the broker, and with them the questions about wills. Returns how many waited.
    pub(super) fn forget_connections(&mut self) -> usize {
        self.connects.clear();
        self.given_up = 0;
        core::mem::take(&mut self.owed).len()
    }
}
