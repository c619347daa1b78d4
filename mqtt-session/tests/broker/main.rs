//! The broker from outside: scripted clients, virtual time, and the promises of the public API.

mod authentication;
mod contract;
mod expiry;
mod figures;
mod limits;
mod owners;
mod policy;
mod publishing;
mod questions;
mod queued;
mod refusals;
mod retained;
mod retained_anew;
mod retained_policy;
mod retained_shards;
mod rig;
mod sessions;
mod shards;
mod shared;
#[path = "../server/show.rs"]
#[allow(dead_code, reason = "the lines of a server are more than those of a broker")]
mod show;
mod storing;
mod takeover;
mod topics;
mod views;
mod wills;
