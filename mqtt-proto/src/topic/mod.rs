//! Topic names, topic filters and share names: what is valid, what matches, what overlaps.

mod filter;
mod matching;
mod name;

pub use filter::{ShareName, SharedFilter, TopicFilter};
pub(crate) use filter::{fault as filter_fault, is_plain as is_plain_filter};
pub use name::TopicName;
