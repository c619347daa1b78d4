//! Outboxes that nobody has at the moment.

use mqtt_session::Outbox;

/// How many are kept. Their memory is kept with them.
const KEPT: usize = 64;

/// Lends outboxes to connections that have output: one that is idle has none.
#[derive(Debug, Default)]
pub(super) struct Outboxes {
    #[allow(clippy::vec_box, reason = "they go to connections and back by their boxes")]
    free: Vec<Box<Outbox>>,
}

impl Outboxes {
    pub(super) fn lend(&mut self) -> Box<Outbox> {
        self.free.pop().unwrap_or_default()
    }

    /// Takes one back.
    pub(super) fn give_back(&mut self, mut outbox: Box<Outbox>) {
        if self.free.len() < KEPT {
            outbox.clear();
            self.free.push(outbox);
        }
    }
}
