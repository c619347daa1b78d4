//! A stream of one's own, in place of a socket: anything that is `AsyncRead` and `AsyncWrite`. Here it is a pipe in memory.

use std::time::Duration;

use mqtt_tokio::session::{Accept, ServerConfig, ServerConnection, ServerEvent};
use mqtt_tokio::{ClientOptions, Clock, Connection, Message, QoS, Step, dial_by};
use tokio::io::{DuplexStream, duplex};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The server's end of the connection.
async fn serve(end: DuplexStream) -> Result<(), Error> {
    let clock = Clock::new();
    let machine = ServerConnection::new(ServerConfig::default(), clock.now());
    let mut connection = Connection::accepted(machine, end, clock);
    while let Some(step) = connection.next().await {
        let now = connection.now();
        match step {
            Step::Event(ServerEvent::Connect(_)) => connection.machine_mut().accept(now, Accept::new())?,
            Step::Event(ServerEvent::Message(received)) => println!("server: {:?}", received.message),
            Step::Event(ServerEvent::Closed { reason, .. }) => println!("server: {reason}"),
            _ => {}
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // Whenever the client wants a stream, it gets one end of a pipe, and a server the other.
    let dialer = dial_by(|_| async {
        let (near, far) = duplex(1024);
        tokio::spawn(serve(far));
        Ok(near)
    });
    // The URL says what is on the stream, and who is meant; nothing is resolved.
    let client = mqtt_tokio::connect_with(ClientOptions::from_url("mqtt://pipe")?.client_id("near")?, dialer).await?;
    let message = Message::new("greeting", "hello")?.qos(QoS::ExactlyOnce);
    println!("client: {:?}", client.publish(message).await?);
    Ok(client.disconnect(Duration::from_secs(5)).await?)
}
