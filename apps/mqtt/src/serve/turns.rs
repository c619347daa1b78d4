//! What waits, and whose turn it is: each address has a turn after the other, however much of it waits.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A queue for each address, and the order in which they are served.
#[derive(Debug)]
pub(super) struct Turns<A, T> {
    /// Those of each address, in their order. An address of which nothing waits is not there.
    waiting: HashMap<A, VecDeque<T>>,
    /// Each address that is there, once.
    order: VecDeque<A>,
    count: usize,
    bounds: Bounds,
}

/// How many may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Of all addresses.
    pub(super) all: usize,
    /// Of one.
    pub(super) each: usize,
}

impl<A: Clone + Eq + Hash, T> Turns<A, T> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            waiting: HashMap::new(),
            order: VecDeque::new(),
            count: 0,
            bounds,
        }
    }

    /// How many wait.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// One more of this address. Where there is no room, those of it that are gone make some; then the last one of the address that has most
    /// waiting goes, which may be this one. Gives whoever has to go.
    pub(super) fn push(&mut self, address: &A, one: T, is_gone: impl Fn(&T) -> bool) -> Option<T> {
        if self.len_of(address) >= self.bounds.each || self.count >= self.bounds.all {
            self.remove(address, is_gone);
        }
        if self.len_of(address) >= self.bounds.each {
            return Some(one);
        }
        let mut displaced = None;
        if self.count >= self.bounds.all {
            let fullest = self.waiting.iter().max_by_key(|(_, queue)| queue.len());
            let fullest = fullest.filter(|(_, queue)| queue.len() > self.len_of(address) + 1);
            let Some(fullest) = fullest.map(|(address, _)| address.clone()) else {
                return Some(one);
            };
            // It has at least one other, and keeps its turn.
            displaced = self.waiting.get_mut(&fullest).and_then(VecDeque::pop_back);
            self.count -= usize::from(displaced.is_some());
        }
        match self.waiting.entry(address.clone()) {
            Entry::Occupied(mut queue) => queue.get_mut().push_back(one),
            Entry::Vacant(place) => {
                place.insert(VecDeque::from([one]));
                self.order.push_back(address.clone());
            }
        }
        self.count += 1;
        displaced
    }

    /// The one whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let address = self.order.pop_front()?;
        let queue = self.waiting.get_mut(&address)?;
        let one = queue.pop_front();
        self.count -= usize::from(one.is_some());
        if queue.is_empty() {
            self.waiting.remove(&address);
        } else {
            self.order.push_back(address);
        }
        one
    }

    fn len_of(&self, address: &A) -> usize {
        self.waiting.get(address).map_or(0, VecDeque::len)
    }

    /// Those of an address of which this is true.
    fn remove(&mut self, address: &A, is_gone: impl Fn(&T) -> bool) {
        let Some(queue) = self.waiting.get_mut(address) else {
            return;
        };
        let before = queue.len();
        queue.retain(|one| !is_gone(one));
        self.count -= before - queue.len();
        if queue.is_empty() {
            self.waiting.remove(address);
            self.order.retain(|other| other != address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(all: usize, each: usize) -> Turns<char, u32> {
        Turns::new(Bounds { all, each })
    }

    fn never(_: &u32) -> bool {
        false
    }

    fn rest(turns: &mut Turns<char, u32>) -> Vec<u32> {
        let rest = std::iter::from_fn(|| turns.pop()).collect();
        assert_eq!(turns.len(), 0);
        assert!(turns.waiting.is_empty() && turns.order.is_empty(), "nothing is kept");
        rest
    }

    #[test]
    fn each_address_has_its_turn_however_much_of_another_waits() {
        let mut turns = turns(100, 100);
        for number in 0..5 {
            assert_eq!(turns.push(&'a', number, never), None);
        }
        assert_eq!(turns.push(&'b', 10, never), None);
        assert_eq!(turns.push(&'b', 11, never), None);
        assert_eq!(turns.push(&'c', 20, never), None);
        assert_eq!(rest(&mut turns), [0, 10, 20, 1, 11, 2, 3, 4]);
    }

    #[test]
    fn an_address_has_its_bound() {
        let mut turns = turns(100, 2);
        assert_eq!(turns.push(&'a', 1, never), None);
        assert_eq!(turns.push(&'a', 2, never), None);
        assert_eq!(turns.push(&'a', 3, never), Some(3));
        assert_eq!(turns.push(&'b', 4, never), None);
        assert_eq!(turns.pop(), Some(1));
        assert_eq!(turns.push(&'a', 5, never), None);
        assert_eq!(rest(&mut turns), [4, 2, 5]);
    }

    #[test]
    fn where_no_more_may_wait_the_address_goes_back_that_has_most() {
        let mut turns = turns(4, 3);
        for number in 1..=3 {
            assert_eq!(turns.push(&'a', number, never), None);
        }
        assert_eq!(turns.push(&'b', 10, never), None);
        assert_eq!(turns.push(&'c', 20, never), Some(3));
        // Nobody has more than one of them beyond it.
        assert_eq!(turns.push(&'c', 21, never), Some(21));
        assert_eq!(turns.push(&'d', 30, never), Some(2));
        assert_eq!(turns.push(&'e', 40, never), Some(40));
        assert_eq!(rest(&mut turns), [1, 10, 20, 30]);
    }

    #[test]
    fn those_that_are_gone_make_room() {
        let mut turns = turns(3, 2);
        assert_eq!(turns.push(&'a', 1, never), None);
        assert_eq!(turns.push(&'a', 2, never), None);
        assert_eq!(turns.push(&'a', 3, |one| *one == 1), None);
        assert_eq!(turns.push(&'b', 10, never), None);
        assert_eq!(turns.push(&'b', 11, |_| true), None);
        assert_eq!(turns.push(&'b', 12, never), Some(12));
        assert_eq!(rest(&mut turns), [2, 11, 3]);
    }
}
