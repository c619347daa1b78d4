//! A machine with its stream, polled: what the connections of all adapters are made of.

use std::io;
use std::task::{Context, Poll};

use mqtt_session::{Client, Driver, Event, Instant, Machine, ServerConnection};

use crate::{Channel, Clock, Step, Transport};

/// A machine, its driver, its stream and its clock: for whoever serves a machine without the [`Client`](crate::Client) of
/// this crate. The connections of the adapters wrap one and sleep for it.
#[derive(Debug)]
pub struct Link<M, T> {
    driver: Driver<M>,
    channel: Channel<T>,
    clock: Clock,
    /// A stream was asked for, and is being opened.
    is_opening: bool,
}

impl<T: Transport> Link<Client, T> {
    /// Serves a client. It asks for a stream with [`Event::Open`]: answer with [`opened`](Self::opened) or
    /// [`open_failed`](Self::open_failed).
    #[must_use]
    pub fn client(machine: Client, clock: Clock) -> Self {
        Self {
            driver: Driver::new(machine),
            channel: Channel::new(),
            clock,
            is_opening: false,
        }
    }

    /// The stream that was asked for is open.
    pub fn opened(&mut self, stream: T) {
        self.is_opening = false;
        self.channel.open(stream);
        self.driver.opened(self.clock.now());
    }

    /// The stream that was asked for could not be opened. With `may_succeed_later` another one is asked for after a while.
    pub fn open_failed(&mut self, may_succeed_later: bool) {
        self.is_opening = false;
        self.driver.open_failed(self.clock.now(), may_succeed_later);
    }

    /// What to do next: see [`poll_machine`](Self::poll_machine).
    pub fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Option<Step<Event>>> {
        let polled = self.poll_machine(cx);
        if let Poll::Ready(Some(Step::Event(Event::Open))) = &polled {
            self.is_opening = true;
        }
        polled
    }
}

impl<T: Transport> Link<ServerConnection, T> {
    /// Serves a connection that has been accepted.
    #[must_use]
    pub fn accepted(machine: ServerConnection, stream: T, clock: Clock) -> Self {
        Self {
            driver: Driver::accepted(machine),
            channel: Channel::over(stream),
            clock,
            is_opening: false,
        }
    }
}

impl<M: Machine, T: Transport> Link<M, T> {
    /// What to do next. `Pending` when there is nothing but to wait: for the stream, the [`deadline`](Self::deadline), or
    /// what the host does with [`machine_mut`](Self::machine_mut). `None` when there is no stream and nothing to wait for:
    /// the connection of a server has ended and said everything, or a client has stopped.
    pub fn poll_machine(&mut self, cx: &mut Context<'_>) -> Poll<Option<Step<M::Event>>> {
        match self.channel.poll_step(cx, &mut self.driver, &self.clock) {
            Poll::Ready(step) => Poll::Ready(Some(step)),
            Poll::Pending if self.is_over() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_over(&self) -> bool {
        !self.channel.has_stream() && !self.is_opening && self.channel.deadline().is_none()
    }

    /// When to poll again at the latest, as of the last poll.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.channel.deadline()
    }

    /// The stream that is open, or is being closed.
    #[must_use]
    pub const fn stream(&self) -> Option<&T> {
        self.channel.stream()
    }

    /// The error that ended the last stream. What a layer above it had against going on is found by
    /// [`LayerError::of`](crate::LayerError::of).
    pub const fn take_error(&mut self) -> Option<io::Error> {
        self.channel.take_error()
    }

    /// The machine, to ask it.
    #[must_use]
    pub const fn machine(&self) -> &M {
        self.driver.machine()
    }

    /// The machine, to give it commands. Poll afterwards.
    pub const fn machine_mut(&mut self) -> &mut M {
        self.driver.machine_mut()
    }

    /// The time, as the commands of the machine want it.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Takes the machine out. The stream is dropped.
    #[must_use]
    pub fn into_machine(self) -> M {
        self.driver.into_machine()
    }
}
