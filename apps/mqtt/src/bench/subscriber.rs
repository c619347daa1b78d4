//! A client that subscribes: what has come, and what is missing.

use super::frames::Stamp;
use super::seen::Seen;

/// Who else there is.
pub(super) const FOREIGN: &str = "a message comes that this run has not sent: another one uses the same --topic";

/// A client that subscribes.
pub(super) struct Subscriber {
    pub(super) topic: usize,
    /// Of each publisher of its topic; empty if payloads carry no numbers.
    seen: Vec<Seen>,
    run: u64,
    /// How many messages have come.
    pub(super) received: u64,
    /// Those of them that had come before, or came too late.
    pub(super) repeated: u64,
    /// How many have come or will not, as later ones have.
    pub(super) passed: u64,
}

impl Subscriber {
    pub(super) fn new(topic: usize, seen: Vec<Seen>, run: u64) -> Self {
        Self {
            topic,
            seen,
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
        let Some(seen) = self.seen.get_mut(publisher) else {
            return Err(FOREIGN.to_owned());
        };
        if stamp.run.is_some_and(|run| run != self.run) {
            return Err(FOREIGN.to_owned());
        }
        self.received += 1;
        let noted = seen.note(stamp.number);
        match noted {
            Some(passed) => self.passed += passed,
            None => self.repeated += 1,
        }
        Ok(noted.is_some())
    }

    /// Whether no more has come than was sent.
    pub(super) fn check(&self, sent: u64) -> Result<(), String> {
        match self.passed > sent {
            true => Err(FOREIGN.to_owned()),
            false => Ok(()),
        }
    }

    /// How many different messages have come.
    pub(super) const fn delivered(&self) -> u64 {
        self.received - self.repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_passed_and_not_delivered() {
        let mut subscriber = Subscriber::new(0, vec![Seen::in_order(); 2], 9);
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
        let mut subscriber = Subscriber::new(0, vec![Seen::in_order()], 9);
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
}
