//! The same small client on rumqttc's blocking one, for its size.

use rumqttc::{Client, Event, Incoming, MqttOptions, Outgoing, QoS};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("the URL of a server is missing")?;
    let address = url.strip_prefix("mqtt://").ok_or("the URL is not one of MQTT")?;
    let (host, port) = address.rsplit_once(':').ok_or("the URL has no port")?;
    let (client, mut connection) = Client::new(MqttOptions::new("size", host, port.parse()?), 10);
    client.subscribe("size", QoS::AtLeastOnce)?;
    client.publish("size", QoS::AtLeastOnce, false, "hello")?;
    for event in connection.iter() {
        match event? {
            Event::Incoming(Incoming::Publish(message)) => {
                println!("{:?}", message.payload);
                client.disconnect()?;
            }
            Event::Outgoing(Outgoing::Disconnect) => break,
            _ => {}
        }
    }
    Ok(())
}
