//! A stream in pieces: however it is cut, the same packets come out, and the same fault at the same byte.

use bytes::{Bytes, BytesMut};
use mqtt_proto::{
    DecodeError, Decoded, DecodedHead, Field, Packet, Rules, Version, decode, decode_publish_head, peek_connect,
};

use super::rules::draw;
use crate::frame::variable_byte_integer;
use crate::generate::split_mix;

/// Any bytes, read as a stream that arrives at once, byte by byte, and in random pieces.
///
/// The first byte chooses the version and the pieces, the next two the rules.
///
/// # Panics
/// If the codec breaks a promise: see `fuzz/README.md`.
pub fn split(data: &[u8]) {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let version = Version::ALL[usize::from(*first) % Version::ALL.len()];
    let Some((rules, stream)) = draw(version, data) else {
        return;
    };
    let at_once = read_at_once(stream, &rules);
    assert_eq!(read_in_pieces(stream, &rules, || 1), at_once, "byte by byte");
    let mut state = u64::from(*first);
    let pieces = || 1 + usize::try_from(split_mix(&mut state) % 24).expect("below 24");
    assert_eq!(read_in_pieces(stream, &rules, pieces), at_once, "in random pieces");
    verdict_comes_at_the_deciding_byte(&stream[at_once.taken..], &rules);
}

/// What became of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    packets: Vec<Packet<Bytes>>,
    /// How many bytes the packets took.
    taken: usize,
    fault: Option<DecodeError>,
}

fn read_at_once(stream: &[u8], rules: &Rules) -> Outcome {
    let mut outcome = Outcome {
        packets: Vec::new(),
        taken: 0,
        fault: None,
    };
    loop {
        match decode(&stream[outcome.taken..], rules) {
            Ok(Decoded::Packet { packet, len }) => {
                verdict_comes_at_the_deciding_byte(&stream[outcome.taken..outcome.taken + len], rules);
                outcome.packets.push(packet.to_owned());
                outcome.taken += len;
            }
            Ok(Decoded::Incomplete { .. }) => return outcome,
            Err(error) => {
                outcome.fault = Some(error);
                return outcome;
            }
        }
    }
}

/// The loop of a receiver: append what has arrived, take what is complete, stop at a fault.
fn read_in_pieces(stream: &[u8], rules: &Rules, mut piece: impl FnMut() -> usize) -> Outcome {
    let mut outcome = Outcome {
        packets: Vec::new(),
        taken: 0,
        fault: None,
    };
    let mut buffer = BytesMut::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let arrived;
        (arrived, rest) = rest.split_at(piece().min(rest.len()));
        buffer.extend_from_slice(arrived);
        loop {
            let before = buffer.len();
            match Packet::take(&mut buffer, rules) {
                Ok(Some(packet)) => {
                    outcome.packets.push(packet);
                    outcome.taken += before - buffer.len();
                }
                Ok(None) => {
                    assert_eq!(buffer.len(), before, "bytes were taken, and no packet came");
                    break;
                }
                Err(error) => {
                    outcome.fault = Some(error);
                    return outcome;
                }
            }
        }
    }
    outcome
}

/// Every prefix that is too short is incomplete, and says so rightly; from the deciding byte on, every prefix gives the
/// verdict of the whole.
fn verdict_comes_at_the_deciding_byte(stream: &[u8], rules: &Rules) {
    let verdict = decode(stream, rules);
    let deciding = deciding_byte(stream, &verdict);
    for arrived in 0..=stream.len() {
        let prefix = decode(&stream[..arrived], rules);
        match prefix {
            Ok(Decoded::Incomplete { missing }) if arrived < deciding => {
                assert!(
                    missing > 0 && arrived + missing <= deciding.max(2),
                    "{missing} missing after {arrived}"
                );
            }
            prefix => assert!(
                arrived >= deciding && prefix == verdict,
                "{prefix:?} after {arrived} of {deciding}"
            ),
        }
    }
    heads_come_when_they_are_complete(stream, rules);
}

/// How many bytes it takes to come to a verdict.
fn deciding_byte(stream: &[u8], verdict: &Result<Decoded<'_>, DecodeError>) -> usize {
    let header = || {
        1 + stream[1..]
            .iter()
            .take(4)
            .take_while(|byte| **byte & 0x80 != 0)
            .count()
            .min(3)
            + 1
    };
    let frame = || {
        let (remaining, size) = variable_byte_integer(&stream[1..]).expect("a whole header");
        1 + size + remaining
    };
    match verdict {
        Ok(Decoded::Packet { len, .. }) => *len,
        Ok(Decoded::Incomplete { .. }) => usize::MAX,
        Err(error) => match error.field() {
            Field::FixedHeader => 1,
            Field::RemainingLength => header(),
            _ => frame(),
        },
    }
}

/// How many bytes behind a complete head are tried one by one; after them only the whole stream is.
const TRIED_BEHIND_HEAD: usize = 8;

/// The head of a PUBLISH and a look at a CONNECT, once they are there, do not change with what follows.
fn heads_come_when_they_are_complete(stream: &[u8], rules: &Rules) {
    let (mut head, mut peek) = (None, None);
    let mut settled_for = 0;
    for arrived in 0..=stream.len() {
        settled_for += usize::from(head.is_some() && peek.is_some());
        if settled_for > TRIED_BEHIND_HEAD && arrived < stream.len() {
            continue;
        }
        let bytes = &stream[..arrived];
        match (decode_publish_head(bytes, rules), &head) {
            (Ok(DecodedHead::Incomplete { missing }), None) => assert!(missing > 0, "nothing is missing"),
            (Ok(DecodedHead::Head { len, .. }), None) if len != arrived => panic!("a head of {len} after {arrived}"),
            (now, None) => head = Some(now),
            (now, Some(before)) => assert_eq!(now, *before, "another verdict on a head after {arrived} bytes"),
        }
        match (peek_connect(bytes, rules), &peek) {
            (Ok(None), None) => {}
            (now, None) => peek = Some(now),
            (now, Some(before)) => assert_eq!(now, *before, "another look at CONNECT after {arrived} bytes"),
        }
    }
}
