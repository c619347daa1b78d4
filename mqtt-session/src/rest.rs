//! Memory that is given back: of what holds nothing, and may hold nothing for long.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Gives back the memory of a queue, if it is empty.
pub(crate) fn queue<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() {
        *queue = VecDeque::new();
    }
}

/// Gives back the memory of a list or buffer, if it is empty.
pub(crate) fn buffer<T>(buffer: &mut Vec<T>) {
    if buffer.is_empty() {
        *buffer = Vec::new();
    }
}
