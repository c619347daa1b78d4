//! One subscription of one session.

use core::num::NonZeroU32;

use mqtt_proto::SubscriptionOptions;

use super::trie::End;
use crate::slab::{Linked, Links};

/// What a session asked for with a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) options: SubscriptionOptions,
    pub(crate) identifier: Option<NonZeroU32>,
}

/// A subscription, from which its filter, its session and its place in the lists of both are found.
#[derive(Debug)]
#[repr(align(32))]
pub(super) struct Subscription {
    pub(super) session: u32,
    pub(super) end: End,
    /// The group that shares it, or `NONE`.
    pub(super) group: u32,
    /// Where it stands at the end of its filter, or in its group.
    pub(super) place: u32,
    pub(super) wanted: Wanted,
    /// Its neighbours among the subscriptions of the session, in the order in which they were made.
    pub(super) links: Links,
}

impl Linked for Subscription {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }

    fn links_ref(&self) -> &Links {
        &self.links
    }
}
