//! The load itself: one thread, all sockets.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::answers::{deliver, hear};
use super::arguments::BenchArguments;
use super::client::{BUFFER_BYTES, Client, Progress};
use super::dialing::Dialed;
use super::figures::{Counts, Measured, Moment};
use super::interrupt::Interrupt;
use super::publisher::Publisher;
use super::screen::Screen;
use super::subscriber::Subscriber;
use super::waiting::{Ready, Waiter};
use crate::Ending;

/// How often progress is shown and a sample taken, unless that makes more samples than this.
const SAMPLE: Duration = Duration::from_millis(100);
const SAMPLES_MAX: u32 = 600;

/// Longer times count as this one: an hour.
const LONGEST_NANOS: u64 = 3_600_000_000_000;

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// The place among the publishers.
    Publisher(usize),
    /// The place among the subscribers.
    Subscriber(usize),
}

/// A topic, or all that a subscriber has where they are drawn; and who has to do with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Topic {
    pub(super) publishers: u32,
    pub(super) subscribers: Vec<usize>,
    /// How many messages have been sent to it.
    pub(super) sent: u64,
}

/// All that takes part.
pub(super) struct Cast {
    waiter: Waiter,
    pub(super) clients: Vec<(Client, Role)>,
    pub(super) publishers: Vec<Publisher>,
    pub(super) subscribers: Vec<Subscriber>,
    pub(super) topics: Vec<Topic>,
}

impl Cast {
    /// Nobody yet.
    pub(super) fn new(topics: Vec<Topic>) -> io::Result<Self> {
        Ok(Self {
            waiter: Waiter::new()?,
            clients: Vec::new(),
            publishers: Vec::new(),
            subscribers: Vec::new(),
            topics,
        })
    }

    /// One more connection.
    pub(super) fn add(&mut self, dialed: Dialed, role: Role) -> Result<&mut Client, Ending> {
        let client = Client::new(dialed, &self.waiter, self.clients.len())?;
        self.clients.push((client, role));
        let (client, _) = self.clients.last_mut().ok_or_else(|| Ending::failed("no connection"))?;
        Ok(client)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measuring,
    /// Nothing more is sent; what is under way comes in.
    Draining,
}

/// The load while it runs.
pub(super) struct Engine<'a> {
    arguments: &'a BenchArguments,
    cast: Cast,
    began: Instant,
    phase: Phase,
    is_stamped: bool,
    counts: Counts,
    /// Messages that are due earlier are not measured.
    measured_from: u64,
    latencies: Histogram<u64>,
    acknowledgements: Histogram<u64>,
    /// Connections with something to write, and with something to read.
    dirty: Vec<usize>,
    unread: Vec<usize>,
    /// Where the next round of publishers begins.
    turn: usize,
    last_progress: u64,
}

impl<'a> Engine<'a> {
    pub(super) fn new(arguments: &'a BenchArguments, cast: Cast) -> Result<Self, Ending> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_NANOS, 3).map_err(Ending::failed);
        let owed = cast.subscribers.iter().map(|one| cast.topics[one.topic].sent).sum();
        let dirty = (0..cast.clients.len())
            .filter(|place| cast.clients[*place].0.is_dirty)
            .collect();
        Ok(Self {
            arguments,
            cast,
            began: Instant::now(),
            phase: Phase::WarmUp,
            is_stamped: arguments.is_stamped() && arguments.retained.is_none(),
            counts: Counts {
                owed,
                ..Counts::default()
            },
            measured_from: 0,
            latencies: histogram()?,
            acknowledgements: histogram()?,
            dirty,
            unread: Vec::new(),
            turn: 0,
            last_progress: 0,
        })
    }

    /// Loads, until it is over.
    pub(super) fn run(
        mut self,
        screen: &Screen,
        interrupt: &Interrupt,
        moment: impl Fn() -> Result<Moment, Ending>,
    ) -> Result<Measured, Ending> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut ready = Vec::new();
        let mut measured = Measured::new(moment()?)?;
        let warm_up = nanos(self.arguments.warm_up);
        let until = self.arguments.measured().filter(|_| self.arguments.retained.is_none());
        let until = until.map_or(u64::MAX, |time| warm_up + nanos(time));
        let every = nanos(SAMPLE.max(self.arguments.measured().unwrap_or_default() / SAMPLES_MAX));
        let mut next_sample = 0;
        self.began = Instant::now();
        loop {
            interrupt.check()?;
            let now = self.now();
            if self.phase == Phase::WarmUp && now >= warm_up {
                self.phase = Phase::Measuring;
                self.measured_from = warm_up;
                measured.begin(now, self.counts, moment()?);
            }
            if self.phase == Phase::Measuring && (now >= until || self.is_all_sent()) {
                if now >= until {
                    measured.end(now, self.counts, moment()?);
                }
                self.phase = Phase::Draining;
            }
            if now >= next_sample {
                next_sample = now + every;
                measured.sample(now, self.counts);
                screen.show(now, self.counts);
            }
            let is_hungry = self.phase != Phase::Draining && self.offer(now);
            self.flush(now)?;
            if self.is_over(now) {
                break;
            }
            let is_busy = is_hungry || !self.unread.is_empty();
            let time = if is_busy {
                Duration::ZERO
            } else {
                self.idle_time(now, until, next_sample)
            };
            self.cast.waiter.wait(time, &mut ready)?;
            self.serve(&mut ready, &mut buffer)?;
        }
        // Of a run without an end of its own, the time counts in which something came.
        measured.end_unless_ended(self.last_progress, self.counts, moment()?);
        Ok(self.finish(measured))
    }

    fn now(&self) -> u64 {
        nanos(self.began.elapsed())
    }

    fn is_all_sent(&self) -> bool {
        self.arguments.retained.is_some() || self.arguments.count.is_some_and(|count| self.counts.sent >= count)
    }

    /// Lets publishers send what they may. Whether one of them could go on at once.
    fn offer(&mut self, now: u64) -> bool {
        let count = self.cast.publishers.len();
        let mut is_hungry = false;
        for step in 0..count {
            let place = (self.turn + step) % count;
            is_hungry |= match self.arguments.rate {
                Some(rate) => self.offer_in_time(place, now, rate),
                None => self.offer_ahead(place, now),
            };
        }
        self.turn = (self.turn + 1) % count.max(1);
        is_hungry
    }

    /// What is due, each with its own time, however late.
    fn offer_in_time(&mut self, place: usize, now: u64, rate: u32) -> bool {
        let mut room = self.room(place);
        let mut due = self.due(place, rate);
        while due <= now && room > 0 {
            self.push(place, due);
            room -= 1;
            due = self.due(place, rate);
        }
        false
    }

    /// As much as is not too far ahead of the subscribers.
    fn offer_ahead(&mut self, place: usize, now: u64) -> bool {
        let topics = &self.cast.topics[self.cast.publishers[place].topics()];
        let ahead = u64::from(self.arguments.ahead);
        // All that is sent may go to whoever is furthest behind.
        let furthest = topics.iter().filter_map(|topic| self.behind(topic)).max();
        // Several publishers of a topic share what may be sent to it.
        let publishers = topics.first().map_or(1, |topic| topic.publishers.max(1));
        let share = (ahead / u64::from(publishers)).max(1);
        let room = self.room(place);
        let wanted = furthest.map_or(u64::MAX, |behind| ahead.saturating_sub(behind).min(share));
        let some = room.min(usize::try_from(wanted).unwrap_or(usize::MAX));
        for _ in 0..some {
            self.push(place, now);
        }
        let client = &self.cast.clients[self.cast.publishers[place].client].0;
        some > 0 && some == room && !client.is_blocked && self.cast.publishers[place].room() > 0
    }

    /// How many messages the slowest subscriber of a topic has before it, if there is one.
    fn behind(&self, topic: &Topic) -> Option<u64> {
        let passed = |subscriber: &usize| self.cast.subscribers[*subscriber].passed;
        let slowest = topic.subscribers.iter().map(passed).min()?;
        Some(topic.sent.saturating_sub(slowest))
    }

    /// How many messages the window, the buffer and the count leave room for.
    fn room(&self, place: usize) -> usize {
        let publisher = &self.cast.publishers[place];
        let waiting = self.cast.clients[publisher.client].0.waiting();
        let frame = publisher.frame.len();
        // One that is larger than the buffer goes when nothing waits.
        let fits = if waiting == 0 {
            (BUFFER_BYTES / frame).max(1)
        } else {
            BUFFER_BYTES.saturating_sub(waiting) / frame
        };
        let left = self
            .arguments
            .count
            .map_or(u64::MAX, |count| count.saturating_sub(self.counts.sent));
        publisher
            .room()
            .min(fits)
            .min(usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// When the next message of a publisher is due: they take turns.
    fn due(&self, place: usize, rate: u32) -> u64 {
        let publishers = self.cast.publishers.len() as u64;
        let number = self.cast.publishers[place].sent * publishers + place as u64;
        (u128::from(number) * 1_000_000_000 / u128::from(rate)) as u64
    }

    fn push(&mut self, place: usize, due: u64) {
        let publisher = &mut self.cast.publishers[place];
        let client = &mut self.cast.clients[publisher.client].0;
        let topic = publisher.push(due, &mut client.out);
        let topic = &mut self.cast.topics[topic];
        topic.sent += 1;
        self.counts.sent += 1;
        self.counts.owed += topic.subscribers.len() as u64;
        if !std::mem::replace(&mut client.is_dirty, true) {
            self.dirty.push(publisher.client);
        }
    }

    fn flush(&mut self, now: u64) -> Result<(), Ending> {
        let mut at = 0;
        while at < self.dirty.len() {
            let client = &mut self.cast.clients[self.dirty[at]].0;
            if !client.is_blocked && client.flush()? {
                self.last_progress = now;
            }
            if client.is_blocked {
                at += 1;
            } else {
                client.is_dirty = false;
                self.dirty.swap_remove(at);
            }
        }
        Ok(())
    }

    /// Whether nothing more is to come, or nothing more comes.
    fn is_over(&self, now: u64) -> bool {
        let is_stalled = now.saturating_sub(self.last_progress) > nanos(self.arguments.patience);
        match self.phase {
            Phase::Draining => is_stalled || self.is_settled(),
            _ => is_stalled && !self.is_settled(),
        }
    }

    /// Whether everything that was sent has come, and is acknowledged.
    fn is_settled(&self) -> bool {
        let has_come = |subscriber: &Subscriber| self.cast.topics[subscriber.topic].sent <= subscriber.passed;
        self.dirty.is_empty()
            && self.cast.publishers.iter().all(|publisher| publisher.open() == 0)
            && self.cast.subscribers.iter().all(has_come)
    }

    fn idle_time(&self, now: u64, until: u64, next_sample: u64) -> Duration {
        let mut next = next_sample.min(if self.phase == Phase::Draining { u64::MAX } else { until });
        if self.phase == Phase::WarmUp {
            next = next.min(nanos(self.arguments.warm_up));
        }
        if let (Some(rate), false) = (self.arguments.rate, self.phase == Phase::Draining) {
            let open = (0..self.cast.publishers.len()).filter(|place| self.room(*place) > 0);
            next = next.min(open.map(|place| self.due(place, rate)).min().unwrap_or(u64::MAX));
        }
        Duration::from_nanos(next.saturating_sub(now))
    }

    fn serve(&mut self, ready: &mut Vec<Ready>, buffer: &mut [u8]) -> Result<(), Ending> {
        let mut unread = std::mem::take(&mut self.unread);
        for event in ready.drain(..) {
            if event.is_writable {
                self.cast.clients[event.client].0.is_blocked = false;
            }
            if event.is_readable && !unread.contains(&event.client) {
                unread.push(event.client);
            }
        }
        for client in unread.drain(..) {
            if self.read(client, buffer)? == Progress::More {
                self.unread.push(client);
            }
        }
        Ok(())
    }

    fn read(&mut self, place: usize, buffer: &mut [u8]) -> Result<Progress, Ending> {
        let now = nanos(self.began.elapsed());
        let (client, role) = &mut self.cast.clients[place];
        let counts = &mut self.counts;
        let before = (counts.received, counts.acknowledged, counts.refused);
        let from = self.measured_from;
        let record = |times: &mut Histogram<u64>, due: u64| {
            if due >= from {
                times.saturating_record(now.saturating_sub(due).max(1));
            }
        };
        let progress = match *role {
            Role::Publisher(publisher) => {
                let publisher = &mut self.cast.publishers[publisher];
                let times = &mut self.acknowledgements;
                client.read(buffer, |packet, body_at, out| {
                    let ended = hear(publisher, packet, body_at, out, counts)?;
                    ended.into_iter().for_each(|due| record(times, due));
                    Ok(())
                })?
            }
            Role::Subscriber(subscriber) => {
                let subscriber = &mut self.cast.subscribers[subscriber];
                let sent = self.cast.topics[subscriber.topic].sent;
                let times = &mut self.latencies;
                let payload = self.is_stamped.then_some(self.arguments.payload);
                client.read(buffer, |packet, body_at, out| {
                    let came = deliver(subscriber, packet, body_at, out, payload, counts)?;
                    came.into_iter().for_each(|due| record(times, due));
                    subscriber.check(sent)
                })?
            }
        };
        if before != (counts.received, counts.acknowledged, counts.refused) {
            self.last_progress = now;
        }
        if client.waiting() > 0 && !std::mem::replace(&mut client.is_dirty, true) {
            self.dirty.push(place);
        }
        Ok(progress)
    }

    fn finish(self, mut measured: Measured) -> Measured {
        let owed = |subscriber: &Subscriber| self.cast.topics[subscriber.topic].sent;
        let subscribers = &self.cast.subscribers;
        measured.lost = subscribers
            .iter()
            .map(|one| owed(one).saturating_sub(one.delivered()))
            .sum();
        measured.repeated = subscribers.iter().map(|one| one.repeated).sum();
        measured.unacknowledged = self.cast.publishers.iter().map(|one| one.open() as u64).sum();
        measured.total = self.counts;
        measured.latencies = self.latencies;
        measured.acknowledgements = self.acknowledgements;
        measured.is_timed = self.is_stamped;
        measured
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
