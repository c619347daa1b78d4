//! Publishing: with each QoS, retained, many messages at once, and without waiting for room.

mod support;

use std::time::Duration;

use mqtt_tokio::{ClientOptions, Message, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = mqtt_tokio::connect(ClientOptions::from_url(&support::url().await)?).await?;

    // It is over when the message is sent (QoS 0), or when the server has it (QoS 1 and 2).
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let message = Message::new("lamp/1/switch", "on")?.qos(qos);
        println!("{qos:?}: {:?}", client.publish(message).await?);
    }

    // The server keeps a retained message for those who subscribe later.
    let state = Message::new("lamp/1/state", "on")?.qos(QoS::AtLeastOnce).retain(true);
    client.publish(state).await?;

    // Many are on their way at once; each has a future of its end.
    let readings = (0..100).map(|reading| Message::new("meter/1", format!("{reading} W")));
    let mut under_way = Vec::new();
    for reading in readings {
        match client.try_publish(reading?.qos(QoS::AtLeastOnce)) {
            Ok(completion) => under_way.push(completion),
            // A full queue gives the message back, so it can wait for room after all.
            Err(refused) if refused.is_full() => {
                client.publish(*refused.message).accepted().await?;
            }
            Err(refused) => return Err(refused.into()),
        }
    }
    for completion in under_way {
        completion.await?;
    }
    println!("delivered: {}", client.statistics().delivered);

    Ok(client.disconnect(Duration::from_secs(5)).await?)
}
