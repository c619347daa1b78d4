//! Laws about everything that is sent: a case a row. Each law is checked in every trial by the onlooker of its rig; here it
//! has to hold, and to speak of much, in the random exchanges.

use mqtt_tests::ledger::{Layer, Trial, covers};

use mqtt_session::proto::Role;

use crate::watch::Law;
use crate::workload::Findings;

/// Of how many packets a law has to speak before it shows anything.
const WITNESSES: u64 = 20;

/// What a client sends.
const CLIENT: &[(&str, Law)] = &[
    ("v5:MQTT-3.1.0-1", Law::FirstPacket),
    ("v311:MQTT-3.1.0-1", Law::FirstPacket),
    ("v5:MQTT-2.2.1-3", Law::UnusedId),
    ("v311:MQTT-2.3.1-2", Law::UnusedId),
    ("v5:MQTT-4.3.2-1", Law::UnusedIdAtLeastOnce),
    ("v5:MQTT-4.3.3-1", Law::UnusedIdExactlyOnce),
    ("v5:MQTT-4.3.1-1", Law::PlainWithoutDup),
    ("v311:MQTT-4.3.1-1", Law::PlainWithoutDup),
    ("v5:MQTT-4.3.2-2", Law::FirstAtLeastOnceWithoutDup),
    ("v5:MQTT-4.3.3-2", Law::FirstExactlyOnceWithoutDup),
    ("v5:MQTT-3.3.1-1", Law::RepeatWithDup),
    ("v311:MQTT-3.3.1-1", Law::RepeatWithDup),
    ("v5:MQTT-4.4.0-1", Law::RepeatIsTheSame),
    ("v311:MQTT-4.4.0-1", Law::RepeatIsTheSame),
    ("v311:MQTT-2.3.1-3", Law::RepeatIsTheSame),
    ("v5:MQTT-4.6.0-1", Law::RepeatsInOrder),
    ("v311:MQTT-4.6.0-1", Law::RepeatsInOrder),
    ("v5:MQTT-4.3.3-6", Law::NoPublishAfterPubRec),
    ("v5:MQTT-4.4.0-2", Law::SettledIsOver),
    ("v5:MQTT-2.2.1-5", Law::AnswersRepeatId),
    ("v311:MQTT-2.3.1-6", Law::AnswersRepeatId),
    ("v5:MQTT-4.6.0-2", Law::PubAcksInOrder),
    ("v311:MQTT-4.6.0-2", Law::PubAcksInOrder),
    ("v5:MQTT-4.6.0-3", Law::PubRecsInOrder),
    ("v311:MQTT-4.6.0-3", Law::PubRecsInOrder),
    ("v5:MQTT-3.2.2-15", Law::PacketSize),
    ("v5:MQTT-3.2.2-17", Law::AliasWithinMaximum),
    ("v5:MQTT-3.3.2-9", Law::AliasWithinMaximum),
    ("BI-047", Law::AliasWasDefined),
    ("v5:MQTT-3.2.2-18", Law::NoAliasWithoutMaximum),
    ("v5:MQTT-3.3.4-7", Law::Quota),
    ("v5:MQTT-4.9.0-2", Law::Quota),
    ("v5:MQTT-3.1.2-30", Law::OnlyAuthBeforeConnAck),
    ("v5:MQTT-4.12.0-5", Law::SameMethod),
    ("v5:MQTT-4.12.0-7", Law::NoAuthWithoutMethod),
    ("v5:MQTT-3.14.4-1", Law::NothingAfterDisconnect),
    ("v311:MQTT-3.14.4-2", Law::NothingAfterDisconnect),
];

/// What a server sends.
const SERVER: &[(&str, Law)] = &[
    ("v5:MQTT-3.2.0-1", Law::ConnAckBeforeAll),
    ("v311:MQTT-3.2.0-1", Law::FirstPacket),
    ("v5:MQTT-3.2.0-2", Law::OneConnAck),
    ("v5:MQTT-3.14.0-1", Law::NoDisconnectBeforeConnAck),
    ("v5:MQTT-3.2.2-6", Law::RefusalWithoutSession),
    ("v311:MQTT-3.2.2-4", Law::RefusalWithoutSession),
    ("v5:MQTT-2.2.1-4", Law::UnusedId),
    ("v311:MQTT-2.3.1-4", Law::UnusedId),
    ("v5:MQTT-2.2.1-6", Law::SubAckRepeatsId),
    ("v5:MQTT-3.8.4-2", Law::SubAckRepeatsId),
    ("v311:MQTT-2.3.1-7", Law::UnsubAckRepeatsId),
    ("v311:MQTT-3.8.4-2", Law::SubAckRepeatsId),
    ("v5:MQTT-3.10.4-5", Law::UnsubAckRepeatsId),
    ("v5:MQTT-3.1.2-24", Law::PacketSize),
    ("v5:MQTT-3.1.2-26", Law::AliasWithinMaximum),
    ("v5:MQTT-3.3.2-11", Law::AliasWithinMaximum),
    ("v5:MQTT-3.1.2-27", Law::NoAliasWithoutMaximum),
    ("v5:MQTT-3.1.2-29", Law::ProblemInformation),
    ("v5:MQTT-3.3.4-9", Law::Quota),
    ("v5:MQTT-4.12.0-5", Law::SameMethod),
    ("v5:MQTT-4.12.0-6", Law::NoAuthWithoutMethod),
    ("v5:MQTT-3.14.4-1", Law::NothingAfterDisconnect),
    ("v5:MQTT-4.3.1-1", Law::PlainWithoutDup),
    ("v311:MQTT-4.3.1-1", Law::PlainWithoutDup),
    ("v5:MQTT-4.3.2-1", Law::UnusedIdAtLeastOnce),
    ("v5:MQTT-4.3.3-1", Law::UnusedIdExactlyOnce),
    ("v5:MQTT-4.3.2-2", Law::FirstAtLeastOnceWithoutDup),
    ("v5:MQTT-4.3.3-2", Law::FirstExactlyOnceWithoutDup),
    ("v5:MQTT-3.3.1-1", Law::RepeatWithDup),
    ("v311:MQTT-3.3.1-1", Law::RepeatWithDup),
    ("v5:MQTT-4.4.0-1", Law::RepeatIsTheSame),
    ("v311:MQTT-4.4.0-1", Law::RepeatIsTheSame),
    ("v5:MQTT-4.3.3-6", Law::NoPublishAfterPubRec),
    ("v5:MQTT-4.4.0-2", Law::SettledIsOver),
    ("v5:MQTT-2.2.1-5", Law::AnswersRepeatId),
    ("v311:MQTT-2.3.1-6", Law::AnswersRepeatId),
    ("v5:MQTT-4.9.0-2", Law::Quota),
];

/// One trial for each row and machine.
pub(crate) fn trials() -> Vec<Trial> {
    let tables = [(Role::Client, CLIENT), (Role::Server, SERVER)];
    let trials = |(role, table): (Role, &'static [(&'static str, Law)])| {
        table.iter().map(move |(row, law)| {
            let by = if role == Role::Client { "client" } else { "server" };
            Trial::new(Layer::Session, format!("sent::{row}::{by}::{law:?}"), move || {
                holds(Findings::about(role), row, *law);
                covers(row);
            })
        })
    };
    tables.into_iter().flat_map(trials).collect()
}

fn holds(findings: &Findings, row: &str, law: Law) {
    let broken: Vec<_> = findings.breaks.iter().filter(|(its, _)| *its == law).take(2).collect();
    assert!(broken.is_empty(), "broken: {broken:?}");
    let is_5 = !row.starts_with("v311:");
    let witnesses = findings.witnesses.get(&(law, is_5)).copied().unwrap_or_default();
    assert!(witnesses >= WITNESSES, "only {witnesses} packets show it");
}
