//! The independent codecs: each behind one function that decodes and one that encodes again.

mod mqtt_proto;
mod protocol_core;
mod rumqttc;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::verdict::{TheirVerdict, Verdict};

/// An independent codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    MqttProto,
    Rumqttc,
    ProtocolCore,
}

/// A version that all of them speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V3_1_1,
    V5,
}

impl Version {
    pub(crate) const ALL: [Self; 2] = [Self::V3_1_1, Self::V5];

    pub(crate) const fn level(self) -> u8 {
        match self {
            Self::V3_1_1 => 4,
            Self::V5 => 5,
        }
    }

    pub(crate) const fn ours(self) -> ::mqtt_proto::Version {
        match self {
            Self::V3_1_1 => ::mqtt_proto::Version::V3_1_1,
            Self::V5 => ::mqtt_proto::Version::V5,
        }
    }
}

impl Peer {
    pub(crate) const ALL: [Self; 3] = [Self::MqttProto, Self::Rumqttc, Self::ProtocolCore];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::MqttProto => "mqtt-proto 0.4.0",
            Self::Rumqttc => "rumqttc 0.25.1",
            Self::ProtocolCore => "mqtt-protocol-core 0.7.9",
        }
    }

    /// Decodes the packet at the start of the bytes.
    pub(crate) fn judge(self, version: Version, bytes: &[u8]) -> TheirVerdict {
        let decode = match (self, version) {
            (Self::MqttProto, Version::V3_1_1) => mqtt_proto::v3::judge,
            (Self::MqttProto, Version::V5) => mqtt_proto::v5::judge,
            (Self::Rumqttc, Version::V3_1_1) => rumqttc::v4::judge,
            (Self::Rumqttc, Version::V5) => rumqttc::v5::judge,
            (Self::ProtocolCore, Version::V3_1_1) => protocol_core::v3::judge,
            (Self::ProtocolCore, Version::V5) => protocol_core::v5::judge,
        };
        guarded(|| decode(bytes)).unwrap_or_else(Verdict::Panicked)
    }

    /// Decodes a packet and encodes it again, if the peer can do both.
    pub(crate) fn reencode(self, version: Version, bytes: &[u8]) -> Option<Vec<u8>> {
        let encode = match (self, version) {
            (Self::MqttProto, Version::V3_1_1) => mqtt_proto::v3::reencode,
            (Self::MqttProto, Version::V5) => mqtt_proto::v5::reencode,
            (Self::Rumqttc, Version::V3_1_1) => rumqttc::v4::reencode,
            (Self::Rumqttc, Version::V5) => rumqttc::v5::reencode,
            (Self::ProtocolCore, Version::V3_1_1) => protocol_core::v3::reencode,
            (Self::ProtocolCore, Version::V5) => protocol_core::v5::reencode,
        };
        guarded(|| encode(bytes)).ok().flatten()
    }
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the messages of panics for the verdicts, off the terminal.
pub(crate) fn keep_panics_quiet() {
    let standard = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let place = info
            .location()
            .map_or_else(String::new, |place| format!(" ({}:{})", place.file(), place.line()));
        // A panic of this program itself is told as usual.
        if place.contains("registry") || place.contains("library/") {
            let message = info.payload_as_str().unwrap_or("a panic without a message");
            PANIC.with_borrow_mut(|kept| *kept = format!("{message}{}", last_part(&place)));
        } else {
            standard(info);
        }
    }));
}

/// Only the end of a path: where a registry lies differs between machines.
fn last_part(place: &str) -> String {
    let parts: Vec<&str> = place.trim_matches([' ', '(', ')']).rsplit('/').take(3).collect();
    format!(" ({})", parts.into_iter().rev().collect::<Vec<_>>().join("/"))
}

fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| PANIC.with_borrow(Clone::clone))
}
