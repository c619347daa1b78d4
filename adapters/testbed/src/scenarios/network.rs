//! A network that breaks all the time, between a client and a server.
//!
//! `MQTT_CUTS` says how often it breaks in each case, and `MQTT_SEED` how.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use mqtt_adapter::{Client, ClientOptions, Incoming, Subscription};
use mqtt_session::proto::{QoS, Version};
use mqtt_session::{CleanStart, Limits};
use mqtt_store::MemoryStore;

use super::{VERSIONS, connected, lasting, message, number, options, server, writer};
use crate::{Adapter, Broker, Faults, MOSQUITTO, soon, until};

pub(super) fn setting(name: &str, default: u64) -> u64 {
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
    /// The highest number that has come.
    last: u32,
    /// For how many rounds nothing was sent.
    waited: u32,
}

/// How many messages are on their way. More would be sent again and again before one gets through.
const ON_THE_WAY: u32 = 20;
/// For how many rounds they are waited for.
const GIVEN_UP: u32 = 500;

impl Direction<'_> {
    /// Sends a message, if few enough are on their way.
    async fn send<A: Adapter>(&mut self) {
        self.take();
        if self.sent - self.last < ON_THE_WAY && self.from.statistics().unfinished < ON_THE_WAY as usize {
            let publishing = self.from.publish(message(self.topic, self.sent, self.qos)).accepted();
            soon::<A, _>("publishing", publishing).await.unwrap();
            self.sent += 1;
            self.waited = 0;
        } else if self.waited == GIVEN_UP {
            // What is on its way is lost, which is for the verdict to say.
            (self.last, self.waited) = (self.sent, 0);
        } else {
            self.waited += 1;
        }
    }

    fn take(&mut self) {
        while let Some(incoming) = self.to.try_next() {
            self.note(&incoming);
        }
    }

    fn note(&mut self, incoming: &Incoming) {
        self.last = self.last.max(number(incoming));
        self.arrived.push(number(incoming));
        self.seen.insert(number(incoming));
    }

    /// What has become of everything that was sent.
    async fn finish<A: Adapter>(&mut self) -> Verdict {
        until::<A>("all outcomes", || self.from.statistics().unfinished == 0).await;
        let undelivered = self.from.statistics().undelivered;
        // This is behind everything else, for the first time and again.
        let last = self.from.publish(message(self.topic, u32::MAX, self.qos));
        soon::<A, _>("publishing", last).await.unwrap();
        loop {
            let incoming = soon::<A, _>("the last message", self.to.next()).await;
            let incoming = incoming.expect("it goes on");
            match number(&incoming) {
                u32::MAX => break,
                _ => self.note(&incoming),
            }
        }
        Verdict {
            sent: self.sent as usize,
            undelivered,
            missing: self.sent as usize - self.seen.len(),
            doubled: match self.qos {
                QoS::ExactlyOnce => self.arrived.len() - self.seen.len(),
                _ => 0,
            },
            is_in_order: self.qos != QoS::ExactlyOnce || self.arrived.is_sorted(),
        }
    }
}

/// What the books of one direction say.
#[derive(Debug)]
struct Verdict {
    sent: usize,
    /// Messages that their sender was told to be lost.
    undelivered: u64,
    missing: usize,
    /// Messages of QoS 2 that came twice.
    doubled: usize,
    is_in_order: bool,
}

impl Verdict {
    fn is_clean(&self) -> bool {
        self.sent > 0 && self.undelivered == 0 && self.missing == 0 && self.doubled == 0 && self.is_in_order
    }
}

/// The verdicts on what the client got and on what it sent.
async fn break_the_network<A: Adapter>(
    to: SocketAddr,
    own: ClientOptions,
    faults: &Faults,
    qos: QoS,
    cuts: u64,
    case: &str,
) -> [Verdict; 2] {
    let other = connected::<A>(unbounded(options(to, Version::V5, "other"))).await;
    let client = A::start(unbounded(own));
    let here = soon::<A, _>("subscribing", client.subscribe("here", qos)).await;
    let there = other.subscribe("there", qos).await.unwrap();
    let mut inwards = direction(&other, "here", qos, here.unwrap());
    let mut outwards = direction(&client, "there", qos, there);
    while faults.cuts() < cuts {
        inwards.send::<A>().await;
        outwards.send::<A>().await;
        A::sleep(Duration::from_millis(1)).await;
    }
    faults.calm();
    // What was broken before is known by then; a client that forgets has subscribed again.
    A::sleep(Duration::from_millis(300)).await;
    let is_there = || client.is_connected() && client.statistics().unfinished == 0;
    until::<A>("the last connection", is_there).await;
    let verdicts = [inwards.finish::<A>().await, outwards.finish::<A>().await];
    println!("{case}: {} cuts, {verdicts:?}", faults.cuts());
    for client in [&client, &other] {
        let leaving = client.disconnect(Duration::from_secs(5));
        soon::<A, _>("disconnecting", leaving).await.unwrap();
    }
    verdicts
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
        last: 0,
        waited: 0,
    }
}

/// One case after the other, each with a way to its server.
async fn cases<A: Adapter>(
    name: &str,
    grace: impl Fn(QoS) -> Duration,
    to: impl AsyncFn() -> Option<(SocketAddr, Held)>,
) {
    let (seed, cuts) = (setting("MQTT_SEED", 1), setting("MQTT_CUTS", 10));
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
                let verdicts = break_the_network::<A>(to, own, &faults, qos, cuts, &case).await;
                assert!(verdicts.iter().all(Verdict::is_clean), "{case}: {verdicts:?}");
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
        let broker = Broker::start(&MOSQUITTO)?;
        Some((broker.address(), Box::new(broker) as Held))
    };
    cases::<A>("mosquitto", grace, start).await;
}

/// The books notice a client that forgets what was under way when a connection ends.
pub async fn a_client_that_forgets_is_noticed_behind_a_broken_network<A: Adapter>() {
    let (_hub, address) = server::<A>().await;
    let faults = Faults::start(address, setting("MQTT_SEED", 1));
    let forgets = options(faults.address(), Version::V5, "behind").clean_start(CleanStart::Always);
    let [inwards, outwards] =
        break_the_network::<A>(address, forgets, &faults, QoS::ExactlyOnce, 10, "a client that forgets").await;
    assert!(
        inwards.missing > 0 && outwards.undelivered > 0,
        "{inwards:?}, {outwards:?}"
    );
}
