//! A TCP connection, as the adapter without a runtime has it. The others go through the same scenarios in their own tests.

use mqtt_testbed::scenarios;
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::adapter::Std;

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::new(
        Layer::Transport,
        "tcp: nothing is lost and nothing is out of order",
        || {
            mqtt_std::block_on(scenarios::every_qos_is_delivered::<Std>());
            // A mebibyte in which each byte tells its place, from a client to a server and back.
            mqtt_std::block_on(scenarios::large_payloads_are_delivered::<Std>());
            covers("v5:MQTT-4.2.0-1");
            covers("v311:MQTT-7.1.1-1");
            covers("v311:MQTT-7.1.2-1");
        },
    )]
}
