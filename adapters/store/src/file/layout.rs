//! What stands in the file: two tables of redb, and how their values are sealed.
//!
//! | table | key | value |
//! |---|---|---|
//! | `mqtt-store/1/sessions` | name | number 8, checksum 4 |
//! | `mqtt-store/1/records` | number of the session 8, key of the record 9 | number of the session 8, record, checksum 4 |
//!
//! Numbers begin with the highest byte. The checksums are CRC-32C: that of a session over its number and its name, that of a
//! record over all of the value before it. An encoded record begins with its version and its key, so where it stands is said
//! twice: where one of the two is damaged, the other tells whose record it was. A value without a byte stands for something that
//! was damaged. The session with the number 0 has no name; a record of it says that names were lost.

use mqtt_session::Key;
use redb::TableDefinition;

use crate::SessionName;

/// The version of the format. It stands in the names of the tables.
pub const FORMAT_VERSION: u32 = 1;

/// What the names of all tables begin with, in every version.
pub(super) const PREFIX: &str = "mqtt-store/";
pub(super) const SESSIONS_NAME: &str = "mqtt-store/1/sessions";
pub(super) const RECORDS_NAME: &str = "mqtt-store/1/records";

pub(super) const SESSIONS: TableDefinition<'_, &[u8], &[u8; SEALED_NUMBER_BYTES]> = TableDefinition::new(SESSIONS_NAME);
pub(super) const RECORDS: TableDefinition<'_, &[u8; PLACE_BYTES], &[u8]> = TableDefinition::new(RECORDS_NAME);

pub(super) const NUMBER_BYTES: usize = 8;
pub(super) const PLACE_BYTES: usize = NUMBER_BYTES + Key::ENCODED_BYTES;
pub(super) const CHECKSUM_BYTES: usize = 4;
/// What stands before the key in an encoded record.
const RECORD_VERSION_BYTES: usize = 1;
pub(super) const SEALED_NUMBER_BYTES: usize = NUMBER_BYTES + CHECKSUM_BYTES;

/// What stands for something that was damaged.
pub(super) const DAMAGED: &[u8] = &[];

/// The number of a session in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(pub(super) u64);

impl Number {
    /// The session without a name.
    pub(super) const NAMELESS: Self = Self(0);
    /// The first that a session with a name has.
    pub(super) const FIRST: Self = Self(1);

    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Where a record stands.
pub(super) type Place = [u8; PLACE_BYTES];

pub(super) fn place(number: Number, key: Key) -> Place {
    place_of(number, key.encode())
}

fn place_of(number: Number, key: [u8; Key::ENCODED_BYTES]) -> Place {
    let mut place = [0; PLACE_BYTES];
    let (front, back) = place.split_at_mut(NUMBER_BYTES);
    front.copy_from_slice(&number.0.to_be_bytes());
    back.copy_from_slice(&key);
    place
}

/// The first and the last place that a record of a session can have.
pub(super) fn places(number: Number) -> (Place, Place) {
    (
        place_of(number, [0; Key::ENCODED_BYTES]),
        place_of(number, [u8::MAX; Key::ENCODED_BYTES]),
    )
}

/// The session of a place, and its key if it is one.
pub(super) fn split_place(place: &[u8]) -> Option<(Number, Option<Key>)> {
    let (number, key) = place.split_first_chunk::<NUMBER_BYTES>()?;
    Some((Number(u64::from_be_bytes(*number)), Key::decode(key)))
}

/// Begins a value: the encoded record follows.
pub(super) fn begin_record(number: Number, value: &mut Vec<u8>) {
    value.clear();
    value.extend_from_slice(&number.0.to_be_bytes());
}

/// Ends a value with its checksum.
pub(super) fn seal_record(value: &mut Vec<u8>) {
    let checksum = crc32c::crc32c(value);
    value.extend_from_slice(&checksum.to_be_bytes());
}

/// The encoded record of an undamaged value, and where it stands.
pub(super) fn open_record(value: &[u8]) -> Option<(Place, &[u8])> {
    let (sealed, checksum) = value.split_last_chunk::<CHECKSUM_BYTES>()?;
    let is_whole = crc32c::crc32c(sealed) == u32::from_be_bytes(*checksum);
    Some((place_within(value)?, sealed.get(NUMBER_BYTES..)?)).filter(|_| is_whole)
}

/// Where a value says that it stands.
pub(super) fn place_within(value: &[u8]) -> Option<Place> {
    let (number, record) = value.split_first_chunk::<NUMBER_BYTES>()?;
    let key = record
        .get(RECORD_VERSION_BYTES..)?
        .first_chunk::<{ Key::ENCODED_BYTES }>()?;
    Some(place_of(Number(u64::from_be_bytes(*number)), *key))
}

pub(super) fn seal_number(number: Number, name: &SessionName) -> [u8; SEALED_NUMBER_BYTES] {
    let mut sealed = [0; SEALED_NUMBER_BYTES];
    let (front, back) = sealed.split_at_mut(NUMBER_BYTES);
    front.copy_from_slice(&number.0.to_be_bytes());
    back.copy_from_slice(&number_checksum(number, name.as_bytes()).to_be_bytes());
    sealed
}

/// The number of an undamaged value.
pub(super) fn open_number(name: &[u8], value: &[u8]) -> Option<Number> {
    let (number, checksum) = value.split_first_chunk::<NUMBER_BYTES>()?;
    let number = Number(u64::from_be_bytes(*number));
    let checksum = u32::from_be_bytes(checksum.try_into().ok()?);
    (number_checksum(number, name) == checksum && number != Number::NAMELESS).then_some(number)
}

fn number_checksum(number: Number, name: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&number.0.to_be_bytes()), name)
}

/// The version of the format that a table of this name belongs to, if it is a table of any.
pub(super) fn version_of(table: &str) -> Option<u32> {
    let (version, _) = table.strip_prefix(PREFIX)?.split_once('/')?;
    version.parse().ok()
}
