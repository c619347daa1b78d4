//! What distinguishes messages on their way in.

use super::{Incoming, Of, Step};
use crate::fingerprint::Fingerprint;

impl Incoming {
    pub(crate) fn fingerprint(&self, mark: &mut Fingerprint<'_>) {
        let connection = self.connection;
        mark.count(self.lines.held.len());
        self.lines.held.for_each_sorted(|id, held| {
            mark.number(id.get());
            mark.number(held.owed_on == connection);
            mark.number(held.charged_on == connection);
            match held.step {
                Step::Waiting => mark.number(0_u8),
                Step::Accepted(ticket) => {
                    mark.number(1_u8);
                    mark.ticket(ticket);
                }
                Step::Refused(reason) => {
                    mark.number(2_u8);
                    mark.number(reason.value());
                }
                Step::Releasing(ticket) => {
                    mark.number(3_u8);
                    mark.ticket(ticket);
                }
            }
        });
        mark.count(self.lines.open.len());
        for open in &self.lines.open {
            match open.of {
                Of::ExactlyOnce(id) => mark.number(id.get()),
                Of::Inbox => mark.number(u64::MAX),
                Of::Done => mark.number(0_u8),
            }
        }
        mark.count(self.lines.pubacks.len());
        for slot in &self.lines.pubacks {
            mark.number(slot.id.get());
            match slot.answer {
                None => mark.number(u64::MAX),
                Some((reason, ticket)) => {
                    mark.number(reason.value());
                    mark.ticket(ticket);
                }
            }
        }
        mark.count(self.lines.pubrecs.len());
        for id in &self.lines.pubrecs {
            mark.number(id.get());
        }
        mark.number(self.maximum);
        mark.number(self.charged);
    }
}
