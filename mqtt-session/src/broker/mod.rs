//! The broker machine: any number of connections, their sessions, and the messages between them.

#![cfg_attr(
    not(test),
    expect(dead_code, reason = "the machine that stands on these parts is not in this module")
)]

mod retained;
mod routes;
