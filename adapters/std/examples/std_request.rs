//! Requests and answers: one client asks, another one answers.

mod support;

use std::thread;
use std::time::Duration;

use mqtt_std::{Client, ClientOptions, Message, QoS};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Answers two requests.
fn answer(thermostat: &Client, questions: mqtt_std::Subscription) -> Result<(), Error> {
    for incoming in questions.take(2) {
        // A reply has the topic and the correlation data that the request asks for.
        if let Some(reply) = incoming.message.reply("21.5") {
            thermostat.publish(reply.qos(QoS::AtLeastOnce))?;
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    let url = support::url();
    let thermostat = mqtt_std::connect(ClientOptions::from_url(&url)?)?;
    let questions = thermostat.subscribe("room/+/temperature", QoS::AtLeastOnce)?;
    let answering = thread::spawn(move || answer(&thermostat, questions));

    // Answers come to a topic of this client, and each goes to whoever asked.
    let client = mqtt_std::connect(ClientOptions::from_url(&url)?)?;
    let requester = client.requester("answers/panel")?;
    for room in ["kitchen", "hall"] {
        let question = Message::new(format!("room/{room}/temperature"), "")?.qos(QoS::AtLeastOnce);
        match requester.request(question, Duration::from_secs(5))? {
            Some(answer) => println!("{room}: {:?}", answer.payload),
            None => println!("{room}: nobody answers"),
        }
    }

    answering.join().map_err(|_| "the other client panicked")??;
    Ok(client.disconnect(Duration::from_secs(5))?)
}
