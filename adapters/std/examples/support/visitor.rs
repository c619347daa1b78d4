//! A client that looks whether a server serves.

use std::time::Duration;

use mqtt_std::{ClientOptions, Message, QoS};

/// Says something, and waits until it comes back.
pub(crate) fn visit(url: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let client = mqtt_std::connect(ClientOptions::from_url(url)?)?;
    let mut answers = client.subscribe("#", QoS::AtLeastOnce)?;
    let greeting = Message::new("greeting", "hello")?.qos(QoS::AtLeastOnce);
    client.publish(greeting)?;
    println!("client: {:?}", answers.next().map(|incoming| incoming.message));
    Ok(client.disconnect(Duration::from_secs(5))?)
}
