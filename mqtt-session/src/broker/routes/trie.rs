//! The levels of all filters, as a tree whose nodes are found by hashing.

use alloc::vec::Vec;

use super::ends::Ends;
use super::index::{Hash, Hashing, Index};
use super::level::{Level, LongLevels, Text};
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
        self.literals != 0 || self.is_stop()
    }

    /// Whether something ends here, or a `+` goes on from here.
    #[inline]
    const fn is_stop(&self) -> bool {
        self.plus != NONE || !self.ends.is_nothing()
    }
}

/// Where a filter ends: at a node, or in `#` below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End(u32);

impl End {
    /// There are fewer nodes than 2^31: see [`MOST_NODES`].
    pub(super) const fn new(node: u32, below: bool) -> Self {
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
    /// Finds a node by the levels from the root to it, if its own one is text.
    literals: Index,
}

impl Trie {
    pub(super) fn new() -> Self {
        let mut nodes = Slab::new();
        nodes.insert(Node::new(NONE, Level::EMPTY));
        Self {
            nodes,
            long: LongLevels::default(),
            literals: Index::default(),
        }
    }

    /// Where this filter ends, if some filter runs through there.
    pub(super) fn find(&self, hashing: &Hashing, filter: &[u8]) -> Option<End> {
        let (mut node, mut hash) = (ROOT, hashing.start());
        for level in levels(filter) {
            if level.is_hash() {
                return Some(End::new(node, true));
            }
            hash = level.hash(hashing, hash);
            node = self.child(node, level, hash)?;
        }
        Some(End::new(node, false))
    }

    /// Where this filter ends. What the tree lacks of it is added. `None` if there can be no more nodes.
    pub(super) fn insert(&mut self, hashing: &Hashing, filter: &[u8]) -> Option<End> {
        let (mut node, mut hash) = (ROOT, hashing.start());
        for level in levels(filter) {
            if level.is_hash() {
                return Some(End::new(node, true));
            }
            hash = level.hash(hashing, hash);
            let child = self.child(node, level, hash);
            let Some(child) = child.or_else(|| self.add_child(node, level, hash)) else {
                self.prune(hashing, node);
                return None;
            };
            node = child;
        }
        Some(End::new(node, false))
    }

    /// The child with this level, as it is written in a filter.
    fn child(&self, parent: u32, level: Text<'_>, hash: Hash) -> Option<u32> {
        if level.is_plus() {
            let plus = self.nodes.get(parent)?.plus;
            return (plus != NONE).then_some(plus);
        }
        self.literal(parent, level, hash)
    }

    /// The child whose level is this text.
    #[inline]
    fn literal(&self, parent: u32, level: Text<'_>, hash: Hash) -> Option<u32> {
        match level {
            Text::Short(level) => self.find_child(hash, |child| child.parent == parent && child.level == level),
            Text::Long(text) => self.long_literal(parent, text, hash),
        }
    }

    #[cold]
    fn long_literal(&self, parent: u32, text: &[u8], hash: Hash) -> Option<u32> {
        self.find_child(hash, |child| {
            child.parent == parent && child.level.is_long(text, &self.long)
        })
    }

    #[inline]
    fn find_child(&self, hash: Hash, is_it: impl Fn(&Node) -> bool) -> Option<u32> {
        self.literals.find(hash, |key| self.nodes.get(key).is_some_and(&is_it))
    }

    fn add_child(&mut self, parent: u32, level: Text<'_>, hash: Hash) -> Option<u32> {
        if self.nodes.len() >= MOST_NODES {
            return None;
        }
        let child = Node::new(parent, Level::new(level, &mut self.long));
        let key = self.nodes.insert(child);
        let above = self.nodes.get_mut(parent)?;
        if level.is_plus() {
            above.plus = key;
        } else {
            above.literals = above.literals.saturating_add(1);
            self.literals.insert(hash, key);
        }
        Some(key)
    }

    /// Removes a node that nothing needs, and so those above it.
    pub(super) fn prune(&mut self, hashing: &Hashing, from: u32) {
        if self.nodes.get(from).is_none_or(Node::is_needed) {
            return;
        }
        let mut hash = hashing.start();
        let hashes = self.path(from).into_iter().map(|level| {
            hash = level.text(&self.long).hash(hashing, hash);
            hash
        });
        let mut key = from;
        for hash in hashes.collect::<Vec<_>>().into_iter().rev() {
            let Some(node) = self.nodes.get(key).filter(|node| !node.is_needed()) else {
                return;
            };
            let parent = node.parent;
            node.level.forget(&mut self.long);
            self.nodes.remove(key);
            if let Some(above) = self.nodes.get_mut(parent) {
                if above.plus == key {
                    above.plus = NONE;
                } else {
                    above.literals = above.literals.saturating_sub(1);
                    self.literals.remove(hash, key);
                }
            }
            key = parent;
        }
    }

    /// What stands at a node.
    pub(super) fn ends(&mut self, node: u32) -> Option<&mut Ends> {
        self.nodes.get_mut(node).map(|node| &mut node.ends)
    }

    /// The text of the filter that ends here, with what goes before it.
    pub(super) fn text(&self, prefix: &[u8], end: End) -> Vec<u8> {
        let mut text = prefix.to_vec();
        let mut levels = self.path(end.node()).into_iter();
        if let Some(first) = levels.next() {
            first.write(&self.long, &mut text);
        } else if end.is_below() {
            text.push(b'#');
            return text;
        }
        for level in levels {
            text.push(b'/');
            level.write(&self.long, &mut text);
        }
        if end.is_below() {
            text.extend_from_slice(b"/#");
        }
        text
    }

    /// The levels from the root to a node.
    fn path(&self, node: u32) -> Vec<Level> {
        let above_root = |key: u32| if key == ROOT { None } else { self.nodes.get(key) };
        let upwards = core::iter::successors(above_root(node), |node| above_root(node.parent));
        let mut levels: Vec<Level> = upwards.map(|node| node.level).collect();
        levels.reverse();
        levels
    }

    /// Tells the nodes and the ends of all filters that match a topic, each once, in an order that only the filters decide.
    pub(super) fn visit(
        &self,
        hashing: &Hashing,
        topic: &[u8],
        walk: &mut Walk,
        mut found: impl FnMut(u32, &Ends, bool),
    ) {
        self.follow_text(hashing, topic, walk);
        let Walk { text, waiting } = walk;
        for step in text {
            // [MQTT-4.7.2-1]
            let wildcards = step.node != ROOT || topic.first() != Some(&b'$');
            self.look(hashing, topic, step, wildcards, waiting, &mut found);
        }
        while let Some(step) = waiting.pop() {
            let node = self.look(hashing, topic, &step, true, waiting, &mut found);
            if node.is_none_or(|node| node.literals == 0) {
                continue;
            }
            if let Some(step) = self.follow(hashing, topic, &step) {
                waiting.push(step);
            }
        }
    }

    /// Finds the nodes whose levels are those of the topic, without a wildcard, as far as there is something to be done.
    ///
    /// None of these look-ups depends on what another one has read, so the processor waits for their memory at once. This
    /// is where the time of a message goes when there are many filters.
    fn follow_text(&self, hashing: &Hashing, topic: &[u8], walk: &mut Walk) {
        let root = Step {
            node: ROOT,
            at: 0,
            hash: hashing.start(),
        };
        walk.waiting.clear();
        walk.text.clear();
        let mut next = Some(root);
        while let Some(step) = next {
            if self.nodes.get(step.node).is_some_and(Node::is_stop) {
                walk.text.push(step);
            }
            next = self.follow(hashing, topic, &step);
        }
    }

    /// To the child that stands for the next level of the topic.
    #[inline(always)]
    fn follow(&self, hashing: &Hashing, topic: &[u8], step: &Step) -> Option<Step> {
        let (level, at) = Text::at(topic, step.at)?;
        let hash = level.hash(hashing, step.hash);
        let node = self.literal(step.node, level, hash)?;
        Some(Step { node, at, hash })
    }

    /// Tells what ends at a node, and lets its `+` wait. Returns the node, if the topic goes on.
    #[inline(always)]
    fn look(
        &self,
        hashing: &Hashing,
        topic: &[u8],
        step: &Step,
        wildcards: bool,
        waiting: &mut Vec<Step>,
        found: &mut impl FnMut(u32, &Ends, bool),
    ) -> Option<&Node> {
        let node = self.nodes.get(step.node)?;
        if wildcards && node.ends.may_have(true) {
            found(step.node, &node.ends, true);
        }
        if step.at > topic.len() {
            if node.ends.may_have(false) {
                found(step.node, &node.ends, false);
            }
            return None;
        }
        if wildcards && node.plus != NONE {
            let (_, at) = Text::at(topic, step.at)?;
            waiting.push(Step {
                node: node.plus,
                at,
                hash: Text::PLUS.hash(hashing, step.hash),
            });
        }
        Some(node)
    }

    #[cfg(test)]
    /// Whether no filter has left anything behind.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.len() == 1 && self.long.len() == 0 && self.literals.len() == 0
    }
}

/// The parts of a filter between the slashes.
fn levels(filter: &[u8]) -> impl Iterator<Item = Text<'_>> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let (level, next) = Text::at(filter, at)?;
        at = next;
        Some(level)
    })
}
