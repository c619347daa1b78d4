//! One message for many subscribers, and changes to encoded packets.

use bytes::Bytes;
use mqtt_proto::{
    Delivery, EncodeError, Field, PacketId, PatchError, Properties, PropertyId, Publish, PublishHead,
    PublishProperties, SharedPublish, TopicName, Version, patch_dup, patch_packet_id, patch_retain,
};
use mqtt_tests::hex;

fn topic(text: &str) -> Option<TopicName<&[u8]>> {
    Some(TopicName::new(text).expect("valid"))
}

fn head(own: PublishProperties<&[u8]>) -> PublishHead<'_> {
    PublishHead {
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic: topic("t"),
        own,
    }
}

fn shared(version: Version) -> SharedPublish<Bytes> {
    SharedPublish::new(version, Properties::empty(), Bytes::from_static(b"hi")).expect("nothing shared but the payload")
}

#[test]
fn head_properties_and_payload_make_the_packet() {
    let common = PublishProperties::<Bytes>::builder()
        .content_type("x")
        .build()
        .expect("valid");
    let message = SharedPublish::new(Version::V5, common, Bytes::from_static(b"hi")).expect("one piece");
    let own = PublishProperties::<Bytes>::builder()
        .message_expiry(7)
        .build()
        .expect("valid");
    let head = PublishHead {
        delivery: Delivery::ExactlyOnce {
            id: PacketId::MAX,
            dup: true,
        },
        retain: true,
        ..head(own.as_view())
    };
    assert_eq!(message.encoded_len(&head), Ok((13, 19)));
    let mut buffer = [0xEE; 14];
    assert_eq!(
        message.encode_head(&head, &mut buffer[..12]),
        Err(EncodeError::BufferTooSmall { needed: 13 })
    );
    assert_eq!(message.encode_head(&head, &mut buffer), Ok(13));
    let [properties, payload] = message.parts();
    assert_eq!(hex::text(&buffer), "3D11000174FFFF090200000007EE");
    assert_eq!((hex::text(properties).as_str(), payload), ("03000178", &b"hi"[..]));
}

#[test]
fn what_each_subscriber_has_of_its_own_is_not_shared() {
    for (id, properties) in [
        (
            PropertyId::TopicAlias,
            PublishProperties::<Bytes>::builder().topic_alias(1).build(),
        ),
        (
            PropertyId::MessageExpiryInterval,
            PublishProperties::<Bytes>::builder().message_expiry(1).build(),
        ),
        (
            PropertyId::SubscriptionIdentifier,
            PublishProperties::<Bytes>::from_encoded(Bytes::from_static(b"\x0B\x01")).map_err(EncodeError::from),
        ),
    ] {
        let message = SharedPublish::new(Version::V5, properties.expect("valid"), Bytes::new());
        assert_eq!(message.err(), Some(EncodeError::NotShared { id }));
    }
}

#[test]
fn shared_properties_are_one_piece_and_of_5_0() {
    let both = PublishProperties::<Bytes>::builder()
        .content_type("x")
        .user_property("a", "b")
        .build()
        .expect("valid");
    let part = both.clone().without(PropertyId::ContentType);
    assert_eq!(
        SharedPublish::new(Version::V5, part, Bytes::new()).err(),
        Some(EncodeError::NotOnePiece)
    );
    assert!(SharedPublish::new(Version::V5, both.clone().cleared(), Bytes::new()).is_ok());
    assert!(SharedPublish::new(Version::V3_1_1, both.clone().cleared(), Bytes::new()).is_ok());
    let (field, version) = (Field::PropertyLength, Version::V3_1_1);
    let message = SharedPublish::new(version, both, Bytes::new());
    assert_eq!(message.err(), Some(EncodeError::NotInVersion { field, version }));
}

#[test]
fn a_head_has_a_topic_or_an_alias_and_no_property_twice() {
    let alias = PublishProperties::<Bytes>::builder()
        .topic_alias(3)
        .build()
        .expect("valid");
    let nameless = |own| PublishHead {
        topic: None,
        ..head(own)
    };
    let mut buffer = [0; 16];
    assert_eq!(
        shared(Version::V5).encoded_len(&nameless(Properties::empty())),
        Err(EncodeError::TopicMissing)
    );
    let len = shared(Version::V5)
        .encode_head(&nameless(alias.as_view()), &mut buffer)
        .expect("an alias stands for it");
    assert_eq!(hex::text(&buffer[..len]), "3008000003230003");
    // Before 5.0 there is no alias.
    assert_eq!(
        shared(Version::V3_1_1).encoded_len(&nameless(alias.as_view())),
        Err(EncodeError::TopicMissing)
    );
    let (field, version) = (Field::PropertyLength, Version::V3_1_1);
    let refused = shared(version).encoded_len(&head(alias.as_view()));
    assert_eq!(refused, Err(EncodeError::NotInVersion { field, version }));

    let typed = PublishProperties::<Bytes>::builder()
        .content_type("x")
        .user_property("a", "b")
        .build()
        .expect("valid");
    let message = SharedPublish::new(Version::V5, typed.clone(), Bytes::new()).expect("one piece");
    let id = PropertyId::ContentType;
    assert_eq!(
        message.encoded_len(&head(typed.as_view())),
        Err(EncodeError::PropertyTwice { id })
    );
    let user_only = typed.as_view().without(id);
    assert!(
        message.encoded_len(&head(user_only)).is_ok(),
        "user properties may be on both sides"
    );
}

#[test]
fn a_head_of_3_1_1_has_no_property_length() {
    let mut buffer = [0; 16];
    let len = shared(Version::V3_1_1)
        .encode_head(&head(Properties::empty()), &mut buffer)
        .expect("room");
    assert_eq!((hex::text(&buffer[..len]).as_str(), len), ("3005000174", 5));
    assert_eq!(
        shared(Version::V3_1_1).encoded_len(&head(Properties::empty())),
        Ok((5, 7))
    );
}

#[test]
fn a_head_can_be_written_before_its_payload_is_there() {
    let publish: Publish<&[u8]> = Publish {
        delivery: Delivery::AtLeastOnce {
            id: PacketId::MIN,
            dup: false,
        },
        retain: false,
        topic: topic("t"),
        properties: Properties::empty(),
        payload: &[],
    };
    let mut buffer = [0xEE; 16];
    assert_eq!(publish.encode_head(Version::V5, 121, &mut buffer), Ok(8));
    assert_eq!(hex::text(&buffer[..9]), "327F000174000100EE");
    assert_eq!(publish.encode_head(Version::V5, 122, &mut buffer), Ok(9));
    assert_eq!(hex::text(&buffer[..10]), "328001000174000100EE");
    assert_eq!(
        publish.encode_head(Version::V5, 122, &mut buffer[..8]),
        Err(EncodeError::BufferTooSmall { needed: 9 })
    );
    assert_eq!(publish.encode_head(Version::V5, 268_435_449, &mut buffer), Ok(11));
    assert_eq!(
        publish.encode_head(Version::V5, 268_435_450, &mut buffer),
        Err(EncodeError::PacketTooLarge {
            len: 268_435_461,
            limit: 268_435_460
        })
    );
}

#[test]
fn flags_and_identifier_are_changed_where_they_stand() {
    let mut packet = hex::bytes("32 07 0001 74 1234 6869");
    assert_eq!(patch_dup(&mut packet, true), Ok(()));
    assert_eq!(patch_retain(&mut packet, true), Ok(()));
    assert_eq!(patch_packet_id(&mut packet, PacketId::MAX), Ok(()));
    assert_eq!(hex::text(&packet), "3B07000174FFFF6869");
    assert_eq!(patch_dup(&mut packet, false), Ok(()));
    assert_eq!(patch_retain(&mut packet, false), Ok(()));
    assert_eq!(hex::text(&packet), "3207000174FFFF6869");
    let mut long = hex::bytes("34 8001 0002 7475 1234");
    assert_eq!(patch_packet_id(&mut long, PacketId::MIN), Ok(()));
    assert_eq!(hex::text(&long), "348001000274750001");
}

#[test]
fn what_cannot_be_changed_stays_as_it_is() {
    let id = PacketId::MAX;
    for (frame, error) in [
        ("", PatchError::Truncated),
        ("40 02 0001", PatchError::NotPublish),
        ("30 03 0001 74", PatchError::AtMostOnce),
        ("32", PatchError::Truncated),
        ("32 80", PatchError::Truncated),
        ("32 80808080 01", PatchError::Truncated),
        ("32 05 00", PatchError::Truncated),
        ("32 05 0001 74", PatchError::Truncated),
        ("32 05 0001 74 12", PatchError::Truncated),
        // The identifier would lie behind the end of the packet.
        ("32 04 0001 74 1234", PatchError::Truncated),
        ("32 03 0001 74 1234", PatchError::Truncated),
    ] {
        let mut bytes = hex::bytes(frame);
        assert_eq!(patch_packet_id(&mut bytes, id), Err(error), "{frame}");
        assert_eq!(bytes, hex::bytes(frame));
    }
    let mut whole = hex::bytes("32 05 0001 74 1234");
    assert_eq!(patch_packet_id(&mut whole, id), Ok(()));
    let mut at_most_once = hex::bytes("31 03 0001 74");
    assert_eq!(patch_dup(&mut at_most_once, true), Err(PatchError::AtMostOnce));
    assert_eq!(patch_retain(&mut at_most_once, false), Ok(()));
    assert_eq!(hex::text(&at_most_once), "3003000174");
}

#[test]
fn a_head_is_appended_where_there_is_room_for_all_of_it() {
    let head = head(Properties::empty());
    let mut appended = b"before".to_vec();
    assert_eq!(shared(Version::V5).encode_head_to(&head, &mut appended), Ok(6));
    assert_eq!(hex::text(&appended[6..]), "300600017400");
    assert_eq!(&appended[..6], b"before");
    let mut place = [0xEE; 6];
    assert_eq!(shared(Version::V5).encode_head_to(&head, &mut &mut place[..]), Ok(6));
    assert_eq!(place[..], appended[6..]);
    let mut small = [0xEE; 5];
    let refused = shared(Version::V5).encode_head_to(&head, &mut &mut small[..]);
    assert_eq!(refused, Err(EncodeError::BufferTooSmall { needed: 6 }));
    assert_eq!(small, [0xEE; 5]);
    let nameless = PublishHead { topic: None, ..head };
    let refused = shared(Version::V5).encode_head_to(&nameless, &mut appended);
    assert_eq!((refused, appended.len()), (Err(EncodeError::TopicMissing), 12));
}

#[test]
fn a_head_before_its_payload_is_appended_as_it_is_written() {
    let publish: Publish<&[u8]> = Publish {
        delivery: Delivery::AtMostOnce,
        retain: true,
        topic: topic("t"),
        properties: Properties::empty(),
        payload: &[],
    };
    let mut appended = vec![0xEE];
    assert_eq!(publish.encode_head_to(Version::V3_1_1, 300, &mut appended), Ok(6));
    assert_eq!(hex::text(&appended), "EE31AF02000174");
    let mut written = [0; 6];
    assert_eq!(publish.encode_head(Version::V3_1_1, 300, &mut written), Ok(6));
    assert_eq!(written[..], appended[1..]);
    let mut place = [0xEE; 6];
    assert_eq!(publish.encode_head_to(Version::V3_1_1, 300, &mut &mut place[..]), Ok(6));
    let mut small = [0xEE; 5];
    let refused = publish.encode_head_to(Version::V3_1_1, 300, &mut &mut small[..]);
    assert_eq!(
        (refused, small),
        (Err(EncodeError::BufferTooSmall { needed: 6 }), [0xEE; 5])
    );
}

#[test]
fn a_message_fits_a_subscriber_up_to_its_maximum_packet_size() {
    let head = head(Properties::empty());
    assert_eq!(shared(Version::V5).encoded_len(&head), Ok((6, 8)));
    assert_eq!(shared(Version::V5).fit(&head, 8), Ok(()));
    let (len, limit) = (8, 7);
    assert_eq!(
        shared(Version::V5).fit(&head, 7),
        Err(EncodeError::PacketTooLarge { len, limit })
    );
    let nameless = PublishHead { topic: None, ..head };
    assert_eq!(shared(Version::V5).fit(&nameless, 100), Err(EncodeError::TopicMissing));
}

#[test]
fn what_is_shared_of_a_message_is_all_but_what_each_subscriber_has_of_its_own() {
    let message = |properties: PublishProperties<Bytes>| Publish {
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic: topic("t").map(|topic| topic.to_owned()),
        properties,
        payload: Bytes::from_static(b"hi"),
    };
    let parts = |version, properties: &PublishProperties<Bytes>| {
        let shared = SharedPublish::of(version, &message(properties.clone()));
        shared.parts().map(hex::text)
    };
    let plain = PublishProperties::<Bytes>::builder()
        .content_type("x")
        .build()
        .expect("valid");
    let mixed = PublishProperties::<Bytes>::builder()
        .topic_alias(1)
        .message_expiry(2)
        .properties(&plain)
        .build();
    let mixed = mixed.expect("valid");
    for properties in [&plain, &mixed] {
        assert_eq!(parts(Version::V5, properties), ["03000178", "6869"]);
        assert_eq!(parts(Version::V3_1_1, properties), ["", "6869"]);
    }
    let shared = SharedPublish::of(Version::V5, &message(plain.clone()));
    assert_eq!(
        shared.parts()[0].as_ptr(),
        plain.as_encoded().expect("whole").as_ptr(),
        "nothing is copied"
    );
    assert_eq!(shared.encoded_len(&head(Properties::empty())), Ok((6, 12)));
}
