//! One message for many subscribers: the parts of a PUBLISH, and the changes to its bytes.

use arbitrary::{Result, Unstructured};
use bytes::{Bytes, BytesMut};
use mqtt_proto::{
    Delivery, EncodeError, Packet, PacketId, PatchError, PropertyId, Publish, PublishHead, PublishProperties, QoS,
    SharedPublish, Version, patch_dup, patch_packet_id, patch_retain,
};

use super::round_trip::decoded;

/// Bytes from which a message, what is its subscriber's own, and changes are made; what is left of them is patched too.
///
/// # Panics
/// If the codec breaks a promise: see `fuzz/README.md`.
pub fn patch(data: &[u8]) {
    // A source that has run dry makes no message.
    let _ = made_and_checked(&mut Unstructured::new(data));
}

fn made_and_checked(u: &mut Unstructured<'_>) -> Result<()> {
    let version = *u.choose(&Version::ALL)?;
    let change = Change {
        dup: u.arbitrary()?,
        retain: u.arbitrary()?,
        id: u.arbitrary()?,
    };
    let all_is_own: bool = u.ratio(1, 8)?;
    let publish: Publish<Bytes> = u.arbitrary()?;
    if let Some(publish) = publish.for_version(version) {
        parts_make_the_packet(&publish, version, all_is_own);
        patches_make_what_encoding_makes(&publish, version, change);
    }
    anything_else_is_left_alone(u.peek_bytes(u.len()).unwrap_or_default(), change);
    Ok(())
}

/// The properties that each subscriber has of its own.
const OWN: [PropertyId; 3] = [
    PropertyId::TopicAlias,
    PropertyId::MessageExpiryInterval,
    PropertyId::SubscriptionIdentifier,
];

fn picked(publish: &Publish<Bytes>, wanted: impl Fn(PropertyId) -> bool) -> PublishProperties<Bytes> {
    let mut builder = PublishProperties::<Bytes>::builder();
    for property in publish.properties.iter().filter(|property| wanted(property.id())) {
        builder = builder.property(&property);
    }
    builder.build().expect("a part of valid properties is valid")
}

/// Head, shared properties and payload, one behind the other, are the packet that encoding in one piece makes.
fn parts_make_the_packet(publish: &Publish<Bytes>, version: Version, all_is_own: bool) {
    let own = picked(publish, |id| all_is_own || OWN.contains(&id));
    let shared = picked(publish, |id| !OWN.contains(&id));
    if OWN.iter().any(|id| publish.properties.has(*id)) {
        let refused = SharedPublish::new(version, publish.properties.clone(), publish.payload.clone());
        assert!(matches!(refused, Err(EncodeError::NotShared { .. })), "{refused:?}");
    }
    let message = SharedPublish::new(version, shared.clone(), publish.payload.clone()).expect("valid shared parts");
    let head = PublishHead {
        delivery: publish.delivery,
        retain: publish.retain,
        topic: publish.topic.as_ref().map(mqtt_proto::TopicName::as_view),
        own: own.as_view(),
    };
    let twice = all_is_own && shared.iter().any(|property| property.id() != PropertyId::UserProperty);
    let (len, total) = match message.encoded_len(&head) {
        Err(EncodeError::PropertyTwice { id }) if twice => return assert!(own.has(id) && shared.has(id)),
        lens => lens.expect("a valid head"),
    };
    assert!(!twice, "a property that may occur once is in the packet twice");
    let [properties, payload] = message.parts();
    let whole = [&head_of(&message, &head, len)[..], properties, payload].concat();
    assert_eq!(whole.len(), total);

    let properties = PublishProperties::<Bytes>::builder()
        .properties(&own)
        .properties(&shared)
        .build();
    let contiguous = Publish {
        properties: properties.expect("no property twice"),
        ..publish.clone()
    };
    assert_eq!(whole, encoded(&contiguous, version));
    assert_eq!(decoded(&whole, version), Packet::Publish(contiguous.as_view()));
    head_before_the_payload(&contiguous, version, &whole);
}

fn head_of(message: &SharedPublish<Bytes>, head: &PublishHead<'_>, needed: usize) -> Vec<u8> {
    let mut buffer = vec![0xEE; needed];
    let too_small = message.encode_head(head, &mut buffer[..needed - 1]);
    assert_eq!(too_small, Err(EncodeError::BufferTooSmall { needed }));
    assert!(
        buffer.iter().all(|byte| *byte == 0xEE),
        "a buffer that is too small was written to"
    );
    assert_eq!(message.encode_head(head, &mut buffer), Ok(needed));
    buffer
}

/// A head that is written before its payload is there is the head of the whole packet.
fn head_before_the_payload(publish: &Publish<Bytes>, version: Version, whole: &[u8]) {
    let payload_len = u32::try_from(publish.payload.len()).expect("a short payload");
    let mut buffer = vec![0; whole.len()];
    let len = publish
        .encode_head(version, payload_len, &mut buffer)
        .expect("a valid head");
    assert_eq!(buffer[..len], whole[..whole.len() - publish.payload.len()]);
}

fn encoded(publish: &Publish<Bytes>, version: Version) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    publish
        .encode_to(version, &mut bytes)
        .expect("a PUBLISH that was made for this version can be encoded");
    bytes.to_vec()
}

/// What is changed in an encoded PUBLISH.
#[derive(Clone, Copy)]
struct Change {
    dup: bool,
    retain: bool,
    id: PacketId,
}

/// Changed bytes are those of the changed packet.
fn patches_make_what_encoding_makes(publish: &Publish<Bytes>, version: Version, change: Change) {
    let mut bytes = encoded(publish, version);
    let mut expected = publish.clone();

    expected.retain = change.retain;
    assert_eq!(patch_retain(&mut bytes, change.retain), Ok(()));
    assert_eq!(bytes, encoded(&expected, version));

    let acknowledged = publish.delivery.qos() != QoS::AtMostOnce;
    let verdict = if acknowledged {
        Ok(())
    } else {
        Err(PatchError::AtMostOnce)
    };
    expected.delivery = expected.delivery.with_dup(change.dup);
    assert_eq!(patch_dup(&mut bytes, change.dup), verdict);
    assert_eq!(bytes, encoded(&expected, version));

    expected.delivery = match expected.delivery {
        Delivery::AtMostOnce => Delivery::AtMostOnce,
        Delivery::AtLeastOnce { dup, .. } => Delivery::AtLeastOnce { id: change.id, dup },
        Delivery::ExactlyOnce { dup, .. } => Delivery::ExactlyOnce { id: change.id, dup },
    };
    assert_eq!(patch_packet_id(&mut bytes, change.id), verdict);
    assert_eq!(bytes, encoded(&expected, version));
    if acknowledged {
        the_head_is_enough(&bytes, bytes.len() - publish.payload.len(), change.id);
    }
}

/// The packet identifier can be replaced as soon as it is there, and until then nothing is changed.
fn the_head_is_enough(bytes: &[u8], head_len: usize, id: PacketId) {
    let mut first_patched = None;
    for len in 1..=head_len {
        let mut part = bytes[..len].to_vec();
        match patch_packet_id(&mut part, id) {
            Ok(()) => first_patched = first_patched.or(Some(len)),
            Err(error) => assert_eq!((error, first_patched), (PatchError::Truncated, None), "{len} bytes"),
        }
        assert_eq!(part, bytes[..len], "the same packet identifier changes bytes");
    }
    let end = first_patched.expect("the head is enough");
    assert_eq!(bytes[end - 2..end], id.get().to_be_bytes());
}

/// Any bytes: a refusal changes nothing; a change leaves the length, the packet type and the QoS.
fn anything_else_is_left_alone(bytes: &[u8], change: Change) {
    let patched = |patch: &dyn Fn(&mut [u8]) -> std::result::Result<(), PatchError>| {
        let mut patched = bytes.to_vec();
        if patch(&mut patched).is_err() {
            return assert_eq!(patched, bytes, "a refusal changed bytes");
        }
        assert_eq!((patched[0] >> 4, patched[0] & 0x06), (3, bytes[0] & 0x06));
        let changed = patched.iter().zip(bytes).filter(|(now, before)| now != before);
        assert!(changed.count() <= 2, "more was changed than a packet identifier has");
    };
    patched(&|bytes| patch_retain(bytes, change.retain));
    patched(&|bytes| patch_dup(bytes, change.dup));
    patched(&|bytes| patch_packet_id(bytes, change.id));
}
