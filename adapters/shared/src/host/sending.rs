//! Bytes to clients.

use std::task::Poll;

use mqtt_session::Instant;

use super::bells::Place;
use super::entrance::Network;
use super::line::Stage;
use super::policy::Policy;
use super::shard::Shard;

/// How often an outbox is filled and written in one turn.
const ROUNDS: usize = 16;
/// So much is kept in the outboxes of a turn before some of it is written.
const DUE_BYTES: usize = 1 << 20;

impl<N: Network, P: Policy> Shard<N, P> {
    /// A line is served before the turn ends.
    pub(super) fn serve_later(&mut self, number: u32) {
        let Some(line) = self.lines.get_mut(number) else { return };
        if !std::mem::replace(&mut line.flags.is_due, true) {
            self.due.push_back(number);
        }
    }

    /// Takes what the broker has for its connections, so that no queue of its overflows while their streams could take more.
    pub(super) fn collect(&mut self) {
        while let Some(id) = self.broker.poll_ready() {
            if let Some(number) = self.origins.line(id) {
                self.fill(number);
            }
        }
        if self.due_bytes > DUE_BYTES {
            self.relieve();
        }
    }

    fn fill(&mut self, number: u32) {
        self.serve_later(number);
        let Some(line) = self.lines.get_mut(number) else { return };
        if line.stage == Stage::Last || line.broken.is_some() {
            return;
        }
        let outbox = line.outbox.get_or_insert_with(|| self.outboxes.lend());
        let before = outbox.len();
        self.broker.poll_transmit(line.id, outbox);
        self.due_bytes += outbox.len().saturating_sub(before);
        line.flags.is_filled = outbox.has_room();
        if !line.flags.is_filled {
            self.write_some(number);
        }
    }

    /// Writes what stands in the outboxes of this turn.
    fn relieve(&mut self) {
        self.due_bytes = 0;
        for index in 0..self.due.len() {
            self.write_some(self.due[index]);
        }
    }

    /// Writes, and leaves what goes wrong to the turn of the line.
    fn write_some(&mut self, number: u32) {
        let Some(line) = self.lines.get_mut(number) else { return };
        if let Some(mut outbox) = line.outbox.take() {
            let _ = line.write(&mut outbox, &mut self.traffic);
            line.outbox = Some(outbox);
        }
    }

    /// Serves the lines of this turn, until there is nothing left that they have to be told.
    pub(super) fn settle(&mut self, now: Instant) {
        loop {
            self.tell(now);
            self.collect();
            let Some(number) = self.due.pop_front() else { break };
            self.serve(number, now);
        }
        self.due_bytes = 0;
    }

    fn serve(&mut self, number: u32, now: Instant) {
        let Some(line) = self.lines.get_mut(number) else { return };
        line.flags.is_due = false;
        if line.stage == Stage::Last {
            return self.finish(number);
        }
        if line.flags.is_held {
            self.go_on_reading(number, now);
        }
        self.transmit(number, now);
        let Some(line) = self.lines.get_mut(number) else { return };
        if line.stage == Stage::Open && self.broker.is_drained(line.id) {
            line.stage = Stage::Last;
            line.unread.clear();
            self.lasts
                .push_back((now.saturating_add(self.linger), number, line.serial));
            self.finish(number);
        }
    }

    /// Writes what there is, and what comes behind it, as far as the stream goes.
    fn transmit(&mut self, number: u32, now: Instant) {
        for _ in 0..ROUNDS {
            let Some(line) = self.lines.get_mut(number).filter(|line| line.broken.is_none()) else {
                return;
            };
            let mut outbox = line.outbox.take().unwrap_or_else(|| self.outboxes.lend());
            if !std::mem::take(&mut line.flags.is_filled) {
                self.broker.poll_transmit(line.id, &mut outbox);
            }
            let has_room = outbox.has_room();
            let written = line.write(&mut outbox, &mut self.traffic);
            if outbox.is_empty() {
                self.outboxes.give_back(outbox);
            } else {
                line.outbox = Some(outbox);
            }
            if let Err(error) = written {
                return self.write_failed(number, now, error);
            }
            if has_room || line.outbox.is_some() {
                return;
            }
        }
        if let Some(line) = self.lines.get_mut(number) {
            line.flags.has_more = true;
            self.again.push(Place::Line(number));
        }
    }

    /// Writes the last bytes, closes the stream, and lets both arrive.
    fn finish(&mut self, number: u32) {
        let Some(line) = self.lines.get_mut(number) else { return };
        if let Some(mut outbox) = line.outbox.take() {
            let is_broken = line.write(&mut outbox, &mut self.traffic).is_err();
            if is_broken || outbox.is_empty() {
                self.outboxes.give_back(outbox);
            } else {
                line.outbox = Some(outbox);
                return;
            }
            if is_broken {
                return self.remove(number);
            }
        }
        if let Poll::Ready(()) = line.poll_linger(&mut self.scratch) {
            self.remove(number);
        }
    }
}
