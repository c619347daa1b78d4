//! What the rows of the table are called.

use mqtt_benches::environment::version;

use crate::run::Row;

/// The name of a row, with the version from the lock file.
pub fn label(row: Row) -> String {
    match row {
        Row::Ours => "**this crate**".to_owned(),
        Row::OursClock => "**this crate**, clock read".to_owned(),
        Row::OursStored => "**this crate**, stored".to_owned(),
        Row::OursEncoded => "**this crate**, stored, encoded".to_owned(),
        Row::OursInbox => "**this crate**, inbox".to_owned(),
        Row::OursInboxEncoded => "**this crate**, inbox, encoded".to_owned(),
        Row::Rumqttc => format!("rumqttc {}, `MqttState`", version("rumqttc")),
        Row::ProtocolCore => format!("mqtt-protocol-core {}", version("mqtt-protocol-core")),
    }
}
