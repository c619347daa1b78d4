//! Subscribing: what is granted, each subscription's own messages, waiting for a time, and the end.

mod support;

use std::time::Duration;

use mqtt_std::{ClientOptions, Message, QoS, Subscribing};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = mqtt_std::connect(ClientOptions::from_url(&support::url())?)?;

    let mut lamps = client.subscribe("lamp/+/state", QoS::AtLeastOnce)?;
    let rooms = Subscribing::new("kitchen/#", QoS::ExactlyOnce).and("hall/#", QoS::AtMostOnce);
    let mut rooms = client.subscribe_to(rooms)?;
    println!("granted: {:?}", rooms.granted().collect::<Vec<_>>());

    for topic in ["lamp/1/state", "hall/door", "lamp/2/state", "kitchen/oven"] {
        client.publish(Message::new(topic, "on")?.qos(QoS::ExactlyOnce))?;
    }

    // A subscription is an iterator of what belongs to it, which waits for each message.
    for incoming in lamps.by_ref().take(2) {
        println!("lamp: {:?}", incoming.message);
    }
    while let Some(incoming) = rooms.next_within(Duration::from_millis(200)) {
        println!("room: {:?}", incoming.message);
    }

    // What has come can still be taken, and then it ends.
    lamps.unsubscribe()?;
    println!("left: {}", lamps.count());

    Ok(client.disconnect(Duration::from_secs(5))?)
}
