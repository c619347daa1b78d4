//! The small types: versions, ends, QoS, identifiers, options and reason codes.

use std::num::NonZeroU16;

use mqtt_proto::{
    AuthReason, ConnAckReason, Delivery, DisconnectReason, Field, PacketId, PacketType, PropertyId, PubAckReason, QoS,
    ReasonCode, RetainHandling, Role, SubAckReason, SubscriptionId, SubscriptionOptions, UnsubAckReason, VARINT_MAX,
    Version,
};

#[test]
fn a_version_is_told_by_name_and_level_together() {
    for (version, name, level, text) in [
        (Version::V3_1, "MQIsdp", 3, "MQTT 3.1"),
        (Version::V3_1_1, "MQTT", 4, "MQTT 3.1.1"),
        (Version::V5, "MQTT", 5, "MQTT 5.0"),
    ] {
        assert_eq!((version.protocol_name(), version.level()), (name, level));
        assert_eq!(Version::from_name_and_level(name.as_bytes(), level), Some(version));
        assert_eq!(version.to_string(), text);
        assert_eq!(version.has_properties(), version == Version::V5);
    }
    for (name, level) in [
        ("MQTT", 3),
        ("MQIsdp", 4),
        ("MQTT", 6),
        ("MQTT", 0),
        ("mqtt", 5),
        ("", 4),
    ] {
        assert_eq!(
            Version::from_name_and_level(name.as_bytes(), level),
            None,
            "{name} {level}"
        );
    }
}

#[test]
fn the_peer_of_an_end_is_the_other_end() {
    assert_eq!((Role::Client.peer(), Role::Server.peer()), (Role::Server, Role::Client));
}

#[test]
fn packet_types_have_the_numbers_and_names_of_the_specification() {
    let names = [
        "CONNECT",
        "CONNACK",
        "PUBLISH",
        "PUBACK",
        "PUBREC",
        "PUBREL",
        "PUBCOMP",
        "SUBSCRIBE",
        "SUBACK",
        "UNSUBSCRIBE",
        "UNSUBACK",
        "PINGREQ",
        "PINGRESP",
        "DISCONNECT",
        "AUTH",
    ];
    for (number, name) in (1..).zip(names) {
        let packet_type = PacketType::from_number(number).expect("a type");
        assert_eq!((packet_type.number(), packet_type.name()), (number, name));
        assert_eq!(packet_type.to_string(), name);
    }
    assert_eq!((PacketType::from_number(0), PacketType::from_number(16)), (None, None));
}

#[test]
fn each_end_sends_its_own_packet_types() {
    use PacketType::{
        Auth, ConnAck, Connect, Disconnect, PingReq, PingResp, PubAck, PubComp, PubRec, PubRel, Publish, SubAck,
        Subscribe, UnsubAck, Unsubscribe,
    };
    for version in Version::ALL {
        for (types, client, server) in [
            (&[Connect, Subscribe, Unsubscribe, PingReq][..], true, false),
            (&[ConnAck, SubAck, UnsubAck, PingResp], false, true),
            (&[Publish, PubAck, PubRec, PubRel, PubComp, Auth], true, true),
            (&[Disconnect], true, version == Version::V5),
        ] {
            for packet_type in types {
                assert_eq!(
                    packet_type.may_be_sent_by(Role::Client, version),
                    client,
                    "{packet_type}"
                );
                assert_eq!(
                    packet_type.may_be_sent_by(Role::Server, version),
                    server,
                    "{packet_type} {version}"
                );
            }
        }
    }
}

#[test]
fn qos_3_does_not_exist() {
    let all = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    for (bits, qos) in (0..).zip(all) {
        assert_eq!((qos.bits(), QoS::from_bits(bits)), (bits, Some(qos)));
    }
    assert_eq!((QoS::from_bits(3), QoS::from_bits(0xFF)), (None, None));
}

#[test]
fn a_packet_identifier_is_a_number_and_never_zero() {
    assert_eq!(PacketId::new(0), None);
    let id = PacketId::new(0x1234).expect("not zero");
    assert_eq!((id.get(), u16::from(id)), (0x1234, 0x1234));
    assert_eq!(PacketId::from(NonZeroU16::MAX), PacketId::MAX);
    assert_eq!((PacketId::MIN.get(), PacketId::MAX.get()), (1, 65_535));
    assert_eq!(
        (format!("{id:?}"), id.to_string()),
        ("#4660".to_owned(), "4660".to_owned())
    );
    assert_eq!(format!("{id:>6}"), "  4660");
}

#[test]
fn a_delivery_has_what_its_qos_has() {
    let id = PacketId::MAX;
    let (once, twice) = (
        Delivery::AtLeastOnce { id, dup: false },
        Delivery::ExactlyOnce { id, dup: true },
    );
    assert_eq!(Delivery::first(QoS::AtMostOnce, id), Delivery::AtMostOnce);
    assert_eq!(Delivery::first(QoS::AtLeastOnce, id), once);
    assert_eq!(Delivery::first(QoS::ExactlyOnce, id), twice.with_dup(false));
    for (delivery, qos, own, dup) in [
        (Delivery::AtMostOnce, QoS::AtMostOnce, None, false),
        (once, QoS::AtLeastOnce, Some(id), false),
        (twice, QoS::ExactlyOnce, Some(id), true),
    ] {
        assert_eq!((delivery.qos(), delivery.id(), delivery.dup()), (qos, own, dup));
    }
    assert_eq!(once.with_dup(true), Delivery::AtLeastOnce { id, dup: true });
    assert_eq!(Delivery::AtMostOnce.with_dup(true), Delivery::AtMostOnce);
}

#[test]
fn subscription_options_are_their_byte() {
    for bits in 0..=u8::MAX {
        let expected = (bits & 0xC0 == 0 && bits & 0x03 != 3 && bits & 0x30 != 0x30).then(|| SubscriptionOptions {
            qos: [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(bits & 3)],
            no_local: bits & 4 != 0,
            retain_as_published: bits & 8 != 0,
            retain_handling: [
                RetainHandling::Send,
                RetainHandling::SendIfNew,
                RetainHandling::DoNotSend,
            ][usize::from(bits >> 4) % 3],
        });
        let options = SubscriptionOptions::from_bits(bits);
        assert_eq!(options, expected, "{bits:#04X}");
        assert!(options.is_none_or(|options| options.bits() == bits));
    }
    assert_eq!(SubscriptionOptions::new(QoS::ExactlyOnce).bits(), 2);
}

#[test]
fn a_subscription_identifier_fits_four_bytes_and_is_not_zero() {
    assert_eq!(SubscriptionId::new(0), None);
    assert_eq!(SubscriptionId::new(VARINT_MAX + 1), None);
    for number in [1, 127, 128, VARINT_MAX] {
        assert_eq!(SubscriptionId::new(number).map(SubscriptionId::get), Some(number));
    }
}

#[test]
fn codes_from_0x80_are_errors() {
    for code in ReasonCode::ALL {
        assert_eq!(code.is_error(), code.value() >= 0x80, "{code}");
    }
    assert!(ConnAckReason::UnspecifiedError.is_error() && !ConnAckReason::Success.is_error());
    assert!(PubAckReason::UnspecifiedError.is_error() && !PubAckReason::NoMatchingSubscribers.is_error());
}

#[test]
fn a_code_of_a_packet_is_that_number_among_all_codes() {
    for reason in DisconnectReason::ALL {
        assert_eq!(ReasonCode::from(*reason).value(), reason.value());
    }
    for reason in SubAckReason::ALL {
        assert_eq!(ReasonCode::from(*reason).value(), reason.value());
    }
    assert_eq!(ReasonCode::from(UnsubAckReason::NoSubscriptionExisted).value(), 0x11);
    assert_eq!(ReasonCode::from(AuthReason::ReAuthenticate), ReasonCode::ReAuthenticate);
}

#[test]
fn a_reason_is_shown_with_its_number_and_meaning() {
    assert_eq!(ReasonCode::ServerBusy.to_string(), "0x89 The server is busy.");
    assert_eq!(
        PubAckReason::NoMatchingSubscribers.meaning(),
        "Accepted, but nobody is subscribed."
    );
    assert_eq!(
        PubAckReason::NoMatchingSubscribers.to_string(),
        "0x10 Accepted, but nobody is subscribed."
    );
}

#[test]
fn return_codes_of_3_1_1_stand_for_their_reasons() {
    let reasons = [
        ConnAckReason::Success,
        ConnAckReason::UnsupportedProtocolVersion,
        ConnAckReason::ClientIdentifierNotValid,
        ConnAckReason::ServerUnavailable,
        ConnAckReason::BadUserNameOrPassword,
        ConnAckReason::NotAuthorized,
    ];
    for (code, reason) in (0..).zip(reasons) {
        assert_eq!(
            (ConnAckReason::from_return_code(code), reason.return_code()),
            (Some(reason), Some(code))
        );
        assert_eq!(reason.for_v3(), Some(reason));
    }
    assert_eq!(ConnAckReason::from_return_code(6), None);
    for (reason, nearest) in [
        (ConnAckReason::ServerBusy, Some(ConnAckReason::ServerUnavailable)),
        (ConnAckReason::UseAnotherServer, Some(ConnAckReason::ServerUnavailable)),
        (ConnAckReason::ServerMoved, Some(ConnAckReason::ServerUnavailable)),
        (
            ConnAckReason::ConnectionRateExceeded,
            Some(ConnAckReason::ServerUnavailable),
        ),
        (ConnAckReason::QuotaExceeded, Some(ConnAckReason::ServerUnavailable)),
        (ConnAckReason::Banned, Some(ConnAckReason::NotAuthorized)),
        (
            ConnAckReason::BadAuthenticationMethod,
            Some(ConnAckReason::NotAuthorized),
        ),
        (ConnAckReason::MalformedPacket, None),
        (ConnAckReason::PacketTooLarge, None),
    ] {
        assert_eq!((reason.return_code(), reason.for_v3()), (None, nearest), "{reason}");
    }
}

#[test]
fn a_granted_qos_is_a_code_and_a_refusal_grants_none() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(SubAckReason::granted(qos).value(), qos.bits());
        assert_eq!(SubAckReason::granted(qos).granted_qos(), Some(qos));
    }
    assert_eq!(SubAckReason::NotAuthorized.granted_qos(), None);
}

#[test]
fn some_reasons_are_for_one_end_only() {
    let of_client = |reason: DisconnectReason| reason.may_be_sent_by(Role::Client);
    let of_server = |reason: DisconnectReason| reason.may_be_sent_by(Role::Server);
    assert!(of_client(DisconnectReason::DisconnectWithWill) && !of_server(DisconnectReason::DisconnectWithWill));
    assert!(!of_client(DisconnectReason::SessionTakenOver) && of_server(DisconnectReason::SessionTakenOver));
    assert!(of_client(DisconnectReason::QoSNotSupported) && of_server(DisconnectReason::QoSNotSupported));
    assert!(!AuthReason::Success.may_be_sent_by(Role::Client) && AuthReason::Success.may_be_sent_by(Role::Server));
    assert!(!AuthReason::ReAuthenticate.may_be_sent_by(Role::Server));
    assert!(AuthReason::ReAuthenticate.may_be_sent_by(Role::Client));
    assert!(
        [Role::Client, Role::Server].map(|end| AuthReason::ContinueAuthentication.may_be_sent_by(end)) == [true; 2]
    );
}

#[test]
fn fields_and_properties_are_shown_by_the_names_of_the_specification() {
    assert_eq!(Field::WillPropertyLength.to_string(), "Will Property Length");
    assert_eq!(Field::Property(PropertyId::MaximumQoS).to_string(), "Maximum QoS");
    assert_eq!(
        PropertyId::SharedSubscriptionAvailable.to_string(),
        "Shared Subscription Available"
    );
    assert_eq!(
        Field::Property(PropertyId::MaximumQoS).name(),
        PropertyId::MaximumQoS.name()
    );
}
