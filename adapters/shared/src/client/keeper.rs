//! The task that keeps the connection of a client.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use mqtt_session::{Batch, Event, Instant};

use super::answers::{self, Answer, Answers, Question};
use super::core::{Core, Ending};
use super::durable::Durable;
use super::spans::{self, Spans};
use super::{Client, Shared};
use crate::layers::{Opening, Wanted};
use crate::{
    AuthenticationError, Carrier, Cause, Channel, ClientOptions, DialError, Endpoint, Failure, Step, Transport,
};

/// How many steps are made before those are woken who wait for them.
const STEPS: usize = 256;
/// How often that happens in one poll, before other tasks get their turn.
const ROUNDS: usize = 16;

/// A stream of any kind.
pub type AnyStream = Box<dyn Transport + Send>;
/// A stream that is being opened.
pub type Dialing = Pin<Box<dyn Future<Output = Result<AnyStream, DialError>> + Send>>;

/// Opens streams to a server, below TLS and WebSocket: if the URL asks for these, the client puts them on the stream itself. So
/// a dialer that speaks TLS by itself belongs to a URL with `mqtt://`.
pub trait Dial: Send {
    /// Begins to open one. The future is dropped if it takes too long.
    fn dial(&mut self, endpoint: &Endpoint) -> Dialing;
}

impl<F: FnMut(&Endpoint) -> Dialing + Send> Dial for F {
    fn dial(&mut self, endpoint: &Endpoint) -> Dialing {
        self(endpoint)
    }
}

/// Keeps the connection of a client: opens streams, moves bytes, keeps the time. It is polled by a task or thread of an
/// adapter until it is ready; then nothing is left to do.
///
/// It is to be polled when its waker is woken, and at its [`deadline`](Self::deadline).
pub struct Keeper<D> {
    shared: Arc<Shared>,
    dialer: D,
    opening: Option<(Opening, Instant)>,
    channel: Channel<Carrier<AnyStream>>,
    wanted: Wanted,
    deadline: Option<Instant>,
    endpoint: Endpoint,
    connect_timeout: Duration,
    answers: Answers,
    durable: Option<Durable>,
    spans: Spans,
    /// Streams are opened by another thread than the one that polls.
    puts_dialing_off: bool,
    owes_dialing: bool,
}

impl Client {
    /// A client, and what keeps its connection.
    #[must_use]
    pub fn with_dialer<D: Dial>(options: ClientOptions, dialer: D) -> (Self, Keeper<D>) {
        let (client, durable) = Self::new(&options);
        let keeper = Keeper {
            shared: Arc::clone(&client.shared),
            dialer,
            opening: None,
            wanted: options.wanted.clone(),
            channel: Channel::new().feeding_all(),
            deadline: None,
            connect_timeout: options.connect_timeout,
            answers: Answers::new(&options),
            spans: Spans::new(options.endpoint()),
            endpoint: options.into_endpoint(),
            durable,
            puts_dialing_off: false,
            owes_dialing: false,
        };
        (client, keeper)
    }
}

/// A stream, or why there is none.
type Opened = Result<Carrier<AnyStream>, DialError>;

/// What a turn with the machine came to.
enum Turn {
    /// There is more to do.
    Goes,
    /// There is to be a connection.
    Connects,
    /// A stream is to be opened.
    Dials,
    /// The application is asked something that belongs to an authentication.
    Asks(Question),
    /// The server has accepted: the application is to see this event first.
    Accepts(Event),
    /// Everything waits.
    Waits,
    /// Everything is stored, and the store is to be given back.
    Closes,
    /// Nothing is left to do.
    Ends(Arc<Failure>),
}

impl<D: Dial> Keeper<D> {
    /// When to poll again at the latest, as of the last poll.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The time that the deadlines of this keeper mean.
    #[must_use]
    pub fn clock(&self) -> &crate::Clock {
        &self.shared.clock
    }

    /// Whether a poll does not keep its thread for long: no stream is being opened, and the application is asked nothing.
    #[must_use]
    pub const fn is_quick(&self) -> bool {
        self.opening.is_none() && !self.owes_dialing && !self.answers.is_wanted()
    }

    /// As [`poll`](Self::poll), in a thread that must not be kept for long: a stream that is to be opened is left to `poll`, and
    /// [`is_quick`](Self::is_quick) says no then.
    pub fn poll_quickly(&mut self, cx: &mut Context<'_>) -> Poll<Arc<Failure>> {
        if !self.is_quick() {
            return Poll::Pending;
        }
        self.puts_dialing_off = true;
        let polled = self.poll(cx);
        self.puts_dialing_off = false;
        polled
    }

    /// Does what there is to do. Ready when the client has ended and its stream is closed, with the reason.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Arc<Failure>> {
        let spans = self.spans.clone();
        spans.within(|| self.keep(cx))
    }

    fn keep(&mut self, cx: &mut Context<'_>) -> Poll<Arc<Failure>> {
        let shared = Arc::clone(&self.shared);
        self.deadline = None;
        if mem::take(&mut self.owes_dialing) {
            self.dial();
        }
        for _ in 0..ROUNDS {
            // Opening a stream may take long, and is the adapter's own code: handles are not kept waiting for it.
            let opened = self.poll_opening(cx);
            let answered = self.answers.poll(cx, shared.clock.now());
            let turn = shared.with(|core, now| match self.hand_in(core, now, (opened, answered)) {
                true => Turn::Dials,
                false => self.turn(cx, core),
            });
            match turn {
                Turn::Goes => {}
                Turn::Connects if self.answers.is_wanted() => self.answers.ask(Question::Connect, shared.clock.now()),
                Turn::Connects | Turn::Dials if self.puts_dialing_off => {
                    self.owes_dialing = true;
                    return Poll::Pending;
                }
                Turn::Connects | Turn::Dials => self.dial(),
                Turn::Asks(question) => self.answers.ask(question, shared.clock.now()),
                Turn::Accepts(event) => {
                    let accepted = self.answers.accept(&event);
                    shared.with(|core, now| match accepted {
                        Ok(()) => self.tell(core, now, event),
                        Err(error) => core.authentication_failed(error),
                    });
                }
                Turn::Waits => return Poll::Pending,
                Turn::Closes => {
                    if let Some(Poll::Pending) = self.durable.as_mut().map(|durable| durable.poll_closed(cx)) {
                        return Poll::Pending;
                    }
                    self.durable = None;
                    shared.with(|core, _| core.finish());
                }
                Turn::Ends(failure) => {
                    self.opening = None;
                    return Poll::Ready(failure);
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn dial(&mut self) {
        spans::dialing();
        let until = self.shared.clock.now().saturating_add(self.connect_timeout);
        let opening = Opening::new(&mut self.dialer, &self.endpoint, &mut self.wanted);
        self.opening = Some((opening, until));
    }

    /// The stream that was being opened, or why it is none.
    fn poll_opening(&mut self, cx: &mut Context<'_>) -> Option<Opened> {
        let (opening, until) = self.opening.as_mut()?;
        let opened = match opening.poll(cx) {
            Poll::Ready(opened) => opened,
            Poll::Pending if self.shared.clock.now() >= *until => Err(opening.timed_out()),
            Poll::Pending => return None,
        };
        self.opening = None;
        Some(opened)
    }

    /// Gives the machine what has come from outside of it. Whether a stream is to be opened.
    fn hand_in(
        &mut self,
        core: &mut Core,
        now: Instant,
        (opened, answered): (Option<Opened>, Option<(Question, Answer)>),
    ) -> bool {
        match opened {
            Some(Ok(stream)) if core.ending.is_none() => {
                self.channel.open(stream);
                core.dialed(now);
            }
            Some(Err(error)) => {
                spans::dial_failed(&error);
                core.dial_failed(now, error);
            }
            _ => {}
        }
        let Some((question, answer)) = answered.filter(|_| core.ending.is_none()) else {
            return false;
        };
        let dials = core.answered(now, &question, answer);
        if core.reauthentication.is_under_way() {
            self.answers.wait_for_server(now);
        }
        dials
    }

    fn turn(&mut self, cx: &mut Context<'_>, core: &mut Core) -> Turn {
        core.wakers.discard(core.keeper.take());
        for _ in 0..STEPS {
            let now = self.shared.clock.now();
            core.go_if_done(now);
            if self.answers.server_is_late(now) {
                core.authentication_failed(AuthenticationError::ServerTimedOut);
            }
            if core.reauthentication.take_wanted() {
                return Turn::Asks(Question::Again);
            }
            if core.wants_cut() {
                self.channel.cut();
                core.driver.closed(now);
            }
            match self.channel.poll_step(cx, &mut core.driver, &self.shared.clock) {
                Poll::Ready(Step::Event(Event::Open)) if core.ending.is_some() => {}
                Poll::Ready(Step::Event(Event::Open)) => {
                    core.dialing();
                    return Turn::Connects;
                }
                Poll::Ready(Step::Event(event)) if self.answers.is_wanted() => match self.answers.step(&event) {
                    Some(answers::Step::Asks(question)) => return Turn::Asks(question),
                    Some(answers::Step::Accepts) => return Turn::Accepts(event),
                    None => self.tell(core, now, event),
                },
                Poll::Ready(Step::Event(event)) => self.tell(core, now, event),
                // Only a machine with a store has batches.
                Poll::Ready(Step::Store(batch)) => {
                    if let Some(durable) = &mut self.durable {
                        core.acceptance.given(batch.number());
                        durable.write(&batch);
                    }
                }
                Poll::Pending if self.hear(cx, core, now) => {}
                Poll::Pending => return self.wait(cx, core),
            }
        }
        Turn::Goes
    }

    /// Whether there is news of the store.
    fn hear(&mut self, cx: &mut Context<'_>, core: &mut Core, now: Instant) -> bool {
        let Some(durable) = self.durable.as_mut().filter(|_| !core.has_lost_store) else {
            return false;
        };
        match durable.poll_stored(cx) {
            Poll::Ready(Ok(upto)) => core.stored(now, upto),
            Poll::Ready(Err(cause)) => core.store_failed(now, cause),
            Poll::Pending => return false,
        }
        true
    }

    fn tell(&mut self, core: &mut Core, now: Instant, event: Event) {
        spans::event(&event);
        if matches!(event, Event::Closed { .. }) {
            self.answers.end();
        }
        let channel = &mut self.channel;
        core.on_event(now, event, || Ending {
            greeting: channel.greeting().to_vec(),
            error: channel.take_error(),
        });
    }

    fn wait(&mut self, cx: &mut Context<'_>, core: &mut Core) -> Turn {
        core.statistics.read_bytes = self.channel.read_bytes();
        core.statistics.written_bytes = self.channel.written_bytes();
        if let Some(failure) = core.ended.as_ref().filter(|_| !self.channel.has_stream()) {
            return Turn::Ends(Arc::clone(failure));
        }
        core.keeper = Some(cx.waker().clone());
        let opening = self.opening.as_ref().map(|(_, until)| *until);
        let leaving = core.leaving.filter(|_| core.ending.is_none());
        let deadlines = [self.channel.deadline(), opening, self.answers.deadline(), leaving];
        self.deadline = deadlines.into_iter().flatten().min();
        let is_ending = core.ending.is_some() && core.ended.is_none();
        match is_ending && (core.has_lost_store || core.acceptance.is_all_stored()) {
            true => Turn::Closes,
            false => Turn::Waits,
        }
    }
}

/// A keeper that is dropped takes the connection with it: the client has ended. The store is still given what is to be stored.
impl<D> Drop for Keeper<D> {
    fn drop(&mut self) {
        if let Some(mut durable) = self.durable.take() {
            self.shared.with(|core, _| {
                let mut batch = Batch::new();
                while core.driver.machine_mut().poll_store(&mut batch) {
                    durable.write(&batch);
                }
            });
        }
        self.shared.with(|core, _| {
            core.end(Cause::Disconnected);
            core.finish();
        });
    }
}

impl<D> fmt::Debug for Keeper<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("is_opening", &self.opening.is_some())
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}
