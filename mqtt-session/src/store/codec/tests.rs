use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{EncodeError, PacketId, PayloadFormat, Property, PropertyId, PublishProperties, QoS};

use crate::random::Random;
use crate::store::crc::Crc32c;
use crate::store::samples::{id, message, plain_message, random_payload, random_record, samples, topic};
use crate::store::{Change, InboxRecord, MessageRecord, OutgoingRecord, OutgoingState, Record, RecordError};

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    let len = record.encode(&mut bytes).unwrap();
    assert_eq!((len, record.encoded_len()), (bytes.len(), bytes.len()));
    bytes
}

fn decoded(bytes: &[u8]) -> Result<Record, RecordError> {
    Record::decode(&Bytes::copy_from_slice(bytes))
}

/// A record with this beginning, as a writer with other ideas would seal it.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = Crc32c::EMPTY.and(&bytes).value();
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

/// The bytes of a record without their checksum.
fn opened(record: &Record) -> Vec<u8> {
    let mut bytes = encoded(record);
    bytes.truncate(bytes.len() - 4);
    bytes
}

#[test]
fn every_record_comes_back_as_it_was() {
    for record in samples() {
        assert_eq!(decoded(&encoded(&record)), Ok(record));
    }
    for seed in 0..5_000 {
        let record = random_record(&mut Random::new(seed));
        assert_eq!(decoded(&encoded(&record)), Ok(record), "seed {seed}");
    }
}

#[test]
fn the_layout_is_that_of_stores_written_before() {
    let cases: [(Record, &[u8]); 6] = [
        (samples().remove(0), b"\x02\x01\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\x03\xE8\0\x06\x0A\x24\x18\x1E\x40\0\x01"),
        (
            samples().remove(1),
            b"\x02\x02\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x63\0\x1E\0\x01\0\x06\x0A\x24\x18\x1E\x40\0\0\x18home/kitchen/temperature\
              \x01\x01\x03\0\x0Atext/plain\x26\0\x04unit\0\x07celsius",
        ),
        (samples().remove(4), b"\x02\x02\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x63\x01\xFF\xFF"),
        (samples().remove(5), b"\x02\x03\0\0\0\0\0\0\x01\x2C"),
        (samples().remove(8), b"\x02\x05\0\0\0\0\0\0\0\x0721.5"),
        (samples().remove(10), b"\x02\x02\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x63\x02\0\x01"),
    ];
    for (record, bytes) in cases {
        assert_eq!(encoded(&record), sealed(bytes.to_vec()), "{record:?}");
    }
    assert_eq!(
        encoded(&samples()[5])[10..],
        Crc32c::EMPTY.and(b"\x02\x03\0\0\0\0\0\0\x01\x2C").value().to_be_bytes()
    );
}

#[test]
fn every_flipped_bit_is_detected() {
    for record in samples() {
        let mut bytes = encoded(&record);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 8 {
                RecordError::Version(bytes[0])
            } else {
                RecordError::Checksum
            };
            assert_eq!(decoded(&bytes), Err(expected), "bit {bit} of {record:?}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(decoded(&bytes), Ok(record));
    }
}

#[test]
fn every_truncation_is_detected() {
    for record in samples() {
        let bytes = encoded(&record);
        for len in 0..bytes.len() {
            let expected = if len < 14 {
                RecordError::TooShort
            } else {
                RecordError::Checksum
            };
            assert_eq!(decoded(&bytes[..len]), Err(expected), "{len} bytes of {record:?}");
        }
    }
}

#[test]
fn bytes_after_a_record_are_detected() {
    for record in samples() {
        let mut bytes = encoded(&record);
        bytes.push(0);
        assert_eq!(decoded(&bytes), Err(RecordError::Checksum));
    }
}

#[test]
fn a_record_cut_before_its_checksum_was_made_is_refused_or_shorter() {
    for record in samples() {
        let whole = opened(&record);
        for len in 10..whole.len() {
            match decoded(&sealed(whole[..len].to_vec())) {
                Err(error) => assert!(
                    matches!(error, RecordError::Field(_) | RecordError::Properties(_)),
                    "{len} bytes of {record:?}: {error}"
                ),
                // A payload may have any length, and the properties of a message may end after each of them.
                Ok(shorter) => {
                    assert_eq!(shorter.key(), record.key());
                    assert_eq!(encoded(&shorter), sealed(whole[..len].to_vec()));
                }
            }
        }
    }
}

/// What a checksum does not detect: a writer that is wrong, or means harm. A record that is taken is one that would be
/// written the same.
#[test]
fn changed_bytes_under_a_good_checksum_give_an_error_or_a_record_that_is_written_the_same() {
    let mut random = Random::new(7);
    let (mut taken, mut refused) = (0, 0);
    for record in samples() {
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
    assert!(taken > 500 && refused > 500, "{taken} taken, {refused} refused");
}

#[test]
fn bytes_of_any_kind_are_no_panic_and_no_record_without_a_checksum() {
    let mut random = Random::new(3);
    for _ in 0..20_000 {
        let bytes = random_payload(&mut random);
        assert!(Record::decode(&bytes).is_err(), "{bytes:?}");
        let mut bytes = bytes.to_vec();
        if let [version, kind, ..] = &mut bytes[..] {
            *version = super::VERSION;
            *kind = 1 + *kind % 7;
        }
        let bytes = sealed(bytes);
        if let Ok(record) = decoded(&bytes) {
            assert_eq!(decoded(&encoded(&record)), Ok(record));
        }
    }
}

/// `record` with the byte at `at` replaced, under a good checksum.
fn with_byte(record: usize, at: usize, byte: u8) -> Result<Record, RecordError> {
    let mut bytes = opened(&samples()[record]);
    bytes[at] = byte;
    decoded(&sealed(bytes))
}

#[test]
fn fields_out_of_range_are_named() {
    assert_eq!(with_byte(0, 1, 0), Err(RecordError::Kind(0)));
    assert_eq!(with_byte(0, 1, 7), Err(RecordError::Kind(7)));
    assert_eq!(with_byte(0, 9, 1), Err(RecordError::Field("number")));
    assert_eq!(with_byte(5, 7, 1), Err(RecordError::Field("number")));
    assert_eq!(with_byte(1, 18, 3), Err(RecordError::Field("state")));
    assert_eq!(with_byte(1, 19, 0b0001_1011), Err(RecordError::Field("flags")));
    assert_eq!(with_byte(1, 19, 0b0111_1010), Err(RecordError::Field("flags")));
    assert_eq!(with_byte(1, 21, 0), Err(RecordError::Field("id")));
    assert_eq!(with_byte(1, 30, 1), Err(RecordError::Field("topic")));
    assert!(matches!(with_byte(1, 32, b'+'), Err(RecordError::Topic(_))));
    assert!(matches!(with_byte(1, 32, 0xFF), Err(RecordError::Topic(_))));
    assert!(matches!(with_byte(1, 56, 0x7F), Err(RecordError::Properties(_))));

    let mut incoming = opened(&samples()[5]);
    incoming.push(0);
    assert_eq!(decoded(&sealed(incoming)), Err(RecordError::TrailingBytes));
}

#[test]
fn an_identifier_where_the_qos_has_none_is_refused() {
    let outgoing = |qos| {
        let state = OutgoingState::Publish {
            id: Some(id(1)),
            message: plain_message(qos),
        };
        decoded(&encoded(&Record::Outgoing(OutgoingRecord {
            serial: 1,
            tag: 1,
            state,
        })))
    };
    assert_eq!(outgoing(QoS::AtMostOnce), Err(RecordError::Field("id")));
    assert!(outgoing(QoS::AtLeastOnce).is_ok());
    assert!(outgoing(QoS::ExactlyOnce).is_ok());

    let inbox = |qos| {
        let message = plain_message(qos);
        decoded(&encoded(&Record::Inbox(InboxRecord {
            delivery: 1,
            id: Some(id(1)),
            message,
        })))
    };
    assert_eq!(inbox(QoS::AtMostOnce), Err(RecordError::Field("id")));
    assert_eq!(inbox(QoS::AtLeastOnce), Err(RecordError::Field("id")));
    assert!(inbox(QoS::ExactlyOnce).is_ok());
}

#[test]
fn properties_of_a_connection_are_neither_written_nor_read() {
    let own = PublishProperties::builder()
        .content_type("text/plain")
        .user_property("a", "b");
    let all = PublishProperties::builder()
        .content_type("text/plain")
        .topic_alias(5.try_into().unwrap())
        .message_expiry(60)
        .user_property("a", "b");
    let record = |properties| {
        let message = MessageRecord {
            properties,
            ..plain_message(QoS::AtLeastOnce)
        };
        Record::Inbox(InboxRecord {
            delivery: 1,
            id: None,
            message,
        })
    };
    let (own, all) = (record(own.build().unwrap()), record(all.build().unwrap()));
    assert_eq!(encoded(&all), encoded(&own));

    // The same properties in a record of a writer that left them in.
    let mut bytes = opened(&own);
    bytes.extend_from_slice(b"\x23\0\x05\x02\0\0\0\x3C");
    assert_eq!(decoded(&sealed(bytes)), Ok(own));
}

#[test]
fn properties_that_are_left_out_of_a_message_are_not_written() {
    let all = PublishProperties::<Bytes>::builder()
        .content_type("text/plain")
        .property(&Property::<&[u8]>::PayloadFormatIndicator(PayloadFormat::Utf8))
        .build()
        .unwrap();
    let kept = all.without(PropertyId::ContentType);
    let message = MessageRecord {
        properties: kept.clone(),
        ..plain_message(QoS::AtLeastOnce)
    };
    let bytes = encoded(&Record::Inbox(InboxRecord {
        delivery: 1,
        id: None,
        message,
    }));
    let Ok(Record::Inbox(inbox)) = decoded(&bytes) else {
        panic!()
    };
    assert_eq!(inbox.message.properties, kept);
    assert_eq!(inbox.message.properties.as_encoded(), Some(&b"\x01\x01"[..]));
}

#[test]
fn a_payload_is_not_copied_by_decoding() {
    let bytes = Bytes::from(encoded(&samples()[8]));
    let Ok(Record::Payload { bytes: payload, .. }) = Record::decode(&bytes) else {
        panic!()
    };
    assert_eq!(payload.as_ptr(), bytes[10..].as_ptr());
}

#[test]
fn a_buffer_that_is_too_small_is_left_as_it_was() {
    for record in samples() {
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
fn the_longest_topic_fits() {
    let message = MessageRecord {
        topic: topic(&"x".repeat(65_535)),
        ..message(QoS::ExactlyOnce)
    };
    let state = OutgoingState::Publish {
        id: Some(PacketId::MAX),
        message,
    };
    let record = Record::Outgoing(OutgoingRecord {
        serial: u64::MAX,
        tag: u64::MAX,
        state,
    });
    assert_eq!(decoded(&encoded(&record)), Ok(record));
}

#[test]
fn the_key_of_a_record_stands_in_its_bytes() {
    for record in samples() {
        assert_eq!(encoded(&record)[1..10], record.key().encode());
        assert_eq!(Change::Delete(record.key()).key(), record.key());
        assert_eq!(Change::Put(record.clone()).key(), record.key());
    }
}

#[test]
fn an_error_says_what_is_wrong() {
    let texts = [
        (RecordError::Version(9), "records of version 9 are not known"),
        (RecordError::Checksum, "the record is damaged: its checksum is wrong"),
        (
            RecordError::Field("tag"),
            "the field \"tag\" of the record is cut or out of range",
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}
