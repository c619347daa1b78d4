//! The clients of this project.

use std::time::{Duration, Instant};

use mqtt_std::session::Limits;
use mqtt_std::session::proto::Version;
use mqtt_std::{ClientOptions, Message, QoS};

use crate::load::{Failed, Load, Meter, PAYLOAD_BYTES, Pace, TOPIC, Used};

const DRAIN: Duration = Duration::from_secs(60);

fn options(port: u16, load: Load) -> Result<ClientOptions, Failed> {
    let limits = Limits::default().send_maximum(load.window);
    let options = ClientOptions::tcp("127.0.0.1", port).version(Version::V3_1_1);
    Ok(options.client_id("bench")?.limits(limits))
}

fn message(load: Load) -> Result<Message, Failed> {
    let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(load.qos)];
    Ok(Message::new(TOPIC, vec![b'x'; PAYLOAD_BYTES])?.qos(qos))
}

/// Both clients for people with `async` have the same calls: only the import differs.
macro_rules! run {
    ($connect:path, $port:expr, $load:expr, $sleep_until:expr) => {{
        let load = $load;
        let client = $connect(options($port, load)?).await?;
        let message = message(load)?;
        let mut meter = Meter::start();
        match load.pace {
            Pace::Saturated => {
                for _ in 0..load.messages {
                    client.publish(message.clone()).accepted().await?;
                }
            }
            Pace::Offered(_) => {
                let began = Instant::now();
                for (at, count) in load.portions() {
                    $sleep_until(began + at).await;
                    for _ in 0..count {
                        client.publish(message.clone()).accepted().await?;
                    }
                }
            }
            Pace::OneByOne => {
                for _ in 0..load.messages {
                    let began = Instant::now();
                    client.publish(message.clone()).await?;
                    meter.took(began.elapsed());
                }
            }
        }
        client.disconnect(DRAIN).await?;
        Ok(meter.stop())
    }};
}

/// `mqtt-tokio`, on one thread.
pub fn tokio(port: u16, load: Load) -> Result<Used, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        run!(mqtt_tokio::connect, port, load, |at: Instant| tokio::time::sleep_until(
            at.into()
        ))
    })
}

/// `mqtt-smol`, with the application in the executor that the connection is in too.
pub fn smol(port: u16, load: Load) -> Result<Used, Failed> {
    smol::block_on(smol::spawn(async move {
        run!(mqtt_smol::connect, port, load, async_io::Timer::at)
    }))
}

/// `mqtt-std`.
pub fn std(port: u16, load: Load) -> Result<Used, Failed> {
    let client = mqtt_std::connect(options(port, load)?)?;
    let message = message(load)?;
    let mut meter = Meter::start();
    match load.pace {
        Pace::Saturated => {
            for _ in 0..load.messages {
                client.publish_accepted(message.clone())?;
            }
        }
        Pace::Offered(_) => {
            let began = Instant::now();
            for (at, count) in load.portions() {
                std::thread::sleep((began + at).saturating_duration_since(Instant::now()));
                for _ in 0..count {
                    client.publish_accepted(message.clone())?;
                }
            }
        }
        Pace::OneByOne => {
            for _ in 0..load.messages {
                let began = Instant::now();
                client.publish(message.clone())?;
                meter.took(began.elapsed());
            }
        }
    }
    client.disconnect(DRAIN)?;
    Ok(meter.stop())
}
