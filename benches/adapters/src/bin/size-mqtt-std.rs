//! A small client on `mqtt-std`, for its size: it subscribes, publishes, and waits for its message.

use std::time::Duration;

use mqtt_std::{ClientOptions, Message, QoS};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("the URL of a server is missing")?;
    let client = mqtt_std::connect(ClientOptions::from_url(&url)?.client_id("size")?)?;
    let mut messages = client.subscribe("size", QoS::AtLeastOnce)?;
    client.publish(Message::new("size", "hello")?.qos(QoS::AtLeastOnce))?;
    let incoming = messages.next().ok_or("the client has ended")?;
    println!("{:?}", incoming.message.payload);
    Ok(client.disconnect(Duration::from_secs(5))?)
}
