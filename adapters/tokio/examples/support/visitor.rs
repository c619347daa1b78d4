//! A client that looks whether a server serves.

use std::time::Duration;

use mqtt_tokio::{ClientOptions, Message, QoS};

/// Says something, and waits until it comes back.
pub(crate) async fn visit(url: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let client = mqtt_tokio::connect(ClientOptions::from_url(url)?).await?;
    let mut answers = client.subscribe("#", QoS::AtLeastOnce).await?;
    let greeting = Message::new("greeting", "hello")?.qos(QoS::AtLeastOnce);
    client.publish(greeting).await?;
    println!("client: {:?}", answers.next().await.map(|incoming| incoming.message));
    Ok(client.disconnect(Duration::from_secs(5)).await?)
}
