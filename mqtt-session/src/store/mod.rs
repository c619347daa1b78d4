//! What a durable session consists of, as records for any kind of store.
//!
//! The machine says what is to become durable; the host has the medium. A [`Batch`] holds [`Change`]s that become durable
//! together or not at all, each the put of a [`Record`] or the delete of a [`Key`]. Applying a batch twice is harmless.
//! What a store writes down is up to it: [`Key::encode`] and [`Record::encode`] give bytes that sort and that detect damage.
//!
//! | record | key | lives |
//! |---|---|---|
//! | [`SessionRecord`] | [`Key::Session`] | as long as the session |
//! | [`OutgoingRecord`] | [`Key::Outgoing`] | from the publish to PUBACK or PUBCOMP |
//! | [`IncomingRecord`] | [`Key::Incoming`] | from PUBREC to PUBREL |
//! | [`InboxRecord`] | [`Key::Inbox`] | from arrival until it is handed over, and its QoS 2 exchange is through |
//! | [`Record::Payload`] | [`Key::Payload`] | as long as the message it belongs to |

mod batch;
pub(crate) mod codec;
pub(crate) mod crc;
mod key;
mod record;
#[cfg(test)]
pub(crate) mod samples;

pub use batch::{Batch, Change};
pub use codec::RecordError;
pub use key::{Key, PayloadOf};
pub use record::{InboxRecord, IncomingRecord, MessageRecord, OutgoingRecord, OutgoingState, Record, SessionRecord};
