//! The negative controls: one rule flipped on our side, from outside. A run with a flip has to find it.

use mqtt_proto::{DecodeError, Policy, Rules, Version};

use crate::normal::Packet;
use crate::verdict::{OurVerdict, Verdict};

/// What is flipped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flip {
    /// A stricter policy: control characters are refused.
    StricterPolicy,
    /// More lenient rules: those of MQTT 3.1 where MQTT 3.1.1 is spoken.
    OlderVersion,
    /// A field that is read wrong: RETAIN of a PUBLISH is lost.
    RetainLost,
    /// Every hundredth valid packet is refused, for the reason for which another one was refused.
    BorrowedRefusal { last: Option<DecodeError>, valid: u32 },
    /// A class of differences that is left out of the tables.
    WithoutClass(&'static str),
}

impl Flip {
    pub(crate) const fn all() -> [Self; 7] {
        [
            Self::StricterPolicy,
            Self::OlderVersion,
            Self::RetainLost,
            Self::BorrowedRefusal { last: None, valid: 0 },
            Self::WithoutClass("trailing bytes"),
            Self::WithoutClass("CONNECT of another version"),
            Self::WithoutClass("empty user name or password"),
        ]
    }

    pub(crate) fn rules(&self, rules: &mut Rules) {
        match self {
            Self::StricterPolicy => *rules = rules.policy(Policy::relay()),
            Self::OlderVersion if rules.version == Version::V3_1_1 => *rules = Rules::new(Version::V3_1),
            _ => {}
        }
    }

    pub(crate) fn verdict(&mut self, ours: &mut OurVerdict) {
        match self {
            Self::RetainLost => {
                if let Verdict::Accepted {
                    packet: Packet::Publish(publish),
                    ..
                } = ours
                {
                    publish.retain = false;
                }
            }
            Self::BorrowedRefusal { last, valid } => match (&*ours, *last) {
                (Verdict::Refused(error), _) => *last = Some(*error),
                (Verdict::Accepted { .. }, Some(error)) => {
                    *valid += 1;
                    if valid.is_multiple_of(100) {
                        *ours = Verdict::Refused(error);
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    pub(crate) const fn class_left_out(&self) -> Option<&'static str> {
        match self {
            Self::WithoutClass(class) => Some(class),
            _ => None,
        }
    }
}
