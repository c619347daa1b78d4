//! The way of a topic through the tree: memory that is used again for every topic.

use alloc::vec::Vec;

use super::index::Hash;

/// A node on the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) node: u32,
    /// Where the level of the topic begins that the children of the node stand for; beyond the topic behind its last one.
    at: usize,
    /// Where that level ends.
    end: usize,
    /// Of the levels from the root to the node.
    pub(super) hash: Hash,
}

/// Where the level ends that begins here.
#[inline]
fn end_of(topic: &[u8], at: usize) -> usize {
    let (mut rest, mut end) = (topic.get(at..).unwrap_or_default(), at);
    // Eight bytes at once: the lowest bit that is left stands in the first that is a slash.
    while let Some((eight, behind)) = rest.split_first_chunk() {
        let apart = u64::from_le_bytes(*eight) ^ SLASHES;
        let zeros = apart.wrapping_sub(ONES) & !apart & HIGHS;
        if zeros != 0 {
            return end.saturating_add((zeros.trailing_zeros() / 8) as usize);
        }
        (rest, end) = (behind, end.saturating_add(8));
    }
    let slash = rest.iter().position(|byte| *byte == b'/');
    end.saturating_add(slash.unwrap_or(rest.len()))
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
const SLASHES: u64 = u64::from_le_bytes([b'/'; 8]);

impl Step {
    #[inline]
    pub(super) fn first(node: u32, hash: Hash, topic: &[u8]) -> Self {
        let end = end_of(topic, 0);
        Self { node, at: 0, end, hash }
    }

    /// To a child that stands for this level of the topic.
    #[inline]
    pub(super) fn to(&self, child: u32, topic: &[u8], hash: Hash) -> Self {
        let at = self.end.saturating_add(1);
        Self {
            node: child,
            at,
            end: end_of(topic, at),
            hash,
        }
    }

    /// The level of the topic that the children of the node stand for. Topics are read as far as filters reach.
    #[inline]
    pub(super) fn level<'t>(&self, topic: &'t [u8]) -> Option<&'t [u8]> {
        topic.get(self.at..self.end)
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
