//! A client whose session is in a file. What it publishes while nobody listens arrives when a server does, after a restart; what
//! it received and did not acknowledge is told again.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use mqtt_tokio::session::proto::{AckProperties, SubAckReason};
use mqtt_tokio::session::{Accept, ServerConfig, ServerEvent, Session};
use mqtt_tokio::{Acknowledge, Client, ClientOptions, Listener, Message, QoS, Step};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Gives its client back what it publishes, over any number of connections of one session.
async fn serve(listener: Listener) -> Result<(), Error> {
    let mut session: Option<Session> = None;
    loop {
        let mut connection = listener.accept().await?.connection;
        while let Some(step) = connection.next().await {
            let now = connection.now();
            let machine = connection.machine_mut();
            match step {
                Step::Event(ServerEvent::Connect(_)) => machine.accept(now, Accept::new().session(session.take()))?,
                Step::Event(ServerEvent::Subscribe { request, filters, .. }) => {
                    let codes = filters.iter().map(|one| SubAckReason::granted(one.options.qos));
                    machine.subscribed(now, request, codes, AckProperties::empty())?;
                }
                Step::Event(ServerEvent::Message(received)) => {
                    machine.publish(now, received.message, 0)?;
                }
                Step::Event(ServerEvent::Closed { .. }) => session = machine.take_session(),
                _ => {}
            }
        }
    }
}

/// A life of the client: in a program of its own it would be a start of that.
fn start(address: SocketAddr, file: &Path) -> Result<Client, Error> {
    let options = ClientOptions::tcp(address.ip().to_string(), address.port())
        .client_id("meter")?
        .acknowledge(Acknowledge::ByApplication)
        .store_at(file)?;
    let client = mqtt_tokio::start(options);
    println!("{:?}", client.restored());
    Ok(client)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // A port at which nobody listens yet.
    let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let file = std::env::temp_dir().join(format!("tokio-durable-{}.redb", std::process::id()));

    // There is no server. What is accepted is in the file.
    let client = start(address, &file)?;
    for reading in ["21.5", "21.7", "21.6"] {
        let message = Message::new("meter/1", reading)?.qos(QoS::ExactlyOnce);
        println!("{reading}: {:?}", client.publish(message).accepted().await?);
    }
    if let Err(unfinished) = client.disconnect(Duration::ZERO).await {
        println!("{unfinished}; they are in the store");
    }

    // In the next life there is one, and gets them. What comes back is received, and not acknowledged.
    let server = tokio::spawn(serve(Listener::bind(address, ServerConfig::default()).await?));
    let client = start(address, &file)?;
    let mut readings = client.subscribe("meter/+", QoS::ExactlyOnce).await?;
    for _ in 0..3 {
        let incoming = readings.next().await.ok_or("the client has ended")?;
        println!("{:?}: {:?}", incoming.delivery, incoming.message.payload);
    }
    client.disconnect(Duration::from_secs(5)).await?;

    // So it is told again, by the same numbers, until it is acknowledged.
    let client = start(address, &file)?;
    let mut readings = client.subscribe("meter/+", QoS::ExactlyOnce).await?;
    for _ in 0..3 {
        let incoming = readings.next().await.ok_or("the client has ended")?;
        println!("{:?}, redelivered: {}", incoming.delivery, incoming.redelivered);
        incoming.acknowledge()?.await?;
    }
    client.disconnect(Duration::from_secs(5)).await?;
    server.abort();
    Ok(std::fs::remove_file(file)?)
}
