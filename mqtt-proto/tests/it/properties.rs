//! Properties: built, read by name, left out, compared.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use mqtt_proto::{
    AckProperties, AuthProperties, Binary, ConnAckProperties, ConnectProperties, DecodeErrorKind, DisconnectProperties,
    EncodeError, Field, PacketType, PayloadFormat, Properties, Property, PropertyId, PublishProperties, QoS,
    SubscribeProperties, SubscriptionId, Text, TopicName, UnsubscribeProperties, WillProperties, section,
};
use mqtt_tests::hex;

fn bytes<S: mqtt_proto::Section>(built: Result<Properties<S, Bytes>, EncodeError>) -> String {
    let properties = built.expect("valid properties");
    hex::text(properties.as_encoded().expect("nothing is left out"))
}

fn subscription(number: u32) -> SubscriptionId {
    SubscriptionId::new(number).expect("in range")
}

#[test]
fn every_property_of_connect_is_built_and_read_by_name() {
    let built = ConnectProperties::<Bytes>::builder()
        .session_expiry(1)
        .receive_maximum(2)
        .maximum_packet_size(3)
        .topic_alias_maximum(4)
        .request_response_information(true)
        .request_problem_information(false)
        .authentication_method("m")
        .authentication_data(b"d")
        .user_property("n", "v")
        .build()
        .expect("valid");
    assert_eq!(
        hex::text(built.as_encoded().expect("whole")),
        "11000000012100022700000003220004190117001500016D160001642600016E000176"
    );
    assert_eq!(
        (built.session_expiry(), built.receive_maximum()),
        (Some(1), NonZeroU16::new(2))
    );
    assert_eq!(
        (built.maximum_packet_size(), built.topic_alias_maximum()),
        (NonZeroU32::new(3), Some(4))
    );
    assert_eq!(
        (
            built.request_response_information(),
            built.request_problem_information()
        ),
        (Some(true), Some(false))
    );
    assert_eq!(built.authentication_method().expect("there"), "m");
    assert_eq!(built.authentication_data().expect("there").as_bytes(), b"d");
    let pairs: Vec<_> = built
        .user_properties()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    assert_eq!(pairs, [("n".to_owned(), "v".to_owned())]);
}

#[test]
fn every_property_of_connack_is_built_and_read_by_name() {
    let built = ConnAckProperties::<Bytes>::builder()
        .maximum_qos(QoS::AtLeastOnce)
        .retain_available(false)
        .assigned_client_id("c")
        .reason_string("r")
        .wildcard_available(false)
        .subscription_ids_available(true)
        .shared_available(false)
        .server_keep_alive(9)
        .response_information("i")
        .server_reference("s")
        .build()
        .expect("valid");
    assert_eq!(
        hex::text(built.as_encoded().expect("whole")),
        "24012500120001631F000172280029012A001300091A0001691C000173"
    );
    assert_eq!(
        (built.maximum_qos(), built.retain_available()),
        (Some(QoS::AtLeastOnce), Some(false))
    );
    assert_eq!(built.assigned_client_id().expect("there"), "c");
    assert_eq!(built.reason_string().expect("there"), "r");
    assert_eq!(
        (
            built.wildcard_available(),
            built.subscription_ids_available(),
            built.shared_available()
        ),
        (Some(false), Some(true), Some(false))
    );
    assert_eq!(built.server_keep_alive(), Some(9));
    assert_eq!(built.response_information().expect("there"), "i");
    assert_eq!(built.server_reference().expect("there"), "s");
    assert_eq!(built.session_expiry(), None);
}

#[test]
fn every_property_of_a_message_is_built_and_read_by_name() {
    let built = PublishProperties::<Bytes>::builder()
        .payload_format(PayloadFormat::Utf8)
        .message_expiry(5)
        .topic_alias(6)
        .response_topic("t")
        .correlation_data(b"c")
        .subscription_id(subscription(1))
        .subscription_id(subscription(128))
        .content_type("x")
        .build()
        .expect("valid");
    assert_eq!(
        hex::text(built.as_encoded().expect("whole")),
        "0101020000000523000608000174090001630B010B800103000178"
    );
    assert_eq!(
        (built.payload_format(), built.message_expiry()),
        (Some(PayloadFormat::Utf8), Some(5))
    );
    assert_eq!(
        (built.topic_alias(), built.response_topic()),
        (NonZeroU16::new(6), TopicName::new("t").ok())
    );
    assert_eq!(built.correlation_data().expect("there").as_bytes(), b"c");
    assert_eq!(
        built.subscription_ids().map(SubscriptionId::get).collect::<Vec<_>>(),
        [1, 128]
    );
    assert_eq!(built.content_type().expect("there"), "x");
    let will = WillProperties::<Bytes>::builder()
        .will_delay(7)
        .payload_format(PayloadFormat::Unspecified)
        .build();
    let will = will.expect("valid");
    assert_eq!(
        (will.will_delay(), will.payload_format()),
        (Some(7), Some(PayloadFormat::Unspecified))
    );
}

#[test]
fn qos_2_as_the_maximum_is_said_by_absence() {
    assert_eq!(
        bytes(
            ConnAckProperties::<Bytes>::builder()
                .maximum_qos(QoS::ExactlyOnce)
                .build()
        ),
        ""
    );
    assert_eq!(
        bytes(
            ConnAckProperties::<Bytes>::builder()
                .maximum_qos(QoS::AtMostOnce)
                .build()
        ),
        "2400"
    );
    let property: Property<&[u8]> = Property::MaximumQoS(QoS::ExactlyOnce);
    assert_eq!(
        bytes(ConnAckProperties::<Bytes>::builder().property(&property).build()),
        ""
    );
}

#[test]
fn properties_of_any_kind_are_appended_one_by_one_or_all_at_once() {
    let subscribe = SubscribeProperties::<Bytes>::builder()
        .subscription_id(subscription(268_435_455))
        .user_property("a", "")
        .build()
        .expect("valid");
    let mut copy = SubscribeProperties::<Bytes>::builder();
    for property in &subscribe {
        copy = copy.property(&property);
    }
    assert_eq!(bytes(copy.build()), "0BFFFFFF7F260001610000");
    let whole = SubscribeProperties::<Bytes>::builder().properties(&subscribe).build();
    assert_eq!(bytes(whole), "0BFFFFFF7F260001610000");
    let part = subscribe.without(PropertyId::SubscriptionIdentifier);
    let part = SubscribeProperties::<Bytes>::builder().properties(&part).build();
    assert_eq!(bytes(part), "260001610000");
}

#[test]
fn what_a_decoder_would_refuse_is_not_built() {
    let kind = |error: EncodeError| match error {
        EncodeError::Refused(error) => (error.kind(), error.offset()),
        other => panic!("{other:?}"),
    };
    let twice = AckProperties::<Bytes>::builder()
        .reason_string("a")
        .reason_string("b")
        .build();
    assert_eq!(twice.map_err(kind), Err((DecodeErrorKind::DuplicateProperty, 4)));
    let zero = PublishProperties::<Bytes>::builder().topic_alias(0).build();
    assert_eq!(zero.map_err(kind), Err((DecodeErrorKind::ZeroTopicAlias, 1)));
    let misplaced = UnsubscribeProperties::<Bytes>::builder()
        .property(&Property::<&[u8]>::ServerKeepAlive(1))
        .build();
    assert_eq!(misplaced.map_err(kind), Err((DecodeErrorKind::PropertyNotAllowed, 0)));
}

#[test]
fn a_refusal_names_the_packet_whose_properties_they_would_be() {
    fn named<S: mqtt_proto::Section>(built: Result<Properties<S, Bytes>, EncodeError>) -> Option<PacketType> {
        match built {
            Err(EncodeError::Refused(error)) => error.packet_type(),
            other => panic!("{other:?}"),
        }
    }
    // None of these packets has it.
    let foreign = Property::<&[u8]>::SubscriptionIdentifier(SubscriptionId::new(1).expect("valid"));
    let connect = ConnectProperties::<Bytes>::builder().property(&foreign).build();
    assert_eq!(named(connect), Some(PacketType::Connect));
    let will = WillProperties::<Bytes>::builder().property(&foreign).build();
    assert_eq!(named(will), Some(PacketType::Connect));
    let connack = ConnAckProperties::<Bytes>::builder().property(&foreign).build();
    assert_eq!(named(connack), Some(PacketType::ConnAck));
    let unsubscribe = UnsubscribeProperties::<Bytes>::builder().property(&foreign).build();
    assert_eq!(named(unsubscribe), Some(PacketType::Unsubscribe));
    let disconnect = DisconnectProperties::<Bytes>::builder().property(&foreign).build();
    assert_eq!(named(disconnect), Some(PacketType::Disconnect));
    let auth = AuthProperties::<Bytes>::builder().property(&foreign).build();
    assert_eq!(named(auth), Some(PacketType::Auth));
    let foreign = Property::<&[u8]>::ServerKeepAlive(1);
    let publish = PublishProperties::<Bytes>::builder().property(&foreign).build();
    assert_eq!(named(publish), Some(PacketType::Publish));
    let subscribe = SubscribeProperties::<Bytes>::builder().property(&foreign).build();
    assert_eq!(named(subscribe), Some(PacketType::Subscribe));
    // Several packets have this section.
    let ack = AckProperties::<Bytes>::builder().property(&foreign).build();
    assert_eq!(named(ack), None);
}

#[test]
fn a_buffer_that_is_too_small_is_told_how_much_is_needed() {
    let mut buffer = [0; 8];
    let built = DisconnectProperties::build_in(&mut buffer)
        .session_expiry(1)
        .reason_string("ab")
        .build();
    assert_eq!(built, Err(EncodeError::BufferTooSmall { needed: 10 }));
    let mut buffer = [0; 10];
    let built = DisconnectProperties::build_in(&mut buffer)
        .session_expiry(1)
        .reason_string("ab")
        .build();
    assert_eq!(built.expect("it fits").encoded_len(), 10);
}

#[test]
fn the_first_value_that_is_too_long_is_named() {
    let long = "a".repeat(65_536);
    let built = AckProperties::<Bytes>::builder()
        .user_property("n", &long)
        .reason_string(&long)
        .build();
    let field = Field::Property(PropertyId::UserProperty);
    assert_eq!(built, Err(EncodeError::FieldTooLong { field }));
    let longest = AckProperties::<Bytes>::builder().reason_string(&long[1..]).build();
    assert_eq!(longest.expect("it fits").encoded_len(), 65_538);
}

#[test]
fn a_property_that_is_left_out_counts_no_more() {
    let all = AuthProperties::<Bytes>::builder()
        .authentication_method("m")
        .user_property("a", "b")
        .user_property("c", "d")
        .reason_string("r")
        .build()
        .expect("valid");
    assert!(!all.is_empty() && all.has(PropertyId::UserProperty));
    assert_eq!((all.iter().count(), all.encoded_len()), (4, 22));

    let rest = all.clone().without(PropertyId::UserProperty);
    assert!(!rest.has(PropertyId::UserProperty) && rest.has(PropertyId::ReasonString) && !rest.is_empty());
    assert_eq!((rest.iter().count(), rest.encoded_len()), (2, 8));
    assert_eq!((rest.as_encoded(), rest.user_properties().count()), (None, 0));
    assert_eq!(rest.reason_string().expect("there"), "r");
    assert_eq!(
        hex::text(rest.to_owned().as_encoded().expect("one piece")),
        "1500016D1F000172"
    );

    let nothing = all.clone().cleared();
    assert!(nothing.is_empty() && nothing.reason_string().is_none());
    assert_eq!((nothing.as_encoded(), nothing.encoded_len()), (Some(&[][..]), 0));
    assert_eq!(
        (nothing.iter().count(), nothing.to_owned().as_encoded()),
        (0, Some(&[][..]))
    );
    assert_eq!(nothing, AuthProperties::<Bytes>::empty());
    assert_eq!(AuthProperties::<Bytes>::default(), AuthProperties::<Bytes>::empty());
    assert_eq!(
        all.without(PropertyId::ServerReference).as_encoded().map(<[u8]>::len),
        Some(22)
    );
}

#[test]
fn the_same_properties_are_equal_and_have_one_hash_whatever_is_left_out() {
    let hash = |properties: &AckProperties<Bytes>| BuildHasherDefault::<DefaultHasher>::default().hash_one(properties);
    let plain = AckProperties::<Bytes>::builder()
        .reason_string("r")
        .build()
        .expect("valid");
    let more = AckProperties::<Bytes>::builder()
        .reason_string("r")
        .user_property("a", "b")
        .build()
        .expect("valid");
    let less = more.clone().without(PropertyId::UserProperty);
    assert_eq!((&plain, hash(&plain)), (&less, hash(&less)));
    assert_ne!(plain, more);
    assert_ne!(hash(&plain), hash(&more));
    assert_eq!(plain.as_view(), plain);
    assert_ne!(plain.as_view(), more);
}

#[test]
fn properties_are_shown_with_name_and_value_and_secrets_are_hidden() {
    let built = AuthProperties::<Bytes>::builder()
        .authentication_method("m")
        .authentication_data("key")
        .build();
    let built = built.expect("valid");
    assert_eq!(
        format!("{built:?}"),
        "[Authentication Method(\"m\"), Authentication Data(hidden (3 bytes))]"
    );
    let shown = |property: Property<&[u8]>| format!("{property:?}");
    assert_eq!(
        shown(Property::PayloadFormatIndicator(PayloadFormat::Utf8)),
        "Payload Format Indicator(Utf8)"
    );
    assert_eq!(
        shown(Property::SubscriptionIdentifier(subscription(3))),
        "Subscription Identifier(3)"
    );
    assert_eq!(shown(Property::MessageExpiryInterval(4)), "Message Expiry Interval(4)");
    assert_eq!(shown(Property::ServerKeepAlive(5)), "Server Keep Alive(5)");
    assert_eq!(shown(Property::TopicAlias(NonZeroU16::MIN)), "Topic Alias(1)");
    assert_eq!(
        shown(Property::MaximumPacketSize(NonZeroU32::MIN)),
        "Maximum Packet Size(1)"
    );
    assert_eq!(shown(Property::MaximumQoS(QoS::AtMostOnce)), "Maximum QoS(AtMostOnce)");
    assert_eq!(shown(Property::RetainAvailable(true)), "Retain Available(true)");
    let (name, value) = (Text::new("n").expect("valid"), Text::new("v").expect("valid"));
    assert_eq!(
        shown(Property::UserProperty(name, value)),
        "User Property(\"n\", \"v\")"
    );
    let data = Binary::new(&b"\xFF"[..]).expect("short");
    assert_eq!(shown(Property::CorrelationData(data)), "Correlation Data(0xff)");
    let topic = TopicName::new("t").expect("valid");
    assert_eq!(shown(Property::ResponseTopic(topic)), "Response Topic(\"t\")");
}

#[test]
fn encoded_properties_of_a_record_are_checked_again() {
    let read = |text: &str| Properties::<section::Ack, _>::from_encoded(hex::bytes(text));
    assert_eq!(read("1F000172").expect("valid").reason_string().expect("there"), "r");
    assert_eq!(read("").expect("none").iter().count(), 0);
    let error = read("1F000172 7F").unwrap_err();
    assert_eq!((error.kind(), error.offset()), (DecodeErrorKind::UnknownProperty, 4));
    let error = read("1F0002 72").unwrap_err();
    assert_eq!((error.kind(), error.offset()), (DecodeErrorKind::Overrun, 1));
    let many = "2600000000".repeat(1001);
    assert_eq!(
        read(&many)
            .expect("more than a receiver takes by default")
            .user_properties()
            .count(),
        1001
    );
}

#[test]
fn a_fault_in_a_property_names_that_property() {
    fn named<S: mqtt_proto::Section>(ids: &[PropertyId]) {
        for id in ids {
            // A length of two bytes, and one of them.
            let error = Properties::<S, _>::from_encoded([id.number(), 0, 2, b'a']).expect_err("cut off");
            assert_eq!(
                (error.kind(), error.field()),
                (DecodeErrorKind::Overrun, Field::Property(*id))
            );
        }
    }
    named::<section::ConnAck>(&[
        PropertyId::AssignedClientIdentifier,
        PropertyId::AuthenticationMethod,
        PropertyId::AuthenticationData,
        PropertyId::ResponseInformation,
        PropertyId::ServerReference,
        PropertyId::ReasonString,
        PropertyId::UserProperty,
    ]);
    named::<section::Publish>(&[
        PropertyId::ContentType,
        PropertyId::ResponseTopic,
        PropertyId::CorrelationData,
    ]);
}
