//! The server connection from outside: a scripted client, virtual time, and the promises of the public API.

mod accepting;
mod authentication;
mod connecting;
mod contract;
mod ending;
mod keeping_alive;
mod limits;
mod messages;
mod requests;
mod rig;
mod show;
mod storing;
mod takeover;
