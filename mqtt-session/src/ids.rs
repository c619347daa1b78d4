//! Which packet identifiers are free for what this end sends.

use alloc::collections::VecDeque;

use mqtt_proto::PacketId;

use crate::fingerprint::Fingerprint;

/// How many freed identifiers rest while there are fresh ones.
const SPARE: usize = 32;

/// Allocates packet identifiers from 1 up to a limit, in constant time.
///
/// A freed identifier rests before it is used again, so that a late acknowledgement of a peer that repeats itself does
/// not meet another exchange. The rest is short, and so a few dozen identifiers go round while few exchanges are open:
/// tables by identifier stay small.
///
/// It keeps no table of what is taken, since its caller has one with more in it. What the caller owes: to release an
/// identifier once for each time that it was allocated or reserved.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    limit: u16,
    /// The lowest identifier that was never used; all above are unused too.
    fresh: Option<PacketId>,
    /// Identifiers below `fresh` that are not taken, the longest free first.
    free: VecDeque<PacketId>,
    in_use: u16,
}

impl Ids {
    pub(crate) fn new(limit: u16) -> Self {
        Self {
            limit,
            fresh: PacketId::new(limit.min(1)),
            free: VecDeque::new(),
            in_use: 0,
        }
    }

    /// Takes an identifier; `None` if all up to the limit are taken.
    #[inline]
    pub(crate) fn allocate(&mut self) -> Option<PacketId> {
        let id = match self.fresh {
            Some(id) if self.free.len() <= SPARE => {
                self.fresh = self.after(id);
                id
            }
            _ => self.free.pop_front()?,
        };
        self.in_use = self.in_use.saturating_add(1);
        Some(id)
    }

    /// Gives an identifier back. One that was never handed out is ignored.
    #[inline]
    pub(crate) fn release(&mut self, id: PacketId) {
        if self.in_use == 0 || self.is_fresh(id) {
            return;
        }
        self.in_use = self.in_use.saturating_sub(1);
        if id.get() <= self.limit {
            self.free.push_back(id);
        }
    }

    /// Takes a certain identifier, for an exchange that was stored; `false` if it is taken already.
    ///
    /// In ascending order this costs what the identifiers passed over cost, once. In any other order the free ones are
    /// searched. One above the limit is counted as in use and never allocated; whether it is taken, only the caller knows.
    pub(crate) fn reserve(&mut self, id: PacketId) -> bool {
        if self.is_fresh(id) {
            while let Some(fresh) = self.fresh.filter(|fresh| *fresh < id) {
                self.free.push_back(fresh);
                self.fresh = self.after(fresh);
            }
            self.fresh = self.after(id);
        } else if id.get() <= self.limit {
            let Some(place) = self.free.iter().position(|free| *free == id) else {
                return false;
            };
            self.free.remove(place);
        }
        self.in_use = self.in_use.saturating_add(1);
        true
    }

    pub(crate) fn fingerprint(&self, mark: &mut Fingerprint<'_>) {
        mark.number(self.fresh.map_or(0, PacketId::get));
        mark.count(self.free.len());
        for id in &self.free {
            mark.number(id.get());
        }
    }

    #[cfg(test)]
    /// How many are taken.
    #[inline]
    pub(crate) const fn in_use(&self) -> u16 {
        self.in_use
    }

    /// Whether an identifier within the limit was never used.
    #[inline]
    fn is_fresh(&self, id: PacketId) -> bool {
        id.get() <= self.limit && self.fresh.is_some_and(|fresh| fresh <= id)
    }

    /// The next identifier within the limit. Behind the highest stands 0, which is none.
    #[inline]
    fn after(&self, id: PacketId) -> Option<PacketId> {
        PacketId::new(id.get().wrapping_add(1)).filter(|next| next.get() <= self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn id(number: u16) -> PacketId {
        PacketId::new(number).unwrap()
    }

    fn all(ids: &mut Ids) -> Vec<u16> {
        core::iter::from_fn(|| ids.allocate()).map(PacketId::get).collect()
    }

    #[test]
    fn identifiers_run_from_1_to_the_limit() {
        assert_eq!(all(&mut Ids::new(3)), [1, 2, 3]);
        assert_eq!(all(&mut Ids::new(1)), [1]);
        assert_eq!(all(&mut Ids::new(0)), []);
        let every = all(&mut Ids::new(u16::MAX));
        assert!(every.into_iter().eq(1..=u16::MAX));
    }

    #[test]
    fn a_freed_identifier_rests_before_it_is_used_again() {
        let mut ids = Ids::new(u16::MAX);
        let mut order = Vec::new();
        for _ in 0..100 {
            let id = ids.allocate().unwrap();
            order.push(id.get());
            ids.release(id);
        }
        assert!(order.iter().copied().eq((1..=33).cycle().take(100)));
    }

    #[test]
    fn a_freed_identifier_is_used_at_once_when_no_other_is_left() {
        let mut ids = Ids::new(2);
        assert_eq!(all(&mut ids), [1, 2]);
        assert_eq!(ids.in_use(), 2);
        ids.release(id(2));
        assert_eq!(ids.in_use(), 1);
        assert_eq!(all(&mut ids), [2]);
    }

    #[test]
    fn a_reserved_identifier_is_not_allocated() {
        let mut ids = Ids::new(6);
        assert!(ids.reserve(id(4)));
        assert!(ids.reserve(id(2)));
        assert_eq!(ids.in_use(), 2);
        let mut rest = all(&mut ids);
        rest.sort_unstable();
        assert_eq!(rest, [1, 3, 5, 6]);
    }

    #[test]
    fn an_identifier_is_reserved_once() {
        let mut ids = Ids::new(u16::MAX);
        assert!(ids.reserve(id(5)));
        assert!(!ids.reserve(id(5)));
        assert!(ids.reserve(id(3)));
        assert!(!ids.reserve(id(3)));
        assert!(ids.reserve(PacketId::MAX));
        assert!(!ids.reserve(PacketId::MAX));
        assert_eq!(ids.in_use(), 3);
        ids.release(id(3));
        assert!(ids.reserve(id(3)));
    }

    #[test]
    fn an_identifier_above_the_limit_is_counted_and_never_allocated() {
        let mut ids = Ids::new(2);
        assert!(ids.reserve(id(9)));
        assert_eq!(ids.in_use(), 1);
        ids.release(id(9));
        assert_eq!(ids.in_use(), 0);
        assert_eq!(all(&mut ids), [1, 2]);
    }

    #[test]
    fn releasing_what_was_never_handed_out_changes_nothing() {
        let mut ids = Ids::new(3);
        ids.release(id(1));
        assert_eq!(ids.allocate(), Some(id(1)));
        ids.release(id(2));
        assert_eq!(ids.in_use(), 1);
        assert_eq!(all(&mut ids), [2, 3]);
    }

    #[test]
    fn no_identifier_is_handed_out_twice() {
        for seed in 0..8 {
            let mut random = Random::new(seed);
            let limit = [5, 40, 100, u16::MAX][seed as usize % 4];
            let mut ids = Ids::new(limit);
            let mut taken = BTreeSet::new();
            for _ in 0..4_000 {
                match random.below(5) {
                    0 | 1 => match ids.allocate() {
                        Some(id) => assert!(taken.insert(id), "seed {seed}"),
                        None => assert_eq!(taken.len(), usize::from(limit), "seed {seed}"),
                    },
                    2 | 3 => {
                        let place = random.below(taken.len().max(1) as u64) as usize;
                        if let Some(id) = taken.iter().copied().nth(place) {
                            taken.remove(&id);
                            ids.release(id);
                        }
                    }
                    _ => {
                        let id = id(1 + random.below(u64::from(limit)).min(299) as u16);
                        assert_eq!(ids.reserve(id), taken.insert(id), "seed {seed}");
                    }
                }
                assert_eq!(usize::from(ids.in_use()), taken.len(), "seed {seed}");
            }
        }
    }
}
