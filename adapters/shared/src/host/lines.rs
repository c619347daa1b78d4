//! The table of the lines of a shard.

use super::line::Line;

/// Lines by their numbers, which are used again.
pub(super) struct Lines<T> {
    lines: Vec<Option<Box<Line<T>>>>,
    free: Vec<u32>,
}

impl<T> Lines<T> {
    pub(super) const fn new() -> Self {
        Self {
            lines: Vec::new(),
            free: Vec::new(),
        }
    }

    /// The number that the next line has, if there is one left.
    pub(super) fn next(&self) -> Option<u32> {
        let last = self.free.last().copied();
        last.or_else(|| u32::try_from(self.lines.len()).ok())
    }

    /// Puts a line where [`next`](Self::next) said.
    pub(super) fn insert(&mut self, line: Line<T>) {
        match self.free.pop() {
            Some(number) => self.lines[number as usize] = Some(Box::new(line)),
            None => self.lines.push(Some(Box::new(line))),
        }
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Line<T>> {
        self.lines.get_mut(number as usize)?.as_deref_mut()
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Box<Line<T>>> {
        let line = self.lines.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(line)
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len() - self.free.len()
    }

    /// The numbers of all lines.
    pub(super) fn numbers(&self) -> Vec<u32> {
        let lines = (0..).zip(&self.lines);
        lines
            .filter(|(_, line)| line.is_some())
            .map(|(number, _)| number)
            .collect()
    }
}
