//! Clients whose session is in a store, and outlives them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use mqtt_adapter::{Acknowledge, Cause, Client, ClientOptions, ConnectionState, Incoming, PublishError, Subscription};
use mqtt_session::proto::{ConnAckReason, QoS, Version};
use mqtt_session::{BrokerKey, DeliveryId, Key, Limits};
use mqtt_store::{Loaded, MemoryStore, SessionName, Store, StoreError, StoreErrorKind, Stored, Write, Writer};

use super::{VERSIONS, connected, ended, lasting, message, number, numbers, options, server};
use crate::{Adapter, soon, until};

pub(crate) fn writer(store: impl Store + 'static) -> Writer {
    Writer::start(store).expect("there is a thread")
}

/// Options of a client whose session is in this store.
fn durable(address: SocketAddr, version: Version, store: &MemoryStore) -> ClientOptions {
    lasting(address, version, "durable").store(&writer(store.clone()))
}

/// What was accepted goes on in the next life, in its order, and once.
pub async fn accepted_messages_survive_a_restart<A: Adapter>() {
    for version in VERSIONS {
        let (hub, address) = server::<A>().await;
        let store = MemoryStore::new();
        let reader = connected::<A>(options(address, version, "reader")).await;
        let mut stream = reader.subscribe("t", QoS::ExactlyOnce).await.unwrap();
        hub.refuse(Some(ConnAckReason::ServerUnavailable));
        let client = A::start(durable(address, version, &store));
        assert_eq!(client.restored().map(|restored| restored.outgoing), Some(0));
        for (index, qos) in (0..40).zip([QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().cycle()) {
            let accepted = client.publish(message("t", index, qos)).accepted();
            soon::<A, _>("the store", accepted).await.unwrap();
        }
        client.abort();
        ended::<A>(&client).await;
        hub.refuse(None);

        let client = A::start(durable(address, version, &store));
        assert_eq!(client.restored().map(|restored| restored.outgoing), Some(40));
        assert!(numbers::<A>(&mut stream, 40).await.into_iter().eq(0..40), "{version:?}");
        until::<A>("all outcomes", || client.statistics().delivered == 40).await;
        soon::<A, _>("disconnecting", client.disconnect(Duration::from_secs(5)))
            .await
            .unwrap();

        let client = A::start(durable(address, version, &store));
        assert_eq!(client.restored().as_deref(), Some(&mqtt_adapter::Restored::default()));
        client.publish(message("t", 40, QoS::ExactlyOnce)).await.unwrap();
        assert_eq!(numbers::<A>(&mut stream, 1).await, [40]);
    }
}

/// A store that is asked to wait.
#[derive(Clone, Default)]
struct Gate {
    inner: MemoryStore,
    is_open: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    fn open(&self, is_open: bool) {
        *self.is_open.0.lock().unwrap() = is_open;
        self.is_open.1.notify_all();
    }
}

/// A test that fails does not leave a thread behind that waits for ever.
struct Opens(Gate);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.open(true);
    }
}

impl Store for Gate {
    fn commit(&mut self, group: &[Write]) -> Result<(), StoreError> {
        let is_open = self.is_open.0.lock().unwrap();
        drop(self.is_open.1.wait_while(is_open, |is_open| !*is_open).unwrap());
        self.inner.commit(group)
    }

    fn sessions(&mut self) -> Result<Vec<SessionName>, StoreError> {
        self.inner.sessions()
    }

    fn load(&mut self, session: &SessionName) -> Result<Loaded, StoreError> {
        self.inner.load(session)
    }

    fn brokers(&mut self) -> Result<Vec<SessionName>, StoreError> {
        self.inner.brokers()
    }

    fn load_broker(&mut self, broker: &SessionName) -> Result<Loaded<BrokerKey>, StoreError> {
        self.inner.load_broker(broker)
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Nothing is accepted, sent or acknowledged before the store has it.
pub async fn accepted_means_stored<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let gate = Gate::default();
    gate.open(true);
    // It is not closed with its client.
    let writer = writer(gate.clone());
    let client = connected::<A>(options(address, Version::V5, "gated").store(&writer)).await;
    let mut stream = client.subscribe("t", QoS::ExactlyOnce).await.unwrap();
    let _opens = Opens(gate.clone());
    gate.open(false);
    let mut accepting = Box::pin(client.publish(message("t", 1, QoS::ExactlyOnce)).accepted());
    let is_accepted = || {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        accepting.as_mut().poll(&mut context).is_ready()
    };
    let mut is_accepted = is_accepted;
    assert!(!is_accepted());
    A::sleep(Duration::from_millis(100)).await;
    assert!(!is_accepted() && stream.try_next().is_none());
    // QoS 0 is in no store, and does not wait for it.
    let plain = client.publish(message("t", 0, QoS::AtMostOnce));
    soon::<A, _>("publishing", plain).await.unwrap();
    assert_eq!(numbers::<A>(&mut stream, 1).await, [0]);
    gate.open(true);
    soon::<A, _>("the store", accepting).await.unwrap();
    assert_eq!(numbers::<A>(&mut stream, 1).await, [1]);
    assert_eq!(hub.connects(), 1);

    // Nor is the client at its end.
    until::<A>("all outcomes", || client.statistics().unfinished == 0).await;
    gate.open(false);
    drop(client.try_publish(message("t", 2, QoS::AtLeastOnce)).unwrap());
    client.abort();
    A::sleep(Duration::from_millis(100)).await;
    let mut states = client.states();
    let state = soon::<A, _>("a state", states.next()).await;
    assert!(!matches!(state, Some(ConnectionState::Ended { .. })), "{state:?}");
    gate.open(true);
    ended::<A>(&client).await;
    let loaded = writer.load(&SessionName::new("gated").unwrap()).unwrap();
    let is_message = |stored: &&Stored| matches!(stored.key(), Key::Outgoing(_));
    assert_eq!(loaded.records.iter().filter(is_message).count(), 1);
}

/// What is acknowledged is told again until the store knows it, and whoever waits for that knows when.
pub async fn acknowledged_means_stored<A: Adapter>() {
    for version in VERSIONS {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let (hub, address) = server::<A>().await;
            let gate = Gate::default();
            gate.open(true);
            let writer = writer(gate.clone());
            let own = || {
                let own = lasting(address, version, "gated").acknowledge(Acknowledge::ByApplication);
                own.store(&writer)
            };
            let client = connected::<A>(own()).await;
            let mut stream = client.subscribe("t", qos).await.unwrap();
            for index in 0..2 {
                hub.publish(&message("t", index, qos));
            }
            let (first, second) = (next::<A>(&mut stream).await, next::<A>(&mut stream).await);
            let _opens = Opens(gate.clone());
            gate.open(false);
            let mut acknowledged = first.acknowledge().unwrap();
            A::sleep(Duration::from_millis(50)).await;
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let is_stored = Pin::new(&mut acknowledged).poll(&mut context).is_ready();
            assert!(!is_stored, "the store does nothing");
            let in_store = || {
                let loaded = writer.load(&SessionName::new("gated").unwrap()).unwrap();
                let is_message = |stored: &&Stored| matches!(stored.key(), Key::Inbox(_));
                loaded.records.iter().filter(is_message).count()
            };
            gate.open(true);
            soon::<A, _>("the store", acknowledged).await.unwrap();
            assert_eq!(in_store(), 1);
            // Whether it is awaited makes no difference to it.
            drop(second.acknowledge().unwrap());
            until::<A>("the store", || in_store() == 0).await;
            client.abort();
            ended::<A>(&client).await;
        }
    }

    // A store that fails says so, and a client in memory has nothing to wait for.
    let (hub, address) = server::<A>().await;
    let store = MemoryStore::new();
    let own = durable(address, Version::V5, &store).acknowledge(Acknowledge::ByApplication);
    let client = connected::<A>(own).await;
    let mut stream = client.subscribe("t", QoS::AtLeastOnce).await.unwrap();
    hub.publish(&message("t", 1, QoS::AtLeastOnce));
    let incoming = next::<A>(&mut stream).await;
    store.fail();
    let acknowledged = incoming.acknowledge().unwrap();
    let failure = soon::<A, _>("the end", acknowledged).await.unwrap_err();
    assert!(matches!(failure.cause, Cause::Store(_)), "{failure}");
    let own = options(address, Version::V5, "memory").acknowledge(Acknowledge::ByApplication);
    let client = connected::<A>(own).await;
    let mut stream = client.subscribe("t", QoS::AtLeastOnce).await.unwrap();
    hub.publish(&message("t", 2, QoS::AtLeastOnce));
    let incoming = next::<A>(&mut stream).await;
    incoming.acknowledge().unwrap().await.unwrap();
}

/// How messages of an earlier life end is not told to those who wait for others.
pub async fn an_earlier_life_ends_nobody_elses_messages<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let store = MemoryStore::new();
    hub.refuse(Some(ConnAckReason::ServerUnavailable));
    let client = A::start(durable(address, Version::V5, &store));
    let short_lived = message("t", 0, QoS::AtLeastOnce).expiry_seconds(1);
    let earlier = client.try_publish(short_lived).unwrap();
    client.abort();
    let lost = soon::<A, _>("the end", earlier).await;
    assert!(matches!(lost, Err(PublishError::Ended(_))), "{lost:?}");

    let client = A::start(durable(address, Version::V5, &store));
    let later = client.try_publish(message("t", 1, QoS::AtLeastOnce)).unwrap();
    until::<A>("the outcome", || client.statistics().undelivered == 1).await;
    hub.refuse(None);
    let published = soon::<A, _>("publishing", later).await;
    assert!(
        matches!(published, Ok(mqtt_adapter::Published::Acknowledged(_))),
        "{published:?}"
    );
    assert_eq!((client.statistics().delivered, client.statistics().unfinished), (1, 0));
}

async fn next<A: Adapter>(stream: &mut Subscription) -> Incoming {
    soon::<A, _>("a message", stream.next()).await.expect("it goes on")
}

/// A message is told again in each life, by the same number, until it is acknowledged.
pub async fn a_message_is_told_again_until_it_is_acknowledged<A: Adapter>() {
    for version in VERSIONS {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let (hub, address) = server::<A>().await;
            let store = MemoryStore::new();
            let own = || durable(address, version, &store).acknowledge(Acknowledge::ByApplication);
            let client = connected::<A>(own()).await;
            let mut stream = client.subscribe("t", qos).await.unwrap();
            hub.publish(&message("t", 7, qos));
            let first = next::<A>(&mut stream).await;
            assert!(first.delivery.is_some() && !first.redelivered);
            for life in 0..4 {
                client_ends::<A>(&client, life).await;
                let client = A::start(own());
                assert_eq!(client.restored().map(|restored| restored.incoming), Some(1));
                // It waits for the subscription that it belongs to, with or without a connection.
                let mut stream = client.subscribe("t", qos).await.unwrap();
                let again = next::<A>(&mut stream).await;
                assert_eq!(
                    (number(&again), again.delivery, again.redelivered, again.message.qos),
                    (7, first.delivery, true, qos),
                    "{version:?}"
                );
                match life {
                    // Neither a token that is dropped nor a stream that is takes it out of the store.
                    0 => drop(again),
                    1 => drop((again, stream)),
                    2 if version == Version::V5 => {
                        let refused = again
                            .acknowledgement
                            .unwrap()
                            .refuse(mqtt_session::proto::ReasonCode::NotAuthorized);
                        assert_eq!(refused, Err(mqtt_session::AcknowledgeError::CannotRefuse));
                    }
                    2 => {}
                    _ => drop(again.acknowledge().unwrap()),
                }
                client_ends::<A>(&client, life).await;
            }
            let client = connected::<A>(own()).await;
            assert_eq!(client.restored().map(|restored| restored.incoming), Some(0));
            let mut stream = client.subscribe("t", qos).await.unwrap();
            hub.publish(&message("t", 8, qos));
            let other = next::<A>(&mut stream).await;
            assert_eq!((number(&other), other.redelivered), (8, false));
            assert!(other.delivery > first.delivery);
        }
    }
}

/// In one way or the other.
async fn client_ends<A: Adapter>(client: &Client, life: u32) {
    match life % 2 {
        0 => client.abort(),
        _ => drop(client.disconnect(Duration::from_secs(5)).await),
    }
    ended::<A>(client).await;
}

/// What came and was not taken is told in the next life; what was taken is not, if taking it acknowledges it.
pub async fn what_nobody_took_is_told_in_the_next_life<A: Adapter>() {
    for version in VERSIONS {
        let (hub, address) = server::<A>().await;
        let store = MemoryStore::new();
        let client = connected::<A>(durable(address, version, &store)).await;
        let mut stream = client.subscribe("t", QoS::ExactlyOnce).await.unwrap();
        for index in 0..20 {
            hub.publish(&message("t", index, QoS::ExactlyOnce));
        }
        assert!(numbers::<A>(&mut stream, 5).await.into_iter().eq(0..5));
        until::<A>("all messages", || client.statistics().received == 20).await;
        drop(stream);
        soon::<A, _>("disconnecting", client.disconnect(Duration::from_secs(5)))
            .await
            .unwrap();
        let client = A::start(durable(address, version, &store));
        let mut stream = client.subscribe("t", QoS::ExactlyOnce).await.unwrap();
        assert!(numbers::<A>(&mut stream, 15).await.into_iter().eq(5..20), "{version:?}");
    }
}

/// An application that publishes, and waits for the acknowledgement, for each message that it takes; more wait than the inbox
/// holds.
pub async fn a_full_inbox_cannot_deadlock_the_receive_loop<A: Adapter>() {
    const COUNT: u32 = 300;
    for version in VERSIONS {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let (hub, address) = server::<A>().await;
            let small = Limits::default().receive_maximum(4).inbox_messages(4);
            let own = durable(address, version, &MemoryStore::new()).limits(small);
            let client = connected::<A>(own).await;
            let mut stream = client.subscribe("in", qos).await.unwrap();
            for number in 0..COUNT {
                hub.publish(&message("in", number, qos));
            }
            until::<A>("a full inbox", || client.statistics().held_messages > 3).await;
            for expected in 0..COUNT {
                let incoming = next::<A>(&mut stream).await;
                assert_eq!(number(&incoming), expected, "{version:?}");
                assert!(client.statistics().held_messages <= 4);
                let echo = message("out", expected, QoS::ExactlyOnce);
                soon::<A, _>("publishing", client.publish(echo)).await.unwrap();
            }
            assert_eq!(hub.connects(), 1);
        }
    }
}

/// The books of one who looks at a client from outside.
#[derive(Default)]
struct Ledger {
    seen: BTreeMap<DeliveryId, u32>,
    numbers: BTreeMap<u32, BTreeSet<DeliveryId>>,
}

impl Ledger {
    fn told(&mut self, incoming: &Incoming) {
        let (delivery, number) = (incoming.delivery.expect("it is to be acknowledged"), number(incoming));
        if let Some(before) = self.seen.insert(delivery, number) {
            assert_eq!(before, number, "{delivery:?} names two messages");
            assert!(incoming.redelivered, "{delivery:?} is told again as if it were new");
        }
        self.numbers.entry(number).or_default().insert(delivery);
    }
}

/// Clients whose stores break in the middle of exchanges in both directions, and those that go on with what was stored.
pub async fn restarts_lose_nothing_and_double_nothing<A: Adapter>() {
    const LIVES: u32 = 12;
    const COUNT: u32 = 30;
    for (version, qos) in VERSIONS
        .into_iter()
        .flat_map(|version| [(version, QoS::AtLeastOnce), (version, QoS::ExactlyOnce)])
    {
        let (hub, address) = server::<A>().await;
        let mut store = MemoryStore::new();
        let reader = connected::<A>(options(address, version, "reader")).await;
        let mut out = reader.subscribe("out", qos).await.unwrap();
        let (mut ledger, mut accepted, mut sent) = (Ledger::default(), BTreeSet::new(), 0);
        for life in 0..LIVES {
            let is_last = life == LIVES - 1;
            let own = durable(address, version, &store).acknowledge(Acknowledge::ByApplication);
            let client = connected::<A>(own).await;
            let mut stream = client.subscribe("in", qos).await.unwrap();
            for index in life * COUNT..(life + 1) * COUNT {
                hub.publish(&message("in", index, qos));
                if index % COUNT == 3 * life % COUNT && !is_last {
                    store.fail();
                }
                match soon::<A, _>("publishing", client.publish(message("out", index, qos)).accepted()).await {
                    Ok(_) => drop(accepted.insert(index)),
                    Err(error) => assert!(matches!(&error, PublishError::Ended(_)), "{error}"),
                }
                sent += 1;
                while let Some(incoming) = stream.try_next() {
                    ledger.told(&incoming);
                    if index % 3 == 0 {
                        let _ = incoming.acknowledge();
                    }
                }
            }
            if is_last {
                while ledger.numbers.len() < sent {
                    ledger.told(&next::<A>(&mut stream).await);
                }
                until::<A>("all outcomes", || client.statistics().unfinished == 0).await;
            } else {
                let failure = ended::<A>(&client).await;
                assert!(matches!(failure.cause, Cause::Store(_)), "{failure}");
            }
            store = store.reopened();
            until::<A>("the end of the connection", || is_last || hub.connections() == 1).await;
        }
        assert!(accepted.len() > sent / 3 && accepted.len() < sent, "{}", accepted.len());
        let mut arrived = Vec::new();
        while !accepted.iter().all(|index| arrived.contains(index)) {
            arrived.extend(numbers::<A>(&mut out, 1).await);
        }
        if qos == QoS::ExactlyOnce {
            let once: BTreeSet<u32> = arrived.iter().copied().collect();
            assert_eq!(once.len(), arrived.len(), "{version:?}: {arrived:?}");
            assert!(ledger.numbers.values().all(|deliveries| deliveries.len() == 1));
        }
    }
}

/// A store that fails ends the client, says so, and acknowledges nothing any more.
pub async fn a_store_that_fails_ends_the_client<A: Adapter>() {
    for version in VERSIONS {
        let (hub, address) = server::<A>().await;
        let store = MemoryStore::new();
        let client = connected::<A>(durable(address, version, &store)).await;
        let stream = client.subscribe("t", QoS::AtLeastOnce).await.unwrap();
        store.fail();
        hub.publish(&message("t", 1, QoS::AtLeastOnce));
        let failure = ended::<A>(&client).await;
        let text = failure.to_string();
        assert!(matches!(&failure.cause, Cause::Store(error) if error.kind() == StoreErrorKind::Stopped));
        assert!(text.contains("open the store again"), "{text}");
        let late = client.publish(message("t", 2, QoS::AtLeastOnce)).accepted();
        assert!(matches!(
            soon::<A, _>("publishing", late).await,
            Err(PublishError::Ended(failure)) if matches!(failure.cause, Cause::Store(_))
        ));
        drop((stream, client));
        until::<A>("the end of the connection", || hub.connections() == 0).await;

        let store = store.reopened();
        let client = connected::<A>(durable(address, version, &store)).await;
        let mut stream = client.subscribe("t", QoS::AtLeastOnce).await.unwrap();
        assert_eq!(numbers::<A>(&mut stream, 1).await, [1], "{version:?}");

        // Without a connection too.
        hub.refuse(Some(ConnAckReason::ServerUnavailable));
        hub.cut();
        until::<A>("the cut", || !client.is_connected()).await;
        store.fail();
        let accepting = client.publish(message("t", 3, QoS::AtLeastOnce)).accepted();
        assert!(matches!(
            soon::<A, _>("publishing", accepting).await,
            Err(PublishError::Ended(_))
        ));
        assert!(matches!(ended::<A>(&client).await.cause, Cause::Store(_)));
    }
}

/// One file has one store, and one session of it one client; whoever comes second is told so.
pub async fn a_store_has_one_client_for_each_session<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.redb");
    let own = || options(address, Version::V5, "filed").store_at(&path);
    for index in 0..3 {
        let client = connected::<A>(own().unwrap()).await;
        let error = own().unwrap_err();
        assert_eq!((error.kind(), error.path()), (StoreErrorKind::Locked, Some(&*path)));
        client.publish(message("t", index, QoS::ExactlyOnce)).await.unwrap();
        soon::<A, _>("disconnecting", client.disconnect(Duration::from_secs(5)))
            .await
            .unwrap();
        // The file is free when the client has ended.
        until::<A>("no connection", || hub.connections() == 0).await;
    }

    let writer = writer(MemoryStore::new());
    let first = connected::<A>(options(address, Version::V5, "one").store(&writer)).await;
    let second = A::start(options(address, Version::V5, "one").store(&writer));
    let failure = soon::<A, _>("the failure", second.established()).await.unwrap_err();
    assert!(
        matches!(&failure.cause, Cause::Store(error) if error.kind() == StoreErrorKind::SessionInUse),
        "{failure}"
    );
    let other = connected::<A>(options(address, Version::V5, "other").store(&writer)).await;
    other.publish(message("t", 1, QoS::AtLeastOnce)).await.unwrap();
    first.abort();
    ended::<A>(&first).await;
    // The server takes no session over: the end of the first stream has to arrive.
    until::<A>("one connection", || hub.connections() == 1).await;
    connected::<A>(options(address, Version::V5, "one").store(&writer)).await;

    let nameless = A::start(ClientOptions::tcp(address.ip().to_string(), address.port()).store(&writer));
    let failure = soon::<A, _>("the failure", nameless.established()).await.unwrap_err();
    assert!(matches!(failure.cause, Cause::Nameless), "{failure}");
}

/// The session outlives its connections at the server too, unless the application says otherwise; and a client with a store
/// goes on with what its store knows of, and begins anew otherwise.
pub async fn a_durable_client_goes_on_with_its_session<A: Adapter>() {
    let (hub, address) = server::<A>().await;
    let store = MemoryStore::new();
    let own = |store: &MemoryStore| options(address, Version::V5, "kept").store(&writer(store.clone()));
    for (life, store) in [(0, &store), (1, &store), (2, &MemoryStore::new())] {
        let client = connected::<A>(own(store)).await;
        let mut states = client.states();
        let state = soon::<A, _>("a state", states.next()).await;
        assert!(
            matches!(state, Some(ConnectionState::Connected { session_present, .. }) if session_present == (life == 1)),
            "{life}: {state:?}"
        );
        let stream = client.subscribe("t", QoS::AtLeastOnce).await.unwrap();
        drop(stream);
        client.abort();
        ended::<A>(&client).await;
        until::<A>("the end of the connection", || hub.connections() == 0).await;
        assert_eq!(hub.session_expiry("kept"), Some(u32::MAX));
    }
    let client = connected::<A>(own(&store).session_expiry(Duration::from_secs(60))).await;
    client.abort();
    until::<A>("the end of the connection", || hub.connections() == 0).await;
    assert_eq!(hub.session_expiry("kept"), Some(60));
}
