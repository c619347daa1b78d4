//! Topics that are drawn for each message.

use std::ops::Range;

use super::arguments::BenchArguments;

/// So many topics, and who has subscribed to which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawing<'a> {
    prefix: &'a str,
    topics: u32,
    /// How many share the topics, in turn.
    subscribers: u32,
    seed: u64,
}

impl<'a> Drawing<'a> {
    /// If topics are to be drawn.
    pub(super) fn of(arguments: &'a BenchArguments) -> Option<Self> {
        Some(Self {
            prefix: &arguments.topic,
            topics: arguments.random_topics?,
            subscribers: arguments.subscribers,
            seed: arguments.seed,
        })
    }

    /// How many parts the topics have: each is a subscriber's.
    pub(super) fn parts(&self) -> u32 {
        self.subscribers.max(1)
    }

    /// The topics of a part.
    pub(super) fn filters(&self, part: u32) -> Vec<String> {
        let own = (part..self.topics).step_by(self.parts() as usize);
        own.map(|number| self.topic(number)).collect()
    }

    /// The first topic; the others differ from it by the digits at its end.
    pub(super) fn first(&self) -> String {
        self.topic(0)
    }

    /// With how many digits a topic ends: all have the same length.
    pub(super) fn digits(&self) -> usize {
        self.topics.saturating_sub(1).checked_ilog10().unwrap_or(0) as usize + 1
    }

    fn topic(&self, number: u32) -> String {
        let digits = self.digits();
        format!("{}/{number:0digits$}", self.prefix)
    }

    /// What a publisher draws. Each has its own sequence.
    pub(super) fn draws(&self, publisher: u32) -> Draws {
        Draws {
            random: fastrand::Rng::with_seed(self.seed.wrapping_add(u64::from(publisher))),
            topics: self.topics,
            sent: vec![0; self.parts() as usize],
        }
    }
}

/// What one publisher draws, and how many of its messages have gone to which part.
#[derive(Debug)]
pub(super) struct Draws {
    random: fastrand::Rng,
    topics: u32,
    sent: Vec<u32>,
}

/// A message before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    /// The number of its topic.
    pub(super) topic: u32,
    /// Whose topic it is.
    pub(super) part: usize,
    /// The how manieth it is of this publisher to this part. It goes round.
    pub(super) number: u32,
}

impl Draws {
    /// For the next message.
    pub(super) fn next(&mut self) -> Drawn {
        let topic = self.random.u32(..self.topics);
        // There are fewer parts than topics.
        let part = topic as usize % self.sent.len();
        let number = self.sent[part];
        self.sent[part] = number.wrapping_add(1);
        Drawn { topic, part, number }
    }

    /// All parts.
    pub(super) fn parts(&self) -> Range<usize> {
        0..self.sent.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn drawing(topics: u32, subscribers: u32) -> Drawing<'static> {
        Drawing {
            prefix: "bench",
            topics,
            subscribers,
            seed: 7,
        }
    }

    #[test]
    fn the_parts_have_each_topic_once_and_all_are_as_long() {
        for (topics, subscribers, last) in [(1, 1, "bench/0"), (10, 3, "bench/9"), (101, 7, "bench/100")] {
            let drawing = drawing(topics, subscribers);
            let mut all: Vec<String> = (0..subscribers).flat_map(|part| drawing.filters(part)).collect();
            all.sort();
            all.dedup();
            assert_eq!((all.len(), all[all.len() - 1].as_str()), (topics as usize, last));
            assert!(all.iter().all(|topic| topic.len() == drawing.first().len()));
        }
    }

    #[test]
    fn topics_are_drawn_evenly_by_the_seed_and_go_to_who_has_them() {
        let drawing = drawing(10, 3);
        let (mut draws, mut again, mut other) = (drawing.draws(0), drawing.draws(0), drawing.draws(1));
        let (mut counts, mut numbers, mut differ) = (HashMap::new(), [0; 3], 0);
        for _ in 0..10_000 {
            let drawn = draws.next();
            assert_eq!(drawn, again.next());
            differ += u32::from(drawn.topic != other.next().topic);
            assert_eq!(drawn.number, numbers[drawn.part]);
            numbers[drawn.part] += 1;
            assert!(drawing.filters(drawn.part as u32).contains(&drawing.topic(drawn.topic)));
            *counts.entry(drawn.topic).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 10);
        assert!(counts.values().all(|count| (800..1200).contains(count)), "{counts:?}");
        assert!(differ > 5000);
    }
}
