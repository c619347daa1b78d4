//! A client that publishes: its window, and its times.

use std::ops::Range;

use mqtt_tokio::session::proto::QoS;

use super::drawing::{Drawn, Draws};
use super::frames::{Frame, PUBACK, PUBCOMP, PUBREC, PUBREL, Stamp, push_ack};

/// The first reason code that says that something went wrong.
const FIRST_FAILURE: u8 = 0x80;

/// A client that publishes.
pub(super) struct Publisher {
    /// Its connection.
    pub(super) client: usize,
    aim: Aim,
    /// The how manieth publisher of its topic it is.
    index: u32,
    pub(super) frame: Frame,
    window: Window,
    run: u64,
    /// How many messages it has sent.
    pub(super) sent: u64,
}

/// Where messages go.
#[derive(Debug)]
pub(super) enum Aim {
    /// To one topic.
    At(usize),
    /// To one of many, drawn for each message, that end with so many digits.
    Drawn(Draws, usize),
}

/// What an acknowledgement has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nothing yet.
    Nothing,
    /// A message that was due at this time.
    Acknowledged(u64),
    /// One that the server does not take.
    Refused(u8),
}

impl Publisher {
    pub(super) fn new(
        client: usize,
        (aim, index): (Aim, u32),
        frame: Frame,
        (qos, window): (QoS, u16),
        run: u64,
    ) -> Self {
        Self {
            client,
            aim,
            index,
            frame,
            window: Window::new(qos, window),
            run,
            sent: 0,
        }
    }

    /// How many messages may be sent before another is acknowledged.
    pub(super) fn room(&self) -> usize {
        match self.window.qos {
            QoS::AtMostOnce => usize::MAX,
            _ => self.window.free.len(),
        }
    }

    /// How many messages are not acknowledged.
    pub(super) fn open(&self) -> usize {
        self.window.due.len() - self.window.free.len()
    }

    /// What it may send to.
    pub(super) fn topics(&self) -> Range<usize> {
        match &self.aim {
            Aim::At(topic) => *topic..*topic + 1,
            Aim::Drawn(draws, _) => draws.parts(),
        }
    }

    /// Appends the next message, which is due at this time, and says where it goes. There has to be room.
    pub(super) fn push(&mut self, nanos: u64, out: &mut Vec<u8>) -> usize {
        let id = self.window.take(nanos).unwrap_or(0);
        let stamp = |number| Stamp {
            nanos,
            number,
            publisher: self.index,
            run: Some(self.run),
        };
        let topic = match &mut self.aim {
            Aim::At(topic) => {
                // Numbers go round; no subscriber is so far behind.
                self.frame.push(out, id, stamp(self.sent as u32));
                *topic
            }
            Aim::Drawn(draws, digits) => {
                let Drawn { topic, part, number } = draws.next();
                self.frame.push_numbered(out, (topic, *digits), id, stamp(number));
                part
            }
        };
        self.sent += 1;
        topic
    }

    /// Hears an acknowledgement, and answers it.
    pub(super) fn acknowledged(&mut self, first: u8, id: u16, reason: u8, out: &mut Vec<u8>) -> Result<Ended, String> {
        let qos = self.window.qos;
        let state = self.window.state(id).ok_or_else(|| unknown(first, id))?;
        let expected = match *state {
            State::Sent if qos == QoS::AtLeastOnce => PUBACK,
            State::Sent => PUBREC,
            State::Released => PUBCOMP,
            State::Free => return Err(unknown(first, id)),
        };
        if first != expected {
            return Err(unknown(first, id));
        }
        let is_failure = reason >= FIRST_FAILURE;
        if first == PUBREC && !is_failure {
            *state = State::Released;
            push_ack(out, PUBREL, id);
            return Ok(Ended::Nothing);
        }
        let due = self.window.give_back(id);
        Ok(match is_failure {
            true => Ended::Refused(reason),
            false => Ended::Acknowledged(due),
        })
    }
}

fn unknown(first: u8, id: u16) -> String {
    format!("the server acknowledges (0x{first:02X}) message {id}, which does not wait for that")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Sent,
    Released,
}

/// The identifiers of one publisher.
struct Window {
    qos: QoS,
    free: Vec<u16>,
    states: Vec<State>,
    /// When the message with an identifier was due.
    due: Vec<u64>,
}

impl Window {
    fn new(qos: QoS, len: u16) -> Self {
        let len = if qos == QoS::AtMostOnce { 0 } else { len };
        Self {
            qos,
            free: (1..=len).rev().collect(),
            states: vec![State::Free; usize::from(len)],
            due: vec![0; usize::from(len)],
        }
    }

    fn take(&mut self, nanos: u64) -> Option<u16> {
        let id = self.free.pop()?;
        let at = usize::from(id) - 1;
        self.states[at] = State::Sent;
        self.due[at] = nanos;
        Some(id)
    }

    fn state(&mut self, id: u16) -> Option<&mut State> {
        self.states.get_mut(usize::from(id).checked_sub(1)?)
    }

    fn give_back(&mut self, id: u16) -> u64 {
        let at = usize::from(id) - 1;
        self.states[at] = State::Free;
        self.free.push(id);
        self.due[at]
    }
}

#[cfg(test)]
mod tests {
    use mqtt_tokio::session::proto::Version;

    use super::*;

    fn publisher(qos: QoS) -> Publisher {
        let frame = Frame::new("bench/0", qos, false, 64, Version::V5).unwrap();
        Publisher::new(0, (Aim::At(0), 0), frame, (qos, 2), 9)
    }

    #[test]
    fn a_window_is_full_until_the_last_acknowledgement_of_a_message() {
        let (mut publisher, mut out) = (publisher(QoS::ExactlyOnce), Vec::new());
        publisher.push(5, &mut out);
        publisher.push(6, &mut out);
        assert_eq!((publisher.room(), publisher.open()), (0, 2));
        out.clear();
        assert_eq!(publisher.acknowledged(PUBREC, 1, 0, &mut out), Ok(Ended::Nothing));
        assert_eq!((publisher.room(), out.as_slice()), (0, &[PUBREL, 2, 0, 1][..]));
        assert_eq!(
            publisher.acknowledged(PUBCOMP, 1, 0, &mut out),
            Ok(Ended::Acknowledged(5))
        );
        assert_eq!((publisher.room(), publisher.open()), (1, 1));
        assert_eq!(
            publisher.acknowledged(PUBREC, 2, 0x97, &mut out),
            Ok(Ended::Refused(0x97))
        );
    }

    #[test]
    fn an_acknowledgement_that_nothing_waits_for_is_an_error() {
        let (mut publisher, mut out) = (publisher(QoS::AtLeastOnce), Vec::new());
        publisher.push(5, &mut out);
        for (first, id) in [(PUBREC, 1), (PUBACK, 2), (PUBACK, 0), (PUBACK, 9)] {
            assert!(
                publisher.acknowledged(first, id, 0, &mut out).is_err(),
                "{first:x} {id}"
            );
        }
        assert_eq!(
            publisher.acknowledged(PUBACK, 1, 0x10, &mut out),
            Ok(Ended::Acknowledged(5))
        );
    }

    #[test]
    fn qos_0_has_no_window() {
        let mut publisher = publisher(QoS::AtMostOnce);
        publisher.push(5, &mut Vec::new());
        assert_eq!((publisher.room(), publisher.open(), publisher.sent), (usize::MAX, 0, 1));
    }
}
