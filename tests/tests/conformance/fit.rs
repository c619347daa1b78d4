//! Reason String and User Properties give way to the peer's Maximum Packet Size: 18 rows that say the same of 9 packets.

use bytes::Bytes;
use mqtt_proto::{
    Auth, AuthReason, ConnAck, ConnAckReason, Disconnect, DisconnectReason, EncodeError, InBytes, Packet, PacketId,
    Properties, PropertiesBuilder, Property, PubAck, PubAckReason, PubComp, PubCompReason, PubRec, PubRecReason,
    PubRel, PubRelReason, Section, SubAck, SubAckCodes, SubAckReason, Text, UnsubAck, UnsubAckCodes, UnsubAckReason,
    Version, section,
};
use mqtt_tests::ledger::{Layer, Trial, covers};
use mqtt_tests::outline::Outline;

/// For each packet: the row about its Reason String, the row about its User Properties, and the packet with both.
fn packets() -> Vec<(&'static str, &'static str, Packet<Bytes>)> {
    let id = PacketId::MIN;
    let connack = ConnAck {
        session_present: true,
        reason: ConnAckReason::Success,
        properties: with_both(Properties::<section::ConnAck, _>::builder().server_keep_alive(30)),
    };
    let puback = PubAck {
        id,
        reason: PubAckReason::QuotaExceeded,
        properties: with_both(Properties::builder()),
    };
    let pubrec = PubRec {
        id,
        reason: PubRecReason::NotAuthorized,
        properties: with_both(Properties::builder()),
    };
    let pubrel = PubRel {
        id,
        reason: PubRelReason::PacketIdentifierNotFound,
        properties: with_both(Properties::builder()),
    };
    let pubcomp = PubComp {
        id,
        reason: PubCompReason::Success,
        properties: with_both(Properties::builder()),
    };
    let codes = SubAckCodes::new([SubAckReason::GrantedQoS1, SubAckReason::NotAuthorized]).expect("two codes");
    let suback = SubAck {
        id,
        codes,
        properties: with_both(Properties::builder()),
    };
    let codes = UnsubAckCodes::new([UnsubAckReason::NoSubscriptionExisted]).expect("one code");
    let unsuback = UnsubAck {
        id,
        codes,
        properties: with_both(Properties::builder()),
    };
    let disconnect = Disconnect {
        reason: DisconnectReason::ServerMoved,
        properties: with_both(Properties::<section::Disconnect, _>::builder().server_reference("other")),
    };
    let auth = Auth {
        reason: AuthReason::ContinueAuthentication,
        properties: with_both(
            Properties::<section::Auth, _>::builder()
                .authentication_method("SCRAM")
                .authentication_data(b"\x01\x02"),
        ),
    };
    vec![
        ("v5:MQTT-3.2.2-19", "v5:MQTT-3.2.2-20", connack.into()),
        ("v5:MQTT-3.4.2-2", "v5:MQTT-3.4.2-3", puback.into()),
        ("v5:MQTT-3.5.2-2", "v5:MQTT-3.5.2-3", pubrec.into()),
        ("v5:MQTT-3.6.2-2", "v5:MQTT-3.6.2-3", pubrel.into()),
        ("v5:MQTT-3.7.2-2", "v5:MQTT-3.7.2-3", pubcomp.into()),
        ("v5:MQTT-3.9.2-1", "v5:MQTT-3.9.2-2", suback.into()),
        ("v5:MQTT-3.11.2-1", "v5:MQTT-3.11.2-2", unsuback.into()),
        ("v5:MQTT-3.14.2-3", "v5:MQTT-3.14.2-4", disconnect.into()),
        ("v5:MQTT-3.15.2-2", "v5:MQTT-3.15.2-3", auth.into()),
    ]
}

/// Two User Properties around a Reason String, so that what is left out lies before, between and behind what stays.
fn with_both<S: Section>(others: PropertiesBuilder<S, InBytes>) -> Properties<S, Bytes> {
    let text = |text: &'static str| Text::new(text).expect("plain text");
    others
        .property(&Property::UserProperty(text("first"), text("1")))
        .property(&Property::ReasonString(text("because")))
        .property(&Property::UserProperty(text("second"), text("2")))
        .build()
        .expect("each property belongs to the section")
}

/// One trial for each row.
pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (of_reason, of_user, packet) in packets() {
        let name = packet.packet_type().name();
        let same = packet.clone();
        trials.push(Trial::new(
            Layer::Codec,
            format!("fit::{of_reason}::{name} gives up its Reason String first"),
            move || {
                reason_string_gives_way(&packet);
                covers(of_reason);
            },
        ));
        trials.push(Trial::new(
            Layer::Codec,
            format!("fit::{of_user}::{name} gives up its User Properties next"),
            move || {
                user_properties_give_way(&same);
                covers(of_user);
            },
        ));
    }
    trials
}

fn reason_string_gives_way(packet: &Packet<Bytes>) {
    let full = encoded(packet);
    let unchanged = fit(packet, full.len()).expect("it fits to the byte");
    assert_eq!(encoded(&unchanged), full);

    let shorter = encoded(&fit(packet, full.len() - 1).expect("a Reason String less is enough"));
    assert!(shorter.len() < full.len());
    assert_eq!(parts(&shorter, "Reason String"), 0);
    assert_eq!(parts(&shorter, "User Property"), 4, "two names and two values");
    assert_eq!(others(&shorter), others(&full));
}

fn user_properties_give_way(packet: &Packet<Bytes>) {
    let full = encoded(packet);
    let without_reason = encoded(&fit(packet, full.len() - 1).expect("a Reason String less is enough"));
    let least = encoded(&fit(packet, without_reason.len() - 1).expect("User Properties less are enough"));
    assert_eq!(parts(&least, "Reason String") + parts(&least, "User Property"), 0);
    assert_eq!(others(&least), others(&full));
    assert_eq!(encoded(&fit(packet, least.len()).expect("it fits to the byte")), least);

    let limit = least.len() - 1;
    assert_eq!(
        fit(packet, limit).err(),
        Some(EncodeError::PacketTooLarge {
            len: least.len(),
            limit
        })
    );
}

fn fit(packet: &Packet<Bytes>, limit: usize) -> Result<Packet<Bytes>, EncodeError> {
    packet
        .clone()
        .fit(Version::V5, u32::try_from(limit).expect("a small packet"))
}

fn encoded(packet: &Packet<Bytes>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode_to(Version::V5, &mut bytes).expect("a valid packet");
    bytes
}

fn parts(bytes: &[u8], name: &str) -> usize {
    outline(bytes).parts.iter().filter(|part| part.name() == name).count()
}

/// Everything but what may give way, the lengths that change with it, and a code that a short form says by its absence.
fn others(bytes: &[u8]) -> Vec<String> {
    let changing = ["Reason String", "User Property", "Property Length", "end of properties"];
    let parts = outline(bytes).parts;
    let kept = parts.iter().filter(|part| !changing.contains(&part.name()));
    kept.map(|part| format!("{part:?}"))
        .filter(|part| part != "Number(\"Reason Code\", 0)")
        .collect()
}

fn outline(bytes: &[u8]) -> Outline<'_> {
    Outline::read(bytes, 5).expect("the fields fill the packet")
}
