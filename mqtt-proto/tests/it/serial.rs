//! Packets in the formats of others: what they look like, and what is refused when they are read.

use bytes::Bytes;
use mqtt_proto::{
    Binary, Decoded, Packet, Properties, Property, Rules, SubscriptionId, Text, TopicFilter, Version, decode, section,
};
use mqtt_tests::hex;
use serde_json::{Value, from_value, json, to_value};

fn as_json(frame: &str, version: Version) -> Value {
    let bytes = hex::bytes(frame);
    match decode(&bytes, &Rules::new(version)) {
        Ok(Decoded::Packet { packet, .. }) => to_value(packet).expect("every packet can be written"),
        other => panic!("{frame}: {other:?}"),
    }
}

#[test]
fn a_publish_is_written_with_text_as_strings_and_data_as_hex() {
    let written = as_json("32 0E 0001 61 1234 06 26 0001 6E 0000 00FF", Version::V5);
    let expected = json!({ "Publish": {
        "delivery": { "AtLeastOnce": { "id": 0x1234, "dup": false } },
        "retain": false,
        "topic": "a",
        "properties": [{ "UserProperty": ["n", ""] }],
        "payload": "00ff",
    } });
    assert_eq!(written, expected);
}

#[test]
fn filters_and_codes_are_written_as_lists() {
    let subscribe = as_json("82 07 0001 00 0001 61 2D", Version::V5);
    assert_eq!(
        subscribe["Subscribe"]["filters"],
        json!([{ "filter": "a", "options": {
            "qos": "AtLeastOnce", "no_local": true, "retain_as_published": true, "retain_handling": "DoNotSend",
        } }])
    );
    let unsubscribe = as_json("A2 09 0001 00 0001 61 0001 62", Version::V5);
    assert_eq!(unsubscribe["Unsubscribe"]["filters"], json!(["a", "b"]));
    let suback = as_json("90 05 0001 00 01 80", Version::V5);
    assert_eq!(suback["SubAck"]["codes"], json!(["GrantedQoS1", "UnspecifiedError"]));
    let unsuback = as_json("B0 05 0001 00 00 11", Version::V5);
    assert_eq!(
        unsuback["UnsubAck"]["codes"],
        json!(["Success", "NoSubscriptionExisted"])
    );
    assert_eq!(as_json("B0 02 0001", Version::V3_1_1)["UnsubAck"]["codes"], json!([]));
}

#[test]
fn what_is_read_is_checked_like_received_bytes() {
    type Owned<S> = Properties<S, Bytes>;
    assert!(from_value::<Text<Vec<u8>>>(json!("a\0")).is_err());
    assert!(from_value::<TopicFilter<Vec<u8>>>(json!("a/#/b")).is_err());
    assert!(from_value::<Owned<section::Ack>>(json!([{ "ContentType": "x" }])).is_err());
    assert!(from_value::<Owned<section::Ack>>(json!([{ "ReasonString": "x" }, { "ReasonString": "y" }])).is_err());
    assert!(from_value::<Owned<section::Ack>>(json!([{ "ReasonString": "x" }])).is_ok());
    assert!(from_value::<Packet<Bytes>>(json!({ "SubAck": { "id": 1, "codes": [], "properties": [] } })).is_err());
    assert!(
        from_value::<Packet<Bytes>>(json!({ "SubAck": { "id": 1, "codes": ["GrantedQoS0"], "properties": [] } }))
            .is_ok()
    );
    assert!(
        from_value::<Packet<Bytes>>(json!({ "Unsubscribe": { "id": 1, "filters": [], "properties": [] } })).is_err()
    );
    assert!(
        from_value::<Packet<Bytes>>(json!({ "Unsubscribe": { "id": 0, "filters": ["a"], "properties": [] } })).is_err()
    );
}

#[test]
fn a_subscription_identifier_out_of_range_is_refused_with_its_range() {
    assert_eq!(from_value::<SubscriptionId>(json!(7)).expect("in range").get(), 7);
    for number in [0, 268_435_456] {
        let error = from_value::<SubscriptionId>(json!(number)).expect_err("out of range");
        assert_eq!(
            error.to_string(),
            "a subscription identifier is a number from 1 to 268435455"
        );
    }
}

#[test]
fn data_is_read_from_pairs_of_hex_digits_only() {
    let read = |text: &str| from_value::<Binary<Vec<u8>>>(json!(text));
    assert_eq!(read("").expect("nothing").as_bytes(), b"");
    assert_eq!(read("00fFA5").expect("hex").as_bytes(), [0x00, 0xFF, 0xA5]);
    for text in ["0", "0g", "g0", "000", "é"] {
        let error = read(text).expect_err(text).to_string();
        assert!(error.contains("bytes, or a string of hexadecimal digits"), "{error}");
    }
    assert!(from_value::<Binary<Vec<u8>>>(json!(7)).is_err());
}

#[test]
fn filters_of_3_1_1_that_5_0_does_not_know_are_read_again() {
    let written = as_json("82 10 0001 0001 61 00 0007 24736861 72652F 01", Version::V3_1_1);
    let read: Packet<Bytes> = from_value(written.clone()).expect("valid");
    assert_eq!(to_value(&read).expect("written"), written);
    let pseudo = as_json("A2 0B 0001 0007 24736861 72652F", Version::V3_1_1);
    assert_eq!(pseudo["Unsubscribe"]["filters"], json!(["$share/"]));
    let read: Packet<Bytes> = from_value(pseudo).expect("a filter of 3.1.1");
    assert!(read.encoded_len(Version::V5).is_err());
    assert_eq!(read.encoded_len(Version::V3_1_1), Ok(13));
    let no_local_on_a_shared_filter = json!({ "Subscribe": { "id": 1, "properties": [], "filters": [
        { "filter": "$share/g/a", "options": { "qos": "AtMostOnce", "no_local": true, "retain_as_published": false,
            "retain_handling": "Send" } },
    ] } });
    assert!(from_value::<Packet<Bytes>>(no_local_on_a_shared_filter).is_err());
}

#[test]
fn a_property_is_written_by_its_name() {
    let property: Property<&[u8]> = Property::ServerKeepAlive(60);
    assert_eq!(to_value(property).expect("written"), json!({ "ServerKeepAlive": 60 }));
}

#[test]
fn small_values_survive_and_errors_are_written_with_their_words() {
    use mqtt_proto::{
        DecodeErrorKind, Field, PatchError, SectionKind, Subscription, SubscriptionOptions, TextError, TopicFilter,
    };

    fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + core::fmt::Debug>(value: &T) {
        let text = serde_json::to_string(value).unwrap();
        assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *value, "{text}");
    }
    round_trip(&TextError::Empty);
    round_trip(&PatchError::NotPublish);
    round_trip(&SectionKind::Will);
    round_trip(&DecodeErrorKind::ZeroPacketId);
    round_trip(&Field::TopicName);
    round_trip(&Subscription::<Bytes> {
        filter: TopicFilter::from_bytes(Bytes::from_static(b"a/+")).unwrap(),
        options: SubscriptionOptions::default(),
    });

    let error = decode(&[0x00], &Rules::new(Version::V5)).unwrap_err();
    let written = to_value(error).unwrap();
    assert_eq!(written["offset"], 0);
    assert_eq!(written["statement"], error.statement());
    assert_eq!(written["text"], error.to_string());
    let refused = to_value(mqtt_proto::EncodeError::Refused(error)).unwrap();
    assert_eq!(refused["Refused"], written);
}
