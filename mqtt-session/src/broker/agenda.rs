//! What is due when, of all connections and sessions, in one order.

use alloc::collections::BTreeSet;

use crate::time::Instant;

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Connection(u32),
    Session(u32),
    Retained,
}

/// One deadline for each of those that have one.
///
/// The deadline of a connection moves with nearly every packet, nearly always back. It is moved here when it comes due: until
/// then the earlier time stands.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    order: BTreeSet<(Instant, Who)>,
}

impl Agenda {
    /// Sees to it that `who` is called at the latest at this time. `armed` is where `who` keeps what stands here.
    pub(super) fn arm(&mut self, who: Who, armed: &mut Option<Instant>, at: Option<Instant>) {
        let Some(at) = at else {
            return;
        };
        if armed.is_some_and(|armed| armed <= at) {
            return;
        }
        self.disarm(who, armed);
        self.order.insert((at, who));
        *armed = Some(at);
    }

    pub(super) fn disarm(&mut self, who: Who, armed: &mut Option<Instant>) {
        if let Some(at) = armed.take() {
            self.order.remove(&(at, who));
        }
    }

    pub(super) fn next(&self) -> Option<(Instant, Who)> {
        self.order.first().copied()
    }

    /// Takes the next one that is due. It is to be armed again.
    pub(super) fn due(&mut self, now: Instant) -> Option<Who> {
        let (at, who) = *self.order.first()?;
        if at > now {
            return None;
        }
        self.order.remove(&(at, who));
        Some(who)
    }
}
