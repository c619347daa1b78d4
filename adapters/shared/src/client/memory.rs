//! In the place of `durable.rs` in a build without the feature `store`: no client is durable.

use std::task::{Context, Poll};

use mqtt_session::{Batch, Client as Machine, ClientConfig, Instant};

use super::restored::Restoring;
use crate::{Cause, ClientOptions};

/// Where the session of a durable client is kept. There is none.
#[derive(Debug)]
pub(super) enum Durable {}

impl Durable {
    pub(super) fn write(&mut self, _: &Batch) {
        match *self {}
    }

    pub(super) fn poll_stored(&mut self, _: &mut Context<'_>) -> Poll<Result<u64, Cause>> {
        match *self {}
    }

    pub(super) fn poll_closed(&mut self, _: &mut Context<'_>) -> Poll<()> {
        match *self {}
    }
}

/// A machine that is kept in memory.
pub(super) fn machine(_: &ClientOptions, config: ClientConfig, now: Instant) -> (Machine, Restoring) {
    (Machine::new(config, now), Restoring::Memory)
}
