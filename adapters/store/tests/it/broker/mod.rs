//! A real broker with real clients on every kind of store.

mod killing;
mod load;
mod losses;
mod stores;
mod streams;

pub(crate) use load::Script;
