//! What goes by on the streams of a simulation: messages with the time that is left to them, and windows.

use mqtt_session::Instant;
use mqtt_session::proto::{Decoded, Packet, Role, Rules, Version, decode};

use super::links::Link;
use super::watch::number_in;
use crate::frame::Frame;

/// A message that has come to a machine, or has left it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing {
    pub(super) number: u64,
    pub(super) at: Instant,
    /// The interval that it says.
    pub(super) expiry: Option<u32>,
    pub(super) way: Way,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To a machine.
    In,
    /// From a machine to another one, which may also be told that its time is over.
    Across,
    /// From a machine to a client. `tells`: it can say an interval. `again`: it was sent before.
    Out { tells: bool, again: bool },
}

/// What was seen, and not looked at.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) passing: Vec<Passing>,
    pub(super) faults: Vec<String>,
    /// How often a window was full, and how often an identifier was lower than the one before.
    pub(super) windows_full: u64,
    pub(super) wraps: u64,
}

impl Traffic {
    /// The broker has read this of a client.
    pub(super) fn read(&mut self, link: &mut Link, mut bytes: &[u8], at: Instant) {
        while let Some(frame) = Frame::read(bytes).filter(|frame| frame.len <= bytes.len()) {
            match (frame.first >> 4, frame.body) {
                (1, _) => link.receive_maximum = receive_maximum(&bytes[..frame.len], link.version),
                (3, _) => self.publish(link.version, Role::Client, &bytes[..frame.len], at),
                (4 | 7, [high, low, ..]) => {
                    link.unacknowledged.remove(&u16::from_be_bytes([*high, *low]));
                }
                (5, [high, low, reason, ..]) if *reason >= 0x80 => {
                    link.unacknowledged.remove(&u16::from_be_bytes([*high, *low]));
                }
                _ => {}
            }
            bytes = &bytes[frame.len..];
        }
    }

    /// The broker has sent this to a client.
    pub(super) fn wrote(&mut self, link: &mut Link, mut bytes: &[u8], at: Instant) {
        while let Some(frame) = Frame::read(bytes).filter(|frame| frame.len <= bytes.len()) {
            if frame.first >> 4 == 3 {
                self.publish(link.version, Role::Server, &bytes[..frame.len], at);
                self.window(link, frame);
            }
            bytes = &bytes[frame.len..];
        }
    }

    fn publish(&mut self, version: Version, sender: Role, bytes: &[u8], at: Instant) {
        let rules = Rules::new(version).sent_by(sender);
        let Ok(Decoded::Packet {
            packet: Packet::Publish(publish),
            ..
        }) = decode(bytes, &rules)
        else {
            return;
        };
        let Some(number) = number_in(&String::from_utf8_lossy(publish.payload)) else {
            return;
        };
        let way = match sender {
            Role::Client => Way::In,
            Role::Server => Way::Out {
                tells: version.has_properties(),
                again: bytes[0] & 8 != 0,
            },
        };
        let expiry = publish.properties.message_expiry();
        self.passing.push(Passing {
            number,
            at,
            expiry,
            way,
        });
    }

    /// No more messages are on their way than the client takes at once.
    fn window(&mut self, link: &mut Link, frame: Frame<'_>) {
        if frame.first & 6 == 0 {
            return;
        }
        let [high, low, rest @ ..] = frame.body else { return };
        let topic = usize::from(u16::from_be_bytes([*high, *low]));
        let Some([high, low]) = rest.get(topic..topic + 2) else {
            return;
        };
        let identifier = u16::from_be_bytes([*high, *low]);
        let is_again = frame.first & 8 != 0;
        link.unacknowledged.insert(identifier);
        let (most, now) = (usize::from(link.receive_maximum), link.unacknowledged.len());
        if now > most {
            let id = link.id;
            self.faults
                .push(format!("{now} messages are on their way to {id:?}, which takes {most}"));
        }
        self.windows_full += u64::from(now == most);
        self.wraps += u64::from(!is_again && identifier < link.last_identifier);
        link.last_identifier = identifier;
    }
}

/// What CONNECT says of it.
fn receive_maximum(connect: &[u8], version: Version) -> u16 {
    let rules = Rules::new(version).sent_by(Role::Client);
    match decode(connect, &rules) {
        Ok(Decoded::Packet {
            packet: Packet::Connect(connect),
            ..
        }) => connect
            .properties
            .receive_maximum()
            .map_or(u16::MAX, core::num::NonZeroU16::get),
        _ => u16::MAX,
    }
}
