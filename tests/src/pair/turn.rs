//! What a driver does with its machine: due timers, stores, transmits, events, then the stream.

use core::time::Duration;

use bytes::{Buf, Bytes};
use mqtt_session::proto::{Decoded, Packet, PubCompReason, Role, Rules, decode};
use mqtt_session::{Batch, Instant};

use super::end::{End, World};
use super::link::Link;
use super::{Side, Wrong};

/// So often a deadline may be due at one time before it counts as one that does not move.
const TIMER_CALLS: usize = 64;
/// How long a host waits for the last bytes of a connection.
const LINGER: Duration = Duration::from_secs(3);

impl End {
    /// Due timers. A deadline moves when it is fired.
    pub(super) fn timers(&mut self, world: &mut World) -> bool {
        let now = self.reading(world);
        let mut fired = false;
        for _ in 0..TIMER_CALLS {
            let due = self.machine.poll_timeout().filter(|timeout| timeout.at <= now);
            let Some(due) = due else { return fired };
            let side = self.side;
            world.trace.line(|| format!("  {side:?} fires {}", due.timer));
            self.latest = self.latest.max(now);
            self.machine.handle_timeout(now);
            fired = true;
        }
        let next = self.machine.poll_timeout();
        world
            .ledger
            .fault(|| format!("a deadline does not move: {next:?} at {now:?}"));
        fired
    }

    /// Gives all batches to the store.
    pub(super) fn take_batches(&mut self, world: &mut World) -> bool {
        if self.store_failed {
            return false;
        }
        let now = self.reading(world);
        let mut batch = Batch::new();
        let mut taken = false;
        while self.machine.poll_store(&mut batch) {
            taken = true;
            let session = self.machine.session();
            let effects = core::mem::take(&mut self.effects);
            let side = self.side;
            world
                .trace
                .line(|| format!("  {side:?} stores {}: {:?}", batch.number(), batch.changes()));
            match &mut self.store {
                Some(store) => store.take(session, &batch, effects),
                None => world.ledger.fault(|| "a batch without a store".to_owned()),
            }
            if world.wrong == Some(Wrong::StoredTooEarly) {
                self.machine.handle_stored(now, batch.number());
            }
        }
        taken
    }

    /// The oldest batch becomes durable.
    pub(super) fn commit(&mut self, world: &mut World) -> bool {
        if self.store_failed {
            return false;
        }
        let now = self.reading(world);
        let Some(store) = &mut self.store else { return false };
        let Some(committed) = store.commit(world.wrong) else {
            return false;
        };
        world.ledger.settle(&committed.effects, true);
        if committed.session == self.machine.session() {
            self.latest = self.latest.max(now);
            self.machine.handle_stored(now, committed.number);
        }
        true
    }

    pub(super) fn fail_store(&mut self, world: &mut World) -> bool {
        if self.store.is_none() {
            return false;
        }
        let now = self.clock(world);
        let had_failed = core::mem::replace(&mut self.store_failed, true);
        self.machine.handle_store_failed(now);
        !had_failed
    }

    /// Fills the outbox.
    pub(super) fn transmit(&mut self, world: &mut World) -> bool {
        if !self.has_stream {
            return false;
        }
        let before = self.outbox.len();
        self.machine.poll_transmit(&mut self.outbox);
        let bytes = tail(&self.outbox, before);
        if bytes.is_empty() {
            return false;
        }
        world.trace.bytes(&bytes);
        let side = self.side;
        world
            .trace
            .line(|| format!("  {side:?} sends {}", in_words(&bytes, side, self.version)));
        let (watch, mut view) = self.view(world);
        watch.sends(&bytes, &mut view);
        true
    }

    /// Writes up to so many bytes to the stream.
    pub(super) fn write(&mut self, world: &mut World, link: &mut Link, limit: usize) -> bool {
        if !self.has_stream {
            self.outbox.clear();
            return false;
        }
        let now = world.now;
        let mut left = limit.min(link.room(self.side));
        let mut any = false;
        while left > 0 && !self.outbox.is_empty() {
            let chunk = self.outbox.chunk();
            let count = chunk.len().min(left);
            let was_cut = link.write(self.side, now, &chunk[..count]);
            self.outbox.advance(count);
            left -= count;
            any = true;
            if was_cut {
                world.counts.cuts_in_packets += u64::from(!self.outbox.is_empty() || self.watch.is_in_packet());
                break;
            }
        }
        any
    }

    /// Reads up to so many bytes from the stream, and what the machine does not take stays.
    pub(super) fn read(&mut self, world: &mut World, link: &mut Link, limit: usize, owned: bool) -> bool {
        if !self.has_stream {
            return false;
        }
        let room = self.machine.input_room().saturating_sub(self.input.len());
        let mut came = Vec::new();
        link.read(self.side, world.now, limit.min(room), &mut came);
        let mut any = !came.is_empty();
        self.receive(world, &came);
        any |= self.give_input(world, owned);
        if link.has_ended(self.side) && self.machine.input_room() > 0 && self.has_stream {
            world.counts.cuts_in_packets += u64::from(!self.input.is_empty());
            self.lose_stream(world);
            return true;
        }
        any
    }

    fn give_input(&mut self, world: &mut World, owned: bool) -> bool {
        if self.input.is_empty() {
            return false;
        }
        let now = self.clock(world);
        let before = self.input.clone();
        self.machine.handle_input(now, &mut self.input, owned);
        let taken = &before[..before.len() - self.input.len()];
        let side = self.side;
        if !taken.is_empty() {
            world
                .trace
                .line(|| format!("  {side:?} takes {}", in_words(taken, side.other(), self.version)));
        }
        let (watch, mut view) = self.view(world);
        watch.takes(taken, &mut view);
        !taken.is_empty()
    }

    /// The stream has ended.
    pub(super) fn lose_stream(&mut self, world: &mut World) {
        let now = self.clock(world);
        let side = self.side;
        world.trace.line(|| format!("  {side:?} sees the end of the stream"));
        self.has_stream = false;
        self.outbox.clear();
        self.input.clear();
        self.machine.handle_eof(now);
    }

    /// Closes the stream when the machine has said everything.
    pub(super) fn close_if_done(&mut self, world: &mut World, link: &mut Link) -> bool {
        let waits_too_long = self.over_at.is_some_and(|at| world.now >= at + LINGER);
        let is_done = self.machine.is_drained() && self.outbox.is_empty();
        if !self.has_stream || !is_done && !waits_too_long {
            return false;
        }
        link.end();
        self.lose_stream(world);
        true
    }

    pub(super) fn next_deadline(&mut self) -> Option<Instant> {
        let linger = self.over_at.filter(|_| self.has_stream).map(|at| at + LINGER);
        let timeout = self.machine.poll_timeout().map(|timeout| timeout.at);
        timeout.into_iter().chain(linger).min()
    }

    // ---- wrong links

    /// Bytes came. A wrong link drops or doubles packets among them.
    fn receive(&mut self, world: &World, bytes: &[u8]) {
        let Some(wrong @ (Wrong::CompNotFoundSwallowed | Wrong::AcksDoubled)) = world.wrong else {
            self.input.extend_from_slice(bytes);
            return;
        };
        if bytes.is_empty() {
            return;
        }
        self.input.extend_from_slice(&core::mem::take(&mut self.echo));
        self.raw.extend_from_slice(bytes);
        let role = if self.side == Side::Client {
            Role::Server
        } else {
            Role::Client
        };
        let raw = Bytes::from(core::mem::take(&mut self.raw));
        let mut rest = &raw[..];
        while let Ok(Decoded::Packet { packet, len }) = decode(rest, &Rules::new(self.version).sent_by(role)) {
            let frame = &rest[..len];
            rest = &rest[len..];
            match packet {
                Packet::PubComp(ack)
                    if wrong == Wrong::CompNotFoundSwallowed
                        && ack.reason == PubCompReason::PacketIdentifierNotFound => {}
                Packet::PubAck(_) if wrong == Wrong::AcksDoubled => {
                    self.input.extend_from_slice(frame);
                    self.echo.extend_from_slice(frame);
                }
                _ => self.input.extend_from_slice(frame),
            }
        }
        self.raw = rest.to_vec();
    }
}

/// What was appended to the outbox.
fn tail(outbox: &mqtt_session::Outbox, before: usize) -> Vec<u8> {
    // More parts than an outbox of 512 bytes can have.
    let mut chunks = [&[][..]; 1024];
    let count = outbox.chunks(&mut chunks);
    let all: Vec<u8> = chunks[..count].concat();
    assert_eq!(all.len(), outbox.len(), "the outbox has more parts than expected");
    // An outbox that nobody takes from is emptied when its connection is given up.
    all[before.min(all.len())..].to_vec()
}

/// Packets, for a trace.
fn in_words(bytes: &[u8], from: Side, version: mqtt_session::proto::Version) -> String {
    let role = if from == Side::Client {
        Role::Client
    } else {
        Role::Server
    };
    let mut words = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        match decode(rest, &Rules::new(version).sent_by(role)) {
            Ok(Decoded::Packet {
                packet: Packet::Publish(publish),
                len,
            }) => {
                let tag = super::ledger::tag_of(publish.payload);
                let alias = publish.properties.topic_alias();
                words.push(format!("PUBLISH {tag:?} {:?} alias {alias:?}", publish.delivery));
                rest = &rest[len..];
            }
            Ok(Decoded::Packet { packet, len }) => {
                words.push(format!("{packet:?}"));
                rest = &rest[len..];
            }
            _ => {
                words.push(format!("{} bytes", rest.len()));
                break;
            }
        }
    }
    words.join(", ")
}
