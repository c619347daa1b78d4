//! A packet in the vocabulary of the vectors.

use mqtt_proto::{
    Connect, Packet, Properties, Property, Publish, Section, SubAckReason, Subscribe, UnsubAckReason, Version, Will,
};
use mqtt_tests::hex;
use serde_json::{Map, Value, json};

/// Every fact that a vector states of a packet.
pub(crate) fn facts(packet: &Packet<&[u8]>, version: Version, frame: &[u8]) -> Value {
    let mut facts = header(packet, frame);
    let five = version == Version::V5;
    match packet {
        Packet::Connect(connect) => of_connect(&mut facts, connect),
        Packet::ConnAck(connack) => {
            facts.insert("sessionPresent".into(), connack.session_present.into());
            let code = if five {
                connack.reason.value()
            } else {
                connack.reason.return_code().unwrap_or(u8::MAX)
            };
            facts.insert(if five { "reasonCode" } else { "returnCode" }.into(), code.into());
            put_properties(&mut facts, &connack.properties);
        }
        Packet::Publish(publish) => of_publish(&mut facts, publish),
        Packet::PubAck(ack) => of_ack(&mut facts, ack.id.get(), ack.reason.value(), &ack.properties, five),
        Packet::PubRec(ack) => of_ack(&mut facts, ack.id.get(), ack.reason.value(), &ack.properties, five),
        Packet::PubRel(ack) => of_ack(&mut facts, ack.id.get(), ack.reason.value(), &ack.properties, five),
        Packet::PubComp(ack) => of_ack(&mut facts, ack.id.get(), ack.reason.value(), &ack.properties, five),
        Packet::Subscribe(subscribe) => of_subscribe(&mut facts, subscribe, five),
        Packet::SubAck(suback) => {
            facts.insert("messageId".into(), suback.id.get().into());
            facts.insert("granted".into(), suback.codes.iter().map(SubAckReason::value).collect());
            put_properties(&mut facts, &suback.properties);
        }
        Packet::Unsubscribe(unsubscribe) => {
            facts.insert("messageId".into(), unsubscribe.id.get().into());
            let filters = unsubscribe.filters.iter().map(|filter| filter.as_str().to_owned());
            facts.insert("unsubscriptions".into(), filters.collect());
            put_properties(&mut facts, &unsubscribe.properties);
        }
        Packet::UnsubAck(unsuback) => {
            facts.insert("messageId".into(), unsuback.id.get().into());
            if five {
                facts.insert(
                    "granted".into(),
                    unsuback.codes.iter().map(UnsubAckReason::value).collect(),
                );
            }
            put_properties(&mut facts, &unsuback.properties);
        }
        Packet::Disconnect(disconnect) => {
            if five {
                facts.insert("reasonCode".into(), disconnect.reason.value().into());
            }
            put_properties(&mut facts, &disconnect.properties);
        }
        Packet::Auth(auth) => {
            facts.insert("reasonCode".into(), auth.reason.value().into());
            put_properties(&mut facts, &auth.properties);
        }
        Packet::PingReq | Packet::PingResp => {}
    }
    Value::Object(facts)
}

/// What a vector states of every packet: its name, the flags of the first byte, and the Remaining Length.
fn header(packet: &Packet<&[u8]>, frame: &[u8]) -> Map<String, Value> {
    let frame = mqtt_tests::frame::Frame::read(frame).expect("a whole frame");
    let facts = json!({
        "cmd": packet.packet_type().name().to_lowercase(),
        "retain": frame.first & 1 != 0,
        "qos": frame.first >> 1 & 3,
        "dup": frame.first & 8 != 0,
        "length": frame.body.len(),
        "topic": null,
        "payload": null,
    });
    match facts {
        Value::Object(facts) => facts,
        _ => unreachable!("it was written as an object"),
    }
}

fn of_connect(facts: &mut Map<String, Value>, connect: &Connect<&[u8]>) {
    facts.insert("protocolId".into(), connect.version.protocol_name().into());
    facts.insert("protocolVersion".into(), connect.version.level().into());
    facts.insert("clean".into(), connect.clean_start.into());
    facts.insert("keepalive".into(), connect.keep_alive.into());
    facts.insert("clientId".into(), connect.client_id.as_str().into());
    if let Some(will) = &connect.will {
        facts.insert("will".into(), of_will(will));
    }
    if let Some(username) = &connect.username {
        facts.insert("username".into(), username.as_str().into());
    }
    if let Some(password) = &connect.password {
        facts.insert("password".into(), binary(password.as_bytes()));
    }
    put_properties(facts, &connect.properties);
}

fn of_will(will: &Will<&[u8]>) -> Value {
    let mut facts = Map::new();
    facts.insert("retain".into(), will.retain.into());
    facts.insert("qos".into(), will.qos.bits().into());
    facts.insert("topic".into(), will.topic.as_str().into());
    facts.insert("payload".into(), binary(will.payload.as_bytes()));
    put_properties(&mut facts, &will.properties);
    Value::Object(facts)
}

fn of_publish(facts: &mut Map<String, Value>, publish: &Publish<&[u8]>) {
    facts.insert("retain".into(), publish.retain.into());
    facts.insert("qos".into(), publish.delivery.qos().bits().into());
    facts.insert("dup".into(), publish.delivery.dup().into());
    facts.insert(
        "topic".into(),
        publish.topic.as_ref().map_or("", |topic| topic.as_str()).into(),
    );
    facts.insert("payload".into(), binary(publish.payload));
    if let Some(id) = publish.delivery.id() {
        facts.insert("messageId".into(), id.get().into());
    }
    put_properties(facts, &publish.properties);
}

fn of_ack<S: Section>(
    facts: &mut Map<String, Value>,
    id: u16,
    code: u8,
    properties: &Properties<S, &[u8]>,
    five: bool,
) {
    facts.insert("messageId".into(), id.into());
    if five {
        facts.insert("reasonCode".into(), code.into());
    }
    put_properties(facts, properties);
}

fn of_subscribe(facts: &mut Map<String, Value>, subscribe: &Subscribe<&[u8]>, five: bool) {
    facts.insert("messageId".into(), subscribe.id.get().into());
    let subscriptions = subscribe.filters.iter().map(|subscription| {
        let options = subscription.options;
        let mut facts = json!({ "topic": subscription.filter.as_str(), "qos": options.qos.bits() });
        if five {
            facts["nl"] = options.no_local.into();
            facts["rap"] = options.retain_as_published.into();
            facts["rh"] = (options.retain_handling as u8).into();
        }
        facts
    });
    facts.insert("subscriptions".into(), subscriptions.collect());
    put_properties(facts, &subscribe.properties);
}

fn put_properties<S: Section>(facts: &mut Map<String, Value>, properties: &Properties<S, &[u8]>) {
    let mut values = Map::new();
    for property in properties {
        put_property(&mut values, &property);
    }
    if !values.is_empty() {
        facts.insert("properties".into(), Value::Object(values));
    }
}

fn put_property(values: &mut Map<String, Value>, property: &Property<&[u8]>) {
    let (name, value): (&str, Value) = match property {
        Property::PayloadFormatIndicator(format) => ("payloadFormatIndicator", (*format as u8 == 1).into()),
        Property::MessageExpiryInterval(seconds) => ("messageExpiryInterval", (*seconds).into()),
        Property::ContentType(text) => ("contentType", text.as_str().into()),
        Property::ResponseTopic(topic) => ("responseTopic", topic.as_str().into()),
        Property::CorrelationData(data) => ("correlationData", binary(data.as_bytes())),
        Property::SubscriptionIdentifier(id) => return add(values, "subscriptionIdentifier", id.get().into()),
        Property::SessionExpiryInterval(seconds) => ("sessionExpiryInterval", (*seconds).into()),
        Property::AssignedClientIdentifier(text) => ("assignedClientIdentifier", text.as_str().into()),
        Property::ServerKeepAlive(seconds) => ("serverKeepAlive", (*seconds).into()),
        Property::AuthenticationMethod(text) => ("authenticationMethod", text.as_str().into()),
        Property::AuthenticationData(data) => ("authenticationData", binary(data.as_bytes())),
        Property::RequestProblemInformation(flag) => ("requestProblemInformation", (*flag).into()),
        Property::WillDelayInterval(seconds) => ("willDelayInterval", (*seconds).into()),
        Property::RequestResponseInformation(flag) => ("requestResponseInformation", (*flag).into()),
        Property::ResponseInformation(text) => ("responseInformation", text.as_str().into()),
        Property::ServerReference(text) => ("serverReference", text.as_str().into()),
        Property::ReasonString(text) => ("reasonString", text.as_str().into()),
        Property::ReceiveMaximum(number) => ("receiveMaximum", number.get().into()),
        Property::TopicAliasMaximum(number) => ("topicAliasMaximum", (*number).into()),
        Property::TopicAlias(number) => ("topicAlias", number.get().into()),
        Property::MaximumQoS(qos) => ("maximumQoS", qos.bits().into()),
        Property::RetainAvailable(flag) => ("retainAvailable", (*flag).into()),
        Property::UserProperty(name, value) => {
            let users = values
                .entry("userProperties")
                .or_insert_with(|| Value::Object(Map::new()));
            let users = users.as_object_mut().expect("it was made an object");
            return add(users, name.as_str(), value.as_str().into());
        }
        Property::MaximumPacketSize(bytes) => ("maximumPacketSize", bytes.get().into()),
        Property::WildcardSubscriptionAvailable(flag) => ("wildcardSubscriptionAvailable", (*flag).into()),
        Property::SubscriptionIdentifierAvailable(flag) => ("subscriptionIdentifiersAvailable", (*flag).into()),
        Property::SharedSubscriptionAvailable(flag) => ("sharedSubscriptionAvailable", (*flag).into()),
    };
    assert!(values.insert(name.to_owned(), value).is_none(), "{name} occurs twice");
}

/// A value that may repeat stands alone, or in a list if it does repeat.
fn add(values: &mut Map<String, Value>, name: &str, value: Value) {
    match values.get_mut(name) {
        None => drop(values.insert(name.to_owned(), value)),
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

fn binary(bytes: &[u8]) -> Value {
    json!({ "$hex": hex::text(bytes).to_lowercase() })
}
