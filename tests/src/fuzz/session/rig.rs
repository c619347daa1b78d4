//! A machine with its driver, its store and everything that watches it.

use std::collections::VecDeque;

use arbitrary::{Result, Unstructured};
use bytes::{Buf, Bytes, BytesMut};
use mqtt_proto::{Packet, PubAckReason, ReasonCode, Version};
use mqtt_session::{Batch, DeliveryId, Instant, Limits, Op, Outbox};

use super::disk::Disk;
use super::draws;
use super::ledger::{Ledger, Story};
use super::machine::{Machine, Outputs, Told};
use super::watch::Watch;

/// More events, batches or deadlines than this in a row, with nothing happening in between, never end.
const ENDLESS: usize = 20_000;

/// A machine and what lies around it.
#[derive(Clone, Debug)]
pub(super) struct Rig<M> {
    pub(super) machine: M,
    pub(super) now: Instant,
    pub(super) version: Version,
    pub(super) limits: Limits,
    pub(super) watch: Watch,
    /// Every connection so far has left the session to go on for ever.
    pub(super) outlives: bool,
    pub(super) ledger: Ledger,
    pub(super) story: Story,
    pub(super) disk: Disk,
    /// No record was damaged.
    pub(super) is_intact: bool,
    /// Bytes that came and were not taken.
    pub(super) input: BytesMut,
    outbox: Outbox,
    /// Packets that were sent and not answered.
    pub(super) unanswered: VecDeque<Packet<Bytes>>,
    /// Bytes that were sent and not carried on.
    pub(super) output: BytesMut,
    pub(super) deliveries: Vec<DeliveryId>,
    /// Handles of operations that ended, or were of another machine.
    pub(super) old_ops: Vec<Op>,
    pub(super) wanted: Option<(Op, u32, u32)>,
}

impl<M: Machine> Rig<M> {
    pub(super) fn new(machine: M, version: Version, limits: Limits, keeps_numbers: bool, now: Instant) -> Self {
        Self {
            machine,
            now,
            version,
            limits,
            watch: Watch::new(M::ROLE, None, limits.send_maximum, false),
            outlives: true,
            ledger: Ledger::default(),
            story: Story::new(keeps_numbers),
            disk: Disk::default(),
            is_intact: true,
            input: BytesMut::new(),
            outbox: Outbox::new(256),
            unanswered: VecDeque::new(),
            output: BytesMut::new(),
            deliveries: Vec::new(),
            old_ops: Vec::new(),
            wanted: None,
        }
    }

    /// A stream begins.
    pub(super) fn streams(&mut self, version: Option<Version>) {
        self.outlives &= self.watch.outlives;
        let counts_answers = !draws::is_chunked(&self.limits);
        self.watch = Watch::new(M::ROLE, version, self.limits.send_maximum, counts_answers);
        self.story.begins();
        self.forget_stream();
    }

    pub(super) fn forget_stream(&mut self) {
        self.input.clear();
        self.outbox = Outbox::new(256);
        self.unanswered.clear();
        self.output.clear();
        self.wanted = None;
    }

    /// The machine is gone; what is durable is left.
    pub(super) fn crashes(&mut self) {
        self.disk.crash();
        self.story.crashes();
        self.old_ops.extend(self.ledger.ops());
        self.deliveries.clear();
        self.forget_stream();
    }

    // ---- operations

    pub(super) fn publish(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let tag = self.ledger.next_tag();
        let message = draws::message(u, tag)?;
        let source = if u.ratio(1, 5)? {
            Some(u.int_in_range(0..=60)?)
        } else {
            None
        };
        if let Ok(op) = self.machine.publish(self.now, message, source, tag) {
            self.ledger.began(tag, op);
        }
        Ok(())
    }

    /// An operation with a handle, which may be that of nothing.
    pub(super) fn command(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let ops: Vec<Op> = self.ledger.ops().chain(self.old_ops.iter().copied()).collect();
        if ops.is_empty() {
            return Ok(());
        }
        let op = *u.choose(&ops)?;
        let now = self.now;
        match u.int_in_range(0..=5_u8)? {
            0 => {
                let is_live = self.ledger.ops().any(|live| live == op);
                assert!(
                    !self.machine.cancel(now, op) || is_live,
                    "{op:?} was cancelled and had ended"
                );
            }
            1 => {
                let at = draws::time(u, now, None)?;
                self.machine.set_deadline(now, op, at);
            }
            2 => drop(self.machine.fail_source(now, op)),
            3 => {
                let len = u.int_in_range(0..=70)?;
                // The place that is asked for, or any.
                let offset = match self.wanted {
                    Some((_, offset, _)) if u.ratio(1, 2)? => offset,
                    _ => u.int_in_range(0..=70)?,
                };
                let _ = self.machine.supply(now, op, offset, vec![b'+'; len]);
            }
            _ => self.supply(),
        }
        Ok(())
    }

    /// Gives what is wanted of a payload.
    pub(super) fn supply(&mut self) {
        if let Some((op, offset, bytes)) = self.wanted.take() {
            let len = usize::try_from(bytes).expect("a length in memory");
            let _ = self.machine.supply(self.now, op, offset, vec![b'+'; len]);
        }
    }

    pub(super) fn acknowledge(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let foreign = DeliveryId::from_number(u.int_in_range(0..=5)?);
        let place = u.choose_index(self.deliveries.len() + 1)?;
        let delivery = self.deliveries.get(place).copied().unwrap_or(foreign);
        let reason = if u.ratio(1, 4)? {
            u.arbitrary()?
        } else {
            PubAckReason::Success.into()
        };
        let _: std::result::Result<(), _> = self.machine.refuse(self.now, delivery, reason);
        Ok(())
    }

    pub(super) fn acknowledge_all(&mut self) {
        for delivery in std::mem::take(&mut self.deliveries) {
            let success: ReasonCode = PubAckReason::Success.into();
            let _ = self.machine.refuse(self.now, delivery, success);
        }
    }

    /// Time goes on, or back. A deadline that is due moves.
    pub(super) fn passes(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let at = draws::time(u, self.now, self.machine.next_deadline())?;
        self.now = self.now.max(at);
        if at < self.now {
            self.machine.handle_timeout(at);
        }
        if u.arbitrary()? {
            pass(&mut self.machine, self.now);
        } else {
            self.machine.handle_timeout(self.now);
        }
        Ok(())
    }

    /// Bytes come: in pieces, in either way. All ways come to the same.
    pub(super) fn feed(&mut self, bytes: &[u8], u: &mut Unstructured<'_>) -> Result<()> {
        let mut whole = self.input.clone();
        whole.extend_from_slice(bytes);
        let mut twin = self.machine.clone();
        let mut rest = &whole[..];
        twin.handle_input(self.now, &mut rest);
        let mut bytes = bytes;
        loop {
            let is_whole = bytes.is_empty() || u.arbitrary()?;
            let len = if is_whole {
                bytes.len()
            } else {
                u.int_in_range(1..=bytes.len())?
            };
            let piece;
            (piece, bytes) = bytes.split_at(len);
            self.take_in(piece, u.arbitrary()?);
            if bytes.is_empty() {
                break;
            }
        }
        if !draws::is_chunked(&self.limits) {
            assert_eq!(
                self.machine.fingerprint(),
                twin.fingerprint(),
                "in pieces it is something else"
            );
            // After the end nobody looks at what is left.
            let has_ended = std::iter::from_fn(|| twin.poll_event()).any(|told| matches!(told, Told::Closed(_)));
            assert!(has_ended || self.input == rest, "in pieces something else is left");
        }
        Ok(())
    }

    /// Bytes come in one piece.
    pub(super) fn take_in(&mut self, piece: &[u8], is_owned: bool) -> Vec<Packet<Bytes>> {
        self.input.extend_from_slice(piece);
        let before = self.input.clone();
        if is_owned {
            self.machine.handle_input_owned(self.now, &mut self.input);
        } else {
            let mut rest = &before[..];
            self.machine.handle_input(self.now, &mut rest);
            self.input.advance(before.len() - rest.len());
        }
        assert!(
            before.ends_with(&self.input),
            "the rest of the input is not what was there"
        );
        self.watch.received(&before[..before.len() - self.input.len()])
    }

    /// What came and was not taken comes again. Returns whether some of it was taken.
    pub(super) fn take_again(&mut self) -> bool {
        let before = self.input.len();
        self.take_in(&[], false);
        self.input.len() < before
    }

    /// A batch becomes durable, and the machine may hear of it.
    pub(super) fn commit(&mut self, is_told: bool) -> bool {
        let number = self.disk.commit();
        if let Some(number) = number.filter(|_| is_told) {
            self.machine.handle_stored(self.now, number);
        }
        number.is_some()
    }

    // ---- outputs

    pub(super) fn poll_store(&mut self) -> bool {
        let mut batch = Batch::new();
        let is_some = self.machine.poll_store(&mut batch);
        if is_some {
            self.disk.take(&batch);
        }
        is_some
    }

    /// Bytes that leave are looked at as they do, and carried away from the outbox in `taken` bytes or all. Returns whether
    /// there were any.
    pub(super) fn poll_transmit(&mut self, taken: usize) -> bool {
        let mut any = self.fill_outbox(taken);
        // A packet that is larger than the outbox leaves in parts.
        while taken == usize::MAX && self.fill_outbox(taken) {
            any = true;
        }
        any
    }

    fn fill_outbox(&mut self, taken: usize) -> bool {
        let before = self.outbox.remaining();
        self.machine.poll_transmit(&mut self.outbox);
        if self.outbox.remaining() < before {
            // The last bytes had their time, and are given up.
            assert!(self.outbox.is_empty(), "bytes went from the outbox");
            return false;
        }
        let mut all = self.outbox.clone();
        all.advance(before);
        let fresh = all.copy_to_bytes(all.remaining());
        self.output.extend_from_slice(&fresh);
        let sent = self.watch.sends(&fresh);
        self.unanswered.extend(sent);
        self.outbox.advance(taken.min(self.outbox.remaining()));
        !fresh.is_empty()
    }

    pub(super) fn poll_event(&mut self) -> Option<Told> {
        let told = self.machine.poll_event()?;
        self.story.hears(&told);
        match &told {
            Told::Completed(op, tag, _) => {
                self.ledger.ended(*tag, *op);
                self.old_ops.push(*op);
                if self.wanted.is_some_and(|(wanted, ..)| wanted == *op) {
                    self.wanted = None;
                }
            }
            Told::Late(tag) => assert!(self.ledger.is_live(*tag), "{tag} is late and has ended"),
            Told::Message(received) => self.deliveries.extend(received.delivery),
            Told::End(delivery) => self.deliveries.extend(*delivery),
            Told::Wanted(op, offset, bytes) => {
                assert!(
                    self.ledger.ops().any(|live| live == *op),
                    "a payload of nothing is wanted"
                );
                self.wanted = Some((*op, *offset, *bytes));
            }
            Told::Closed(_) => self.wanted = None,
            _ => {}
        }
        Some(told)
    }

    /// Takes every output until there is none. Nothing comes by itself after that.
    pub(super) fn settle(&mut self, mut hears: impl FnMut(&mut Self, Told)) {
        settle(self, |rig| {
            let any = rig.poll_store() | rig.poll_transmit(usize::MAX);
            match rig.poll_event() {
                Some(told) => {
                    hears(rig, told);
                    true
                }
                None => any,
            }
        });
    }
}

/// What is polled comes to an end.
fn settle<T>(polled: &mut T, mut poll: impl FnMut(&mut T) -> bool) {
    for _ in 0..ENDLESS {
        if !poll(polled) {
            return;
        }
    }
    panic!("outputs without an end");
}

/// A deadline that is due moves on when it is handled.
pub(super) fn pass(machine: &mut impl Outputs, now: Instant) {
    for _ in 0..ENDLESS {
        machine.handle_timeout(now);
        if machine.next_deadline().is_none_or(|at| at > now) {
            return;
        }
    }
    panic!("a deadline that is due stays due");
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Whatever is asked of it, there is more.
    struct Restless;

    impl Outputs for Restless {
        fn poll_event(&mut self) -> Option<Told> {
            Some(Told::Open)
        }

        fn poll_store(&mut self, _: &mut Batch) -> bool {
            false
        }

        fn poll_transmit(&mut self, _: &mut Outbox) {}

        fn next_deadline(&self) -> Option<Instant> {
            Some(Instant::ZERO)
        }

        fn handle_timeout(&mut self, _: Instant) {}
    }

    #[test]
    fn a_deadline_that_does_not_move_is_noticed() {
        let passed = catch_unwind(AssertUnwindSafe(|| pass(&mut Restless, Instant::ZERO)));
        assert!(passed.is_err());
    }

    #[test]
    fn outputs_without_an_end_are_noticed() {
        let settled = catch_unwind(AssertUnwindSafe(|| {
            settle(&mut Restless, |machine| machine.poll_event().is_some());
        }));
        assert!(settled.is_err());
    }
}
