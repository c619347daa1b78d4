//! Known faults of brokers: wills.

use bytes::Bytes;
use mqtt_session::proto::{
    ConnAckProperties, ConnAckReason, Connect, Disconnect, DisconnectReason, Packet, PayloadFormat, Version,
    WillProperties,
};
use mqtt_session::{Ask, BrokerEvent, BrokerRecord, Verdict};
use mqtt_tests::ledger::covers;

use crate::rig::{NOTHING, Rig, config, expiring, fleeting};
use crate::scene::{BOTH, answer, join_stored, last_words, one_publish, questions, with_will};

crate::trials_of_module![
    one_will_whatever_ends_the_connection_and_how_often,
    every_end_has_one_result,
    a_session_of_no_length_has_no_delay,
    every_property_of_a_will_goes_on,
    an_orderly_end_takes_the_will_out_of_the_store,
    a_will_of_an_earlier_life_is_asked_about_again,
    a_client_that_was_refused_has_no_will,
    a_will_is_shown_at_connect_and_asked_about_when_it_is_due,
];

/// A client `c` of a session that lasts 100 seconds, with a will after a delay.
fn delayed(version: Version, delay_seconds: u32, expiry_seconds: u32) -> Connect<Bytes> {
    let properties = match delay_seconds {
        0 => WillProperties::empty(),
        _ => WillProperties::builder()
            .will_delay(delay_seconds)
            .build()
            .expect("a delay"),
    };
    Connect {
        keep_alive: 20,
        will: last_words("w", "gone", 0, false, properties),
        ..expiring("c", version, expiry_seconds)
    }
}

fn watched(rig: &mut Rig) {
    rig.join(fleeting("w", Version::V5));
    rig.subscribe("w", "w", 0);
}

fn wills(rig: &mut Rig) -> usize {
    rig.sent("w").len()
}

fn one_will_whatever_ends_the_connection_and_how_often() {
    for version in BOTH {
        let mut rig = Rig::new(config());
        watched(&mut rig);
        rig.join(with_will(expiring("c", version, 100), false));
        let id = rig.id("c");
        rig.rename("c", "old");
        assert_eq!(rig.connect(expiring("c", version, 100)), ["CONNACK present"]);
        // Everything else that ends a connection comes on top.
        for _ in 0..2 {
            rig.feed("old", &Packet::PingReq);
            rig.broker
                .disconnect(rig.now, id, Disconnect::new(DisconnectReason::ServerShuttingDown));
            rig.broker.handle_eof(rig.now, id);
            rig.advance(60);
        }
        assert_eq!(wills(&mut rig), 1);
        assert_eq!(rig.broker.figures().wills_published, 1);
        assert_eq!(rig.broker.figures().clients_connected, 2);
    }
    covers("BI-094");
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Orderly,
    WithWill,
    WithError,
    Cut,
    Silence,
    Malformed,
    ByHost,
    TakenOver,
    TakenOverAnew,
}

impl End {
    const ALL: [Self; 9] = [
        Self::Orderly,
        Self::WithWill,
        Self::WithError,
        Self::Cut,
        Self::Silence,
        Self::Malformed,
        Self::ByHost,
        Self::TakenOver,
        Self::TakenOverAnew,
    ];

    fn happens(self, rig: &mut Rig, version: Version) {
        let again = || Connect {
            clean_start: self == Self::TakenOverAnew,
            ..expiring("c", version, 1000)
        };
        match self {
            Self::Orderly => rig.leave("c", DisconnectReason::NormalDisconnection),
            Self::WithWill => rig.leave("c", DisconnectReason::DisconnectWithWill),
            Self::WithError => rig.leave("c", DisconnectReason::UnspecifiedError),
            Self::Cut => rig.cut("c"),
            Self::Silence => rig.advance(30),
            Self::Malformed => {
                rig.feed_bytes("c", &[0xF7, 0]);
            }
            Self::ByHost => {
                let farewell = Disconnect::new(DisconnectReason::AdministrativeAction);
                assert!(rig.broker.disconnect(rig.now, rig.id("c"), farewell));
            }
            Self::TakenOver | Self::TakenOverAnew => {
                rig.rename("c", "old");
                assert_eq!(rig.connect(again()).len(), 1);
            }
        }
    }

    /// When the will is published, by what the client has asked for.
    fn expected(self, delay: u32, expiry: u32) -> Option<u32> {
        match self {
            Self::Orderly => None,
            Self::TakenOver if delay > 0 && expiry > 0 => None,
            Self::TakenOver | Self::TakenOverAnew => Some(0),
            _ => Some(delay.min(expiry)),
        }
    }
}

fn every_end_has_one_result() {
    for end in End::ALL {
        for (delay, expiry) in [(0, 100), (10, 100), (100, 10), (10, 0), (0, 0)] {
            let mut rig = Rig::new(config());
            watched(&mut rig);
            rig.join(delayed(Version::V5, delay, expiry));
            end.happens(&mut rig, Version::V5);
            let expected = end.expected(delay, expiry);
            let text = format!("{end:?}, delay {delay}, expiry {expiry}");
            if let Some(after @ 1..) = expected {
                rig.advance(u64::from(after) - 1);
                assert_eq!(wills(&mut rig), 0, "{text}");
                rig.advance(1);
            }
            assert_eq!(wills(&mut rig), usize::from(expected.is_some()), "{text}");
            rig.advance(1000);
            assert_eq!(wills(&mut rig), 0, "{text}: once");
        }
    }
    for end in [
        End::Orderly,
        End::Cut,
        End::Silence,
        End::Malformed,
        End::ByHost,
        End::TakenOver,
    ] {
        let mut rig = Rig::new(config());
        watched(&mut rig);
        rig.join(delayed(Version::V3_1_1, 0, 100));
        end.happens(&mut rig, Version::V3_1_1);
        assert_eq!(wills(&mut rig), usize::from(end != End::Orderly), "{end:?}");
    }
    covers("BI-097");
}

fn a_session_of_no_length_has_no_delay() {
    let mut rig = Rig::new(config());
    watched(&mut rig);
    rig.join(delayed(Version::V5, 1000, 0));
    rig.cut("c");
    assert_eq!(wills(&mut rig), 1);
    covers("BI-098");
}

/// A will with one property, or with none.
fn properties(index: usize) -> WillProperties<Bytes> {
    let will = WillProperties::builder();
    let will = match index {
        0 => will.will_delay(5),
        1 => will.payload_format(PayloadFormat::Utf8),
        2 => will.message_expiry(77),
        3 => will.content_type("text"),
        4 => will.response_topic("answer"),
        5 => will.correlation_data([0, 0xFF]),
        6 => will.user_property("name", "value"),
        _ => will,
    };
    will.build().expect("one property")
}

fn every_property_of_a_will_goes_on() {
    for index in 0..8 {
        for end in [End::Cut, End::Silence, End::Malformed, End::ByHost, End::TakenOverAnew] {
            let mut rig = Rig::new(config());
            watched(&mut rig);
            rig.join(Connect {
                keep_alive: 20,
                will: last_words("w", "gone", 0, false, properties(index)),
                ..expiring("c", Version::V5, 100)
            });
            end.happens(&mut rig, Version::V5);
            rig.advance(if index == 0 { 5 } else { 0 });
            let came = one_publish(&mut rig, "w").properties;
            let came = (
                came.payload_format(),
                came.message_expiry(),
                came.content_type().map(|text| text.as_bytes().to_vec()),
                came.response_topic().map(|topic| topic.as_bytes().to_vec()),
                came.correlation_data().map(|data| data.as_bytes().to_vec()),
                came.user_properties().count(),
            );
            let expected = (
                (index == 1).then_some(PayloadFormat::Utf8),
                (index == 2).then_some(77),
                (index == 3).then(|| b"text".to_vec()),
                (index == 4).then(|| b"answer".to_vec()),
                (index == 5).then(|| vec![0, 0xFF]),
                usize::from(index == 6),
            );
            assert_eq!(came, expected, "{index} {end:?}");
        }
    }
    covers("BI-099");
}

/// A client with a will, in a store.
fn stored() -> Rig {
    let mut rig = Rig::new(config().is_stored(true));
    assert_eq!(join_stored(&mut rig, delayed(Version::V5, 10, 100)), ["CONNACK"]);
    assert_eq!(wills_stored(&rig), 1);
    rig
}

fn wills_stored(rig: &Rig) -> usize {
    let has_will = |record: &&BrokerRecord| matches!(record, BrokerRecord::Client(client) if client.will.is_some());
    rig.disk.values().filter(has_will).count()
}

fn an_orderly_end_takes_the_will_out_of_the_store() {
    let mut rig = stored();
    rig.leave("c", DisconnectReason::NormalDisconnection);
    let batch = rig.take().expect("one batch for the end");
    rig.write(&batch);
    assert_eq!(wills_stored(&rig), 0);
    rig.restart(config().is_stored(true));
    rig.advance(1000);
    assert_eq!(rig.broker.figures().wills_published, 0);
    // A restart without an end is one of the ends that publish.
    let mut rig = stored();
    rig.restart(config().is_stored(true));
    rig.advance(1000);
    assert_eq!(rig.broker.figures().wills_published, 1);
    covers("BI-100");
}

fn a_will_of_an_earlier_life_is_asked_about_again() {
    for (verdict, published) in [(Verdict::ALLOW, 1), (Verdict::DENY, 0)] {
        let mut rig = stored();
        rig.restart(config().is_stored(true).ask(Ask {
            publish: true,
            ..Ask::default()
        }));
        rig.advance(1000);
        assert_eq!(rig.broker.figures().wills_published, 0);
        answer(&mut rig, "may c publish q0 to w, left behind?", verdict);
        assert_eq!(rig.broker.figures().wills_published, published);
        assert_eq!(rig.broker.figures().messages_refused, 1 - published);
    }
    covers("BI-100");
}

fn a_client_that_was_refused_has_no_will() {
    for version in BOTH {
        let mut rig = Rig::new(config().ask(Ask::EVERYTHING));
        assert_eq!(rig.connect(with_will(expiring("c", version, 100), false)), NOTHING);
        let id = rig.id("c");
        rig.broker
            .refuse(
                rig.now,
                id,
                ConnAckReason::BadUserNameOrPassword,
                ConnAckProperties::empty(),
            )
            .expect("it was asked");
        rig.sent("c");
        rig.cut("c");
        // Nor has one that goes before it is let in.
        rig.connect(with_will(expiring("c", version, 100), false));
        rig.cut("c");
        rig.advance(1000);
        assert_eq!(questions(&mut rig), [], "{version:?}");
        assert_eq!(rig.broker.figures().wills_published, 0);
    }
    covers("BI-101");
}

fn a_will_is_shown_at_connect_and_asked_about_when_it_is_due() {
    let mut rig = Rig::new(config().ask(Ask::EVERYTHING));
    rig.connect(with_will(expiring("c", Version::V5, 100), true));
    let events = rig.events();
    let [BrokerEvent::Connect { connect, .. }] = &events[..] else {
        panic!("one question: {events:?}")
    };
    let will = connect.will.as_ref().expect("the will");
    assert_eq!((will.topic.as_bytes(), will.retain), (&b"w"[..], true));
    let id = rig.id("c");
    rig.broker
        .admit(rig.now, id, ConnAckProperties::empty())
        .expect("it was asked");
    rig.cut("c");
    let asked = questions(&mut rig);
    assert_eq!(asked.len(), 1);
    // The rights of that time count: an answer by an earlier policy is asked for again.
    rig.broker.policy_changed(rig.now);
    assert!(rig.broker.authorize(rig.now, asked[0].0, Verdict::ALLOW));
    assert_eq!(rig.broker.figures().wills_published, 0);
    answer(&mut rig, "may c publish q1 to w, left behind?", Verdict::DENY);
    assert_eq!(rig.broker.figures().wills_published, 0);
    assert_eq!(rig.broker.figures().retained_messages, 0);
    assert_eq!(
        rig.broker.figures().messages_refused,
        1,
        "it has a result, and is counted"
    );
    covers("BI-102");
}
