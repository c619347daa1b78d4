//! A server in 40 lines: every client gets back what it publishes. A client is connected to it, and says something.

use std::net::TcpStream;
use std::time::Duration;

use mqtt_std::session::proto::{AckProperties, SubAckReason};
use mqtt_std::session::{Accept, ServerConfig, ServerConnection, ServerEvent};
use mqtt_std::{ClientOptions, Connection, Listener, Message, QoS, Step};

type Error = Box<dyn std::error::Error + Send + Sync>;

fn serve(mut connection: Connection<ServerConnection, TcpStream>) -> Result<(), Error> {
    while let Some(step) = connection.next() {
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

fn main() -> Result<(), Error> {
    let mut listener = Listener::bind("127.0.0.1:0", ServerConfig::default())?.connections(100);
    let port = listener.local_addr().port();
    let server = std::thread::spawn(move || serve(listener.accept()?.connection));

    let client = mqtt_std::connect(ClientOptions::tcp("127.0.0.1", port).client_id("parrot")?)?;
    let mut answers = client.subscribe("#", QoS::AtLeastOnce)?;
    client.publish(Message::new("greeting", "hello")?.qos(QoS::AtLeastOnce))?;
    println!(
        "client: {:?}",
        answers
            .next_within(Duration::from_secs(5))
            .map(|incoming| incoming.message)
    );
    client.disconnect(Duration::from_secs(1))?;
    server.join().map_err(|_| "the server panicked")?
}
