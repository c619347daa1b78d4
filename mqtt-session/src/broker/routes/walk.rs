//! The way of a topic through the tree: memory that is used again for every topic.

use alloc::vec::Vec;

use super::index::Hash;

/// A node on the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) node: u32,
    /// Where the level of the topic begins that the children of the node stand for; beyond the topic behind its last one.
    at: usize,
    /// Of the levels from the root to the node.
    pub(super) hash: Hash,
}

impl Step {
    pub(super) const fn first(node: u32, hash: Hash) -> Self {
        Self { node, at: 0, hash }
    }

    /// To a child that stands for this level of the topic.
    #[inline]
    pub(super) const fn to(&self, child: u32, level: &[u8], hash: Hash) -> Self {
        Self {
            node: child,
            at: self.at.saturating_add(level.len()).saturating_add(1),
            hash,
        }
    }

    /// The level of the topic that the children of the node stand for. Topics are read as far as filters reach.
    #[inline]
    pub(super) fn level<'t>(&self, topic: &'t [u8]) -> Option<&'t [u8]> {
        let rest = topic.get(self.at..)?;
        let slash = rest.iter().position(|byte| *byte == b'/');
        slash.map_or(Some(rest), |slash| rest.get(..slash))
    }
}

#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The nodes from the root whose levels are those of the topic, without a wildcard.
    pub(super) text: Vec<Step>,
    /// Nodes behind a `+` that are still to be looked at. Each node on the way lets two children wait at most, so they are
    /// twice as many as the deepest filter has levels.
    pub(super) waiting: Vec<Step>,
}

impl Walk {
    /// Begins at the node where all filters begin.
    pub(super) fn begin(&mut self, root: Step) {
        self.waiting.clear();
        self.text.clear();
        self.text.push(root);
    }
}
