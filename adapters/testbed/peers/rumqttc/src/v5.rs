//! The types of MQTT 5.0, and what differs between the versions.

pub use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::LastWill;
pub use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
pub use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};

use crate::MEBIBYTE;

#[path = "walk.rs"]
pub mod walk;

pub fn options(name: &str, port: u16) -> MqttOptions {
    let mut options = MqttOptions::new(name, "127.0.0.1", port);
    options.set_max_packet_size(u32::try_from(2 * MEBIBYTE).ok());
    options
}

pub fn lasting(name: &str, port: u16) -> MqttOptions {
    let mut options = options(name, port);
    options.set_clean_start(false);
    options.set_session_expiry_interval(Some(600));
    options
}

pub fn will(topic: &str, payload: &str, qos: QoS) -> LastWill {
    LastWill::new(topic, payload, qos, false, None)
}
