//! rumqttc 0.25.1: `Packet::read`, one call for one packet at the start of a buffer.

pub(crate) mod v4;
pub(crate) mod v5;
mod v5_codes;
