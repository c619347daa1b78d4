//! What the device does: it talks to itself through the server, in every QoS, and says what that took.

use bytes::Bytes;

use mqtt_session::proto::{Filters, SubscribeProperties, SubscriptionOptions, Version};
use mqtt_session::{Event, Message, Outcome, QoS};

use crate::{Device, Port, Report, device};

/// What the device publishes to and subscribes to.
pub const TOPIC: &str = "device/7/echo";
/// Where it says what it took.
pub const REPORT_TOPIC: &str = "device/7/report";
/// How many messages there are in each QoS.
pub const ROUNDS: u8 = 16;
/// How long each is.
pub const PAYLOAD_BYTES: usize = 64;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The configuration or a message is not valid.
    Invalid,
    /// The client did not take a command.
    NotTaken,
    /// The connection ended.
    Closed,
    /// An operation did not succeed.
    Failed,
    /// Another message came than the one that was sent.
    OtherMessage,
}

/// Connects, subscribes, sends a few messages of each QoS and waits until each is done and has come back; then sends the
/// report and leaves.
///
/// # Errors
/// With the first thing that goes wrong.
pub fn run(version: Version, port: impl Port, report: impl FnOnce() -> Report) -> Result<(), Fault> {
    let config = device::config(version).map_err(|_| Fault::Invalid)?;
    let mut device = Device::new(config, port);
    subscribe(&mut device)?;
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        for round in 0..ROUNDS {
            let payload = Bytes::copy_from_slice(&[round; PAYLOAD_BYTES]);
            let message = Message::new(TOPIC, payload).map_err(|_| Fault::Invalid)?.qos(qos);
            exchange(&mut device, &message)?;
        }
    }
    let report = Bytes::copy_from_slice(&report().to_bytes());
    let message = Message::new(REPORT_TOPIC, report).map_err(|_| Fault::Invalid)?;
    publish(&mut device, message.qos(QoS::AtLeastOnce))?;
    await_outcome(&mut device)?;
    let now = device.port.now();
    device.client.disconnect(now);
    while !matches!(device.step(), Some(Event::Closed { .. })) {}
    while !device.client.is_drained() {
        device.step();
    }
    // The last bytes leave with the step that finds nothing more to do.
    device.step();
    Ok(())
}

fn subscribe<P: Port>(device: &mut Device<P>) -> Result<(), Fault> {
    let filters = Filters::builder()
        .filter(TOPIC, SubscriptionOptions::new(QoS::ExactlyOnce))
        .build()
        .map_err(|_| Fault::Invalid)?;
    let now = device.port.now();
    device
        .client
        .subscribe(now, filters, SubscribeProperties::empty(), 0)
        .map_err(|_| Fault::NotTaken)?;
    await_outcome(device)
}

fn publish<P: Port>(device: &mut Device<P>, message: Message) -> Result<(), Fault> {
    let now = device.port.now();
    device
        .client
        .publish(now, message, 0)
        .map(|_| ())
        .map_err(|_| Fault::NotTaken)
}

/// Sends a message, and waits until it is done and has come back.
fn exchange<P: Port>(device: &mut Device<P>, message: &Message) -> Result<(), Fault> {
    publish(device, message.clone())?;
    let (mut is_done, mut is_back) = (false, false);
    while !(is_done && is_back) {
        match device.step() {
            Some(Event::Completed { outcome, .. }) => is_done = succeeded(&outcome)?,
            Some(Event::Message(received)) => {
                let same = received.message.payload == message.payload && received.message.qos == message.qos;
                is_back = same.then_some(true).ok_or(Fault::OtherMessage)?;
            }
            Some(Event::Closed { .. }) => return Err(Fault::Closed),
            _ => {}
        }
    }
    Ok(())
}

fn await_outcome<P: Port>(device: &mut Device<P>) -> Result<(), Fault> {
    loop {
        match device.step() {
            Some(Event::Completed { outcome, .. }) => return succeeded(&outcome).map(|_| ()),
            Some(Event::Closed { .. }) => return Err(Fault::Closed),
            _ => {}
        }
    }
}

fn succeeded(outcome: &Outcome) -> Result<bool, Fault> {
    match outcome {
        Outcome::Sent => Ok(true),
        Outcome::Acknowledged(reason) if reason.value() < 0x80 => Ok(true),
        Outcome::Subscribed(ack) if ack.codes.iter().all(|code| code.value() < 0x80) => Ok(true),
        _ => Err(Fault::Failed),
    }
}
