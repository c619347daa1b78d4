//! A client that subscribes: what has come, and what is missing.

use super::frames::Stamp;

/// Who else there is.
pub(super) const FOREIGN: &str = "a message comes that this run has not sent: another one uses the same --topic";

/// A client that subscribes.
pub(super) struct Subscriber {
    pub(super) topic: usize,
    /// The next number of each publisher of its topic; empty if payloads carry none.
    next: Vec<u64>,
    run: u64,
    /// How many messages have come.
    pub(super) received: u64,
    /// Those of them that had come before, or came behind a later one.
    pub(super) repeated: u64,
    /// How many have come or will not, as later ones have.
    pub(super) passed: u64,
}

impl Subscriber {
    pub(super) fn new(topic: usize, publishers: usize, run: u64) -> Self {
        Self {
            topic,
            next: vec![0; publishers],
            run,
            received: 0,
            repeated: 0,
            passed: 0,
        }
    }

    /// A message without a number has come.
    pub(super) fn receive(&mut self) {
        self.received += 1;
        self.passed += 1;
    }

    /// A message with this number has come. Whether it is new.
    pub(super) fn receive_stamped(&mut self, stamp: Stamp) -> Result<bool, String> {
        let publisher = usize::try_from(stamp.publisher).unwrap_or(usize::MAX);
        let Some(next) = self.next.get_mut(publisher) else {
            return Err(FOREIGN.to_owned());
        };
        if stamp.run.is_some_and(|run| run != self.run) {
            return Err(FOREIGN.to_owned());
        }
        self.received += 1;
        // The number goes round after 2^32; half of that is behind, half is ahead.
        let ahead = stamp.number.wrapping_sub(*next as u32);
        if ahead > u32::MAX / 2 {
            self.repeated += 1;
            return Ok(false);
        }
        *next += u64::from(ahead) + 1;
        self.passed += u64::from(ahead) + 1;
        Ok(true)
    }

    /// Whether no more has come than was sent.
    pub(super) fn check(&self, sent: u64) -> Result<(), String> {
        match self.passed > sent {
            true => Err(FOREIGN.to_owned()),
            false => Ok(()),
        }
    }

    /// How many different messages have come in their order.
    pub(super) const fn delivered(&self) -> u64 {
        self.received - self.repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_passed_and_not_delivered() {
        let mut subscriber = Subscriber::new(0, 2, 9);
        let mut receive = |publisher, number| {
            subscriber.receive_stamped(Stamp {
                nanos: 0,
                number,
                publisher,
                run: Some(9),
            })
        };
        assert_eq!(receive(0, 0), Ok(true));
        assert_eq!(receive(1, 0), Ok(true));
        assert_eq!(receive(0, 3), Ok(true));
        assert_eq!(receive(0, 3), Ok(false));
        assert_eq!(receive(0, 1), Ok(false));
        assert!(receive(2, 0).is_err());
        assert_eq!((subscriber.delivered(), subscriber.passed), (3, 5));
    }

    #[test]
    fn what_another_run_has_sent_is_told_and_not_counted() {
        let mut subscriber = Subscriber::new(0, 1, 9);
        let foreign = Stamp {
            nanos: 0,
            number: 0,
            publisher: 0,
            run: Some(8),
        };
        assert_eq!(subscriber.receive_stamped(foreign), Err(FOREIGN.to_owned()));
        assert_eq!((subscriber.received, subscriber.passed), (0, 0));
        subscriber.receive();
        assert_eq!(subscriber.check(1), Ok(()));
        assert_eq!(subscriber.check(0), Err(FOREIGN.to_owned()));
    }

    #[test]
    fn numbers_go_round() {
        let mut subscriber = Subscriber::new(0, 1, 9);
        subscriber.next[0] = u64::from(u32::MAX);
        for number in [u32::MAX, 0, 1] {
            assert_eq!(
                subscriber.receive_stamped(Stamp {
                    nanos: 0,
                    number,
                    publisher: 0,
                    run: None,
                }),
                Ok(true)
            );
        }
        assert_eq!((subscriber.next[0], subscriber.passed), (u64::from(u32::MAX) + 3, 3));
    }
}
