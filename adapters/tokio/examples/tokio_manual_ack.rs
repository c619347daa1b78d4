//! Acknowledging by hand: a message is the application's only when it says so, and comes again when it does not.

mod support;

use std::time::Duration;

use mqtt_tokio::session::CleanStart;
use mqtt_tokio::session::proto::PubAckReason;
use mqtt_tokio::{Acknowledge, Client, ClientOptions, Message, QoS};

type Error = Box<dyn std::error::Error>;

async fn connect(url: &str) -> Result<Client, Error> {
    let options = ClientOptions::from_url(url)?
        .client_id("worker")?
        .acknowledge(Acknowledge::ByApplication)
        // The session outlives this client.
        .clean_start(CleanStart::Never)
        .session_expiry(Duration::from_secs(3600));
    Ok(mqtt_tokio::connect(options).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = support::url().await;
    let worker = connect(&url).await?;
    let mut jobs = worker.subscribe("job/#", QoS::AtLeastOnce).await?;
    let boss = mqtt_tokio::connect(ClientOptions::from_url(&url)?).await?;
    for job in ["sweep", "paint", "launch"] {
        boss.publish(Message::new("job/new", job)?.qos(QoS::AtLeastOnce))
            .await?;
    }

    // Done: the server is told. The value is used up by it.
    let incoming = jobs.next().await.ok_or("the client has ended")?;
    println!("done: {:?}", incoming.message.payload);
    incoming.acknowledge()?;

    // Not done: whoever drops the value has acknowledged nothing.
    let incoming = jobs.next().await.ok_or("the client has ended")?;
    println!("left: {:?}", incoming.message.payload);
    drop(incoming);
    worker.disconnect(Duration::from_secs(5)).await?;

    // So it comes again in the next connection of the session, and so does what nobody took.
    let worker = connect(&url).await?;
    let mut jobs = worker.subscribe("job/#", QoS::AtLeastOnce).await?;
    let incoming = jobs.next().await.ok_or("the client has ended")?;
    println!("done: {:?}", incoming.message.payload);
    incoming.acknowledge()?;

    // Refused: the server is told why, and does not send it again.
    let incoming = jobs.next().await.ok_or("the client has ended")?;
    println!("refused: {:?}", incoming.message.payload);
    incoming.refuse(PubAckReason::NotAuthorized.into())?;

    boss.disconnect(Duration::from_secs(5)).await?;
    Ok(worker.disconnect(Duration::from_secs(5)).await?)
}
