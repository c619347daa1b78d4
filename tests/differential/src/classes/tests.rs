//! One frame for each kind of difference, and frames whose verdicts are wrong on purpose.

use mqtt_proto::{DecodeError, Rules, decode};

use super::{Case, Finding};
use crate::normal::Packet;
use crate::peers::{Peer, Version};
use crate::run::{Comparison, Pair};
use crate::verdict::Verdict;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn case(peer: Peer, version: Version, bytes: &[u8]) -> Case<'_> {
    Comparison::new(Pair { peer, version }, None).case(bytes)
}

fn refused(version: Version, hex: &str) -> DecodeError {
    decode(&bytes(hex), &Rules::new(version.ours())).unwrap_err()
}

#[test]
fn known_differences_fall_into_their_classes() {
    use Peer::{MqttProto, ProtocolCore, Rumqttc};
    use Version::{V3_1_1, V5};
    for (peer, version, hex, class, statement) in [
        (MqttProto, V3_1_1, "38020000", "DUP at QoS 0", "MQTT-3.3.1-2"),
        (
            MqttProto,
            V3_1_1,
            "C001",
            "accepted before the frame is complete",
            "MQTT-4.8.0-1",
        ),
        (
            MqttProto,
            V3_1_1,
            "A20B0EE100072473686172652F",
            "filter that only MQTT 5.0 takes for a share",
            "MQTT-4.7.3-1",
        ),
        (
            MqttProto,
            V3_1_1,
            "101300044D5154540502C4AF000006F39F9C8D2E6F",
            "CONNECT of another version",
            "MQTT-3.1.2-2",
        ),
        (
            MqttProto,
            V5,
            "3210000174C0CA0A0BC9DDF4410BC9DDF441",
            "several Subscription Identifiers",
            "U5-3.3.2-c",
        ),
        (
            MqttProto,
            V5,
            "310A00016205010123AFD5C5",
            "payload is not the text that it is said to be",
            "U5-3.3.2-e",
        ),
        (Rumqttc, V3_1_1, "C00100", "trailing bytes", "MQTT-4.8.0-1"),
        (
            Rumqttc,
            V3_1_1,
            "100E00044D51545404800C6000000000",
            "empty user name or password",
            "MQTT-3.1.2-19",
        ),
        (Rumqttc, V5, "E00100", "short form of DISCONNECT", "U5-3.14.1-a"),
        (Rumqttc, V5, "F000", "AUTH", "U5-2.1.2-a"),
        (
            Rumqttc,
            V5,
            "300300018A",
            "asks for bytes behind the frame",
            "MQTT-3.3.2-1",
        ),
        (ProtocolCore, V5, "E0018C", "DISCONNECT with 0x8C", "MQTT-3.14.2-1"),
        (
            ProtocolCore,
            V5,
            "11",
            "told before the frame is complete",
            "MQTT-2.1.3-1",
        ),
    ] {
        let bytes = bytes(hex);
        let Finding::Difference(found) = case(peer, version, &bytes).finding(None) else {
            panic!("{hex} shows no classified difference to {}", peer.name());
        };
        assert_eq!((found.name, found.statement), (class, statement), "{hex}");
    }
}

#[test]
fn a_refusal_whose_fault_is_not_in_the_bytes_is_never_explained() {
    // PUBACK with a reason string, first once and then twice.
    let (once, twice) = ("400700010003 1F0000", "400A00010006 1F00001F0000");
    let error = refused(Version::V5, &twice.replace(' ', ""));
    let bytes = bytes(&once.replace(' ', ""));
    for peer in Peer::ALL {
        let case = Case {
            ours: Verdict::Refused(error),
            ..case(peer, Version::V5, &bytes)
        };
        assert_eq!(case.finding(None), Finding::Unexplained);
    }
}

#[test]
fn an_acceptance_of_faulty_bytes_is_never_explained_even_if_the_peer_agrees() {
    // A PUBLISH of QoS 0 with DUP set, which every peer accepts.
    let bytes = bytes("3803000174");
    for peer in Peer::ALL {
        let real = case(peer, Version::V3_1_1, &bytes);
        let Verdict::Accepted { packet, len } = real.theirs.clone() else {
            panic!("{} refuses", peer.name())
        };
        let case = Case {
            ours: Verdict::Accepted { packet, len },
            ..real
        };
        assert_eq!(case.finding(None), Finding::Unexplained);
    }
}

#[test]
fn a_field_that_is_read_otherwise_is_never_explained() {
    let bytes = bytes("31050001746162");
    for peer in Peer::ALL {
        let mut case = case(peer, Version::V3_1_1, &bytes);
        assert_eq!(case.finding(None), Finding::Agreement);
        let Verdict::Accepted {
            packet: Packet::Publish(publish),
            ..
        } = &mut case.ours
        else {
            panic!("it is valid")
        };
        publish.retain = false;
        assert_eq!(case.finding(None), Finding::Unexplained);
    }
}

#[test]
fn every_row_of_the_tables_names_a_statement_of_the_specification() {
    let statements = concat!(
        include_str!("../../../data/mqtt5-statements.tsv"),
        include_str!("../../../data/mqtt5-unnumbered.tsv"),
        include_str!("../../../data/mqtt311-statements.tsv"),
    );
    for pair in Pair::all() {
        for (name, statement) in super::claims(pair.peer, pair.version) {
            let known = statements
                .lines()
                .any(|line| line.split('\t').next() == Some(statement));
            assert!(known, "{name} [{statement}]");
        }
    }
}
