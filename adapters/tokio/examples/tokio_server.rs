//! A server in 40 lines: every client gets back what it publishes. A client is connected to it, and says something.

use mqtt_tokio::session::proto::{AckProperties, SubAckReason};
use mqtt_tokio::session::{Accept, ServerConfig, ServerConnection, ServerEvent};
use mqtt_tokio::{ClientOptions, Connection, Listener, Message, QoS, Step};
use tokio::net::TcpStream;

type Error = Box<dyn std::error::Error + Send + Sync>;

async fn serve(mut connection: Connection<ServerConnection, TcpStream>) -> Result<(), Error> {
    while let Some(step) = connection.next().await {
        let now = connection.now();
        let machine = connection.machine_mut();
        match step {
            Step::Event(ServerEvent::Connect(connect)) => {
                println!("server: {} connects", connect.client_id);
                machine.accept(now, Accept::new())?;
            }
            Step::Event(ServerEvent::Subscribe { request, filters, .. }) => {
                let codes = filters.iter().map(|one| SubAckReason::granted(one.options.qos));
                machine.subscribed(now, request, codes, AckProperties::empty())?;
            }
            Step::Event(ServerEvent::Message(received)) => {
                println!("server: {:?}", received.message);
                machine.publish(now, received.message, 0)?;
            }
            Step::Event(ServerEvent::Closed { reason, .. }) => println!("server: {reason}"),
            _ => {}
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let listener = Listener::bind("127.0.0.1:0", ServerConfig::default())
        .await?
        .connections(100);
    let port = listener.local_addr()?.port();
    let server = tokio::spawn(async move { serve(listener.accept().await?.connection).await });

    let client = mqtt_tokio::connect(ClientOptions::tcp("127.0.0.1", port).client_id("parrot")?).await?;
    let mut answers = client.subscribe("#", QoS::AtLeastOnce).await?;
    client
        .publish(Message::new("greeting", "hello")?.qos(QoS::AtLeastOnce))
        .await?;
    println!("client: {:?}", answers.next().await.map(|incoming| incoming.message));
    client.disconnect(std::time::Duration::from_secs(1)).await?;
    server.await?
}
