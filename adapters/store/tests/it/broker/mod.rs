//! A real broker with real clients on every kind of store.

mod load;
mod losses;
mod stores;
mod streams;
