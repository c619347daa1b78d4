//! Frames that have to be refused, each under the id of the row it breaks, and each beside its nearest valid neighbour.
//!
//! The tables are in `cases_*.rs`. A line of a table says: version, sender, row, reason codes that may answer, what is
//! wrong; then the frame that breaks the row, then its neighbour that keeps it.

use mqtt_proto::{DecodeError, Decoded, Role, Rules, Version, decode};
use mqtt_tests::frame::Frame;
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Trial, covers, row};

/// What the tables are written in.
pub(crate) mod prelude {
    pub(crate) use super::{ALIAS, EITHER, FILTER, MALFORMED, NAME, PROTOCOL_ERROR, Refusal, TOPIC, VERSION, refusals};
    pub(crate) use mqtt_proto::Role::{Client, Server};
    pub(crate) use mqtt_proto::Version::{V3_1_1, V5};
}

/// Malformed Packet.
pub(crate) const MALFORMED: &[u8] = &[0x81];
/// Protocol Error.
pub(crate) const PROTOCOL_ERROR: &[u8] = &[0x82];
/// The specification does not say which of the two it is.
pub(crate) const EITHER: &[u8] = &[0x81, 0x82];
/// No code is stated for a topic name that breaks the rules; Topic Name invalid is in use too.
pub(crate) const TOPIC: &[u8] = &[0x81, 0x82, 0x90];
/// No code is stated for a topic filter that breaks the rules; Topic Filter invalid is in use too.
pub(crate) const FILTER: &[u8] = &[0x81, 0x82, 0x8F];
/// Unsupported Protocol Version.
pub(crate) const VERSION: &[u8] = &[0x84];
/// A protocol name that is no text is malformed, and it is not that of a supported version.
pub(crate) const NAME: &[u8] = &[0x81, 0x84];
/// Topic Alias invalid.
pub(crate) const ALIAS: &[u8] = &[0x94];

/// A frame that breaks one row, and its nearest valid neighbour.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) version: Version,
    pub(crate) sender: Role,
    pub(crate) row: &'static str,
    pub(crate) reason_codes: &'static [u8],
    pub(crate) what: &'static str,
    pub(crate) bad: &'static str,
    pub(crate) good: &'static str,
}

/// Writes a table of [`Refusal`]s as the constant `CASES`.
macro_rules! refusals {
    ($($version:ident $sender:ident $row:literal $codes:ident $what:literal bad $bad:literal good $good:literal;)*) => {
        pub(crate) const CASES: &[Refusal] = &[$(Refusal {
            version: $version,
            sender: $sender,
            row: $row,
            reason_codes: $codes,
            what: $what,
            bad: $bad,
            good: $good,
        },)*];
    };
}
pub(crate) use refusals;

/// How many bytes may lie between a frame and its neighbour: a property of five bytes, and the two lengths it changes.
const NEIGHBOUR_DISTANCE: usize = 7;

/// One trial for each case.
pub(crate) fn trials() -> Vec<Trial> {
    let tables = [
        super::cases_fixed_header::CASES,
        super::cases_connect::CASES,
        super::cases_connect_properties::CASES,
        super::cases_connack::CASES,
        super::cases_publish::CASES,
        super::cases_acks::CASES,
        super::cases_subscribe::CASES,
        super::cases_unsubscribe_and_acks::CASES,
        super::cases_disconnect_and_auth::CASES,
    ];
    tables.into_iter().flatten().map(Refusal::trial).collect()
}

impl Refusal {
    fn trial(&'static self) -> Trial {
        let name = format!("refused::{}::{} ({})", self.row, self.what, self.version);
        Trial::new(Layer::Codec, name, || {
            self.neighbours_are_what_they_claim();
            self.bad_frame_breaks_its_row();
            self.good_frame_decodes();
            if row(self.row).is_some_and(|row| row.layers.contains(&Layer::Codec)) {
                covers(self.row);
            }
        })
    }

    /// Both are whole frames, unless the length itself is at fault, and close to each other.
    fn neighbours_are_what_they_claim(&self) {
        let (bad, good) = (hex::bytes(self.bad), hex::bytes(self.good));
        assert!(
            Frame::read(&good).is_some_and(|frame| frame.len == good.len()),
            "the neighbour is no whole frame"
        );
        if let Some(frame) = Frame::read(&bad) {
            assert_eq!(frame.len, bad.len(), "the frame is not whole");
        }
        let distance = edit_distance(&bad, &good);
        assert!(
            distance <= NEIGHBOUR_DISTANCE,
            "{distance} bytes lie between the frame and its neighbour"
        );
    }

    fn bad_frame_breaks_its_row(&self) {
        let bytes = hex::bytes(self.bad);
        let error = match self.decode(&bytes) {
            Err(error) => error,
            Ok(decoded) => panic!("decoded: {decoded:?}"),
        };
        let (_, statement) = self.row.split_once(':').unwrap_or_default();
        assert_eq!(error.statement(), statement, "{error}");
        assert_eq!(error.version(), self.version, "{error}");
        assert!(error.offset() <= bytes.len(), "the offset is beyond the frame: {error}");
        let code = error.reason_code().value();
        assert!(self.reason_codes.contains(&code), "reason code {code:#04X}: {error}");
    }

    fn good_frame_decodes(&self) {
        let bytes = hex::bytes(self.good);
        match self.decode(&bytes) {
            Ok(Decoded::Packet { len, .. }) => assert_eq!(len, bytes.len()),
            other => panic!("the neighbour does not decode: {other:?}"),
        }
    }

    fn decode<'a>(&self, bytes: &'a [u8]) -> Result<Decoded<'a>, DecodeError> {
        decode(bytes, &Rules::new(self.version).sent_by(self.sender))
    }
}

/// How many bytes have to be inserted, removed or replaced to turn one frame into the other.
fn edit_distance(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}
