//! Records from anywhere: damaged, contradictory, in any order.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use mqtt_proto::{PropertyId, PublishProperties, TopicName, Version};
use mqtt_session::{
    Client, ClientConfig, HandOver, InboxRecord, IncomingRecord, Instant, Key, MessageRecord, OutgoingRecord,
    OutgoingState, PayloadOf, QoS, Record, RestoreReport, Session, SessionConfig, SessionRecord,
};

use super::disk::encoded;
use super::{client, draws, server};

/// Bytes as records, which a client and a session are restored from.
///
/// # Panics
/// If a record is not read back, damage is not noticed, or what was restored cannot be sent: see `fuzz/README.md`.
pub fn records(data: &[u8]) {
    let _ = checked(&mut Unstructured::new(data));
}

fn checked(u: &mut Unstructured<'_>) -> Result<()> {
    let version = *u.choose(&Version::ALL)?;
    let hand_over: HandOver = draws::hand_over(u)?;
    let now = Instant::from_micros(u.int_in_range(0..=1 << 40)?);
    let mut stored = Vec::new();
    while !u.is_empty() && stored.len() < 40 {
        let Ok(one) = draw(u) else { break };
        stored.push(one);
    }
    let config = ClientConfig::new("c")
        .expect("the name is valid")
        .version(version)
        .session_expiry_seconds(u32::MAX)
        .hand_over(hand_over);
    let mut restore = Client::restore(config.clone(), now);
    for (key, bytes) in &stored {
        restore.encoded(*key, bytes);
    }
    let (restored, report) = restore.finish();
    is_complete(&stored, &report);
    client::sends_all(config, restored, &report, now);

    let config = SessionConfig::default().hand_over(hand_over);
    let mut restore = Session::restore(&config, now);
    for (key, bytes) in &stored {
        restore.encoded(*key, bytes);
    }
    let (restored, report) = restore.finish();
    is_complete(&stored, &report);
    server::sends_all(config, restored, &report, version, now);
    Ok(())
}

/// What stands under a key: a record, one that is damaged, or any bytes.
fn draw(u: &mut Unstructured<'_>) -> Result<(Key, Bytes)> {
    let record = record(u)?;
    let bytes = encoded(&record);
    let place = u.int_in_range(0..=bytes.len() - 1)?;
    let mut flipped = bytes.to_vec();
    flipped[place] ^= 1 << u.int_in_range(0..=7)?;
    let flipped = Bytes::from(flipped);
    assert!(
        Record::decode(&flipped).is_err(),
        "a flip at {place} is not noticed: {record:?}"
    );
    assert!(
        Record::decode(&bytes.slice(..place)).is_err(),
        "an end at {place} is not noticed: {record:?}"
    );
    Ok(match u.int_in_range(0..=15_u8)? {
        0 => (record.key(), flipped),
        1 => (record.key(), bytes.slice(..place)),
        2 => {
            let len = u.int_in_range(0..=20)?.min(u.len());
            let any = Bytes::copy_from_slice(u.bytes(len)?);
            if let Ok(record) = Record::decode(&any) {
                assert_eq!(encoded(&record).len(), any.len(), "another form of the same record");
            }
            (record.key(), any)
        }
        _ => (record.key(), bytes),
    })
}

pub(super) fn record(u: &mut Unstructured<'_>) -> Result<Record> {
    let number = if u.ratio(1, 16)? {
        u.arbitrary()?
    } else {
        u.int_in_range(1..=6)?
    };
    let id = mqtt_proto::PacketId::new(u.int_in_range(1..=5)?).expect("not zero");
    Ok(match u.int_in_range(0..=9_u8)? {
        0 => Record::Session(SessionRecord {
            generation: u.arbitrary()?,
            delivery_floor: number,
            saved_at: Instant::from_micros(u.int_in_range(0..=1 << 40)?),
            is_kept: u.arbitrary()?,
        }),
        1..=3 => Record::Outgoing(OutgoingRecord {
            serial: number,
            tag: !number,
            state: if u.ratio(1, 4)? {
                let is_given_up = u.arbitrary()?;
                OutgoingState::Release { id, is_given_up }
            } else {
                let message = message(u, true)?;
                let id = Some(id).filter(|_| message.qos != QoS::AtMostOnce);
                OutgoingState::Publish {
                    id: if u.arbitrary()? { id } else { None },
                    message,
                }
            },
        }),
        4 => Record::Incoming(IncomingRecord { id }),
        5 => {
            let message = message(u, false)?;
            let id = Some(id).filter(|_| message.qos == QoS::ExactlyOnce);
            Record::Inbox(InboxRecord {
                delivery: number,
                id,
                message,
            })
        }
        6 => payload(u, PayloadOf::Inbox(number))?,
        _ => payload(u, PayloadOf::Outgoing(number))?,
    })
}

fn payload(u: &mut Unstructured<'_>, of: PayloadOf) -> Result<Record> {
    let len = u.int_in_range(0..=700)?;
    let bytes = Bytes::from(vec![b'.'; len]);
    Ok(Record::Payload { of, bytes })
}

fn message(u: &mut Unstructured<'_>, may_have_source: bool) -> Result<MessageRecord> {
    let properties: PublishProperties<Bytes> = if u.ratio(1, 4)? {
        u.arbitrary()?
    } else {
        PublishProperties::empty()
    };
    let topic = *u.choose(&["t", "a/b/c"])?;
    Ok(MessageRecord {
        qos: draws::qos(u)?,
        retain: u.arbitrary()?,
        topic: TopicName::new(topic).expect("a valid topic").to_owned(),
        // Neither stands in a record.
        properties: properties
            .without(PropertyId::TopicAlias)
            .without(PropertyId::MessageExpiryInterval)
            .to_owned(),
        expires_at: if u.ratio(1, 4)? {
            Some(Instant::from_micros(u.int_in_range(0..=1 << 40)?))
        } else {
            None
        },
        source_bytes: if may_have_source && u.ratio(1, 4)? {
            Some(u.int_in_range(0..=70)?)
        } else {
            None
        },
    })
}

/// Every message on its way out is live or reported, and so is everything that cannot be read.
fn is_complete(stored: &[(Key, Bytes)], report: &RestoreReport) {
    let is_told = |key: Key| report.quarantined.iter().any(|one| one.key == key);
    let mut read = BTreeMap::new();
    for (key, bytes) in stored {
        match Record::decode(bytes) {
            Ok(record) if record.key() == *key => drop(read.insert(*key, record)),
            _ => assert!(is_told(*key), "cannot be read, and is not told: {key:?}"),
        }
    }
    for record in read.values() {
        if let Record::Outgoing(outgoing) = record {
            let live = report
                .live
                .iter()
                .filter(|live| live.op.serial() == outgoing.serial)
                .count();
            let payload = Key::Payload(PayloadOf::Outgoing(outgoing.serial));
            // One that was given up goes on without an operation.
            let is_given_up = matches!(outgoing.state, OutgoingState::Release { is_given_up: true, .. });
            let is_lost = is_told(record.key()) || is_told(payload) || is_given_up;
            assert!(live == 1 || live == 0 && is_lost, "neither live nor told: {outgoing:?}");
            assert!(!is_given_up || live == 0, "live after its outcome: {outgoing:?}");
        }
    }
}
