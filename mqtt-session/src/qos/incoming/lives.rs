//! Messages on their way in across the end of a session, and across a restart.

use mqtt_proto::PacketId;

use super::{Held, Incoming, Of, Step};
use crate::journal::{Journal, Ticket};
use crate::store::Key;

impl Incoming {
    /// The peer has no session: its identifiers mean nothing any more. What stands in the inbox stays.
    pub(crate) fn lose(&mut self, journal: &mut Journal) {
        self.lines.held.for_each_sorted(|id, _| {
            journal.delete(|| Key::Incoming(id));
        });
        if let Some(lines) = self.lines.get_mut() {
            lines.held.clear();
            lines.open.retain(|open| open.of == Of::Inbox);
        }
        self.open_waiting = 0;
        self.disconnected();
    }

    /// An identifier that an earlier life had accepted.
    pub(crate) fn restore_held(&mut self, id: PacketId) {
        self.lines.held.insert(
            id,
            Held {
                step: Step::Accepted(Ticket::NONE),
                owed_on: 0,
                charged_on: 0,
            },
        );
    }

    /// A message that an earlier life left in the inbox. In the order of the numbers.
    pub(crate) fn restore_inbox(&mut self, delivery: u64) {
        self.open_inbox(delivery);
        self.skip_deliveries(delivery.saturating_add(1));
    }
}
