//! The way of a topic through the tree: memory that is used again for every topic.

use alloc::vec::Vec;

use super::index::Hash;

/// A node on the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) node: u32,
    /// Where the level of the topic begins that the children of the node stand for; beyond the topic behind its last one.
    /// Topics are read as far as filters reach.
    pub(super) at: usize,
    /// Of the levels from the root to the node.
    pub(super) hash: Hash,
}

#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Of the nodes from the root whose levels are those of the topic, without a wildcard, those that are not only passed.
    pub(super) text: Vec<Step>,
    /// Nodes behind a `+` that are still to be looked at. Each node on the way lets two children wait at most, so they are
    /// twice as many as the deepest filter has levels.
    pub(super) waiting: Vec<Step>,
}
