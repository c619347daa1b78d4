//! What a driver may do and need not, and what he may not do: nothing comes of it.

use mqtt_session::Instant;

use super::script::{Act, CLIENTS};
use super::stage::{Link, Stage};

impl Stage {
    /// Some of what need not be, before or after an act.
    pub(super) fn meddle(&mut self, coming: &[Act]) {
        for _ in 0..self.draw(6) {
            if self.manners.splits {
                self.bring_early(coming);
            }
            if self.manners.polls {
                self.poll_anything();
            }
            if self.manners.misuses {
                let choice = self.draw(16);
                self.misuse(choice);
            }
        }
    }

    /// A part of the next packet of a client comes before its turn.
    fn bring_early(&mut self, coming: &[Act]) {
        let who = self.draw(CLIENTS);
        let of_client = |act: &&Act| match act {
            Act::Connect(other, _) | Act::Answer(other) | Act::Cut(other) | Act::Expel(other) => *other == who,
            Act::Say(other, _) => *other == who,
            Act::Publish(..) | Act::Policy | Act::Pass(_) => false,
        };
        let (Some(link), Some(Act::Say(_, say))) = (self.streams[who], coming.iter().find(of_client)) else {
            return;
        };
        let mut bytes = Vec::new();
        let packet = say.packet(self.links[link].version);
        packet.encode_to(self.links[link].version, &mut bytes).unwrap();
        let early = self.links[link].early;
        // Its last byte comes in its turn.
        let more = self.draw(bytes.len() - early);
        self.links[link].held.extend_from_slice(&bytes[early..early + more]);
        self.links[link].early += more;
        self.feed(link);
    }

    fn poll_anything(&mut self) {
        match self.draw(8) {
            0 | 1 if !self.links.is_empty() => {
                let link = self.draw(self.links.len());
                self.transmit(link);
            }
            2 => {
                self.broker.poll_ready();
            }
            3 => {
                self.take_event();
            }
            4 => {
                self.take_store();
            }
            5 => assert_eq!(self.broker.poll_timeout(), self.broker.poll_timeout()),
            6 => {
                let of = |link: &Link| (self.broker.input_room(link.id), self.broker.is_drained(link.id));
                let asked: Vec<_> = self.links.iter().map(of).collect();
                assert_eq!(asked, self.links.iter().map(of).collect::<Vec<_>>());
            }
            _ => assert_eq!(self.broker.figures(), self.broker.figures()),
        }
    }

    /// The time as the driver tells it.
    pub(super) fn told_now(&mut self) -> Instant {
        if !self.manners.turns_back {
            return self.now;
        }
        match self.draw(3) {
            0 => Instant::ZERO,
            1 => Instant::from_micros(self.now.as_micros() - 1),
            _ => self.now,
        }
    }

    /// A number below this one.
    pub(super) fn draw(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % below.max(1) as u64).unwrap()
    }
}
