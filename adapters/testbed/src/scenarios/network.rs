//! A network that breaks all the time, between a client and a server.
//!
//! `MQTT_CUTS` says how often it breaks in each case, and `MQTT_SEED` how.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use mqtt_adapter::{Client, ClientOptions, Incoming, Subscription};
use mqtt_session::Limits;
use mqtt_session::proto::{QoS, Version};
use mqtt_store::MemoryStore;

use super::{VERSIONS, connected, lasting, message, number, options, server, writer};
use crate::{Adapter, Faults, Mosquitto, soon, until};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("it is a number"))
}

/// mosquitto 2.0.11 does not keep to a smaller one.
fn unbounded(options: ClientOptions) -> ClientOptions {
    options.limits(Limits::default().receive_maximum(u16::MAX))
}

/// What one end sends and the other gets.
struct Direction<'c> {
    from: &'c Client,
    topic: &'static str,
    qos: QoS,
    to: Subscription,
    sent: u32,
    arrived: Vec<u32>,
    seen: BTreeSet<u32>,
}

/// How many messages are on their way. More would be sent again and again before one gets through.
const ON_THE_WAY: usize = 20;

impl Direction<'_> {
    /// Sends a message, if few enough are on their way.
    async fn send<A: Adapter>(&mut self) {
        self.take();
        if self.sent as usize - self.seen.len() < ON_THE_WAY && self.from.statistics().unfinished < ON_THE_WAY {
            let publishing = self.from.publish(message(self.topic, self.sent, self.qos)).accepted();
            soon::<A, _>("publishing", publishing).await.unwrap();
            self.sent += 1;
        }
    }

    fn take(&mut self) {
        while let Some(incoming) = self.to.try_next() {
            self.note(&incoming);
        }
    }

    fn note(&mut self, incoming: &Incoming) {
        self.arrived.push(number(incoming));
        self.seen.insert(number(incoming));
    }

    /// Everything arrives, and nothing of QoS 2 twice.
    async fn finish<A: Adapter>(&mut self, case: &str) {
        until::<A>("all outcomes", || self.from.statistics().unfinished == 0).await;
        assert_eq!(self.from.statistics().undelivered, 0, "{case}");
        while self.seen.len() < self.sent as usize {
            let incoming = soon::<A, _>("a message", self.to.next()).await.expect("it goes on");
            self.note(&incoming);
        }
        // This is behind everything that may come twice.
        soon::<A, _>("publishing", self.from.publish(message(self.topic, u32::MAX, self.qos)))
            .await
            .unwrap();
        loop {
            let incoming = soon::<A, _>("the last message", self.to.next())
                .await
                .expect("it goes on");
            match number(&incoming) {
                u32::MAX => break,
                _ => self.note(&incoming),
            }
        }
        if self.qos == QoS::ExactlyOnce {
            assert!(
                self.arrived.iter().copied().eq(0..self.sent),
                "{case}: {:?}",
                self.arrived
            );
        }
    }
}

async fn break_the_network<A: Adapter>(to: SocketAddr, own: ClientOptions, faults: &Faults, qos: QoS, case: &str) {
    let cuts = setting("MQTT_CUTS", 10);
    let other = connected::<A>(unbounded(options(to, Version::V5, "other"))).await;
    let client = A::start(unbounded(own));
    let here = soon::<A, _>("subscribing", client.subscribe("here", qos))
        .await
        .unwrap();
    let there = other.subscribe("there", qos).await.unwrap();
    let mut inwards = direction(&other, "here", qos, here);
    let mut outwards = direction(&client, "there", qos, there);
    while faults.cuts() < cuts {
        inwards.send::<A>().await;
        outwards.send::<A>().await;
        A::sleep(Duration::from_millis(1)).await;
    }
    faults.calm();
    inwards.finish::<A>(case).await;
    outwards.finish::<A>(case).await;
    println!(
        "{case}: {} cuts, {} connections, {} messages there and {} back",
        faults.cuts(),
        client.statistics().connections,
        outwards.sent,
        inwards.sent
    );
    for client in [&client, &other] {
        soon::<A, _>("disconnecting", client.disconnect(Duration::from_secs(5)))
            .await
            .unwrap();
    }
}

const fn direction<'c>(from: &'c Client, topic: &'static str, qos: QoS, to: Subscription) -> Direction<'c> {
    Direction {
        from,
        topic,
        qos,
        to,
        sent: 0,
        arrived: Vec::new(),
        seen: BTreeSet::new(),
    }
}

/// One case after the other, each with a way to its server.
async fn cases<A: Adapter>(
    name: &str,
    grace: impl Fn(QoS) -> Duration,
    to: impl AsyncFn() -> Option<(SocketAddr, Held)>,
) {
    let seed = setting("MQTT_SEED", 1);
    for version in VERSIONS {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            for is_durable in [false, true] {
                let Some((to, _held)) = to().await else { return };
                let place = if is_durable { "in a store" } else { "in memory" };
                let case = format!("{name}, {version:?}, {qos:?}, {place}, seed {seed}");
                let faults = Faults::sparing(to, seed, grace(qos));
                let mut own = lasting(faults.address(), version, "behind");
                if is_durable {
                    own = own.store(&writer(MemoryStore::new()));
                }
                break_the_network::<A>(to, own, &faults, qos, &case).await;
            }
        }
    }
}

/// What ends when a case has.
type Held = Box<dyn Send>;

/// Whatever the network does, what was acknowledged is not lost and QoS 2 is not doubled, with the session in memory and in a
/// store.
pub async fn a_broken_network_loses_nothing_and_doubles_nothing<A: Adapter>() {
    let start = async || {
        let (hub, address) = server::<A>().await;
        Some((address, Box::new(hub) as Held))
    };
    cases::<A>("test server", |_| Duration::ZERO, start).await;
}

/// The same before mosquitto. Version 2.0.11 sends PUBLISH again for what it has released, if two connections break one after
/// the other before it has said all that it owes: with QoS 2, its first words are spared.
pub async fn mosquitto_behind_a_broken_network<A: Adapter>() {
    let grace = |qos| match qos {
        QoS::ExactlyOnce => Duration::from_millis(50),
        _ => Duration::ZERO,
    };
    let start = async || {
        let broker = Mosquitto::start()?;
        Some((broker.address(), Box::new(broker) as Held))
    };
    cases::<A>("mosquitto", grace, start).await;
}
