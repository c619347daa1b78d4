//! The way of a topic through the tree: memory that is used again for every topic.

use alloc::vec::Vec;
use core::ops::Range;

/// A node that is still to be looked at, and how many levels of the topic lie above it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) node: u32,
    pub(super) depth: usize,
}

#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Where the levels of the topic stand in it, as far as somebody asked.
    levels: Vec<Range<usize>>,
    /// Of each node on the way at most two children wait here, so it is at most as long as the filters are deep.
    stack: Vec<Step>,
}

impl Walk {
    /// Begins with a topic at the node where all filters begin.
    pub(super) fn begin(&mut self, root: u32) {
        self.levels.clear();
        self.stack.clear();
        self.stack.push(Step { node: root, depth: 0 });
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<Step> {
        self.stack.pop()
    }

    /// Goes to a child of a node at this depth, before all that still waits.
    #[inline]
    pub(super) fn descend(&mut self, child: u32, depth: usize) {
        self.stack.push(Step {
            node: child,
            depth: depth.saturating_add(1),
        });
    }

    /// The level of the topic below this many others; `None` behind the last one.
    ///
    /// A topic is read as far as filters reach: its other levels cost nothing.
    #[inline]
    pub(super) fn level<'t>(&mut self, topic: &'t [u8], depth: usize) -> Option<&'t [u8]> {
        while self.levels.len() <= depth {
            let start = self.levels.last().map_or(0, |last| last.end.saturating_add(1));
            let rest = topic.get(start..)?;
            let len = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
            self.levels.push(start..start.saturating_add(len));
        }
        topic.get(self.levels.get(depth)?.clone())
    }

    /// How many levels of the topic were read.
    #[cfg(test)]
    pub(super) fn levels(&self) -> usize {
        self.levels.len()
    }
}
