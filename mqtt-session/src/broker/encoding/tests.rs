use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{EncodeError, PropertyId, QoS};

use super::samples::{broker_samples, filter, keys, random_broker_record};
use crate::broker::party::Party;
use crate::broker::records::{BrokerKey, BrokerRecord, Origin, PayloadId};
use crate::broker::sessions::SessionId;
use crate::random::Random;
use crate::store::crc::Crc32c;
use crate::store::samples::{plain_message, random_payload, topic};
use crate::store::{MessageRecord, RecordError};

fn encoded(record: &BrokerRecord) -> Vec<u8> {
    let mut bytes = Vec::new();
    let len = record.encode(&mut bytes).unwrap();
    assert_eq!((len, record.encoded_len()), (bytes.len(), bytes.len()));
    bytes
}

fn decoded(bytes: &[u8]) -> Result<BrokerRecord, RecordError> {
    BrokerRecord::decode(&Bytes::copy_from_slice(bytes))
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = Crc32c::EMPTY.and(&bytes).value();
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

fn opened(record: &BrokerRecord) -> Vec<u8> {
    let mut bytes = encoded(record);
    bytes.truncate(bytes.len() - 4);
    bytes
}

fn encoded_key(key: &BrokerKey) -> Vec<u8> {
    let mut bytes = Vec::new();
    key.encode(&mut bytes);
    assert_eq!(bytes.len(), key.encoded_len());
    bytes
}

#[test]
fn keys_come_back_and_sort_as_their_bytes_do() {
    for key in keys() {
        let bytes = encoded_key(&key);
        assert_eq!(BrokerKey::decode(&Bytes::from(bytes.clone())), Some(key.clone()));
        for other in keys() {
            assert_eq!(
                key.cmp(&other),
                bytes.cmp(&encoded_key(&other)),
                "{key:?} and {other:?}"
            );
            assert_eq!(key.cmp(&other).is_eq(), key == other, "{key:?} and {other:?}");
        }
    }
}

#[test]
fn a_scan_of_a_prefix_finds_all_of_a_session_and_nothing_else() {
    let sorted: BTreeSet<Vec<u8>> = keys().iter().map(encoded_key).collect();
    for session in [0, 5, 255, 256, u64::MAX].map(SessionId) {
        let prefix = BrokerKey::session_prefix(session);
        let found = sorted
            .range(prefix.to_vec()..)
            .take_while(|bytes| bytes.starts_with(&prefix));
        let found: BTreeSet<_> = found.cloned().collect();
        let own = keys().into_iter().filter(|key| key.session() == Some(session));
        assert_eq!(found, own.map(|key| encoded_key(&key)).collect());
        assert!(found.len() > 5);
    }
}

#[test]
fn bytes_that_are_no_key_are_refused() {
    for bytes in [
        &b""[..],
        b"\0",
        b"\x05",
        b"\x05\0\0\0\0\0\0\0\0\0",
        b"\x06\0",
        b"\x07",
        b"\x01\0",
        b"\x02\0\0\0\0\0\0\0",
        b"\x02\0\0\0\0\0\0\0\0\0",
        b"\x03\0\0\0\0\0\0\0\0",
        b"\x03\0\0\0\0\0\0\0\0\0\0",
        b"\x03\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0",
        b"\x03\0\0\0\0\0\0\0\0\x80",
        b"\x03\0\0\0\0\0\0\0\0\x80a#",
        b"\x04",
        b"\x04+",
        b"\x04\xFF",
    ] {
        assert_eq!(BrokerKey::decode(&Bytes::from_static(bytes)), None, "{bytes:?}");
    }
}

#[test]
fn every_record_comes_back_as_it_was() {
    for record in broker_samples() {
        assert_eq!(decoded(&encoded(&record)), Ok(record));
    }
    for seed in 0..10_000 {
        let record = random_broker_record(&mut Random::new(seed));
        assert_eq!(decoded(&encoded(&record)), Ok(record), "seed {seed}");
    }
}

#[test]
fn the_layout_is_that_of_stores_written_before() {
    let at = b"\0\x06\x0A\x24\x18\x1E\x40\0";
    let session = b"\x03\0\0\0\0\0\0\0\x05";
    let samples = broker_samples();
    let cases: [(usize, &[&[u8]]); 12] = [
        (0, &[b"\x01\0\0\0\x01\x01", at, b"\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\x07"]),
        (1, &[b"\x01\0\0\0\x0A", session, b"\0\0\0\x0E\x10\0\0\x08sensor-7"]),
        (
            2,
            &[
                b"\x01\0\0\0\x0A",
                session,
                b"\0\0\0\x0E\x10\x03",
                at,
                b"\0\x08sensor-7\x03\0\0\0\x1E\0\0\0\x3C",
                at,
                b"\0\0\0\x42\x15",
                at,
                b"\0\x18home/kitchen/temperature\x01\x01\x03\0\x0Atext/plain\x26\0\x04unit\0\x07celsiusgone",
            ],
        ),
        (
            5,
            &[
                b"\x01\0\0\0\x12",
                session,
                b"\x05\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\x09",
            ],
        ),
        (
            7,
            &[
                b"\x01\0\0\0\x1F",
                session,
                b"\x80$share/workers/jobs/#\x02\x01\x0F\xFF\xFF\xFF",
            ],
        ),
        (9, &[b"\x01\0\0\0\x0B", session, b"\x80#\x02\x07\0\0\0\x01\x01\x02home/kitchen"]),
        (11, &[b"\x01\0\0\0\x02\x04t\0\0\0\0\0\0\0\x0A\0"]),
        (12, &[b"\x01\0\0\0\x09\x02\0\0\0\0\0\0\0\x0921.5"]),
        (
            14,
            &[
                b"\x01\0\0\0\x09\x05\0\0\0\0\0\0\0\x29\0\0\0\0\0\0\0\x09\0\0\0\0\x02\0\x01\0\x0A$share/g/#\0\x02\0\x0A$share/h/a",
                b"\x02\0\x01t",
            ],
        ),
        (16, &[b"\x01\0\0\0\x03\x06\0\x02\0\0\0\0\0\0\0\x28"]),
        (17, &[b"\x02\0\0\0\x02\x04t\0\x08sensor-7\0\0\0\0\0\0\0\x0A\0"]),
        (
            18,
            &[
                b"\x02\0\0\0\x09\x05\0\0\0\0\0\0\0\x29\0\x08sensor-7",
                b"\0\0\0\0\0\0\0\x09\x01\0\0\0\0\x02\0\x01t",
            ],
        ),
    ];
    for (at, bytes) in cases {
        assert_eq!(encoded(&samples[at]), sealed(bytes.concat()), "{:?}", samples[at]);
    }
}

#[test]
fn records_have_the_sizes_that_are_told() {
    let beside = |at: usize, content: usize| encoded(&broker_samples()[at]).len() - content;
    let properties = b"\x01\x01\x03\0\x0Atext/plain\x26\0\x04unit\0\x07celsius".len();
    let (name, topic) = ("sensor-7".len(), "home/kitchen/temperature".len());
    assert_eq!(beside(0, 0), 34);
    assert_eq!((beside(1, name), beside(3, name)), (26, 34));
    let will = topic + properties + "gone".len();
    assert_eq!(beside(4, name + will), 26 + 12 + 8);
    assert_eq!(beside(2, name + will), 34 + 24 + 8);
    assert_eq!(beside(5, 0), 36);
    assert_eq!(beside(6, "home/+/temperature".len()), 21);
    assert_eq!(beside(9, "#home/kitchen".len()), 27);
    assert_eq!((beside(14, "$share/g/#$share/h/at".len()), beside(15, 1)), (34 + 8, 34));
    assert_eq!(beside(16, 0), 20);
    assert_eq!((beside(10, topic + properties), beside(11, 1)), (27, 19));
    assert_eq!((beside(17, 1 + name), beside(18, 1 + name)), (19 + 2, 34 + 2));
    assert_eq!((beside(12, 4), beside(13, 0)), (18, 18));
    for record in broker_samples() {
        if let BrokerRecord::Session { record: within, .. } = &record {
            let marked = usize::from(matches!(within, crate::Record::Payload { .. }));
            assert_eq!(encoded(&record).len(), within.encoded_len() + 13 + marked);
        }
    }
}

#[test]
fn every_flipped_bit_is_detected() {
    for record in broker_samples() {
        let mut bytes = encoded(&record);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let expected = match bytes[0] {
                super::VERSION..=super::WITH_NAMES => RecordError::Checksum,
                version => RecordError::Version(version),
            };
            assert_eq!(decoded(&bytes), Err(expected), "bit {bit} of {record:?}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(decoded(&bytes), Ok(record));
    }
}

#[test]
fn every_truncation_and_every_extension_is_detected() {
    for record in broker_samples() {
        let mut bytes = encoded(&record);
        for len in 0..bytes.len() {
            let expected = if len < 4 {
                RecordError::TooShort
            } else {
                RecordError::Checksum
            };
            assert_eq!(decoded(&bytes[..len]), Err(expected), "{len} bytes of {record:?}");
        }
        bytes.push(0);
        assert_eq!(decoded(&bytes), Err(RecordError::Checksum));
    }
}

#[test]
fn a_version_to_come_is_refused_by_name() {
    let mut bytes = opened(&broker_samples()[0]);
    bytes[0] = 4;
    assert_eq!(decoded(&sealed(bytes)), Err(RecordError::Version(4)));
}

#[test]
fn a_record_cut_before_its_checksum_was_made_is_refused_or_shorter() {
    for record in broker_samples() {
        let whole = opened(&record);
        for len in 5 + record.key().encoded_len()..whole.len() {
            let bytes = sealed(whole[..len].to_vec());
            match decoded(&bytes) {
                Err(error) => assert!(
                    matches!(
                        error,
                        RecordError::Field(_) | RecordError::Properties(_) | RecordError::Topic(_)
                    ),
                    "{len} bytes of {record:?}: {error}"
                ),
                // A payload and the last replayed topic may have any length, and properties may end after each of them.
                Ok(shorter) => {
                    assert_eq!(shorter.key(), record.key());
                    assert_eq!(encoded(&shorter), bytes);
                }
            }
        }
    }
}

#[test]
fn only_messages_have_publishers() {
    for record in broker_samples() {
        let mut bytes = opened(&record);
        let may_have = matches!(record, BrokerRecord::Retained { .. } | BrokerRecord::Forward(_));
        let behind_key = 5 + record.key().encoded_len();
        match bytes[0] {
            super::VERSION => {}
            super::WITH_NAMES => continue,
            super::WITH_OWNER if matches!(record, BrokerRecord::Client(_)) => continue,
            _ => {
                assert!(may_have);
                continue;
            }
        }
        bytes[0] = super::WITH_PUBLISHER;
        bytes.splice(behind_key..behind_key, *b"\0\x01p");
        match decoded(&sealed(bytes.clone())) {
            Ok(record) => assert!(may_have && encoded(&record) == sealed(bytes)),
            Err(error) => assert!(!may_have && error == RecordError::Version(2), "{error}"),
        }
    }
}

#[test]
fn only_clients_and_messages_have_owners() {
    for record in broker_samples() {
        let mut bytes = opened(&record);
        let behind_key = 5 + record.key().encoded_len();
        let (new, may_have): (&[u8], bool) = match (bytes[0], &record) {
            (super::WITH_OWNER | super::WITH_NAMES, _) => continue,
            (super::WITH_PUBLISHER, _) => (b"", true),
            (_, BrokerRecord::Client(_)) => (b"\0\x01o", true),
            (_, BrokerRecord::Retained { .. } | BrokerRecord::Forward(_)) => (b"\0\x01p\0\x01o", true),
            _ => (b"\0\x01p\0\x01o", false),
        };
        let behind_publisher = behind_key + 2 + "sensor-7".len();
        match new {
            [] => bytes
                .splice(behind_publisher..behind_publisher, *b"\0\x01o")
                .for_each(drop),
            _ => bytes.splice(behind_key..behind_key, new.iter().copied()).for_each(drop),
        }
        bytes[0] = super::WITH_OWNER;
        match decoded(&sealed(bytes.clone())) {
            Ok(record) => assert!(may_have && encoded(&record) == sealed(bytes)),
            Err(error) => assert!(!may_have && error == RecordError::Version(3), "{error}"),
        }
    }
}

/// What a checksum does not detect: a writer that is wrong, or means harm.
#[test]
fn changed_bytes_under_a_good_checksum_give_an_error_or_a_record_that_is_written_the_same() {
    let mut random = Random::new(7);
    let (mut taken, mut refused) = (0, 0);
    for record in broker_samples() {
        let whole = opened(&record);
        for at in 1..whole.len() {
            for _ in 0..16 {
                let mut bytes = whole.clone();
                bytes[at] = random.next_u64() as u8;
                let bytes = sealed(bytes);
                match decoded(&bytes) {
                    Ok(record) => {
                        taken += 1;
                        let left_out = [PropertyId::TopicAlias, PropertyId::MessageExpiryInterval];
                        if encoded(&record) != bytes {
                            let known = left_out.iter().any(|id| bytes.contains(&id.number()));
                            assert!(known, "{record:?} from {bytes:?}");
                        }
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(taken > 1_000 && refused > 1_000, "{taken} taken, {refused} refused");
}

#[test]
fn bytes_of_any_kind_are_no_panic_and_no_record_without_a_checksum() {
    let mut random = Random::new(3);
    for _ in 0..20_000 {
        let bytes = random_payload(&mut random);
        assert!(BrokerRecord::decode(&bytes).is_err(), "{bytes:?}");
        let _ = (BrokerKey::decode(&bytes), BrokerRecord::key_bytes(&bytes));
        let mut bytes = bytes.to_vec();
        if let [version, a, b, c, len, kind, ..] = &mut bytes[..] {
            (*version, *a, *b, *c) = (super::VERSION, 0, 0, 0);
            *kind = 1 + *kind % 7;
            *len = [1, 3, 9, 10, 18][usize::from(*len % 5)];
        }
        if let Ok(record) = decoded(&sealed(bytes)) {
            assert_eq!(decoded(&encoded(&record)), Ok(record));
        }
    }
}

/// A record with these bytes at a place, under a good checksum.
fn with_bytes(record: usize, at: usize, new: &[u8]) -> Result<BrokerRecord, RecordError> {
    let mut bytes = opened(&broker_samples()[record]);
    bytes[at..at + new.len()].copy_from_slice(new);
    decoded(&sealed(bytes))
}

#[test]
fn fields_out_of_range_are_named() {
    assert_eq!(with_bytes(0, 5, b"\0"), Err(RecordError::Kind(0)));
    assert_eq!(with_bytes(0, 5, b"\x07"), Err(RecordError::Kind(7)));
    assert_eq!(with_bytes(0, 1, b"\xFF"), Err(RecordError::Field("key")));
    assert_eq!(with_bytes(0, 4, b"\0"), Err(RecordError::Field("key")));
    assert_eq!(with_bytes(1, 14, b"\x01"), Err(RecordError::Field("key")));
    assert_eq!(with_bytes(1, 19, b"\x04"), Err(RecordError::Field("flags")));
    assert_eq!(with_bytes(1, 21, b"\x09"), Err(RecordError::Field("name")));
    assert_eq!(with_bytes(1, 21, b"\x07"), Err(RecordError::TrailingBytes));
    assert_eq!(with_bytes(5, 23, b"\x02"), Err(RecordError::Field("payload")));
    let options = 5 + 10 + "home/+/temperature".len();
    assert_eq!(with_bytes(6, options, b"\x03"), Err(RecordError::Field("options")));
    assert_eq!(with_bytes(6, options + 1, b"\x04"), Err(RecordError::Field("flags")));
    assert_eq!(with_bytes(6, options + 1, b"\x08"), Err(RecordError::Field("flags")));
    let identifier = 5 + 10 + "#".len() + 2;
    assert_eq!(
        with_bytes(9, identifier, b"\x10\0\0\0"),
        Err(RecordError::Field("identifier"))
    );
    assert!(matches!(
        with_bytes(9, identifier + 6, b"+"),
        Err(RecordError::Topic(_))
    ));
    // Far more groups than there are bytes.
    assert_eq!(
        with_bytes(15, 23, b"\xFF\xFF\xFF\xFF"),
        Err(RecordError::Field("group"))
    );
    assert_eq!(with_bytes(15, 22, b"\x02"), Err(RecordError::Field("flags")));
    let mut broker = opened(&broker_samples()[0]);
    broker.push(0);
    assert_eq!(decoded(&sealed(broker)), Err(RecordError::TrailingBytes));
}

#[test]
fn a_retained_message_that_is_exchanged_or_has_no_payload_is_refused() {
    let message = MessageRecord {
        source_bytes: Some(4),
        ..plain_message(QoS::AtLeastOnce)
    };
    let record = BrokerRecord::Retained {
        message,
        payload: PayloadId(1),
        publisher: None,
        origin: Origin::default(),
    };
    assert_eq!(decoded(&encoded(&record)), Err(RecordError::Field("source bytes")));
    // The flag of a packet identifier, and one.
    let mut bytes = opened(&broker_samples()[11]);
    *bytes.last_mut().unwrap() |= 0b0000_1010;
    bytes.extend_from_slice(b"\0\x01");
    assert_eq!(decoded(&sealed(bytes)), Err(RecordError::Field("id")));
}

#[test]
fn a_payload_is_not_copied_by_decoding() {
    let bytes = Bytes::from(encoded(&broker_samples()[12]));
    let Ok(BrokerRecord::Payload { bytes: payload, .. }) = BrokerRecord::decode(&bytes) else {
        panic!()
    };
    assert_eq!(payload.as_ptr(), bytes[14..].as_ptr());
}

#[test]
fn a_buffer_that_is_too_small_is_left_as_it_was() {
    for record in broker_samples() {
        let needed = record.encoded_len();
        let mut buffer = vec![0xAA; needed];
        let (exact, short) = (needed, needed - 1);
        assert_eq!(
            record.encode(&mut &mut buffer[..short]),
            Err(EncodeError::BufferTooSmall { needed })
        );
        assert_eq!(buffer, vec![0xAA; needed]);
        assert_eq!(record.encode(&mut &mut buffer[..exact]), Ok(needed));
        assert_eq!(buffer, encoded(&record));
    }
}

#[test]
fn the_longest_names_fit() {
    let long = "x".repeat(65_535);
    let long_names = Party::new(long.as_bytes(), Some(long.as_bytes())).unwrap();
    let longer = "x".repeat(65_536);
    assert_eq!(Party::new(longer.as_bytes(), None), None);
    assert_eq!(Party::new(b"", Some(longer.as_bytes())), None);
    let mut records = BTreeMap::new();
    for record in broker_samples() {
        let record = match record {
            BrokerRecord::Client(mut client) => {
                client.who = long_names.clone();
                BrokerRecord::Client(client)
            }
            BrokerRecord::Subscription(mut subscription) => {
                subscription.filter = filter(&long);
                BrokerRecord::Subscription(subscription)
            }
            BrokerRecord::Retained {
                mut message, payload, ..
            } => {
                message.topic = topic(&long);
                BrokerRecord::Retained {
                    message,
                    payload,
                    publisher: Some(long_names.clone()),
                    origin: Origin::default(),
                }
            }
            _ => continue,
        };
        assert_eq!(decoded(&encoded(&record)), Ok(record.clone()));
        records.insert(record.key(), record);
    }
    assert_eq!(records.len(), 3);
}

#[test]
fn the_key_of_a_record_stands_in_its_bytes() {
    for record in broker_samples() {
        let mut bytes = encoded(&record);
        let key = record.key();
        assert_eq!(bytes[5..5 + key.encoded_len()], encoded_key(&key));
        // Whatever happened to the rest.
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(BrokerRecord::key_bytes(&bytes), Some(&*encoded_key(&key)));
    }
}
