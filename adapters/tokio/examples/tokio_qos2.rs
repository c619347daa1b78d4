//! QoS 2, step by step: what each end has at each point, and what it knows of the other.

mod support;

use std::time::Duration;

use mqtt_tokio::{Acknowledge, ClientOptions, Message, Published, QoS};
use tokio::time::timeout;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = ClientOptions::from_url(&support::url().await)?.client_id("walker")?;
    let client = mqtt_tokio::connect(options.acknowledge(Acknowledge::ByApplication)).await?;
    let mut doors = client.subscribe("door/+/open", QoS::ExactlyOnce).await?;

    // The message is the client's: it goes out when there is a connection and room in the window, again after a cut, and with a
    // store (see `tokio_durable`) also after a restart.
    let completion = client.try_publish(Message::new("door/1/open", "once")?.qos(QoS::ExactlyOnce))?;
    println!("taken: {} has not ended", client.statistics().unfinished);

    // PUBLISH goes, PUBREC comes: the server has the message, and knows its number. PUBREL goes, PUBCOMP comes: the number is
    // free again, and nothing that is repeated can be taken for another message.
    match completion.await? {
        Published::Acknowledged(reason) => println!("completed: {reason:?}"),
        other => println!("{other:?}"),
    }

    // The other way round PUBREC waits for the application: until then the message is the server's.
    let incoming = doors.next().await.ok_or("the client has ended")?;
    println!("received: {:?}", incoming.message);
    println!(
        "the door is opened, in the transaction that keeps {:?}",
        incoming.delivery
    );
    incoming.acknowledge()?;

    // It came once, and does not come again.
    assert!(timeout(Duration::from_millis(200), doors.next()).await.is_err());
    Ok(client.disconnect(Duration::from_secs(5)).await?)
}
