//! The client machine from outside: a scripted server, virtual time, and the promises of the public API.

mod authentication;
mod capabilities;
mod connecting;
mod contract;
mod keeping_alive;
mod limits;
mod negotiating;
mod receiving;
mod requests;
mod restoring;
mod resuming;
mod rig;
mod sending;
mod show;
mod storing;
