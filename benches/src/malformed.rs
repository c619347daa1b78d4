//! Packets that the specification forbids, and who accepts them all the same.

use std::fmt::Write;
use std::panic;

use crate::label::label;
use crate::peers::{self, Judge, Verdict};
use crate::value::Protocol;

/// A packet and the statement that it breaks; none if it breaks none.
struct Case {
    fault: &'static str,
    statement: &'static str,
    frame: &'static [u8],
}

const fn case(fault: &'static str, statement: &'static str, frame: &'static [u8]) -> Case {
    Case {
        fault,
        statement,
        frame,
    }
}

/// Valid packets come first: a judge that refuses those would look strict.
const V3: &[Case] = &[
    case("valid PUBLISH", "", b"\x32\x07\x00\x03a/b\x00\x01"),
    case("valid PUBACK", "", b"\x40\x02\x00\x01"),
    case("valid CONNECT", "", b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"),
    case("valid CONNACK", "", b"\x20\x02\x01\x00"),
    case("valid SUBSCRIBE", "", b"\x82\x08\x00\x01\x00\x03a/#\x01"),
    case("PUBLISH: QoS 3", "MQTT-3.3.1-4", b"\x36\x07\x00\x03a/b\x00\x01"),
    case("PUBLISH: DUP with QoS 0", "MQTT-3.3.1-2", b"\x38\x05\x00\x03a/b"),
    case(
        "PUBLISH: packet identifier 0",
        "MQTT-2.3.1-1",
        b"\x32\x07\x00\x03a/b\x00\x00",
    ),
    case("PUBLISH: empty topic", "MQTT-4.7.3-1", b"\x30\x02\x00\x00"),
    case(
        "PUBLISH: U+0000 in the topic",
        "MQTT-1.5.3-2",
        b"\x30\x05\x00\x03a\x00b",
    ),
    case(
        "PUBLISH: ill-formed UTF-8 in the topic",
        "MQTT-1.5.3-1",
        b"\x30\x05\x00\x03a\xffb",
    ),
    case("PUBLISH: wildcard in the topic", "MQTT-3.3.2-2", b"\x30\x05\x00\x03a/#"),
    case(
        "PUBLISH: Remaining Length of five bytes",
        "2.2.3",
        b"\x30\x83\x80\x80\x80\x00\x00\x01a",
    ),
    case("PUBACK: reserved flags", "MQTT-2.2.2-2", b"\x42\x02\x00\x01"),
    case("PUBACK: a trailing byte", "3.4.1", b"\x40\x03\x00\x01\x00"),
    case("PUBACK: packet identifier 0", "MQTT-2.3.1-6", b"\x40\x02\x00\x00"),
    case(
        "CONNECT: reserved flag",
        "MQTT-3.1.2-3",
        b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x3c\x00\x01a",
    ),
    case(
        "CONNECT: will QoS without will",
        "MQTT-3.1.2-13",
        b"\x10\x0d\x00\x04MQTT\x04\x0a\x00\x3c\x00\x01a",
    ),
    case(
        "CONNECT: will QoS 3",
        "MQTT-3.1.2-14",
        b"\x10\x13\x00\x04MQTT\x04\x1e\x00\x3c\x00\x01a\x00\x01t\x00\x01m",
    ),
    case(
        "CONNECT: password without user name",
        "MQTT-3.1.2-22",
        b"\x10\x10\x00\x04MQTT\x04\x42\x00\x3c\x00\x01a\x00\x01p",
    ),
    case(
        "CONNECT: a trailing byte",
        "MQTT-3.1.2-18",
        b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a\x00",
    ),
    case("CONNACK: reserved flags", "3.2.2.1", b"\x20\x02\x02\x00"),
    case(
        "SUBSCRIBE: flags not 0010",
        "MQTT-3.8.1-1",
        b"\x80\x06\x00\x01\x00\x01a\x00",
    ),
    case(
        "SUBSCRIBE: packet identifier 0",
        "MQTT-2.3.1-1",
        b"\x82\x06\x00\x00\x00\x01a\x00",
    ),
    case("SUBSCRIBE: no filter", "MQTT-3.8.3-3", b"\x82\x02\x00\x01"),
    case(
        "SUBSCRIBE: empty filter",
        "MQTT-4.7.3-1",
        b"\x82\x05\x00\x01\x00\x00\x00",
    ),
    case(
        "SUBSCRIBE: filter `a#`",
        "MQTT-4.7.1-2",
        b"\x82\x07\x00\x01\x00\x02a#\x00",
    ),
    case("SUBSCRIBE: QoS 3", "MQTT-3.8.3-4", b"\x82\x06\x00\x01\x00\x01a\x03"),
    case(
        "SUBSCRIBE: reserved bits beside the QoS",
        "MQTT-3.8.3-4",
        b"\x82\x06\x00\x01\x00\x01a\x04",
    ),
];

const V5: &[Case] = &[
    case(
        "valid PUBLISH",
        "",
        b"\x32\x0f\x00\x03a/b\x00\x01\x07\x26\x00\x01k\x00\x01v",
    ),
    case("valid PUBACK", "", b"\x40\x03\x00\x01\x10"),
    case(
        "valid CONNECT",
        "",
        b"\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x03\x21\x00\x01\x00\x01a",
    ),
    case("valid CONNACK", "", b"\x20\x03\x01\x00\x00"),
    case("valid SUBSCRIBE", "", b"\x82\x0b\x00\x01\x02\x0b\x01\x00\x03a/#\x2d"),
    case("PUBLISH: QoS 3", "MQTT-3.3.1-4", b"\x36\x08\x00\x03a/b\x00\x01\x00"),
    case("PUBLISH: DUP with QoS 0", "MQTT-3.3.1-2", b"\x38\x06\x00\x03a/b\x00"),
    case(
        "PUBLISH: packet identifier 0",
        "MQTT-2.2.1-3",
        b"\x32\x08\x00\x03a/b\x00\x00\x00",
    ),
    case("PUBLISH: empty topic without alias", "3.3.2.1", b"\x30\x03\x00\x00\x00"),
    case(
        "PUBLISH: U+0000 in the topic",
        "MQTT-1.5.4-2",
        b"\x30\x06\x00\x03a\x00b\x00",
    ),
    case(
        "PUBLISH: ill-formed UTF-8 in the topic",
        "MQTT-1.5.4-1",
        b"\x30\x06\x00\x03a\xffb\x00",
    ),
    case(
        "PUBLISH: wildcard in the topic",
        "MQTT-3.3.2-2",
        b"\x30\x06\x00\x03a/#\x00",
    ),
    case(
        "PUBLISH: topic alias 0",
        "MQTT-3.3.2-8",
        b"\x30\x07\x00\x01a\x03\x23\x00\x00",
    ),
    case(
        "PUBLISH: content type twice",
        "3.3.2.3.9",
        b"\x30\x0c\x00\x01a\x08\x03\x00\x01a\x03\x00\x01b",
    ),
    case(
        "PUBLISH: property of another packet",
        "2.2.2.2",
        b"\x30\x09\x00\x01a\x05\x11\x00\x00\x00\x01",
    ),
    case(
        "PUBLISH: ill-formed UTF-8 in a user property",
        "MQTT-1.5.7-1",
        b"\x30\x0b\x00\x01a\x07\x26\x00\x01k\x00\x01\xff",
    ),
    case(
        "PUBLISH: Property Length in padded form",
        "MQTT-1.5.5-1",
        b"\x30\x05\x00\x01a\x80\x00",
    ),
    case("PUBACK: reserved flags", "MQTT-2.1.3-1", b"\x42\x02\x00\x01"),
    case(
        "PUBACK: reason code not in its table",
        "MQTT-3.4.2-1",
        b"\x40\x03\x00\x01\x01",
    ),
    case(
        "PUBACK: properties beyond the packet",
        "2.2.2.1",
        b"\x40\x04\x00\x01\x00\x05",
    ),
    case("PUBACK: a trailing byte", "3.4.2.2", b"\x40\x05\x00\x01\x00\x00\x00"),
    case(
        "CONNECT: reserved flag",
        "MQTT-3.1.2-3",
        b"\x10\x0e\x00\x04MQTT\x05\x03\x00\x3c\x00\x00\x01a",
    ),
    case(
        "CONNECT: Receive Maximum 0",
        "3.1.2.11.3",
        b"\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x03\x21\x00\x00\x00\x01a",
    ),
    case(
        "CONNECT: Request Problem Information 2",
        "3.1.2.11.7",
        b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x02\x17\x02\x00\x01a",
    ),
    case("CONNACK: reserved flags", "MQTT-3.2.2-1", b"\x20\x03\x02\x00\x00"),
    case(
        "SUBSCRIBE: flags not 0010",
        "MQTT-3.8.1-1",
        b"\x80\x07\x00\x01\x00\x00\x01a\x00",
    ),
    case("SUBSCRIBE: no filter", "MQTT-3.8.3-2", b"\x82\x03\x00\x01\x00"),
    case(
        "SUBSCRIBE: filter `a#`",
        "MQTT-4.7.1-1",
        b"\x82\x08\x00\x01\x00\x00\x02a#\x00",
    ),
    case(
        "SUBSCRIBE: Subscription Identifier 0",
        "3.8.2.1.2",
        b"\x82\x09\x00\x01\x02\x0b\x00\x00\x01a\x00",
    ),
    case(
        "SUBSCRIBE: reserved bits of the options",
        "MQTT-3.8.3-5",
        b"\x82\x07\x00\x01\x00\x00\x01a\xc0",
    ),
    case(
        "SUBSCRIBE: Retain Handling 3",
        "3.8.3.1",
        b"\x82\x07\x00\x01\x00\x00\x01a\x30",
    ),
    case(
        "SUBSCRIBE: No Local on a shared subscription",
        "MQTT-3.8.3-4",
        b"\x82\x10\x00\x01\x00\x00\x0a$share/g/a\x04",
    ),
];

/// Who accepts what, as Markdown.
pub fn document() -> String {
    let mut out = String::from(
        "## Malformed packets\n\n\
         `-` refused, **A** accepted, `…` asks for more bytes though the frame is whole, **!** panicked. Valid packets come\n\
         first and are accepted by all. Where no statement is labelled, the section is given.\n\n",
    );
    for (title, protocol, cases) in [("MQTT 3.1.1", Protocol::V3, V3), ("MQTT 5.0", Protocol::V5, V5)] {
        push_table(&mut out, title, protocol, cases);
    }
    out
}

fn push_table(out: &mut String, title: &str, protocol: Protocol, cases: &[Case]) {
    let judges = peers::judges(protocol);
    let _ = write!(out, "| {title} | statement |");
    for (row, _) in &judges {
        let _ = write!(out, " {} |", label(*row));
    }
    let _ = writeln!(out, "\n|---|---|{}", ":-:|".repeat(judges.len()));
    let mut accepted = vec![0; judges.len()];
    for case in cases {
        let _ = write!(out, "| {} | {} |", case.fault, case.statement);
        for ((_, judge), accepted) in judges.iter().zip(&mut accepted) {
            let verdict = judge_calmly(*judge, case.frame);
            *accepted += usize::from(verdict == Verdict::Accepted && !case.statement.is_empty());
            let _ = write!(out, " {} |", sign(verdict));
        }
        out.push('\n');
    }
    let faults = cases.iter().filter(|case| !case.statement.is_empty()).count();
    let _ = write!(out, "| **accepted of {faults}** | |");
    for accepted in accepted {
        let _ = write!(out, " **{accepted}** |");
    }
    out.push_str("\n\n");
}

/// A panic is a verdict here, and its message would only be in the way.
fn judge_calmly(judge: Judge, frame: &[u8]) -> Verdict {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let verdict = panic::catch_unwind(|| judge(frame));
    panic::set_hook(hook);
    verdict.unwrap_or(Verdict::Panicked)
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "**A**",
        Verdict::Refused => "-",
        Verdict::Waits => "…",
        Verdict::Panicked => "**!**",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(frame: &[u8]) -> bool {
        let mut len = 0;
        for (at, byte) in frame[1..].iter().enumerate() {
            len |= usize::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return frame.len() == 2 + at + len;
            }
        }
        false
    }

    #[test]
    fn frames_are_as_long_as_they_say() {
        for case in V3.iter().chain(V5) {
            assert!(whole(case.frame), "{}", case.fault);
        }
    }

    #[test]
    fn valid_packets_are_accepted_by_all() {
        for (protocol, cases) in [(Protocol::V3, V3), (Protocol::V5, V5)] {
            for case in cases.iter().filter(|case| case.statement.is_empty()) {
                for (row, judge) in peers::judges(protocol) {
                    let verdict = judge_calmly(judge, case.frame);
                    assert_eq!(verdict, Verdict::Accepted, "{} {}", row.slug(), case.fault);
                }
            }
        }
    }

    #[test]
    fn our_codec_accepts_no_malformed_packet() {
        for (protocol, cases) in [(Protocol::V3, V3), (Protocol::V5, V5)] {
            let (_, ours) = peers::judges(protocol)[0];
            for case in cases.iter().filter(|case| !case.statement.is_empty()) {
                assert_eq!(judge_calmly(ours, case.frame), Verdict::Refused, "{}", case.fault);
            }
        }
    }
}
