//! A broker with a policy of its own, and two clients. With an address as argument it serves there until its input ends.
//!
//! `cargo run -p mqtt-tokio --features broker --example tokio_broker [127.0.0.1:1883]`

use std::error::Error;
use std::time::Duration;

use mqtt_tokio::broker::{Desk, Host, Listen, Notice, Policy};
use mqtt_tokio::session::proto::{ConnAckProperties, ConnAckReason, DisconnectReason};
use mqtt_tokio::session::{Ask, BrokerConfig, BrokerEvent, Verdict};
use mqtt_tokio::{ClientOptions, Message, QoS};

/// Guests may not publish.
struct House {
    is_quiet: bool,
}

impl Policy for House {
    fn on_event(&mut self, desk: &mut Desk<'_>, event: BrokerEvent) {
        let now = desk.now;
        match event {
            BrokerEvent::Connect { connection, connect } => {
                // A password would be checked on another thread, and the answer given by a `ShardHandle`.
                let is_named = !connect.client_id.is_empty();
                let none = ConnAckProperties::empty();
                let answered = match is_named {
                    true => desk.broker.admit(now, connection, none),
                    false => desk
                        .broker
                        .refuse(now, connection, ConnAckReason::ClientIdentifierNotValid, none),
                };
                if let Err(error) = answered {
                    eprintln!("{error:?}");
                }
            }
            BrokerEvent::MayPublish {
                question, client_id, ..
            } => {
                let verdict = if client_id.starts_with(b"guest") {
                    Verdict::DENY
                } else {
                    Verdict::ALLOW
                };
                desk.broker
                    .authorize(now, question, verdict.scope(mqtt_tokio::session::Scope::Connection));
            }
            BrokerEvent::Connected {
                connection, client_id, ..
            } if !self.is_quiet => {
                let origin = desk.origin(connection).expect("it is connected");
                println!(
                    "{} by {} from {:?}",
                    client_id.escape_ascii(),
                    origin.listener,
                    origin.peer
                );
            }
            BrokerEvent::Disconnected { client_id, reason, .. } if !self.is_quiet => {
                println!("{} is gone: {reason}", client_id.escape_ascii());
            }
            _ => {}
        }
    }

    fn on_notice(&mut self, _: &mut Desk<'_>, notice: Notice) {
        eprintln!("{notice:?}");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let ask = Ask {
        connect: true,
        publish: true,
        subscribe: false,
    };
    let listen = Listen::tcp(address.as_deref().unwrap_or("127.0.0.1:0"));
    let is_quiet = address.is_some();
    // Elsewhere the seed is a fresh one at each start.
    let host = Host::new(BrokerConfig::new(7).ask(ask))
        .policy(move |_| House { is_quiet })
        .listen(listen.connections(100_000));
    let broker = mqtt_tokio::broker::start(host)?;
    if address.is_some() {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    } else {
        let address = broker.local_addr().ok_or("it listens nowhere")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(talk(&format!("mqtt://{address}")))?;
    }
    broker.shutdown(DisconnectReason::ServerShuttingDown, Duration::from_secs(5));
    for ended in broker.wait()? {
        println!("{:?}", ended.traffic);
    }
    Ok(())
}

async fn talk(url: &str) -> Result<(), Box<dyn Error>> {
    let options = |name: &'static str| ClientOptions::from_url(url)?.client_id(name);
    let owner = mqtt_tokio::connect(options("owner")?).await?;
    let guest = mqtt_tokio::connect(options("guest-1")?).await?;
    let mut lamps = guest.subscribe("lamp/+", QoS::AtLeastOnce).await?;
    owner
        .publish(Message::new("lamp/1", "on")?.qos(QoS::AtLeastOnce))
        .await?;
    if let Some(incoming) = lamps.next().await {
        println!("{}: {:?}", incoming.message.topic, incoming.message.payload);
    }
    let refused = guest
        .publish(Message::new("lamp/1", "off")?.qos(QoS::AtLeastOnce))
        .await;
    println!("{refused:?}");
    guest.disconnect(Duration::from_secs(5)).await?;
    Ok(())
}
