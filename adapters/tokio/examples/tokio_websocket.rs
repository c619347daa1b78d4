//! MQTT over WebSocket, at both ends. With `wss://` and `ServerLayers::tls` there is TLS below it.

use std::time::Duration;

use mqtt_tokio::session::{Accept, ServerConfig, ServerEvent};
use mqtt_tokio::{ClientOptions, Listener, Message, QoS, ServerLayers, Step, WebSocketServer};

type Error = Box<dyn std::error::Error + Send + Sync>;

async fn serve(listener: Listener) -> Result<(), Error> {
    let mut connection = listener.accept().await?.connection;
    while let Some(step) = connection.next().await {
        let now = connection.now();
        match step {
            Step::Event(ServerEvent::Connect(_)) => connection.machine_mut().accept(now, Accept::new())?,
            Step::Event(ServerEvent::Message(received)) => println!("server: {:?}", received.message),
            Step::Event(ServerEvent::Closed { reason, .. }) => println!("server: {reason}"),
            _ => {}
        }
    }
    // What WebSocket had against a client, if it had something.
    if let Some(error) = connection.take_error() {
        println!("server: {error}");
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let layers = ServerLayers::new().websocket(WebSocketServer::new().path("/mqtt"));
    let listener = Listener::bind("127.0.0.1:0", ServerConfig::default())
        .await?
        .layers(layers);
    let address = listener.local_addr()?;
    let serving = tokio::spawn(serve(listener));
    let options = ClientOptions::from_url(&format!("ws://{address}/mqtt"))?.client_id("sensor-7")?;
    let client = mqtt_tokio::connect(options).await?;
    let message = Message::new("temperature", "21.5")?.qos(QoS::ExactlyOnce);
    println!("client: {:?}", client.publish(message).await?);
    client.disconnect(Duration::from_secs(5)).await?;
    serving.await?
}
