//! Whole packets: shown to people, converted between versions and storages, built in place.

use bytes::{Bytes, BytesMut};
use mqtt_proto::{
    Auth, AuthProperties, AuthReason, Binary, ConnAck, ConnAckReason, Connect, ConnectProperties, DecodeErrorKind,
    Delivery, Disconnect, DisconnectReason, EncodeError, Field, Filters, Packet, PacketId, PacketType, Properties,
    PubAck, PubAckReason, PubComp, PubCompReason, PubRec, PubRecReason, PubRel, PubRelReason, Publish,
    PublishProperties, QoS, Rules, SubAck, SubAckCodes, SubAckReason, Subscribe, SubscriptionOptions, Text,
    TopicFilters, TopicName, UnsubAck, UnsubAckCodes, Unsubscribe, Version, Will, WillProperties, decode,
};
use mqtt_tests::hex;

use crate::verdict::{V3, V5, decoded};

fn connect() -> Connect<Bytes> {
    Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: 60,
        client_id: Text::new("c").expect("valid").to_owned(),
        will: Some(Will {
            qos: QoS::AtLeastOnce,
            retain: true,
            topic: TopicName::new("t").expect("valid").to_owned(),
            payload: Binary::new(Bytes::from_static(b"gone")).expect("short"),
            properties: WillProperties::<Bytes>::builder().will_delay(5).build().expect("valid"),
        }),
        username: None,
        password: Some(Binary::new(Bytes::from_static(b"secret")).expect("short")),
        properties: ConnectProperties::<Bytes>::builder()
            .receive_maximum(9)
            .build()
            .expect("valid"),
    }
}

fn publish(topic: Option<&str>) -> Publish<Bytes> {
    Publish {
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic: topic.map(|topic| TopicName::new(topic).expect("valid").to_owned()),
        properties: PublishProperties::<Bytes>::builder()
            .topic_alias(7)
            .build()
            .expect("valid"),
        payload: Bytes::from_static(b"on"),
    }
}

#[test]
fn a_connect_is_shown_without_its_password() {
    assert_eq!(
        format!("{:?}", connect()),
        "Connect { version: V5, clean_start: true, keep_alive: 60, client_id: \"c\", will: Some(Will { qos: AtLeastOnce, \
            retain: true, topic: \"t\", payload: \"gone\", properties: [Will Delay Interval(5)] }), username: None, \
            password: Some(hidden (6 bytes)), properties: [Receive Maximum(9)] }"
    );
}

#[test]
fn a_publish_is_shown_with_the_beginning_of_its_payload() {
    let mut publish = publish(Some("t"));
    assert_eq!(
        format!("{publish:?}"),
        "Publish { delivery: AtMostOnce, retain: false, topic: Some(\"t\"), properties: [Topic Alias(7)], payload: \"on\" }"
    );
    publish.payload = Bytes::from(vec![b'x'; 1 << 20]);
    let shown = format!("{publish:?}");
    assert!(
        shown.ends_with("payload: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"... (1048576 bytes) }"),
        "{shown}"
    );
}

#[test]
fn a_connect_for_older_versions_loses_what_they_do_not_have() {
    for version in [Version::V3_1, Version::V3_1_1] {
        let cut = connect().for_version(version);
        assert_eq!(
            (cut.version, cut.password.is_none(), cut.properties.is_empty()),
            (version, true, true)
        );
        let will = cut.will.as_ref().expect("it stays");
        assert!(will.properties.is_empty() && will.retain && will.topic == "t");
        let mut bytes = Vec::new();
        assert!(cut.encode_to(version, &mut bytes).is_ok());
    }
    let mut named = connect();
    named.username = Some(Text::new("u").expect("valid").to_owned());
    assert!(
        named.for_version(Version::V3_1_1).password.is_some(),
        "it belongs to a user name"
    );
    assert_eq!(connect().for_version(Version::V5), connect());
}

#[test]
fn a_connect_is_encoded_as_what_it_states_and_no_other() {
    let (stated, asked) = (Version::V5, Version::V3_1_1);
    assert_eq!(
        connect().encoded_len(asked),
        Err(EncodeError::VersionMismatch { stated, asked })
    );
    let mut old = connect().for_version(Version::V3_1_1);
    old.password = connect().password;
    let (field, version) = (Field::Password, Version::V3_1_1);
    assert_eq!(
        old.encoded_len(version),
        Err(EncodeError::NotInVersion { field, version })
    );
    let mut secret = connect();
    secret.properties = ConnectProperties::<Bytes>::builder()
        .authentication_data(b"x")
        .build()
        .expect("a section alone");
    assert_eq!(
        secret.encoded_len(Version::V5),
        Err(EncodeError::AuthenticationMethodMissing)
    );
}

#[test]
fn a_connect_has_the_bytes_of_its_fields() {
    let mut bytes = Vec::new();
    assert_eq!(connect().encode_to(Version::V5, &mut bytes), Ok(42));
    assert_eq!(
        hex::text(&bytes),
        "102800044D515454056E003C032100090001630518000000050001740004676F6E650006736563726574"
    );
    let Packet::Connect(read) = decoded(&bytes, &V5) else {
        panic!("a CONNECT")
    };
    assert_eq!(read, connect().as_view());
}

/// In every version that has Session Present, for every refusal that the version has.
#[test]
fn a_refusal_that_says_there_is_a_session_is_neither_written_nor_read() {
    for reason in ConnAckReason::ALL.iter().copied() {
        for version in [Version::V3_1_1, Version::V5] {
            let answer = |session_present| ConnAck::<Bytes> {
                session_present,
                reason,
                properties: Properties::empty(),
            };
            let mut bytes = [0; 8];
            let Ok(len) = answer(false).encode(version, &mut bytes) else {
                assert_eq!((version, reason.return_code()), (Version::V3_1_1, None));
                continue;
            };
            let written = answer(true).encoded_len(version);
            bytes[2] = 1;
            let read = decode(&bytes[..len], &Rules::new(version));
            if reason == ConnAckReason::Success {
                assert!(written.is_ok() && read.is_ok(), "{version}");
                continue;
            }
            assert_eq!(written, Err(EncodeError::SessionPresentInRefusal), "{version} {reason}");
            let error = read.expect_err("refused");
            let statement = match version {
                Version::V5 => "MQTT-3.2.2-6",
                _ => "MQTT-3.2.2-4",
            };
            assert_eq!(
                (error.kind(), error.field(), error.offset(), error.statement()),
                (
                    DecodeErrorKind::SessionPresentInRefusal,
                    Field::ConnectAcknowledgeFlags,
                    2,
                    statement
                )
            );
        }
    }
}

/// The wire is that of MQTT 3.1.1, which has nothing that could be left out.
#[test]
fn a_packet_made_from_its_minimum_asks_for_nothing_else() {
    let id = PacketId::MIN;
    let topic = || TopicName::from_bytes(Bytes::from_static(b"t")).expect("valid");
    let client_id = Text::from_bytes(Bytes::from_static(b"c")).expect("valid");
    let will = Will::new(topic(), Binary::new(Bytes::from_static(b"w")).expect("short"));
    let filters = Filters::builder().filter("f", SubscriptionOptions::default()).build();
    let removed = TopicFilters::builder().filter("f").build();
    let codes = SubAckCodes::new([SubAckReason::GrantedQoS1]).expect("one");
    for (packet, frame) in [
        (
            Packet::Connect(Connect {
                will: Some(will),
                ..Connect::new(Version::V3_1_1, client_id)
            }),
            "10 13 0004 4D515454 04 06 0000 0001 63 0001 74 0001 77",
        ),
        (
            Packet::ConnAck(ConnAck::new(ConnAckReason::NotAuthorized)),
            "20 02 00 05",
        ),
        (
            Packet::Publish(Publish::new(topic(), Bytes::from_static(b"p"))),
            "30 04 0001 74 70",
        ),
        (
            Packet::Subscribe(Subscribe::new(id, filters.expect("valid"))),
            "82 06 0001 0001 66 00",
        ),
        (Packet::SubAck(SubAck::new(id, codes)), "90 03 0001 01"),
        (
            Packet::Unsubscribe(Unsubscribe::new(id, removed.expect("valid"))),
            "A2 05 0001 0001 66",
        ),
        (Packet::UnsubAck(UnsubAck::new(id, UnsubAckCodes::none())), "B0 02 0001"),
    ] {
        let mut bytes = Vec::new();
        packet.encode_to(Version::V3_1_1, &mut bytes).expect("complete");
        assert_eq!(bytes, hex::bytes(frame), "{packet:?}");
    }
}

#[test]
fn packets_without_a_counterpart_convert_to_nothing() {
    let answer = |reason| ConnAck::<Bytes> {
        session_present: reason == ConnAckReason::Success,
        reason,
        properties: Properties::empty(),
    };
    assert_eq!(
        answer(ConnAckReason::MalformedPacket).for_version(Version::V3_1_1),
        None
    );
    let busy = answer(ConnAckReason::ServerBusy)
        .for_version(Version::V3_1_1)
        .expect("unavailable");
    assert_eq!(
        (busy.reason, busy.session_present),
        (ConnAckReason::ServerUnavailable, false)
    );
    let old = answer(ConnAckReason::Success)
        .for_version(Version::V3_1)
        .expect("success");
    assert!(!old.session_present, "MQTT 3.1 cannot say it");
    let (field, version) = (Field::ConnectAcknowledgeFlags, Version::V3_1);
    assert_eq!(
        answer(ConnAckReason::Success).encoded_len(version),
        Err(EncodeError::NotInVersion { field, version })
    );
    let (field, version) = (Field::ReasonCode, Version::V3_1_1);
    assert_eq!(
        answer(ConnAckReason::Banned).encoded_len(version),
        Err(EncodeError::NotInVersion { field, version })
    );

    assert_eq!(publish(None).for_version(Version::V3_1_1), None);
    assert!(
        publish(Some("t"))
            .for_version(Version::V3_1_1)
            .expect("a topic")
            .properties
            .is_empty()
    );
    assert_eq!(publish(None).for_version(Version::V5), Some(publish(None)));
    let bye = Disconnect::<Bytes>::new(DisconnectReason::DisconnectWithWill);
    assert_eq!(bye.clone().for_version(Version::V3_1_1), None);
    assert_eq!(
        bye.encoded_len(version),
        Err(EncodeError::NotInVersion { field, version })
    );
    assert_eq!(bye.clone().for_version(Version::V5), Some(bye));
    let auth = Auth::<Bytes> {
        reason: AuthReason::Success,
        properties: Properties::empty(),
    };
    assert_eq!(
        (auth.clone().for_version(Version::V3_1_1), auth.encoded_len(Version::V5)),
        (None, Ok(2))
    );
    assert_eq!(auth.clone().for_version(Version::V5), Some(auth.clone()));
    let field = Field::FixedHeader;
    assert_eq!(
        auth.encoded_len(version),
        Err(EncodeError::NotInVersion { field, version })
    );
}

#[test]
fn a_step_of_an_authentication_names_its_method() {
    let step = |properties| Auth::<Bytes> {
        reason: AuthReason::ContinueAuthentication,
        properties,
    };
    assert_eq!(
        step(Properties::empty()).encoded_len(Version::V5),
        Err(EncodeError::AuthenticationMethodMissing)
    );
    let named = AuthProperties::<Bytes>::builder()
        .authentication_method("m")
        .build()
        .expect("valid");
    let mut bytes = Vec::new();
    assert_eq!(step(named).encode_to(Version::V5, &mut bytes), Ok(8));
    assert_eq!(hex::text(&bytes), "F00618041500016D");
}

#[test]
fn a_failure_in_an_acknowledgement_is_success_before_5_0() {
    let (id, version, field) = (PacketId::MIN, Version::V3_1_1, Field::ReasonCode);
    let no = Err(EncodeError::NotInVersion { field, version });
    let puback = PubAck::<Bytes>::new(id, PubAckReason::NotAuthorized);
    let pubrec = PubRec::<Bytes>::new(id, PubRecReason::NotAuthorized);
    let pubrel = PubRel::<Bytes>::new(id, PubRelReason::PacketIdentifierNotFound);
    let pubcomp = PubComp::<Bytes>::new(id, PubCompReason::PacketIdentifierNotFound);
    assert_eq!([puback.encoded_len(version), pubrec.encoded_len(version)], [no, no]);
    assert_eq!([pubrel.encoded_len(version), pubcomp.encoded_len(version)], [no, no]);
    assert_eq!(puback.for_version(version), PubAck::new(id, PubAckReason::Success));
    assert_eq!(pubrec.for_version(version), PubRec::new(id, PubRecReason::Success));
    assert_eq!(
        pubrel.clone().for_version(version),
        PubRel::new(id, PubRelReason::Success)
    );
    assert_eq!(pubcomp.for_version(version), PubComp::new(id, PubCompReason::Success));
    assert_eq!(pubrel.clone().for_version(Version::V5), pubrel);
}

#[test]
fn an_owned_form_shares_the_frame_and_copies_what_lies_elsewhere() {
    let bytes = hex::bytes("30 0B 0001 74 3132333435363738");
    let frame = Bytes::from(bytes.clone());
    let packet = decoded(&frame, &V3);
    let Packet::Publish(shared) = packet.to_owned_in(&frame) else {
        panic!("a PUBLISH")
    };
    assert_eq!(shared.payload.as_ptr(), frame[5..].as_ptr());
    // Two buffers, one of which lies behind the other: what belongs to neither of them is copied.
    let (one, other) = (Bytes::from(vec![0xEE; 64]), Bytes::from(vec![0xEE; 64]));
    for elsewhere in [
        one,
        other,
        Bytes::new(),
        frame.slice(..6),
        frame.slice(..12),
        frame.slice(6..),
    ] {
        assert_eq!(packet.to_owned_in(&elsewhere).as_view(), packet);
        let Packet::Publish(publish) = packet else {
            panic!("a PUBLISH")
        };
        assert_eq!(publish.to_owned_in(&elsewhere).as_view(), publish);
    }
}

#[test]
fn after_a_fault_nothing_is_left_in_a_receive_buffer() {
    for frame in ["40 02 0000 C0 00", "C1 00 C0 00"] {
        let mut buffer = BytesMut::from(&hex::bytes(frame)[..]);
        assert!(Packet::take(&mut buffer, &V5).is_err());
        assert!(buffer.is_empty(), "{frame}");
    }
    let mut buffer = BytesMut::from(&hex::bytes("40 02 00")[..]);
    assert_eq!(Packet::take(&mut buffer, &V5), Ok(None));
    assert_eq!(buffer.len(), 3);
    let mut bytes = Bytes::from(hex::bytes("C0 00 C1 00"));
    assert_eq!(Packet::take_from(&mut bytes, &V5), Ok(Some(Packet::PingReq)));
    assert_eq!(
        Packet::take_from(&mut bytes, &V5).map_err(|error| error.kind()),
        Err(DecodeErrorKind::ReservedBitsSet)
    );
    assert_eq!(bytes.len(), 2);
}

#[test]
fn what_is_being_built_is_shown_by_its_length_alone() {
    let mut buffer = [0; 8];
    let building = ConnectProperties::build_in(&mut buffer).authentication_method("m");
    let shown = format!("{building:?}");
    assert!(shown.contains("InSlice(4 of 8 bytes)"), "{shown}");
    let shown = format!(
        "{:?}",
        ConnectProperties::<Bytes>::builder().authentication_method("secret")
    );
    assert!(
        shown.contains("InBytes(9 bytes)") && !shown.contains("secret"),
        "{shown}"
    );
}

#[test]
fn pings_have_two_bytes_and_packets_know_their_type() {
    let ping = Packet::<Bytes>::PingReq;
    assert_eq!(
        (ping.encoded_len(Version::V3_1), ping.packet_type()),
        (Ok(2), PacketType::PingReq)
    );
    let mut buffer = [0; 2];
    assert_eq!(Packet::<Bytes>::PingResp.encode(Version::V5, &mut buffer), Ok(2));
    assert_eq!(buffer, [0xD0, 0x00]);
    assert_eq!(
        ping.encode(Version::V5, &mut buffer[..1]),
        Err(EncodeError::BufferTooSmall { needed: 2 })
    );
    assert_eq!(ping.clone().fit(Version::V5, 2), Ok(ping.clone()));
    assert_eq!(
        ping.fit(Version::V5, 1),
        Err(EncodeError::PacketTooLarge { len: 2, limit: 1 })
    );
    assert_eq!(Packet::from(publish(None)).packet_type(), PacketType::Publish);
    let rules = Rules::new(Version::V5).limit(1);
    assert!(decode(&[0xC0, 0x00], &rules).is_err());
}
