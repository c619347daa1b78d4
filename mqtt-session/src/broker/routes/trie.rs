//! The levels of all filters, as a tree whose branches are found by hashing.

use alloc::vec::Vec;

use super::ends::Ends;
use super::index::{Hashing, Index};
use super::level::{Level, LongLevels};
use super::walk::{Step, Walk};
use crate::slab::{NONE, Slab};

/// Where all filters begin. It has no text.
const ROOT: u32 = 0;

/// One level of a filter below another one: half a line of a processor's cache.
#[derive(Debug)]
#[repr(align(32))]
struct Node {
    parent: u32,
    /// The child whose level is `+`.
    plus: u32,
    /// How many children the index knows: those whose level is text.
    literals: u32,
    /// Who is subscribed to the filter that ends here, and to the one with `/#` behind it.
    ends: Ends,
    level: Level,
}

impl Node {
    const fn new(parent: u32, level: Level) -> Self {
        Self {
            parent,
            plus: NONE,
            literals: 0,
            ends: Ends::NOTHING,
            level,
        }
    }

    fn is_needed(&self) -> bool {
        self.plus != NONE || self.literals != 0 || !self.ends.is_nothing()
    }
}

/// Where a filter ends: at a node, or in `#` below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End(u32);

impl End {
    /// There are less nodes than 2^31: see [`MOST_NODES`].
    const fn new(node: u32, below: bool) -> Self {
        Self(node << 1 | below as u32)
    }

    #[inline]
    pub(super) const fn node(self) -> u32 {
        self.0 >> 1
    }

    #[inline]
    pub(super) const fn is_below(self) -> bool {
        self.0 & 1 != 0
    }

    /// A number that no other end has.
    #[inline]
    pub(super) fn number(self) -> u64 {
        self.0.into()
    }
}

/// So many nodes have room for one bit more in 32.
const MOST_NODES: usize = 1 << 31;

#[derive(Debug)]
pub(super) struct Trie {
    nodes: Slab<Node>,
    long: LongLevels,
    /// Finds a child by its parent and its text.
    children: Index,
}

impl Trie {
    pub(super) fn new() -> Self {
        let mut nodes = Slab::new();
        nodes.insert(Node::new(NONE, Level::EMPTY));
        Self {
            nodes,
            long: LongLevels::default(),
            children: Index::default(),
        }
    }

    /// Where this filter ends, if some filter runs through there.
    pub(super) fn find(&self, hashing: &Hashing, filter: &[u8]) -> Option<End> {
        let mut node = ROOT;
        for level in levels(filter) {
            if level == b"#" {
                return Some(End::new(node, true));
            }
            node = self.child(hashing, node, level)?;
        }
        Some(End::new(node, false))
    }

    /// Where this filter ends. What the tree lacks of it is added. `None` if there can be no more nodes.
    pub(super) fn insert(&mut self, hashing: &Hashing, filter: &[u8]) -> Option<End> {
        let mut node = ROOT;
        for level in levels(filter) {
            if level == b"#" {
                return Some(End::new(node, true));
            }
            let child = self.child(hashing, node, level);
            let Some(child) = child.or_else(|| self.add_child(hashing, node, level)) else {
                self.prune(hashing, node);
                return None;
            };
            node = child;
        }
        Some(End::new(node, false))
    }

    /// The child with this level, as it is written in a filter.
    fn child(&self, hashing: &Hashing, parent: u32, level: &[u8]) -> Option<u32> {
        let node = self.nodes.get(parent)?;
        if level == b"+" {
            return (node.plus != NONE).then_some(node.plus);
        }
        self.literal(hashing, parent, node, level)
    }

    #[inline]
    fn literal(&self, hashing: &Hashing, parent: u32, node: &Node, level: &[u8]) -> Option<u32> {
        if node.literals == 0 {
            return None;
        }
        self.children.find(hashing.of(parent.into(), level), |key| {
            let child = self.nodes.get(key);
            child.is_some_and(|child| child.parent == parent && child.level.text(&self.long) == level)
        })
    }

    fn add_child(&mut self, hashing: &Hashing, parent: u32, level: &[u8]) -> Option<u32> {
        if self.nodes.len() >= MOST_NODES {
            return None;
        }
        let child = Node::new(parent, Level::new(level, &mut self.long));
        let key = self.nodes.insert(child);
        let above = self.nodes.get_mut(parent)?;
        if level == b"+" {
            above.plus = key;
        } else {
            above.literals = above.literals.saturating_add(1);
            let (nodes, long) = (&self.nodes, &self.long);
            let hash_of = |key| hash_of(hashing, nodes, long, key);
            self.children.insert(hashing.of(parent.into(), level), key, hash_of);
        }
        Some(key)
    }

    /// Removes a node that nothing needs, and so those above it.
    pub(super) fn prune(&mut self, hashing: &Hashing, from: u32) {
        let mut key = from;
        while let Some(node) = self.nodes.get(key) {
            if key == ROOT || node.is_needed() {
                return;
            }
            let parent = node.parent;
            if let Some(above) = self.nodes.get_mut(parent) {
                if above.plus == key {
                    above.plus = NONE;
                } else {
                    above.literals = above.literals.saturating_sub(1);
                    let hash = hash_of(hashing, &self.nodes, &self.long, key);
                    self.children.remove(hash, key);
                }
            }
            if let Some(node) = self.nodes.get(key) {
                node.level.forget(&mut self.long);
            }
            self.nodes.remove(key);
            key = parent;
        }
    }

    /// What stands at a node.
    pub(super) fn ends(&mut self, node: u32) -> Option<&mut Ends> {
        self.nodes.get_mut(node).map(|node| &mut node.ends)
    }

    /// The text of the filter that ends here, with what goes before it.
    pub(super) fn text(&self, prefix: &[u8], end: End) -> Vec<u8> {
        let path = core::iter::successors(self.above_root(end.node()), |node| self.above_root(node.parent));
        let upwards = path.map(|node| node.level.text(&self.long));
        let mut levels: Vec<&[u8]> = end.is_below().then_some(&b"#"[..]).into_iter().chain(upwards).collect();
        levels.reverse();
        [prefix, &levels.join(&b'/')].concat()
    }

    fn above_root(&self, key: u32) -> Option<&Node> {
        if key == ROOT { None } else { self.nodes.get(key) }
    }

    /// Tells the ends of all filters that match a topic, each once, in an order that only the filters decide.
    pub(super) fn visit(&self, hashing: &Hashing, topic: &[u8], walk: &mut Walk, mut found: impl FnMut(&Ends, bool)) {
        walk.begin(ROOT);
        let reserved = topic.first() == Some(&b'$');
        while let Some(Step { node: key, depth }) = walk.next() {
            let Some(node) = self.nodes.get(key) else {
                continue;
            };
            // [MQTT-4.7.2-1]
            let wildcards = !(reserved && key == ROOT);
            if wildcards && !node.ends.is_nothing() {
                found(&node.ends, true);
            }
            let Some(level) = walk.level(topic, depth) else {
                found(&node.ends, false);
                continue;
            };
            if wildcards && node.plus != NONE {
                walk.descend(node.plus, depth);
            }
            if let Some(child) = self.literal(hashing, key, node, level) {
                walk.descend(child, depth);
            }
        }
    }

    /// Whether no filter has left anything behind.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.len() == 1 && self.long.len() == 0 && self.children.len() == 0
    }
}

/// The parts of a filter between the slashes.
fn levels(filter: &[u8]) -> impl Iterator<Item = &[u8]> {
    filter.split(|byte| *byte == b'/')
}

fn hash_of(hashing: &Hashing, nodes: &Slab<Node>, long: &LongLevels, key: u32) -> u64 {
    nodes
        .get(key)
        .map_or(0, |node| hashing.of(node.parent.into(), node.level.text(long)))
}
