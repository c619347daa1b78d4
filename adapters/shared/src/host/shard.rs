//! One broker machine, and everything that it needs of the world.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mqtt_session::{Broker, BrokerConfig, BrokerEvent, Instant, Shards};

use super::bells::{Bells, Place};
use super::entrance::{Door, Entrance, Network};
use super::figures::Traffic;
use super::line::Stage;
use super::lines::Lines;
use super::mailbox::{Mail, Mailbox, ShardHandle};
use super::origin::Origins;
use super::outboxes::Outboxes;
use super::policy::{Desk, Notice, Policy};
#[cfg(feature = "store")]
use super::storing::Storing;
use crate::Clock;

/// How much is read from a stream at once.
const READ_BYTES: usize = 64 * 1024;
/// How much of it is given to the broker before what it has for others is taken, at most.
const FEED_BYTES: usize = 16 * 1024;
/// How many turns there are in one poll before the runtime gets its turn.
const TURNS: usize = 8;
/// How often timers are fired in one turn.
const TIMERS: usize = 8;

/// The place of a shard: it has a handle before it has a thread.
pub struct Seat {
    shards: Shards,
    bells: Bells,
    mailbox: Arc<Mailbox>,
    feed_bytes: usize,
    linger: Duration,
}

impl Seat {
    /// For the broker with this configuration.
    #[must_use]
    pub fn new(config: &BrokerConfig) -> Self {
        let bells = Bells::default();
        let limits = &config.client.session.limits;
        // No packet that brings a message is shorter: a queue does not overflow before it is taken from.
        let queued_bytes = usize::try_from(limits.queued_messages).unwrap_or(usize::MAX);
        let queued_bytes = queued_bytes.saturating_mul(5);
        Self {
            shards: config.shards,
            mailbox: Mailbox::new(bells.bell(Place::Mail)),
            bells,
            feed_bytes: queued_bytes.clamp(64, FEED_BYTES),
            linger: limits.linger_timeout,
        }
    }

    /// The handle that the shard will have.
    #[must_use]
    pub fn handle(&self) -> ShardHandle {
        ShardHandle::new(self.shards.own(), Arc::clone(&self.mailbox))
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("shard", &self.shards.own())
            .finish_non_exhaustive()
    }
}

/// How a shard has ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended {
    /// What it has counted.
    pub traffic: Traffic,
    /// Whether all clients were told, and all that was to be stored is stored.
    pub is_complete: bool,
}

/// A broker machine with its listeners, its streams, its store and its policy: all of one thread.
///
/// An adapter polls it, and sleeps until its [`deadline`](Self::deadline). Messages pass no channel and no lock: one stream is
/// read, and what that gave for others is written to their streams in the same turn, many messages at once.
pub struct Shard<N: Network, P> {
    pub(super) network: N,
    policy: P,
    pub(super) broker: Broker,
    clock: Clock,
    pub(super) shards: Shards,
    pub(super) bells: Bells,
    mailbox: Arc<Mailbox>,
    pub(super) doors: Vec<Option<Door<N::Listener>>>,
    pub(super) lines: Lines<N::Stream>,
    pub(super) serials: u64,
    pub(super) origins: Origins,
    pub(super) outboxes: Outboxes,
    pub(super) scratch: Box<[u8]>,
    pub(super) feed_bytes: usize,
    rung: Vec<Place>,
    /// What has more to do than fits into one turn.
    pub(super) again: Vec<Place>,
    /// Lines that are to be served in this turn.
    pub(super) due: VecDeque<u32>,
    /// How much stands in their outboxes.
    pub(super) due_bytes: usize,
    /// Lines that are not read, for a reason that may not be their own.
    pub(super) held: Vec<u32>,
    /// Lines of which the broker has nothing to say any more, and until when they are there.
    pub(super) lasts: VecDeque<(Instant, u32, u64)>,
    pub(super) linger: Duration,
    pub(super) traffic: Traffic,
    #[cfg(feature = "store")]
    storing: Option<Storing>,
    pub(super) peers: Vec<ShardHandle>,
    pub(super) ending: Option<Instant>,
    /// It has told the others that it has done everything.
    pub(super) is_quiet: bool,
    /// How many of the others have said so.
    pub(super) quiet_peers: usize,
}

impl<N: Network, P: Policy> Shard<N, P> {
    /// Hosts a broker, which has the configuration that the seat was made for.
    pub fn new(seat: Seat, network: N, broker: Broker, clock: Clock, policy: P) -> Self {
        Self {
            network,
            policy,
            broker,
            clock,
            shards: seat.shards,
            bells: seat.bells,
            mailbox: seat.mailbox,
            doors: Vec::new(),
            lines: Lines::new(),
            serials: 0,
            origins: Origins::default(),
            outboxes: Outboxes::default(),
            scratch: vec![0; READ_BYTES].into(),
            feed_bytes: seat.feed_bytes,
            rung: Vec::new(),
            again: Vec::new(),
            due: VecDeque::new(),
            due_bytes: 0,
            held: Vec::new(),
            lasts: VecDeque::new(),
            linger: seat.linger,
            traffic: Traffic::default(),
            #[cfg(feature = "store")]
            storing: None,
            peers: Vec::new(),
            ending: None,
            is_quiet: false,
            quiet_peers: 0,
        }
    }

    /// Accepts streams from a listener.
    #[must_use]
    pub fn listen(mut self, listener: N::Listener, entrance: Entrance) -> Self {
        let Ok(number) = u32::try_from(self.doors.len()) else {
            return self;
        };
        let place = Place::Listener(number);
        let bell = self.bells.bell(place);
        self.doors.push(Some(Door::new(listener, entrance, bell)));
        self.again.push(place);
        self
    }

    /// Writes to a store. The broker was restored from it.
    #[cfg(feature = "store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "store")))]
    #[must_use]
    pub fn store(mut self, writer: mqtt_store::BrokerWriter) -> Self {
        self.storing = Some(Storing::new(writer, self.bells.bell(Place::Store)));
        self
    }

    /// Carries what the broker has to say to other shards: the handles of all, in their order.
    #[must_use]
    pub fn peers(mut self, handles: Vec<ShardHandle>) -> Self {
        self.peers = handles;
        self
    }

    /// The clock that it goes by.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// When to poll again at the latest: as of the last [`poll`](Self::poll).
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let timer = self.broker.poll_timeout().map(|timeout| timeout.at);
        let last = self.lasts.front().map(|(until, ..)| *until);
        let paused = self.doors.iter().flatten().filter_map(|door| door.paused_until).min();
        [timer, last, paused, self.ending].into_iter().flatten().min()
    }

    /// Does what there is to be done. `Ready` when it has been told to end, and has ended; it is not polled again then.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        self.bells.wake(cx.waker());
        for _ in 0..TURNS {
            let now = self.clock.now();
            let has_more = self.turn(now);
            if let Some(ended) = self.ended(now) {
                return Poll::Ready(ended);
            }
            if !has_more {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads from whatever has something, and then writes whatever there is. Whether there is more to do at once.
    fn turn(&mut self, now: Instant) -> bool {
        let mut rung = std::mem::take(&mut self.rung);
        std::mem::swap(&mut rung, &mut self.again);
        self.bells.take(&mut rung);
        let timers_left = self.fire(now);
        for place in rung.drain(..) {
            match place {
                Place::Line(number) => self.look_at(number, now),
                Place::Listener(number) => self.accept(number, now),
                Place::Mail => self.take_mail(now),
                #[cfg(feature = "store")]
                Place::Store => self.hear_store(now),
            }
        }
        self.rung = rung;
        self.settle(now);
        self.write_store(now);
        self.tell_peers();
        timers_left || !self.again.is_empty() || !self.due.is_empty()
    }

    /// Fires what is due. Whether there is more.
    fn fire(&mut self, now: Instant) -> bool {
        while let Some((until, number, serial)) = self.lasts.front().copied() {
            if until > now {
                break;
            }
            self.lasts.pop_front();
            let line = self.lines.get_mut(number).filter(|line| line.serial == serial);
            let Some(line) = line else { continue };
            match line.broken.take() {
                Some(error) if line.stage == Stage::Open => self.stream_ended(number, now, Some(error)),
                _ => self.remove(number),
            }
        }
        for (number, door) in (0..).zip(&mut self.doors) {
            if let Some(door) = door {
                if door.paused_until.is_some_and(|until| until <= now) {
                    door.paused_until = None;
                    self.again.push(Place::Listener(number));
                }
            }
        }
        let is_due = |broker: &Broker| broker.poll_timeout().is_some_and(|timeout| timeout.at <= now);
        // Also if nothing is due: what is left of the time of a message is told as of the time that the broker knows.
        self.broker.handle_timeout(now);
        for _ in 1..TIMERS {
            if !is_due(&self.broker) {
                return false;
            }
            self.broker.handle_timeout(now);
        }
        is_due(&self.broker)
    }

    fn take_mail(&mut self, now: Instant) {
        for mail in self.mailbox.take() {
            match mail {
                Mail::Errand(errand) => errand(&mut self.desk(now).1),
                Mail::Peer(from, messages) => {
                    for message in messages {
                        self.broker.handle_peer(now, from, message);
                    }
                    self.look_at_held();
                }
                Mail::Arrival(arrival) => self.arrived(arrival, now),
                Mail::Shutdown(reason, until) => self.begin_end(now, reason, until),
                Mail::Quiet => self.quiet_peers += 1,
            }
            // Everything that was said before the next one has been heard when that comes.
            self.tell(now);
        }
    }

    /// What a policy is given, and the policy.
    fn desk(&mut self, now: Instant) -> (&mut P, Desk<'_>) {
        let desk = Desk {
            broker: &mut self.broker,
            now,
            shard: self.shards.own(),
            origins: &self.origins,
            traffic: Traffic {
                streams: self.lines.len() as u64,
                ..self.traffic
            },
        };
        (&mut self.policy, desk)
    }

    /// Tells the policy what the broker has to tell.
    pub(super) fn tell(&mut self, now: Instant) {
        while let Some(event) = self.broker.poll_event() {
            self.tell_one(now, event);
        }
    }

    pub(super) fn tell_one(&mut self, now: Instant, event: BrokerEvent) {
        let (policy, mut desk) = self.desk(now);
        policy.on_event(&mut desk, event);
    }

    pub(super) fn notice(&mut self, now: Instant, notice: Notice) {
        let (policy, mut desk) = self.desk(now);
        policy.on_notice(&mut desk, notice);
    }

    #[cfg(feature = "store")]
    fn hear_store(&mut self, now: Instant) {
        let Some(storing) = &mut self.storing else { return };
        match storing.hear(&mut self.broker, now) {
            Ok(true) => self.look_at_held(),
            Ok(false) => {}
            Err(error) => self.notice(now, Notice::StoreFailed(error)),
        }
    }

    /// Gives the store what the turn has changed, as one batch.
    #[cfg(feature = "store")]
    fn write_store(&mut self, now: Instant) {
        while let Some(storing) = &mut self.storing {
            if !storing.write(&mut self.broker) {
                return;
            }
            self.hear_store(now);
            self.settle(now);
        }
    }

    #[cfg(not(feature = "store"))]
    const fn write_store(&mut self, _: Instant) {}

    pub(super) fn is_stored(&self) -> bool {
        #[cfg(feature = "store")]
        if let Some(storing) = &self.storing {
            return storing.is_idle();
        }
        true
    }

    /// Whether something else than a connection itself can keep it from being read.
    pub(super) fn may_hold_all(&self) -> bool {
        #[cfg(feature = "store")]
        if self.storing.is_some() {
            return true;
        }
        !self.peers.is_empty()
    }

    /// What is told in one turn is carried at once, and calls the other shard once.
    fn tell_peers(&mut self) {
        let mut letters: Vec<Vec<_>> = Vec::new();
        while let Some((to, message)) = self.broker.poll_peer() {
            let to = usize::from(to.0);
            if letters.len() <= to {
                letters.resize_with(to + 1, Vec::new);
            }
            letters[to].push(message);
        }
        if letters.is_empty() {
            return;
        }
        for (peer, letter) in self.peers.iter().zip(letters) {
            if !letter.is_empty() {
                peer.send(Mail::Peer(self.shards.own(), letter));
            }
        }
        // There is room for more again.
        self.look_at_held();
    }
}

impl<N: Network, P> Drop for Shard<N, P> {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

impl<N: Network, P> fmt::Debug for Shard<N, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard")
            .field("shard", &self.shards.own())
            .field("traffic", &self.traffic)
            .field("is_ending", &self.ending.is_some())
            .finish_non_exhaustive()
    }
}
