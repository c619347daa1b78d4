//! Subscribing: what is granted, each subscription's own messages, waiting for a time, and the end.

mod support;

use std::time::Duration;

use mqtt_tokio::{ClientOptions, Message, QoS, Subscribing};
use tokio::time::timeout;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = mqtt_tokio::connect(ClientOptions::from_url(&support::url().await)?).await?;

    let mut lamps = client.subscribe("lamp/+/state", QoS::AtLeastOnce).await?;
    let rooms = Subscribing::new("kitchen/#", QoS::ExactlyOnce).and("hall/#", QoS::AtMostOnce);
    let mut rooms = client.subscribe_to(rooms).await?;
    println!("granted: {:?}", rooms.granted().collect::<Vec<_>>());

    for topic in ["lamp/1/state", "hall/door", "lamp/2/state", "kitchen/oven"] {
        client.publish(Message::new(topic, "on")?.qos(QoS::ExactlyOnce)).await?;
    }

    // A subscription is a stream of what belongs to it. A dropped `next` has taken nothing, so it fits into `select!` and `timeout`.
    for _ in 0..2 {
        println!("lamp: {:?}", lamps.next().await.map(|incoming| incoming.message));
    }
    while let Ok(Some(incoming)) = timeout(Duration::from_millis(200), rooms.next()).await {
        println!("room: {:?}", incoming.message);
    }

    // What has come can still be taken, and then it ends.
    lamps.unsubscribe().await?;
    assert!(lamps.next().await.is_none());

    Ok(client.disconnect(Duration::from_secs(5)).await?)
}
