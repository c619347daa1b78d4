//! The types of MQTT 3.1.1, and what differs between the versions.

use rumqttc::LastWill;
pub use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS};

use crate::MEBIBYTE;

#[path = "walk.rs"]
pub mod walk;

pub fn options(name: &str, port: u16) -> MqttOptions {
    let mut options = MqttOptions::new(name, "127.0.0.1", port);
    options.set_max_packet_size(2 * MEBIBYTE, 2 * MEBIBYTE);
    options
}

pub fn lasting(name: &str, port: u16) -> MqttOptions {
    let mut options = options(name, port);
    options.set_clean_session(false);
    options
}

pub fn will(topic: &str, payload: &str, qos: QoS) -> LastWill {
    LastWill::new(topic, payload, qos, false)
}
