//! The order in which a machine is served, once for all adapters.

use bytes::{Buf, BytesMut};

use crate::outbox::Outbox;
use crate::store::Batch;
use crate::time::Instant;
use crate::timers::Timeout;
use crate::{Client, Event, ServerConnection, ServerEvent};

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Client {}
    impl Sealed for crate::ServerConnection {}
}

/// A machine that a [`Driver`] can serve: [`Client`] and [`ServerConnection`].
#[allow(missing_docs, reason = "each method is the one of the same name of the machine")]
pub trait Machine: sealed::Sealed {
    /// What it tells.
    type Event;

    fn handle_input_owned(&mut self, now: Instant, input: &mut BytesMut);
    fn handle_eof(&mut self, now: Instant);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_store(&mut self, batch: &mut Batch) -> bool;
    fn poll_transmit(&mut self, outbox: &mut Outbox);
    fn poll_event(&mut self) -> Option<Self::Event>;
    fn poll_timeout(&self) -> Option<Timeout>;
    fn input_room(&self) -> usize;
    fn is_drained(&self) -> bool;
}

macro_rules! machines {
    ($($machine:ident: $event:ident),*) => {
        $(
            impl Machine for $machine {
                type Event = $event;

                fn handle_input_owned(&mut self, now: Instant, input: &mut BytesMut) {
                    self.handle_input_owned(now, input);
                }

                fn handle_eof(&mut self, now: Instant) {
                    self.handle_eof(now);
                }

                fn handle_timeout(&mut self, now: Instant) {
                    self.handle_timeout(now);
                }

                fn poll_store(&mut self, batch: &mut Batch) -> bool {
                    self.poll_store(batch)
                }

                fn poll_transmit(&mut self, outbox: &mut Outbox) {
                    self.poll_transmit(outbox);
                }

                fn poll_event(&mut self) -> Option<$event> {
                    self.poll_event()
                }

                fn poll_timeout(&self) -> Option<Timeout> {
                    self.poll_timeout()
                }

                fn input_room(&self) -> usize {
                    self.input_room()
                }

                fn is_drained(&self) -> bool {
                    self.is_drained()
                }
            }
        )*
    };
}

machines!(Client: Event, ServerConnection: ServerEvent);

/// A machine, the bytes that it has not taken yet, and those that are not written yet.
///
/// It knows the order in which a machine is served, and what is easily forgotten: bytes that were left lying while the host
/// owed something are offered again; nothing of one stream gets into the next; reading never waits for writing. What is left
/// to an adapter is to do what [`next`](Self::next) says. It does no input or output itself.
///
/// A program that embeds MQTT in its own loop may as well call the machine's methods itself.
#[derive(Clone, Debug)]
pub struct Driver<M> {
    machine: M,
    input: BytesMut,
    outbox: Outbox,
    batch: Batch,
    has_stream: bool,
}

/// What a driver does next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Next<'d, E> {
    /// Store this batch. When it is durable, say so with the machine's `handle_stored` and the number of the batch; other
    /// work goes on meanwhile.
    Store(&'d Batch),
    /// Deal with this event.
    Event(E),
    /// There is nothing to do but wait.
    Wait(Wait),
}

/// What there is to wait for. A command of the application and the end of a store are always among it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    /// Until when at most.
    pub until: Option<Timeout>,
    /// How many bytes may be read from the stream. Zero: it is not read.
    pub read_bytes: usize,
    /// Whether there are bytes to be written to the stream.
    pub writes: bool,
    /// Everything is written and the connection has ended: close the stream, and say so with [`Driver::closed`].
    pub closes: bool,
}

impl<M: Machine> Driver<M> {
    /// Serves a machine whose stream is not open yet.
    #[must_use]
    pub fn new(machine: M) -> Self {
        Self {
            machine,
            input: BytesMut::new(),
            outbox: Outbox::default(),
            batch: Batch::new(),
            has_stream: false,
        }
    }

    /// With an outbox of another size.
    #[must_use]
    pub fn with_outbox(mut self, outbox: Outbox) -> Self {
        self.outbox = outbox;
        self
    }

    /// The machine, to ask it.
    #[must_use]
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// The machine, to give it commands. Ask for [`next`](Self::next) afterwards.
    pub const fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Takes the machine out.
    #[must_use]
    pub fn into_machine(self) -> M {
        self.machine
    }

    /// A stream begins. What was left of the one before is dropped.
    fn begin(&mut self) {
        self.input.clear();
        self.outbox.clear();
        self.has_stream = true;
    }

    /// Where bytes from the stream are put: at the end of this buffer, and at most as many as [`Wait::read_bytes`] says.
    /// [`received`](Self::received) tells that there are some.
    pub const fn read_buffer(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// Bytes have been put into the [`read_buffer`](Self::read_buffer).
    pub fn received(&mut self, now: Instant) {
        if self.has_stream {
            self.machine.handle_input_owned(now, &mut self.input);
        } else {
            self.input.clear();
        }
    }

    /// What is to be written to the stream; `advance` what was.
    pub const fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// The first piece of what is to be written.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.outbox.chunk()
    }

    /// So many bytes of [`output`](Self::output) have been written.
    pub fn wrote(&mut self, len: usize) {
        self.outbox.advance(len);
    }

    /// The stream is gone: the other end has closed it, an error has, or this end.
    pub fn closed(&mut self, now: Instant) {
        self.has_stream = false;
        self.input.clear();
        self.outbox.clear();
        self.machine.handle_eof(now);
    }

    /// What is to be done next: due timers first, then bytes that were left lying, stores, what is to be sent, events; and
    /// when there is nothing left, what to wait for.
    pub fn next(&mut self, now: Instant) -> Next<'_, M::Event> {
        if self.machine.poll_timeout().is_some_and(|timeout| timeout.at <= now) {
            self.machine.handle_timeout(now);
        }
        if self.has_stream && !self.input.is_empty() {
            self.machine.handle_input_owned(now, &mut self.input);
        }
        if self.machine.poll_store(&mut self.batch) {
            return Next::Store(&self.batch);
        }
        // The batch is not needed any more: what it shares can be freed.
        self.batch.clear();
        self.machine.poll_transmit(&mut self.outbox);
        if !self.has_stream {
            self.outbox.clear();
        }
        match self.machine.poll_event() {
            Some(event) => Next::Event(event),
            None => Next::Wait(self.wait()),
        }
    }

    fn wait(&self) -> Wait {
        let writes = !self.outbox.is_empty();
        let is_over = self.machine.is_drained();
        let room = self.machine.input_room().saturating_sub(self.input.len());
        Wait {
            until: self.machine.poll_timeout(),
            read_bytes: if self.has_stream && !is_over { room } else { 0 },
            writes: self.has_stream && writes,
            closes: self.has_stream && is_over && !writes,
        }
    }
}

impl Driver<Client> {
    /// The stream that [`Event::Open`] asked for is open.
    pub fn opened(&mut self, now: Instant) {
        self.begin();
        self.machine.handle_open(now);
    }

    /// The stream could not be opened. With `may_succeed_later` another one is asked for after a while.
    pub fn open_failed(&mut self, now: Instant, may_succeed_later: bool) {
        self.machine.handle_open_failed(now, may_succeed_later);
    }
}

impl Driver<ServerConnection> {
    /// Serves a connection whose stream has been accepted.
    #[must_use]
    pub fn accepted(machine: ServerConnection) -> Self {
        let mut driver = Self::new(machine);
        driver.begin();
        driver
    }
}
