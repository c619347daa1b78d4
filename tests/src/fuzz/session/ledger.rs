//! What was promised to a host: each operation ends once, and each connection does.

use std::collections::{BTreeMap, BTreeSet};

use mqtt_session::{LiveOp, Op};

use super::machine::Told;

/// The operations of one machine over all its lives.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    live: BTreeMap<u64, Op>,
    tags: u64,
}

impl Ledger {
    /// One whose operations were begun by somebody else.
    pub(super) fn of_anybody() -> Self {
        Self {
            tags: u64::MAX,
            ..Self::default()
        }
    }

    /// A tag that was never used.
    pub(super) fn next_tag(&mut self) -> u64 {
        self.tags += 1;
        self.tags
    }

    pub(super) fn began(&mut self, tag: u64, op: Op) {
        let is_used = self.live.values().any(|live| *live == op);
        assert!(!is_used, "the handle of another operation: {op:?}");
        self.live.insert(tag, op);
    }

    pub(super) fn ended(&mut self, tag: u64, op: Op) {
        let live = self.live.remove(&tag);
        assert_eq!(live, Some(op), "{tag} ends, and is not on its way");
    }

    /// A new life begins with these operations.
    pub(super) fn restored(&mut self, live: &[LiveOp]) {
        let restored: BTreeMap<u64, Op> = live.iter().map(|live| (live.tag, live.op)).collect();
        assert_eq!(restored.len(), live.len(), "an operation is live twice: {live:?}");
        let unknown = restored.keys().find(|tag| **tag > self.tags);
        assert_eq!(unknown, None, "nobody began this operation");
        self.live = restored;
    }

    pub(super) fn is_live(&self, tag: u64) -> bool {
        self.live.contains_key(&tag)
    }

    pub(super) fn is_done(&self) -> bool {
        self.live.is_empty()
    }

    pub(super) fn ops(&self) -> impl Iterator<Item = Op> {
        self.live.values().copied()
    }
}

/// The connections of one machine, as its host is told of them.
#[derive(Clone, Debug)]
pub(super) struct Story {
    is_closed: bool,
    /// Deliveries that were told.
    told: BTreeSet<u64>,
    /// Whether their numbers are never used again.
    keeps_numbers: bool,
}

impl Story {
    pub(super) const fn new(keeps_numbers: bool) -> Self {
        Self {
            is_closed: true,
            told: BTreeSet::new(),
            keeps_numbers,
        }
    }

    /// A record is damaged: numbers that were told may be used again.
    pub(super) fn forgets_numbers(&mut self) {
        self.keeps_numbers = false;
    }

    /// A stream is there.
    pub(super) fn begins(&mut self) {
        self.is_closed = false;
    }

    /// The machine is gone, and its connection with it.
    pub(super) fn crashes(&mut self) {
        self.is_closed = true;
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn hears(&mut self, told: &Told) {
        match told {
            Told::Closed(reason) => {
                assert!(!self.is_closed, "a connection closes again: {reason:?}");
                self.is_closed = true;
            }
            Told::Message(received) if self.keeps_numbers && !received.redelivered => {
                if let Some(delivery) = received.delivery {
                    assert!(self.told.insert(delivery.number()), "{delivery:?} is told again as new");
                }
            }
            told => assert!(
                !self.is_closed || !told.is_of_connection(),
                "after the end of the connection: {told:?}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use mqtt_session::{Client, ClientConfig, Closed, Instant, Message, QoS};

    use super::*;

    fn ops() -> [Op; 2] {
        let mut client = Client::new(ClientConfig::new("c").expect("a valid name"), Instant::ZERO);
        [1, 2].map(|tag| {
            let message = Message::new("t", "").expect("a valid topic").qos(QoS::AtLeastOnce);
            client.publish(Instant::ZERO, message, tag).expect("there is room")
        })
    }

    fn fails(act: impl FnOnce()) -> bool {
        catch_unwind(AssertUnwindSafe(act)).is_err()
    }

    #[test]
    fn an_operation_ends_once_and_under_its_own_handle() {
        let [one, other] = ops();
        let mut ledger = Ledger::default();
        let tag = ledger.next_tag();
        ledger.began(tag, one);
        assert!(fails(|| ledger.clone().ended(tag, other)));
        assert!(fails(|| ledger.clone().began(2, one)), "a handle twice");
        ledger.ended(tag, one);
        assert!(ledger.is_done() && fails(|| ledger.ended(tag, one)));
    }

    #[test]
    fn a_connection_closes_once_and_last() {
        let mut story = Story::new(true);
        let closed = Told::Closed(Closed::StreamEnded);
        assert!(fails(|| story.clone().hears(&closed)), "nothing was open");
        story.begins();
        story.hears(&Told::Connected);
        story.hears(&closed);
        assert!(fails(|| story.clone().hears(&closed)));
        assert!(fails(|| story.clone().hears(&Told::Chunk)));
        story.hears(&Told::Open);
    }
}
