//! Packets that a machine has to refuse, each under the id of the row it breaks, and each beside its nearest valid
//! neighbour, which it takes.

use mqtt_session::proto::Version;
use mqtt_session::proto::Version::{V3_1_1, V5};
use mqtt_session::{Accept, Closed, QoS, ServerConfig};
use mqtt_tests::hex;
use mqtt_tests::ledger::{Layer, Row, Trial, covers, row};

use crate::rig::{Rig, config};
use crate::server_rig::ServerRig;
use crate::wire::disconnect;

/// What is refused.
#[derive(Debug)]
struct Refusal {
    version: Version,
    /// The row that is broken, which the `Closed` has to name.
    row: &'static str,
    /// The reason code of the DISCONNECT that answers, if one may be sent here.
    code: Option<u8>,
    what: &'static str,
    /// Frames of the server before, in hex. Without CONNACK the connection is not established.
    before: &'static str,
    bad: &'static str,
    good: &'static str,
}

const CONNACK: &str = "20 03 00 00 00";
const CONNACK_3: &str = "20 02 00 00";
/// The same as [`CONNACK`], for a client that takes messages of QoS 1 at most.
const LESSER: &str = "lesser 20 03 00 00 00";

macro_rules! refusals {
    ($($version:ident $row:literal $code:expr, $what:literal before $before:expr, bad $bad:literal good $good:literal;)*) => {
        &[$(Refusal {
            version: $version,
            row: $row,
            code: $code,
            what: $what,
            before: $before,
            bad: $bad,
            good: $good,
        },)*]
    };
}

/// What a client refuses. It has asked for a subscription and an unsubscription, and has sent a message of QoS 1 and one of
/// QoS 2: identifiers 1 to 4.
const BY_CLIENT: &[Refusal] = refusals! {
    V5 "v5:MQTT-3.2.0-1" None, "PUBLISH before CONNACK" before "", bad "30 04 0001 74 00" good "20 03 00 00 00";
    V5 "v5:MQTT-3.2.0-1" None, "PINGRESP before CONNACK" before "", bad "D0 00" good "20 03 00 00 00";
    V3_1_1 "v311:MQTT-3.2.0-1" None, "PUBLISH before CONNACK" before "", bad "30 03 0001 74" good "20 02 00 00";
    V5 "v5:MQTT-3.2.2-4" None, "Session Present without a session" before "", bad "20 03 01 00 00" good "20 03 00 00 00";
    V3_1_1 "v311:MQTT-3.2.2-1" None, "Session Present after CleanSession 1" before "", bad "20 02 01 00" good "20 02 00 00";
    V5 "v5:MQTT-3.2.0-2" Some(0x82), "a second CONNACK" before CONNACK, bad "20 03 00 00 00" good "D0 00";
    V3_1_1 "v311:MQTT-3.2.0-1" Some(0), "a second CONNACK" before CONNACK_3, bad "20 02 00 00" good "D0 00";
    V5 "v5:MQTT-2.2.1-5" Some(0x82), "PUBACK for a message of QoS 2" before CONNACK, bad "40 02 0004" good "40 02 0003";
    V5 "v5:MQTT-2.2.1-5" Some(0x82), "PUBREC for a message of QoS 1" before CONNACK, bad "50 02 0003" good "50 02 0004";
    V5 "v5:MQTT-2.2.1-5" Some(0x82), "PUBCOMP for a message of QoS 1" before CONNACK, bad "70 02 0003" good "70 02 0077";
    V3_1_1 "v311:MQTT-2.3.1-6" Some(0), "PUBACK for a message of QoS 2" before CONNACK_3, bad "40 02 0004" good "40 02 0003";
    V3_1_1 "v311:MQTT-2.3.1-6" Some(0), "PUBREC for a message of QoS 1" before CONNACK_3, bad "50 02 0003" good "50 02 0004";
    V5 "v5:MQTT-2.2.1-6" Some(0x82), "SUBACK for an identifier of nothing" before CONNACK, bad "90 04 0077 00 00" good "90 04 0001 00 00";
    V5 "v5:MQTT-2.2.1-6" Some(0x82), "SUBACK for UNSUBSCRIBE" before CONNACK, bad "90 04 0002 00 00" good "90 04 0001 00 00";
    V5 "v5:MQTT-2.2.1-6" Some(0x82), "UNSUBACK for SUBSCRIBE" before CONNACK, bad "B0 04 0001 00 00" good "B0 04 0002 00 00";
    V3_1_1 "v311:MQTT-2.3.1-7" Some(0), "SUBACK for a message" before CONNACK_3, bad "90 03 0003 00" good "90 03 0001 00";
    V3_1_1 "v311:MQTT-2.3.1-7" Some(0), "UNSUBACK for an identifier of nothing" before CONNACK_3, bad "B0 02 0077" good "B0 02 0002";
    V5 "v5:MQTT-3.8.4-6" Some(0x82), "two codes for one filter" before CONNACK, bad "90 05 0001 00 00 00" good "90 04 0001 00 00";
    V3_1_1 "v311:MQTT-3.8.4-5" Some(0), "two codes for one filter" before CONNACK_3, bad "90 04 0001 00 00" good "90 03 0001 00";
    V5 "u5:U5-3.1.2-i" Some(0x95), "a packet above the announced maximum" before CONNACK, bad "30 BF 01" good "30 BE 01";
    V5 "u5:U5-3.3.2-b" Some(0x82), "an alias that stands for nothing" before CONNACK,
        bad "30 06 0000 03 23 0001" good "30 07 0001 74 03 23 0001";
    V5 "u5:U5-3.3.2-b" Some(0x82), "another alias than the one that stands for something" before "20 03 00 00 00 30 07 0001 74 03 23 0001",
        bad "30 06 0000 03 23 0002" good "30 06 0000 03 23 0001";
    V5 "v5:MQTT-3.1.2-26" Some(0x94), "an alias above the announced maximum" before CONNACK,
        bad "30 07 0001 74 03 23 0011" good "30 07 0001 74 03 23 0010";
    V5 "u5:U5-3.3.4-c" Some(0x9B), "a QoS above that of the client" before LESSER,
        bad "34 06 0001 74 0001 00" good "32 06 0001 74 0001 00";
    V5 "v5:MQTT-4.12.0-6" Some(0x82), "AUTH without a method in CONNECT" before CONNACK,
        bad "F0 06 18 04 15 0001 78" good "D0 00";
    V5 "v5:MQTT-4.12.0-6" None, "a method in CONNACK without one in CONNECT" before "",
        bad "20 07 00 00 04 15 0001 78" good "20 03 00 00 00";
};

/// What a server refuses of a client that it has accepted. It has sent a message of QoS 1 and one of QoS 2: identifiers 1
/// and 2. It takes one message of QoS 1 or 2 at a time.
const BY_SERVER: &[Refusal] = refusals! {
    V5 "v5:MQTT-3.1.0-2" Some(0x82), "a second CONNECT" before "", bad "10 0E 0004 4D515454 05 02 0000 00 0001 63" good "C0 00";
    V3_1_1 "v311:MQTT-3.1.0-2" Some(0), "a second CONNECT" before "", bad "10 0D 0004 4D515454 04 02 0000 0001 63" good "C0 00";
    V5 "v5:MQTT-2.2.1-5" Some(0x82), "PUBACK for a message of QoS 2" before "", bad "40 02 0002" good "40 02 0001";
    V5 "v5:MQTT-2.2.1-5" Some(0x82), "PUBREC for a message of QoS 1" before "", bad "50 02 0001" good "50 02 0002";
    V3_1_1 "v311:MQTT-2.3.1-6" Some(0), "PUBCOMP for a message of QoS 1" before "", bad "70 02 0001" good "70 02 0077";
    V5 "u5:U5-3.1.2-i" Some(0x95), "a packet above the announced maximum" before "", bad "30 BF 01" good "30 BE 01";
    V3_1_1 "v311:MQTT-4.8.0-1" Some(0), "a packet above the limit" before "", bad "30 BF 01" good "30 BE 01";
    V5 "u5:U5-3.3.2-b" Some(0x82), "an alias that stands for nothing" before "",
        bad "30 06 0000 03 23 0001" good "30 07 0001 74 03 23 0001";
    V5 "v5:MQTT-3.3.4-7" Some(0x93), "a message above the Receive Maximum" before "32 06 0001 74 0001 00",
        bad "32 06 0001 74 0002 00" good "30 04 0001 74 00";
    V5 "v5:MQTT-3.3.4-7" Some(0x93), "a message of QoS 2 above the Receive Maximum" before "34 06 0001 74 0001 00",
        bad "34 06 0001 74 0002 00" good "3C 06 0001 74 0001 00";
    V5 "u5:U5-3.14.2-a" Some(0x82), "a session expiry in DISCONNECT after none" before "",
        bad "E0 07 00 05 11 00000001" good "C0 00";
    V5 "v5:MQTT-3.2.2-11" Some(0x9B), "a QoS above the announced maximum" before "lesser", bad "34 06 0001 74 0001 00" good "32 06 0001 74 0001 00";
    V5 "v5:MQTT-3.2.2-14" Some(0x9A), "RETAIN although it is not available" before "lesser", bad "31 04 0001 74 00" good "30 04 0001 74 00";
    V5 "v5:MQTT-4.13.1-1" Some(0x82), "CONNACK from a client" before "", bad "20 03 00 00 00" good "C0 00";
    V5 "v5:MQTT-4.13.1-1" Some(0x82), "SUBACK from a client" before "", bad "90 04 0001 00 00" good "C0 00";
    V5 "v5:MQTT-4.13.1-1" Some(0x82), "UNSUBACK from a client" before "", bad "B0 04 0001 00 00" good "C0 00";
    V5 "v5:MQTT-4.13.1-1" Some(0x82), "PINGRESP from a client" before "", bad "D0 00" good "C0 00";
    V5 "v5:MQTT-4.13.1-1" Some(0x81), "PINGREQ with a body" before "", bad "C0 01 00" good "C0 00";
    V3_1_1 "v311:MQTT-4.8.0-1" Some(0), "PINGREQ with a body" before "", bad "C0 01 00" good "C0 00";
    V5 "v5:MQTT-3.8.3-4" Some(0x82), "No Local on a shared subscription" before "",
        bad "82 10 0001 00 000A 2473686172652F672F74 05" good "82 10 0001 00 000A 2473686172652F672F74 01";
};

/// The largest packet that the machine under test takes.
const PACKET_BYTES: u32 = 193;

pub(crate) fn trials() -> Vec<Trial> {
    let by_client = BY_CLIENT.iter().map(Refusal::by_client);
    by_client.chain(BY_SERVER.iter().map(Refusal::by_server)).collect()
}

/// A client in the state that the cases begin with.
fn client(version: Version, before: &str) -> Rig {
    let limits = mqtt_session::Limits::default().packet_bytes(PACKET_BYTES);
    let mut config = config().version(version).limits(limits);
    let lesser = before.strip_prefix("lesser");
    if lesser.is_some() {
        config = config.maximum_qos(QoS::AtLeastOnce);
    }
    let before = lesser.unwrap_or(before);
    let mut rig = Rig::new(config);
    rig.open();
    rig.subscribe("s", 1);
    rig.unsubscribe("u", 2);
    rig.publish(1, "x", 3);
    rig.publish(2, "x", 4);
    if !before.is_empty() {
        rig.feed(&hex::bytes(before));
        let wire = rig.wire;
        rig.sends(&[
            wire.subscribe(1, "s", 1),
            wire.unsubscribe(2, "u"),
            wire.publish(1, 3).bytes(),
            wire.publish(2, 4).bytes(),
        ]);
        rig.stays();
    }
    rig
}

impl Refusal {
    fn by_client(&'static self) -> Trial {
        let name = format!("refused::{}::by client: {} ({})", self.row, self.what, self.version);
        Trial::new(Layer::Session, name, || {
            let mut rig = client(self.version, self.before);
            rig.feed(&hex::bytes(self.bad));
            let closed = rig.closed();
            assert_eq!(statement(closed.as_ref()).as_deref(), Some(self.row), "{closed:?}");
            let farewell: Vec<_> = self
                .code
                .filter(|_| self.version == V5)
                .map(disconnect)
                .into_iter()
                .collect();
            rig.sends(&farewell);
            assert_eq!(
                rig.feed(&hex::bytes(self.good)),
                hex::bytes(self.good).len(),
                "nothing is read"
            );
            rig.sends_nothing();
            assert_eq!(rig.told(), []);

            let mut rig = client(self.version, self.before);
            rig.feed(&hex::bytes(self.good));
            rig.stays();
            self.covers_for("client");
        })
    }

    fn by_server(&'static self) -> Trial {
        let name = format!("refused::{}::by server: {} ({})", self.row, self.what, self.version);
        Trial::new(Layer::Session, name, || {
            let mut rig = server(self.version, self.before);
            rig.feed(&hex::bytes(self.bad));
            let closed = rig.closed();
            assert_eq!(statement(closed.as_ref()).as_deref(), Some(self.row), "{closed:?}");
            let farewell: Vec<_> = self
                .code
                .filter(|_| self.version == V5)
                .map(disconnect)
                .into_iter()
                .collect();
            rig.sends(&farewell);
            assert!(rig.server.is_drained());
            assert_eq!(
                rig.feed(&hex::bytes(self.good)),
                hex::bytes(self.good).len(),
                "nothing is read"
            );
            rig.sends_nothing();
            assert_eq!(rig.told(), []);

            let mut rig = server(self.version, self.before);
            rig.feed(&hex::bytes(self.good));
            rig.stays();
            self.covers_for("server");
        })
    }

    /// Notes the row, if it binds a machine in this role.
    fn covers_for(&self, role: &str) {
        let binds = |row: &Row| row.layers.contains(&Layer::Session) && [role, "both", "receiver"].contains(&row.role);
        if row(self.row).is_some_and(binds) {
            covers(self.row);
        }
    }
}

/// A server in the state that the cases begin with. A `lesser` one supports QoS 1 and no retained messages.
fn server(version: Version, before: &str) -> ServerRig {
    let limits = mqtt_session::Limits::default()
        .packet_bytes(PACKET_BYTES)
        .receive_maximum(1);
    let session = mqtt_session::SessionConfig::default()
        .limits(limits)
        .hand_over(mqtt_session::HandOver::Manual);
    let mut config = ServerConfig::default().session(session);
    let is_lesser = before == "lesser";
    if is_lesser {
        config.capabilities.maximum_qos = QoS::AtLeastOnce;
        config.capabilities.retain = false;
    }
    let mut rig = ServerRig::new(config, version);
    rig.connect_with(true, 0, "");
    rig.accept(Accept::new());
    rig.sent();
    rig.publish(1, "x", 1);
    rig.publish(2, "x", 2);
    let wire = rig.wire;
    rig.sends(&[wire.publish(1, 1).bytes(), wire.publish(2, 2).bytes()]);
    if !is_lesser {
        rig.feed(&hex::bytes(before));
    }
    rig.stays();
    rig
}

/// The row that a `Closed` names.
pub(crate) fn statement(closed: Option<&Closed>) -> Option<String> {
    let statement = closed?.statement()?;
    Some(qualified(statement.id, statement.version))
}

/// An id with the name of its table.
pub(crate) fn qualified(id: &str, version: Version) -> String {
    match version {
        _ if id.starts_with("U5-") => format!("u5:{id}"),
        V5 => format!("v5:{id}"),
        _ => format!("v311:{id}"),
    }
}
