//! Numbers that look random and follow from a seed.

/// A generator whose seed is an input, so that a run can be repeated to the byte on every platform.
///
/// It spreads reconnects and names things. It is not for secrets: who sees a few numbers knows the rest.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// Every seed is as good as another, 0 included.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number: SplitMix64, a counter with a strong mixing step.
    #[inline]
    pub(crate) const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`, and 0 if `n` is 0.
    ///
    /// Some numbers are likelier than others by `n` / 2^64, which nothing here can notice.
    #[inline]
    pub(crate) const fn below(&mut self, n: u64) -> u64 {
        let scaled = (self.next_u64() as u128).wrapping_mul(n as u128);
        (scaled >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        let numbers: [u64; 5] = core::array::from_fn(|_| random.next_u64());
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn numbers_below_a_bound_cover_it_evenly() {
        let mut random = Random::new(0);
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            counts[random.below(10) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn bounds_at_the_edges_are_kept() {
        let mut random = Random::new(7);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.below(1), 0);
        let mut upper_half = false;
        for _ in 0..64 {
            upper_half |= random.below(u64::MAX) > u64::MAX / 2;
        }
        assert!(upper_half);
    }

    #[test]
    fn a_clone_repeats_its_original() {
        let mut random = Random::new(99);
        random.next_u64();
        let mut clone = random.clone();
        assert_eq!(random.next_u64(), clone.next_u64());
    }
}
