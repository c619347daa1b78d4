//! Filters of SUBSCRIBE and UNSUBSCRIBE, and the codes that answer them.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

use bytes::Bytes;
use mqtt_proto::{
    AckProperties, DecodeErrorKind, EncodeError, Field, Filters, Packet, PacketId, Properties, QoS, SubAck,
    SubAckCodes, SubAckReason, Subscribe, SubscriptionOptions, TopicFilters, UnsubAck, UnsubAckCodes, UnsubAckReason,
    Unsubscribe, Version,
};

fn hash(value: &impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(value)
}

fn kind(error: EncodeError) -> DecodeErrorKind {
    match error {
        EncodeError::Refused(error) => error.kind(),
        other => panic!("{other:?}"),
    }
}

fn no_local() -> SubscriptionOptions {
    SubscriptionOptions {
        no_local: true,
        ..SubscriptionOptions::new(QoS::AtLeastOnce)
    }
}

fn subscribe(filters: Filters<Bytes>) -> Subscribe<Bytes> {
    Subscribe {
        id: PacketId::MIN,
        filters,
        properties: Properties::empty(),
    }
}

#[test]
fn filters_come_back_in_order_with_their_options() {
    let filters = Filters::builder()
        .filter("a/+", no_local())
        .filter("#", SubscriptionOptions::default())
        .build();
    let filters = filters.expect("valid");
    let read: Vec<_> = filters
        .iter()
        .map(|one| (one.filter.to_string(), one.options))
        .collect();
    assert_eq!(
        read,
        [
            ("a/+".to_owned(), no_local()),
            ("#".to_owned(), SubscriptionOptions::default())
        ]
    );
    assert_eq!(
        format!("{filters:?}"),
        "{\"a/+\": SubscriptionOptions { qos: AtLeastOnce, no_local: true, retain_as_published: false, \
            retain_handling: Send }, \"#\": SubscriptionOptions { qos: AtMostOnce, no_local: false, \
            retain_as_published: false, retain_handling: Send }}"
    );
    let mut buffer = [0; 10];
    let in_place = Filters::build_in(&mut buffer)
        .filter("a/+", no_local())
        .filter("#", SubscriptionOptions::default());
    assert_eq!(in_place.build().expect("it fits"), filters);
    let mut buffer = [0; 9];
    let in_place = Filters::build_in(&mut buffer)
        .filter("a/+", no_local())
        .filter("#", SubscriptionOptions::default());
    assert_eq!(in_place.build(), Err(EncodeError::BufferTooSmall { needed: 10 }));
}

#[test]
fn filters_that_a_server_would_refuse_are_not_built() {
    let none = Filters::builder().build();
    assert_eq!(none.map_err(kind), Err(DecodeErrorKind::FiltersMissing));
    let ill = Filters::builder().filter("a#", no_local()).build();
    assert_eq!(ill.map_err(kind), Err(DecodeErrorKind::MisplacedMultiLevelWildcard));
    let shared = Filters::builder().filter("$share/g/a", no_local()).build();
    assert_eq!(shared.map_err(kind), Err(DecodeErrorKind::NoLocalOnSharedSubscription));
    let long = Filters::builder().filter("a".repeat(65_536), no_local()).build();
    let field = Field::TopicFilter;
    assert_eq!(long, Err(EncodeError::FieldTooLong { field }));
    assert_eq!(
        TopicFilters::builder().build().map_err(kind),
        Err(DecodeErrorKind::FiltersMissing)
    );
    let ill = TopicFilters::builder().filter("a+").build();
    assert_eq!(ill.map_err(kind), Err(DecodeErrorKind::MisplacedSingleLevelWildcard));
}

#[test]
fn equal_filters_have_one_hash_and_other_options_make_another() {
    let build = |options| Filters::builder().filter("a", options).build().expect("valid");
    let (one, same, other) = (
        build(no_local()),
        build(no_local()),
        build(SubscriptionOptions::new(QoS::AtLeastOnce)),
    );
    assert_eq!((&one, hash(&one)), (&same, hash(&same)));
    assert_ne!(one, other);
    assert_ne!(hash(&one), hash(&other));
    let cut = subscribe(one)
        .for_version(Version::V3_1_1)
        .expect("a filter of every version")
        .filters;
    assert_eq!(
        (&cut, hash(&cut)),
        (&other, hash(&other)),
        "what is cut down to the QoS is the same"
    );

    let build = |filter| TopicFilters::builder().filter(filter).build().expect("valid");
    let (one, same, other) = (build("a"), build("a"), build("b"));
    assert_eq!((&one, hash(&one)), (&same, hash(&same)));
    assert_ne!(one, other);
    assert_ne!(hash(&one), hash(&other));
    assert_eq!(format!("{one:?}"), "[\"a\"]");
}

#[test]
fn options_beyond_the_qos_are_for_5_0_and_are_cut_for_others() {
    let packet = subscribe(Filters::builder().filter("a", no_local()).build().expect("valid"));
    for version in [Version::V3_1, Version::V3_1_1] {
        let field = Field::SubscriptionOptions;
        assert_eq!(
            packet.encoded_len(version),
            Err(EncodeError::NotInVersion { field, version })
        );
        let cut = packet.clone().for_version(version).expect("a filter of every version");
        let mut bytes = Vec::new();
        assert_eq!(cut.encode_to(version, &mut bytes), Ok(8));
        assert_eq!(bytes, [0x82, 0x06, 0x00, 0x01, 0x00, 0x01, b'a', 0x01]);
    }
    let plain = subscribe(
        Filters::builder()
            .filter("a", SubscriptionOptions::new(QoS::ExactlyOnce))
            .build()
            .expect("valid"),
    );
    assert_eq!(plain.encoded_len(Version::V3_1_1), Ok(8));
    assert_eq!(packet.encoded_len(Version::V5), Ok(9));
}

#[test]
fn a_filter_that_only_looks_shared_has_no_counterpart_in_5_0() {
    let filters = Filters::builder().filter("$share/g", SubscriptionOptions::default());
    let packet = subscribe(filters.build_for(Version::V3_1_1).expect("a filter of 3.1.1"));
    let (version, field) = (Version::V5, Field::TopicFilter);
    assert_eq!(
        packet.encoded_len(version),
        Err(EncodeError::NotInVersion { field, version })
    );
    assert_eq!(packet.encoded_len(Version::V3_1), Ok(15));
    assert_eq!(packet.clone().for_version(Version::V5), None);
    assert_eq!(packet.clone().for_version(Version::V3_1), Some(packet));

    let filters = TopicFilters::builder()
        .filter("$share/g")
        .build_for(Version::V3_1_1)
        .expect("a filter of 3.1.1");
    let packet = Unsubscribe {
        id: PacketId::MIN,
        filters,
        properties: Properties::empty(),
    };
    assert_eq!(
        packet.encoded_len(version),
        Err(EncodeError::NotInVersion { field, version })
    );
    assert_eq!(packet.encoded_len(Version::V3_1_1), Ok(14));
    assert_eq!(packet.clone().for_version(Version::V5), None);
    assert_eq!(packet.clone().for_version(Version::V3_1), Some(packet));
    let shared = TopicFilters::builder()
        .filter("$share/g/a")
        .build_for(Version::V3_1_1)
        .expect("valid");
    let packet = Unsubscribe {
        id: PacketId::MIN,
        filters: shared,
        properties: Properties::empty(),
    };
    assert_eq!(packet.encoded_len(Version::V5), Ok(17));
    assert!(packet.for_version(Version::V5).is_some());
}

#[test]
fn codes_are_collected_where_there_is_room_for_all_and_at_least_one() {
    let granted = [SubAckReason::GrantedQoS0, SubAckReason::NotAuthorized];
    let mut buffer = [0xEE; 3];
    let codes = SubAckCodes::build_in(&mut buffer, granted).expect("room");
    assert_eq!(codes.iter().collect::<Vec<_>>(), granted);
    assert_eq!(
        (codes.iter().len(), format!("{codes:?}")),
        (2, "[GrantedQoS0, NotAuthorized]".to_owned())
    );
    assert_eq!(SubAckCodes::new(granted).expect("two"), codes);
    assert_eq!(buffer, [0x00, 0x87, 0xEE]);
    assert_eq!(
        SubAckCodes::build_in(&mut [0; 2], granted).map(|codes| codes.iter().len()),
        Ok(2)
    );
    assert_eq!(
        SubAckCodes::build_in(&mut [0; 1], granted),
        Err(EncodeError::BufferTooSmall { needed: 2 })
    );
    assert_eq!(
        SubAckCodes::build_in(&mut [], granted),
        Err(EncodeError::BufferTooSmall { needed: 2 })
    );
    assert_eq!(SubAckCodes::build_in(&mut [0; 1], []), Err(EncodeError::CodesMissing));
    assert_eq!(SubAckCodes::new([]), Err(EncodeError::CodesMissing));

    let gone = [UnsubAckReason::Success, UnsubAckReason::NoSubscriptionExisted];
    let mut buffer = [0; 2];
    let codes = UnsubAckCodes::build_in(&mut buffer, gone).expect("room");
    assert_eq!(
        (codes.iter().collect::<Vec<_>>(), codes.iter().len()),
        (gone.to_vec(), 2)
    );
    assert_eq!(format!("{codes:?}"), "[Success, NoSubscriptionExisted]");
    assert_eq!(
        UnsubAckCodes::build_in(&mut [0; 1], gone),
        Err(EncodeError::BufferTooSmall { needed: 2 })
    );
    assert_eq!(UnsubAckCodes::build_in(&mut [0; 1], []), Err(EncodeError::CodesMissing));
    assert_eq!(UnsubAckCodes::new([]), Err(EncodeError::CodesMissing));
    assert_eq!(UnsubAckCodes::<Bytes>::none().iter().len(), 0);
}

#[test]
fn refusals_of_a_suback_become_the_one_that_3_1_1_has() {
    let codes = SubAckCodes::new([SubAckReason::GrantedQoS2, SubAckReason::NotAuthorized]).expect("two");
    let (plain, failure) = (
        codes.clone(),
        SubAckCodes::new([SubAckReason::GrantedQoS2, SubAckReason::UnspecifiedError]),
    );
    let failure = failure.expect("two");
    let packet = SubAck {
        id: PacketId::MIN,
        codes,
        properties: AckProperties::<Bytes>::builder()
            .reason_string("r")
            .build()
            .expect("valid"),
    };
    let (version, field) = (Version::V3_1_1, Field::ReasonCode);
    assert_eq!(
        packet.encoded_len(version),
        Err(EncodeError::NotInVersion { field, version })
    );
    let cut = packet.clone().for_version(version);
    let mut bytes = Vec::new();
    assert_eq!(cut.encode_to(version, &mut bytes), Ok(6));
    assert_eq!(bytes, [0x90, 0x04, 0x00, 0x01, 0x02, 0x80]);
    assert_eq!((&cut.codes, hash(&cut.codes)), (&failure, hash(&failure)));
    assert_ne!(cut.codes, plain);
    assert_ne!(hash(&plain), hash(&failure));
    assert_eq!(packet.clone().for_version(Version::V5), packet);
}

#[test]
fn an_unsuback_has_codes_in_5_0_and_none_before() {
    let (packet, bare) = (
        UnsubAck::<Bytes> {
            id: PacketId::MIN,
            codes: UnsubAckCodes::new([UnsubAckReason::Success]).expect("one"),
            properties: Properties::empty(),
        },
        UnsubAck::<Bytes> {
            id: PacketId::MIN,
            codes: UnsubAckCodes::none(),
            properties: Properties::empty(),
        },
    );
    let (version, field) = (Version::V3_1_1, Field::ReasonCode);
    assert_eq!(
        (packet.encoded_len(Version::V5), bare.encoded_len(version)),
        (Ok(6), Ok(4))
    );
    assert_eq!(
        packet.encoded_len(version),
        Err(EncodeError::NotInVersion { field, version })
    );
    assert_eq!(bare.encoded_len(Version::V5), Err(EncodeError::CodesMissing));
    assert_eq!(packet.clone().for_version(version), Some(bare.clone()));
    assert_eq!(bare.clone().for_version(Version::V5), None);
    assert_eq!(
        (
            packet.clone().for_version(Version::V5),
            bare.clone().for_version(version)
        ),
        (Some(packet.clone()), Some(bare.clone()))
    );
    let other = UnsubAckCodes::new([UnsubAckReason::NotAuthorized]).expect("one");
    assert!(packet.codes != bare.codes && packet.codes != other);
    assert!(hash(&packet.codes) != hash(&bare.codes) && hash(&packet.codes) != hash(&other));
    let hidden = packet.for_version(version).expect("an identifier alone").codes;
    assert_eq!((hash(&hidden), hidden.iter().count()), (hash(&bare.codes), 0));
}

#[test]
fn packets_of_filters_and_codes_keep_them_in_other_storage() {
    let packet = subscribe(Filters::builder().filter("a", no_local()).build().expect("valid"));
    let cut = packet.for_version(Version::V3_1_1).expect("valid");
    assert_eq!(cut.as_view().to_owned(), cut);
    assert_eq!(cut.as_view().encoded_len(Version::V3_1_1), Ok(8), "it stays cut");
    let whole = Packet::from(cut.clone());
    assert_eq!(whole.as_view(), Packet::Subscribe(cut.as_view()));
}
