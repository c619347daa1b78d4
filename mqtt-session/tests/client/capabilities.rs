//! What a server does not support, what names a subscription, and another server that is named.

use bytes::Bytes;
use mqtt_session::proto::{
    ConnAck, ConnAckProperties, ConnAckReason, Delivery, Disconnect, DisconnectProperties, DisconnectReason, Filters,
    Packet, Publish, PublishProperties, SubscribeProperties, SubscriptionId, SubscriptionOptions, TopicName,
};
use mqtt_session::{Capability, Closed, Event, Outcome, PublishError, QoS, RequestError};

use crate::rig::{Rig, config, message, said};

/// What is asked of a client, with the tag 7.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Publish { qos: u8, retain: bool },
    Subscribe { filter: &'static str, id: Option<u32> },
}

fn ask(rig: &mut Rig, ask: Ask) -> Result<(), Capability> {
    match ask {
        Ask::Publish { qos, retain } => {
            let asked = rig.client.publish(rig.now, message(qos, "x").retain(retain), 7);
            match asked {
                Err(PublishError::NotSupported(capability)) => Err(capability),
                other => other.map(|_| ()).map_err(|error| panic!("{error}")),
            }
        }
        Ask::Subscribe { filter, id } => {
            let options = SubscriptionOptions::new(QoS::AtMostOnce);
            let filters = Filters::builder().filter(filter, options).build().unwrap();
            let properties = id.map_or_else(SubscribeProperties::empty, |id| {
                let id = SubscriptionId::new(id).unwrap();
                SubscribeProperties::builder().subscription_id(id).build().unwrap()
            });
            match rig.client.subscribe(rig.now, filters, properties, 7) {
                Err(RequestError::NotSupported(capability)) => Err(capability),
                other => other.map(|_| ()).map_err(|error| panic!("{error}")),
            }
        }
    }
}

fn lacking(capability: Capability) -> ConnAckProperties<Bytes> {
    match capability {
        Capability::QoS => said(|server| server.maximum_qos(QoS::AtLeastOnce)),
        Capability::Retain => said(|server| server.retain_available(false)),
        Capability::WildcardSubscriptions => said(|server| server.wildcard_available(false)),
        Capability::SharedSubscriptions => said(|server| server.shared_available(false)),
        Capability::SubscriptionIdentifiers => said(|server| server.subscription_ids_available(false)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_server_does_not_support_is_never_sent_and_all_else_is() {
    let publish = |qos, retain| Ask::Publish { qos, retain };
    let subscribe = |filter, id| Ask::Subscribe { filter, id };
    let table = [
        (Capability::QoS, publish(2, false), publish(1, true)),
        (Capability::Retain, publish(0, true), publish(2, false)),
        (
            Capability::WildcardSubscriptions,
            subscribe("a/+", None),
            subscribe("$share/g/a", Some(3)),
        ),
        (
            Capability::SharedSubscriptions,
            subscribe("$share/g/a", None),
            subscribe("a/#", Some(3)),
        ),
        (
            Capability::SubscriptionIdentifiers,
            subscribe("a", Some(3)),
            subscribe("$share/g/#", None),
        ),
    ];
    for (lack, unsupported, supported) in table {
        // Asked for before the server was known.
        let mut rig = Rig::new(config());
        ask(&mut rig, unsupported).unwrap();
        rig.open();
        rig.accept_with(false, lacking(lack));
        assert_eq!(rig.sent(), [""; 0], "{lack:?}");
        let [Event::Connected { .. }, Event::Completed { outcome, tag: 7, .. }] = &rig.events()[..] else {
            panic!("{lack:?}")
        };
        assert_eq!(*outcome, Outcome::NotSupported(lack));
        // And afterwards.
        assert_eq!(ask(&mut rig, unsupported), Err(lack));
        assert_eq!((rig.sent(), rig.told()), (vec![], vec![]), "{lack:?}");
        ask(&mut rig, supported).unwrap();
        assert_eq!(rig.sent().len(), 1, "{lack:?}");
    }
}

#[test]
fn a_subscription_has_its_identifier_and_a_message_those_of_its_subscriptions() {
    let mut rig = Rig::connected(config());
    let asked = Ask::Subscribe {
        filter: "s",
        id: Some(300),
    };
    ask(&mut rig, asked).unwrap();
    let [Packet::Subscribe(subscribe)] = &rig.sent_packets()[..] else {
        panic!()
    };
    assert_eq!(
        subscribe.properties.subscription_id().map(SubscriptionId::get),
        Some(300)
    );
    let properties = [300, 7].into_iter().fold(PublishProperties::builder(), |builder, id| {
        builder.subscription_id(SubscriptionId::new(id).unwrap())
    });
    rig.feed(&Packet::Publish(Publish {
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic: Some(TopicName::from_bytes(Bytes::from_static(b"s")).unwrap()),
        properties: properties.build().unwrap(),
        payload: Bytes::new(),
    }));
    let [Event::Message(received)] = &rig.events()[..] else {
        panic!()
    };
    let ids = received.message.properties.subscription_ids();
    assert_eq!(ids.map(SubscriptionId::get).collect::<Vec<_>>(), [300, 7]);
}

#[test]
fn another_server_that_is_named_is_told_and_this_one_not_tried_again() {
    for (refusal, farewell) in [
        (ConnAckReason::UseAnotherServer, DisconnectReason::UseAnotherServer),
        (ConnAckReason::ServerMoved, DisconnectReason::ServerMoved),
    ] {
        let mut rig = Rig::new(config());
        rig.open();
        rig.feed(&Packet::ConnAck(ConnAck {
            session_present: false,
            reason: refusal,
            properties: said(|server| server.server_reference("b.example:1883")),
        }));
        let events = rig.events();
        let [
            Event::Closed {
                reason: Closed::Refused { reason, properties },
                retry_at: None,
            },
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!(*reason, refusal);
        assert_eq!(properties.server_reference().unwrap(), "b.example:1883");

        let mut rig = Rig::connected(config());
        let properties = DisconnectProperties::builder().server_reference("b.example:1883");
        rig.feed(&Packet::Disconnect(Disconnect {
            reason: farewell,
            properties: properties.build().unwrap(),
        }));
        let events = rig.events();
        let [
            Event::Closed {
                reason: Closed::Disconnected { reason, properties },
                retry_at: None,
            },
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!(*reason, farewell);
        assert_eq!(properties.server_reference().unwrap(), "b.example:1883");
        rig.cut();
        assert_eq!(rig.client.poll_timeout(), None);
    }
}

#[test]
fn what_a_server_says_in_words_is_told_and_quoted() {
    let refused = Closed::Refused {
        reason: ConnAckReason::ServerMoved,
        properties: said(|server| {
            server
                .reason_string("moved\u{1b}[2J\"\n")
                .server_reference("b.example:1883")
        }),
    };
    assert_eq!(
        refused.to_string(),
        "the server refused the connection: The server has moved for good; it says \"moved\\u{1b}[2J\\\"\\n\"; it names another server, \"b.example:1883\""
    );
    let properties = DisconnectProperties::builder().reason_string("enough \u{202e}");
    let farewell = Closed::Disconnected {
        reason: DisconnectReason::ServerBusy,
        properties: properties.build().unwrap(),
    };
    assert!(
        farewell.to_string().ends_with("; it says \"enough \\u{202e}\""),
        "{farewell}"
    );
}
