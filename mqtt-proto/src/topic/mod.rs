//! Topic names, topic filters and share names: what is valid, what matches, what overlaps.

mod filter;
mod matching;
mod name;

pub(crate) use filter::fault as filter_fault;
pub use filter::{ShareName, SharedFilter, TopicFilter};
pub use name::TopicName;
