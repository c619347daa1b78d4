//! Which messages of a publisher have come to a subscriber.

/// Where order is not promised: a message that comes so many behind a later one counts as one that does not come.
const SPAN: u64 = 16_384;
const BITS: u64 = u64::BITS as u64;

/// Which messages of one publisher have come to one subscriber, by their numbers.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Behind the highest number that has come.
    next: u64,
    /// A bit for each of the last numbers, round and round; empty where they come in their order.
    came: Vec<u64>,
}

impl Seen {
    /// Of one topic, whose messages keep their order.
    pub(super) const fn in_order() -> Self {
        Self {
            next: 0,
            came: Vec::new(),
        }
    }

    /// Of several topics, which may overtake each other.
    pub(super) fn in_any_order() -> Self {
        Self {
            next: 0,
            // What is before the first number is not waited for.
            came: vec![u64::MAX; (SPAN / BITS) as usize],
        }
    }

    /// A message has come. Of how many messages is known by that that they have come or will not, itself included; `None` if it has
    /// come before, or too late.
    pub(super) fn note(&mut self, number: u32) -> Option<u64> {
        // The number goes round after 2^32; half of that is behind, half is ahead.
        let ahead = number.wrapping_sub(self.next as u32);
        if ahead > u32::MAX / 2 {
            let behind = u64::from(ahead.wrapping_neg());
            return self.note_late(self.next.checked_sub(behind)?, behind);
        }
        let first = self.next;
        self.next += u64::from(ahead) + 1;
        if self.came.is_empty() {
            return Some(self.next - first);
        }
        let kept_from = first.max(self.next.saturating_sub(SPAN));
        let gone: u64 = (kept_from..self.next).map(|number| u64::from(!self.take(number))).sum();
        self.set(self.next - 1);
        Some(kept_from - first + gone + 1)
    }

    fn note_late(&mut self, number: u64, behind: u64) -> Option<u64> {
        if self.came.is_empty() || behind > SPAN || self.has(number) {
            return None;
        }
        self.set(number);
        Some(1)
    }

    fn has(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.came[word] & bit != 0
    }

    fn set(&mut self, number: u64) {
        let (word, bit) = place(number);
        self.came[word] |= bit;
    }

    /// Makes room for a number. Whether the one that had its place has come.
    fn take(&mut self, number: u64) -> bool {
        let had = self.has(number);
        let (word, bit) = place(number);
        self.came[word] &= !bit;
        had
    }
}

/// The word and the bit of a number.
const fn place(number: u64) -> (usize, u64) {
    let at = number % SPAN;
    ((at / BITS) as usize, 1 << (at % BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_what_comes_behind_a_later_one_is_a_repetition() {
        let mut seen = Seen::in_order();
        let noted = [0, 3, 3, 1, 4].map(|number| seen.note(number));
        assert_eq!(noted, [Some(1), Some(3), None, None, Some(1)]);
    }

    #[test]
    fn in_any_order_each_number_counts_once() {
        let mut seen = Seen::in_any_order();
        let noted = [3, 0, 1, 1, 3, 2, 4, 0].map(|number| seen.note(number));
        assert_eq!(noted, [Some(1), Some(1), Some(1), None, None, Some(1), Some(1), None]);
    }

    #[test]
    fn what_falls_too_far_behind_is_passed_and_comes_no_more() {
        let span = SPAN as u32;
        let mut seen = Seen::in_any_order();
        assert_eq!(seen.note(1), Some(1));
        // 0 can still come, and 1 has.
        assert_eq!(seen.note(span - 1), Some(1));
        assert_eq!(seen.note(span + 1), Some(2), "0 is given up");
        assert_eq!(seen.note(0), None);
        assert_eq!(seen.note(2), Some(1));
        // Far ahead, all that was waited for and all between is given up, but for the five that have been counted.
        let far = 5 * span;
        assert_eq!(seen.note(far), Some(u64::from(far - span + 1) - 5 + 1));
        assert_eq!(seen.note(far - span), None);
        assert_eq!(seen.note(far - span + 1), Some(1));
    }

    #[test]
    fn numbers_go_round() {
        let mut seen = Seen::in_order();
        seen.next = u64::from(u32::MAX);
        assert_eq!([u32::MAX, 0, 1].map(|number| seen.note(number)), [Some(1); 3]);
        assert_eq!(seen.next, u64::from(u32::MAX) + 3);
    }

    #[test]
    fn numbers_go_round_in_any_order_too() {
        let mut seen = Seen::in_any_order();
        seen.next = u64::from(u32::MAX);
        let noted = [1, u32::MAX, 0, u32::MAX].map(|number| seen.note(number));
        assert_eq!(noted, [Some(1), Some(1), Some(1), None]);
        assert_eq!(seen.next, u64::from(u32::MAX) + 3);
    }
}
