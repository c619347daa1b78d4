//! What a client can do, step by step, against a server of its own: QoS 2, acknowledgements by the application, and requests.

use std::time::Duration;

use mqtt_smol::session::proto::{AckProperties, SubAckReason};
use mqtt_smol::session::{Accept, ServerConfig, ServerEvent};
use mqtt_smol::{Acknowledge, ClientOptions, Listener, Message, QoS, Step};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Gives its client back what it publishes; answers what asks for an answer.
async fn serve(listener: Listener) -> Result<(), Error> {
    let mut connection = listener.accept().await?.connection;
    while let Some(step) = connection.next().await {
        let now = connection.now();
        let machine = connection.machine_mut();
        match step {
            Step::Event(ServerEvent::Connect(_)) => machine.accept(now, Accept::new())?,
            Step::Event(ServerEvent::Subscribe { request, filters, .. }) => {
                let codes = filters.iter().map(|one| SubAckReason::granted(one.options.qos));
                machine.subscribed(now, request, codes, AckProperties::empty())?;
            }
            Step::Event(ServerEvent::Message(received)) => {
                let answer = received.message.reply("it is on").unwrap_or(received.message);
                machine.publish(now, answer, 0)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    smol::block_on(run())
}

async fn run() -> Result<(), Error> {
    let listener = Listener::bind("127.0.0.1:0", ServerConfig::default()).await?;
    let url = format!("mqtt://127.0.0.1:{}", listener.local_addr()?.port());
    let server = smol::spawn(serve(listener));

    let options = ClientOptions::from_url(&url)?.client_id("walker")?;
    let client = mqtt_smol::connect(options.acknowledge(Acknowledge::ByApplication)).await?;

    // The server grants a QoS for each filter.
    let mut lamps = client.subscribe("lamp/#", QoS::ExactlyOnce).await?;
    println!("granted: {:?}", lamps.granted().collect::<Vec<_>>());

    // QoS 2: taken by the client, and then acknowledged by PUBREC and PUBCOMP.
    let message = Message::new("lamp/1", "on")?.qos(QoS::ExactlyOnce);
    println!("accepted: {:?}", client.publish(message.clone()).accepted().await?);
    println!("acknowledged: {:?}", client.publish(message).await?);

    // A message is the application's until it says that it has dealt with it.
    for _ in 0..2 {
        let incoming = lamps.next().await.ok_or("the client has ended")?;
        println!("received: {:?}", incoming.message);
        incoming.acknowledgement.ok_or("it has QoS 2")?.acknowledge()?;
    }

    // A request has a topic for its answer, and waits for it no longer than one likes.
    let requester = client.requester("answers/walker").await?;
    let question = Message::new("lamp/1/state", "")?.qos(QoS::AtLeastOnce);
    let late = async {
        smol::Timer::after(Duration::from_secs(5)).await;
        Err("nobody answers".into())
    };
    let asking = async { requester.request(question).await.map_err(Error::from) };
    let answer = smol::future::race(asking, late).await?;
    println!("answer: {:?}", answer.payload);

    client.disconnect(Duration::from_secs(5)).await?;
    println!("{:?}", client.statistics());
    server.await
}
