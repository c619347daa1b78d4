//! rumqttc, as its documentation shows it: the event loop in a task of its own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, Outgoing, QoS};
use tokio::sync::mpsc;

use crate::load::{Failed, Load, Meter, PAYLOAD_BYTES, Pace, TOPIC, Used};

/// How many requests may wait for the event loop.
pub const REQUESTS: usize = 100;

/// Runs the load on a runtime of one thread.
pub fn run(port: u16, load: Load) -> Result<Used, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(go(port, load))
}

async fn go(port: u16, load: Load) -> Result<Used, Failed> {
    let mut options = MqttOptions::new("bench", "127.0.0.1", port);
    options
        .set_keep_alive(Duration::from_secs(60))
        .set_inflight(load.window);
    let (client, mut events) = AsyncClient::new(options, REQUESTS);
    while !matches!(events.poll().await?, Event::Incoming(Incoming::ConnAck(_))) {}
    let (ended, mut all_ended) = mpsc::unbounded_channel();
    let events = tokio::spawn(async move {
        loop {
            match events.poll().await {
                Ok(event) if ends_message(&event, load.qos) => {
                    if ended.send(()).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    });
    let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(load.qos)];
    let payload = Bytes::from(vec![b'x'; PAYLOAD_BYTES]);
    let mut meter = Meter::start();
    let mut left = load.messages;
    match load.pace {
        Pace::Saturated => {
            for _ in 0..load.messages {
                client.publish_bytes(TOPIC, qos, false, payload.clone()).await?;
            }
        }
        Pace::Offered(_) => {
            let began = Instant::now();
            for (at, count) in load.portions() {
                tokio::time::sleep_until((began + at).into()).await;
                for _ in 0..count {
                    client.publish_bytes(TOPIC, qos, false, payload.clone()).await?;
                }
            }
        }
        Pace::OneByOne => {
            for _ in 0..load.messages {
                let began = Instant::now();
                client.publish_bytes(TOPIC, qos, false, payload.clone()).await?;
                all_ended.recv().await.ok_or("the event loop has ended")?;
                left -= 1;
                meter.took(began.elapsed());
            }
        }
    }
    for _ in 0..left {
        all_ended.recv().await.ok_or("the event loop has ended")?;
    }
    let used = meter.stop();
    events.abort();
    Ok(used)
}

fn ends_message(event: &Event, qos: u8) -> bool {
    match event {
        Event::Outgoing(Outgoing::Publish(_)) => qos == 0,
        Event::Incoming(Incoming::PubAck(_)) => qos == 1,
        Event::Incoming(Incoming::PubComp(_)) => qos == 2,
        _ => false,
    }
}
