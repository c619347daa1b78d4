//! Subscribing: what is granted, each subscription's own messages, waiting for a time, and the end.

mod support;

use std::time::Duration;

use mqtt_smol::{ClientOptions, Message, QoS, Subscribing};
use smol::{Timer, future};

type Error = Box<dyn std::error::Error>;

async fn late<T>() -> Option<T> {
    Timer::after(Duration::from_millis(200)).await;
    None
}

fn main() -> Result<(), Error> {
    smol::block_on(run())
}

async fn run() -> Result<(), Error> {
    let client = mqtt_smol::connect(ClientOptions::from_url(&support::url().await)?).await?;

    let mut lamps = client.subscribe("lamp/+/state", QoS::AtLeastOnce).await?;
    let rooms = Subscribing::new("kitchen/#", QoS::ExactlyOnce).and("hall/#", QoS::AtMostOnce);
    let mut rooms = client.subscribe_to(rooms).await?;
    println!("granted: {:?}", rooms.granted().collect::<Vec<_>>());

    for topic in ["lamp/1/state", "hall/door", "lamp/2/state", "kitchen/oven"] {
        client.publish(Message::new(topic, "on")?.qos(QoS::ExactlyOnce)).await?;
    }

    // A subscription is a stream of what belongs to it. A dropped `next` has taken nothing, so it can be raced with anything.
    for _ in 0..2 {
        println!("lamp: {:?}", lamps.next().await.map(|incoming| incoming.message));
    }
    while let Some(incoming) = future::race(rooms.next(), late()).await {
        println!("room: {:?}", incoming.message);
    }

    // What has come can still be taken, and then it ends.
    lamps.unsubscribe().await?;
    assert!(lamps.next().await.is_none());

    Ok(client.disconnect(Duration::from_secs(5)).await?)
}
