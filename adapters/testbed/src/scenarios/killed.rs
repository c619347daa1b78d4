//! `kill -9` of processes with a durable client, and books that are kept outside of them.
//!
//! `MQTT_KILLS` says how often each is killed, and `MQTT_SEED` when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use mqtt_session::Limits;
use mqtt_session::proto::{QoS, Version};
use mqtt_store::Durability;

use super::network::setting;
use super::{connected, message, number, options, server};
use crate::killing::{Killed, LAST, Role, Said, qos_of};
use crate::random::Random;
use crate::{Adapter, Broker, MOSQUITTO, Proxy, soon, until};

/// How often a process is killed.
fn kills() -> u32 {
    u32::try_from(setting("MQTT_KILLS", 5)).expect("nobody waits for so many")
}

/// For how long a process lives.
fn lifetime(random: &mut Random) -> Duration {
    Duration::from_millis(60 + random.below(200))
}

/// What the books say in the end.
#[derive(Debug, Default)]
struct Verdict {
    /// Messages that somebody had been promised.
    promised: usize,
    /// Those of them that did not arrive.
    missing: usize,
    /// Messages of QoS 2 that arrived twice, or by two numbers of deliveries.
    doubled: usize,
    /// Numbers of deliveries that named two messages, and repetitions that did not say so.
    misnamed: usize,
    /// Deliveries that were told again.
    repeated: usize,
}

impl Verdict {
    fn is_clean(&self) -> bool {
        self.missing + self.doubled + self.misnamed == 0
    }

    /// Nothing is wrong, and enough has happened.
    fn assert_clean(&self, what: &str) {
        println!("{what}: {} kills, {self:?}", kills());
        assert!(self.is_clean(), "{what}: {self:?}");
        assert!(self.promised as u64 >= u64::from(kills()), "{what}: {self:?}");
    }
}

/// Kills a process that publishes, while there is a way to the server and while there is none.
async fn kill_publishers<A: Adapter>(to: SocketAddr, durability: Durability, kills: u32) -> Verdict {
    let folder = tempfile::tempdir().expect("there is room");
    let mut random = Random::new(setting("MQTT_SEED", 1));
    let proxy = Proxy::start(to);
    // Whoever reads is not killed, and reads everything.
    let all = Limits::default().receive_maximum(u16::MAX);
    let reader = connected::<A>(options(to, Version::V5, "reader").limits(all)).await;
    let mut stream = reader.subscribe("killed", QoS::ExactlyOnce).await.unwrap();
    let (mut accepted, mut next, mut arrived) = (BTreeSet::new(), 0, BTreeMap::<u32, usize>::new());
    for _ in 0..kills {
        match random.one_in(2) {
            true => proxy.cut(true),
            false => proxy.mend(),
        }
        let killed = Killed::start(Role::Publish(next), proxy.address(), folder.path(), durability);
        A::sleep(lifetime(&mut random)).await;
        for said in killed.kill() {
            match said {
                Said::Begins(number) => next = number + 1,
                Said::Accepted(number) => drop(accepted.insert(number)),
                _ => {}
            }
        }
        while let Some(incoming) = stream.try_next() {
            *arrived.entry(number(&incoming)).or_default() += 1;
        }
    }
    proxy.mend();
    finished::<A>(Killed::start(Role::Drain, to, folder.path(), durability)).await;
    // The server has everything that it will get; this is behind it.
    reader.publish(message("killed", LAST, QoS::ExactlyOnce)).await.unwrap();
    loop {
        let incoming = soon::<A, _>("a message", stream.next()).await.expect("it goes on");
        if number(&incoming) == u32::MAX {
            break;
        }
        *arrived.entry(number(&incoming)).or_default() += 1;
    }
    let is_doubled = |number: &u32, times: usize| qos_of(*number) == QoS::ExactlyOnce && times > 1;
    Verdict {
        promised: accepted.len(),
        missing: accepted.iter().filter(|number| !arrived.contains_key(number)).count(),
        doubled: arrived
            .iter()
            .filter(|(number, times)| is_doubled(number, **times))
            .count(),
        ..Verdict::default()
    }
}

/// Waits until a process has done what is left, and returns what it said.
async fn finished<A: Adapter>(last: Killed) -> Vec<Said> {
    until::<A>("the last process", || last.has_said(Said::Done)).await;
    last.kill()
}

/// What was told, by number of delivery and by message.
#[derive(Default)]
struct Deliveries {
    numbers: BTreeMap<u64, u32>,
    deliveries: BTreeMap<u32, BTreeSet<u64>>,
    verdict: Verdict,
}

impl Deliveries {
    fn told(&mut self, number: u32, delivery: u64, again: bool) {
        if let Some(before) = self.numbers.insert(delivery, number) {
            self.verdict.repeated += 1;
            self.verdict.misnamed += usize::from(before != number || !again);
        }
        self.deliveries.entry(number).or_default().insert(delivery);
    }
}

/// Kills a process that receives more slowly than is published.
async fn kill_receivers<A: Adapter>(to: SocketAddr, durability: Durability, kills: u32) -> Verdict {
    let folder = tempfile::tempdir().expect("there is room");
    let mut random = Random::new(setting("MQTT_SEED", 1));
    let sender = connected::<A>(options(to, Version::V5, "sender")).await;
    let mut books = Deliveries::default();
    let mut sent = 0;
    for life in 0..kills {
        let killed = Killed::start(Role::Receive, to, folder.path(), durability);
        if life == 0 {
            until::<A>("the subscription", || killed.has_said(Said::Subscribed)).await;
        }
        let publishing: Vec<_> = (sent..sent + 8)
            .map(|number| sender.try_publish(message("killed", number, qos_of(number))).unwrap())
            .collect();
        A::sleep(lifetime(&mut random)).await;
        for publish in publishing {
            soon::<A, _>("publishing", publish).await.unwrap();
            sent += 1;
        }
        for said in killed.kill() {
            if let Said::Told(number, delivery, again) = said {
                books.told(number, delivery, again);
            }
        }
    }
    let last = Killed::start(Role::Finish, to, folder.path(), durability);
    // Without its store it may have to subscribe first.
    until::<A>("the last subscription", || last.has_said(Said::Subscribed)).await;
    soon::<A, _>("publishing", sender.publish(message("killed", LAST, qos_of(LAST))))
        .await
        .unwrap();
    for said in finished::<A>(last).await {
        if let Said::Told(number, delivery, again) = said {
            books.told(number, delivery, again);
        }
    }
    let is_doubled = |number: &u32, by: &BTreeSet<u64>| qos_of(*number) == QoS::ExactlyOnce && by.len() > 1;
    Verdict {
        promised: sent as usize,
        missing: (0..sent)
            .filter(|number| !books.deliveries.contains_key(number))
            .count(),
        doubled: books
            .deliveries
            .iter()
            .filter(|(number, by)| is_doubled(number, by))
            .count(),
        ..books.verdict
    }
}

/// A process that publishes is killed again and again: what it was told to be accepted arrives, QoS 2 once.
pub async fn killed_publishers_lose_nothing<A: Adapter>() {
    let (_hub, address) = server::<A>().await;
    let verdict = kill_publishers::<A>(address, Durability::Sync, kills()).await;
    verdict.assert_clean("killed publishers");
}

/// A process that receives is killed again and again: all that the server was told to be received is told to the application,
/// QoS 2 by one number.
pub async fn killed_receivers_lose_nothing<A: Adapter>() {
    let (_hub, address) = server::<A>().await;
    let verdict = kill_receivers::<A>(address, Durability::Sync, kills()).await;
    verdict.assert_clean("killed receivers");
    assert!(verdict.repeated > 0, "{verdict:?}");
}

/// The same with mosquitto.
pub async fn mosquitto_sees_killed_publishers_lose_nothing<A: Adapter>() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    let verdict = kill_publishers::<A>(broker.address(), Durability::Sync, kills()).await;
    verdict.assert_clean("killed publishers at mosquitto");
}

/// The same with mosquitto.
pub async fn mosquitto_sees_killed_receivers_lose_nothing<A: Adapter>() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    let verdict = kill_receivers::<A>(broker.address(), Durability::Sync, kills()).await;
    verdict.assert_clean("killed receivers at mosquitto");
}

/// The books notice a store that confirms what it does not have, at both ends.
pub async fn without_durability_killed_clients_lose_messages<A: Adapter>() {
    let (_hub, address) = server::<A>().await;
    let verdict = kill_publishers::<A>(address, Durability::None, 6).await;
    println!("publishers without durability: {verdict:?}");
    assert!(verdict.missing > 0, "{verdict:?}");
    let (_hub, address) = server::<A>().await;
    let verdict = kill_receivers::<A>(address, Durability::None, 6).await;
    println!("receivers without durability: {verdict:?}");
    assert!(verdict.missing > 0, "{verdict:?}");
}
