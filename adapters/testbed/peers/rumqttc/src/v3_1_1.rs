//! The types of MQTT 3.1.1, and what differs between the versions.

use rumqttc::LastWill;
pub use rumqttc::{AsyncClient, ConnAck, Event, EventLoop, MqttOptions, Packet, Publish, QoS};

use self::walk::Walker;
use crate::{Error, MEBIBYTE, Place};

#[path = "walk.rs"]
pub mod walk;

pub fn options(name: &str, place: &Place) -> MqttOptions {
    let mut options = MqttOptions::new(name, place.host(), place.port);
    options.set_transport(place.transport());
    options.set_max_packet_size(2 * MEBIBYTE, 2 * MEBIBYTE);
    options
}

pub fn lasting(name: &str, place: &Place) -> MqttOptions {
    let mut options = options(name, place);
    options.set_clean_session(false);
    options
}

pub fn will(topic: &str, payload: &str, qos: QoS) -> LastWill {
    LastWill::new(topic, payload, qos, false)
}

/// This version has none.
pub async fn properties(_walker: &mut Walker, _place: &Place) -> Result<(), Error> {
    Ok(())
}
