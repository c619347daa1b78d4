//! What the shards are asked, one page after the other.

use std::time::Instant;

use mqtt_adapter::host::{Desk, ShardHandle};
use mqtt_session::{Cursor, RetainedCursor, Shards};
use serde::Serialize;

use super::errand::{ending, errand};
use super::exchange::{Output, Stopped};
use crate::ctl::protocol::Fault;

/// How many places a shard looks at before it does other work again.
const LOOKS: u32 = 256;
/// And how many bytes of what it finds there: names and topics may be long.
const PAGE_BYTES: usize = 256 * 1024;

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

/// Asks one shard something. What is told to have timed out is not done later.
pub(super) fn ask<T: Send + 'static>(
    shard: &ShardHandle,
    until: Instant,
    work: impl FnOnce(&mut Desk<'_>) -> T + Send + 'static,
) -> Result<T, Fault> {
    let (worker, asker) = errand();
    match shard.run(move |desk| worker.run(|| work(desk))) {
        true => asker.wait(until),
        false => Err(ending()),
    }
}

/// Asks all shards for all their pages. Returns when all is written, or as much as is wanted.
///
/// `look` looks at one place, adds what is meant to the items, and returns how many bytes it has looked at.
pub(super) fn list<P: Place, T: Serialize + Send + 'static>(
    shards: &[ShardHandle],
    limit: Option<u64>,
    output: &mut Output<'_, '_>,
    look: impl Fn(&mut Desk<'_>, &mut P, &mut Vec<T>) -> usize + Clone + Send + 'static,
) -> Result<(), Stopped> {
    for shard in shards {
        let mut place = P::default();
        while !place.is_at_end() {
            let look = look.clone();
            let (items, behind) = ask(shard, output.ask_until(), move |desk| {
                let items = page(&mut place, |place, items| look(desk, place, items));
                (items, place)
            })?;
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

/// The items of the next page.
fn page<P: Place, T>(place: &mut P, mut look: impl FnMut(&mut P, &mut Vec<T>) -> usize) -> Vec<T> {
    let (mut items, mut bytes) = (Vec::new(), 0);
    for _ in 0..LOOKS {
        if place.is_at_end() || bytes >= PAGE_BYTES {
            break;
        }
        bytes += look(place, &mut items);
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Left(u32);

    impl Place for Left {
        fn is_at_end(&self) -> bool {
            self.0 == 0
        }
    }

    /// How long the pages of so many places are.
    fn pages(places: u32, bytes: usize) -> Vec<usize> {
        let (mut left, mut pages) = (Left(places), Vec::new());
        while !left.is_at_end() {
            let items = page(&mut left, |left, items| {
                left.0 -= 1;
                items.push(());
                bytes
            });
            pages.push(items.len());
        }
        pages
    }

    #[test]
    fn a_page_ends_by_places_and_by_bytes() {
        assert_eq!(pages(600, 1), [256, 256, 88]);
        assert_eq!(pages(600, 0), [256, 256, 88]);
        assert_eq!(pages(9, 65_535), [5, 4]);
        assert_eq!(pages(2, PAGE_BYTES), [1, 1]);
    }
}
