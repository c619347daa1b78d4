//! What the shards are asked, one page after the other.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Instant;

use mqtt_adapter::host::{Desk, ShardHandle};
use mqtt_session::{Cursor, RetainedCursor, Shards};
use serde::Serialize;

use super::exchange::{Output, Stopped};
use crate::ctl::protocol::{Fault, Kind};

/// How many places a shard looks at before it does other work again.
pub(super) const LOOKS: u32 = 256;

/// How far one has come.
pub(super) trait Place: Default + Send + 'static {
    fn is_at_end(&self) -> bool;
}

impl Place for Cursor {
    fn is_at_end(&self) -> bool {
        Self::is_at_end(*self)
    }
}

impl Place for RetainedCursor {
    fn is_at_end(&self) -> bool {
        self.is_at_end()
    }
}

/// The shard that has the session of a client.
pub(super) fn shard_of<'s>(shards: &'s [ShardHandle], client: &str) -> Option<&'s ShardHandle> {
    let all = u16::try_from(shards.len())
        .ok()
        .and_then(|count| Shards::new(0, count))?;
    shards.get(usize::from(all.of_client(client.as_bytes()).0))
}

/// Asks one shard something.
pub(super) fn ask<T: Send + 'static>(
    shard: &ShardHandle,
    until: Instant,
    errand: impl FnOnce(&mut Desk<'_>) -> T + Send + 'static,
) -> Result<T, Fault> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let is_there = shard.run(move |desk| {
        // Whoever asked may have given up.
        let _ = sender.send(errand(desk));
    });
    let ending = || Fault::new(Kind::Ending, "the broker ends");
    if !is_there {
        return Err(ending());
    }
    let left = until.saturating_duration_since(Instant::now());
    receiver.recv_timeout(left).map_err(|error| match error {
        RecvTimeoutError::Timeout => Fault::new(Kind::TimedOut, "the broker is too busy to answer in time"),
        RecvTimeoutError::Disconnected => ending(),
    })
}

/// Asks all shards for all their pages. Returns when all is written, or as much as is wanted.
pub(super) fn list<P: Place, T: Serialize + Send + 'static>(
    shards: &[ShardHandle],
    limit: Option<u64>,
    output: &mut Output<'_, '_>,
    page: impl Fn(&mut Desk<'_>, &mut P) -> Vec<T> + Clone + Send + 'static,
) -> Result<(), Stopped> {
    for shard in shards {
        let mut place = P::default();
        while !place.is_at_end() {
            let page = page.clone();
            let (items, behind) = ask(shard, output.until(), move |desk| (page(desk, &mut place), place))?;
            place = behind;
            for item in &items {
                if !output.has_room(limit) {
                    return Ok(());
                }
                output.item(item)?;
            }
        }
    }
    Ok(())
}
