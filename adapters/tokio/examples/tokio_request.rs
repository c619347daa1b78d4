//! Requests and answers: one client asks, another one answers.

mod support;

use std::time::Duration;

use mqtt_tokio::{Client, ClientOptions, Message, QoS, Subscription};
use tokio::time::timeout;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Answers two requests.
async fn answer(thermostat: Client, mut questions: Subscription) -> Result<(), Error> {
    for _ in 0..2 {
        let incoming = questions.next().await.ok_or("the client has ended")?;
        // A reply has the topic and the correlation data that the request asks for.
        if let Some(reply) = incoming.message.reply("21.5") {
            thermostat.publish(reply.qos(QoS::AtLeastOnce)).await?;
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = support::url().await;
    let thermostat = mqtt_tokio::connect(ClientOptions::from_url(&url)?).await?;
    let questions = thermostat.subscribe("room/+/temperature", QoS::AtLeastOnce).await?;
    let answering = tokio::spawn(answer(thermostat, questions));

    // Answers come to a topic of this client, and each goes to whoever asked.
    let client = mqtt_tokio::connect(ClientOptions::from_url(&url)?).await?;
    let requester = client.requester("answers/panel").await?;
    for room in ["kitchen", "hall"] {
        let question = Message::new(format!("room/{room}/temperature"), "")?.qos(QoS::AtLeastOnce);
        // An answer may never come. A request that is dropped is not waited for any more.
        match timeout(Duration::from_secs(5), requester.request(question)).await {
            Ok(answer) => println!("{room}: {:?}", answer?.payload),
            Err(_) => println!("{room}: nobody answers"),
        }
    }

    answering.await??;
    Ok(client.disconnect(Duration::from_secs(5)).await?)
}
