//! What stands in the file: tables of redb, and how their values are sealed.
//!
//! | table | key | value |
//! |---|---|---|
//! | `mqtt-store/1/sessions` | name | number 8, checksum 4 |
//! | `mqtt-store/1/records` | number of the session 8, key of the record 9 | number of the session 8, record, checksum 4 |
//! | `mqtt-store/1/brokers` | name | number 8, checksum 4 |
//! | `mqtt-store/1/broker-records` | number of the broker 8, key of the record | number of the broker 8, record, checksum 4 |
//!
//! Numbers begin with the highest byte, and no session has the number of a broker. The checksums are CRC-32C: that of a name over
//! number and name, that of a record over all of the value before it. An encoded record begins with its version and its key, so
//! where it stands is said twice: where one of the two is damaged, the other tells whose record it was. A value without a byte
//! stands for something that was damaged. The number 0 has no name; a record of it says that names were lost.

use bytes::Bytes;
use mqtt_session::{BrokerKey, BrokerRecord, Key};
use redb::TableDefinition;

use crate::SessionName;
use crate::store::Role;

/// The version of the format. It stands in the names of the tables.
pub const FORMAT_VERSION: u32 = 1;

/// What the names of all tables begin with, in every version.
pub(super) const PREFIX: &str = "mqtt-store/";

pub(super) type Names = TableDefinition<'static, &'static [u8], &'static [u8; SEALED_NUMBER_BYTES]>;

pub(super) const RECORDS: TableDefinition<'_, &[u8; PLACE_BYTES], &[u8]> =
    TableDefinition::new(Role::Session.records_name());
pub(super) const BROKER_RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new(Role::Broker.records_name());

impl Role {
    pub(super) const ALL: [Self; 2] = [Self::Session, Self::Broker];

    pub(super) const fn names_name(self) -> &'static str {
        match self {
            Self::Session => "mqtt-store/1/sessions",
            Self::Broker => "mqtt-store/1/brokers",
        }
    }

    pub(super) const fn records_name(self) -> &'static str {
        match self {
            Self::Session => "mqtt-store/1/records",
            Self::Broker => "mqtt-store/1/broker-records",
        }
    }

    pub(super) const fn names(self) -> Names {
        TableDefinition::new(self.names_name())
    }

    /// Where in an encoded record its key stands.
    fn key_within(self, record: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Session => record.get(RECORD_VERSION_BYTES..)?.get(..Key::ENCODED_BYTES),
            Self::Broker => BrokerRecord::key_bytes(record),
        }
    }

    /// Whether these bytes are those of a key.
    pub(super) fn is_key(self, key: &[u8]) -> bool {
        match self {
            Self::Session => Key::decode(key).is_some(),
            Self::Broker => broker_key(key).is_some(),
        }
    }

    /// What is said to be damaged where nothing is known any more.
    pub(super) fn whole(self, number: Number) -> Vec<u8> {
        match self {
            Self::Session => place(number, Key::Session).to_vec(),
            Self::Broker => broker_place(number, &BrokerKey::Broker),
        }
    }
}

pub(super) const NUMBER_BYTES: usize = 8;
pub(super) const PLACE_BYTES: usize = NUMBER_BYTES + Key::ENCODED_BYTES;
pub(super) const CHECKSUM_BYTES: usize = 4;
/// What the keys of one session of a broker begin with.
const BROKER_SESSION_BYTES: usize = 9;
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

/// Where a record of a session stands.
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

/// Where a record of a broker stands.
pub(super) fn broker_place(number: Number, key: &BrokerKey) -> Vec<u8> {
    let mut place = Vec::with_capacity(key.encoded_len().saturating_add(NUMBER_BYTES));
    place.extend_from_slice(&number.0.to_be_bytes());
    key.encode(&mut place);
    place
}

/// What every place of a broker begins with, and what every later one begins with at the least.
pub(super) const fn broker_places(number: Number) -> ([u8; NUMBER_BYTES], [u8; NUMBER_BYTES]) {
    (number.0.to_be_bytes(), number.next().0.to_be_bytes())
}

pub(super) fn broker_key(bytes: &[u8]) -> Option<BrokerKey> {
    BrokerKey::decode(&Bytes::copy_from_slice(bytes))
}

/// What is said to be damaged of a broker where a key cannot be read: the session that it seems to have been of, which ends it.
pub(super) fn broker_owner(key: &[u8]) -> BrokerKey {
    let session = key.first_chunk::<BROKER_SESSION_BYTES>();
    let session = session.and_then(|prefix| broker_key(&[prefix.as_slice(), &Key::Session.encode()].concat()));
    session.unwrap_or(BrokerKey::Broker)
}

/// The owner of a place, and the bytes of its key.
pub(super) fn split_place(place: &[u8]) -> Option<(Number, &[u8])> {
    let (number, key) = place.split_first_chunk::<NUMBER_BYTES>()?;
    Some((Number(u64::from_be_bytes(*number)), key))
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
pub(super) fn open_record(role: Role, value: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (sealed, checksum) = value.split_last_chunk::<CHECKSUM_BYTES>()?;
    let is_whole = crc32c::crc32c(sealed) == u32::from_be_bytes(*checksum);
    Some((place_within(role, value)?, sealed.get(NUMBER_BYTES..)?)).filter(|_| is_whole)
}

/// Where a value says that it stands.
pub(super) fn place_within(role: Role, value: &[u8]) -> Option<Vec<u8>> {
    let (number, record) = value.split_first_chunk::<NUMBER_BYTES>()?;
    Some([number.as_slice(), role.key_within(record)?].concat())
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
