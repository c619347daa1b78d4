//! The clients: they publish without end, and come back whenever the broker does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mqtt_tokio::session::proto::{ReasonCode, Version};
use mqtt_tokio::session::{CleanStart, Reconnect};
use mqtt_tokio::{Client, ClientOptions, ConnectionState, Message, Published, QoS, Subscription};
use tokio::task::JoinHandle;

use super::books::Books;

/// The messages that a publisher has on their way at a time.
const WINDOW: usize = 8;
const PUBLISHERS: [(&str, Version); 3] = [("p1", Version::V5), ("p2", Version::V5), ("p3", Version::V3_1_1)];

fn options(address: SocketAddr, version: Version, id: &'static str) -> ClientOptions {
    let reconnect = Reconnect::default()
        .first_delay(Duration::from_millis(5))
        .max_delay(Duration::from_millis(20));
    ClientOptions::tcp(address.ip().to_string(), address.port())
        .version(version)
        .client_id(id)
        .expect("it is a name")
        // In MQTT 3 a session that begins anew ends with its connection.
        .clean_start(CleanStart::Never)
        .reconnect(reconnect)
}

/// A client whose connections stand in the books: each but the first has to find the session.
fn client(books: &Arc<Books>, options: ClientOptions, mut is_new: bool) -> Client {
    let client = mqtt_tokio::start(options);
    let (mut states, books) = (client.states(), Arc::clone(books));
    tokio::spawn(async move {
        while let Some(state) = states.next().await {
            if let ConnectionState::Connected { session_present, .. } = state {
                books.connected(session_present || is_new);
                is_new = false;
            }
        }
    });
    client
}

/// Everything that runs.
pub(crate) struct Load {
    address: SocketAddr,
    books: Arc<Books>,
    is_over: Arc<AtomicBool>,
    publishing: Vec<JoinHandle<()>>,
    /// They are there as long as these are.
    clients: Vec<Client>,
    sleeper: Option<Client>,
}

impl Load {
    /// Starts it, when all subscriptions are there.
    pub(crate) async fn start(address: SocketAddr, books: &Arc<Books>) -> Self {
        let mut load = Self {
            address,
            books: Arc::clone(books),
            is_over: Arc::default(),
            publishing: Vec::new(),
            clients: Vec::new(),
            sleeper: None,
        };
        for (name, version) in [("always", Version::V5), ("always-3", Version::V3_1_1)] {
            let client = client(books, options(address, version, name), true);
            load.listen(name, &client, QoS::ExactlyOnce).await;
            load.clients.push(client);
        }
        load.wake(true).await;
        for (name, version) in PUBLISHERS {
            let client = client(books, options(address, version, name), true);
            client.established().await.expect("it is let in");
            for lane in 0..WINDOW {
                load.publishing
                    .push(tokio::spawn(publish(load.lane(client.clone()), lane)));
            }
            load.publishing
                .push(tokio::spawn(retain(load.lane(client.clone()), name)));
            load.clients.push(client);
        }
        load
    }

    fn lane(&self, client: Client) -> Lane {
        Lane {
            client,
            books: Arc::clone(&self.books),
            is_over: Arc::clone(&self.is_over),
        }
    }

    async fn listen(&self, name: &'static str, client: &Client, qos: QoS) {
        let stream = client.subscribe("load/#", qos).await.expect("it is granted");
        tokio::spawn(note(Arc::clone(&self.books), name, stream));
    }

    /// Its connection is cut, and what it knew of its session is gone.
    pub(crate) async fn sleeper_leaves(&mut self) {
        if let Some(client) = self.sleeper.take() {
            client.abort();
        }
    }

    /// It comes back as a process does that knows only its name.
    pub(crate) async fn sleeper_comes(&mut self) {
        if self.sleeper.is_none() {
            self.wake(false).await;
        }
    }

    async fn wake(&mut self, is_new: bool) {
        let client = client(&self.books, options(self.address, Version::V5, "sleeper"), is_new);
        if is_new {
            self.listen("sleeper", &client, QoS::AtLeastOnce).await;
        } else {
            // There may be no broker to grant it again, and it is granted.
            tokio::spawn(note(Arc::clone(&self.books), "sleeper", client.unclaimed()));
        }
        self.sleeper = Some(client);
    }

    /// Publishes nothing more, and waits until all has ended.
    pub(crate) async fn end(&mut self, within: Duration) {
        self.is_over.store(true, Ordering::Relaxed);
        let ends = async {
            for task in self.publishing.drain(..) {
                task.await.expect("publishing does not panic");
            }
        };
        let ended = tokio::time::timeout(within, ends).await;
        ended.expect("all messages end");
    }
}

async fn note(books: Arc<Books>, name: &'static str, mut stream: Subscription) {
    while let Some(incoming) = stream.next().await {
        books.came(name, number(&incoming.message));
    }
}

struct Lane {
    client: Client,
    books: Arc<Books>,
    is_over: Arc<AtomicBool>,
}

impl Lane {
    /// Publishes, and waits for the end, over any number of lives of the broker.
    async fn publish(&self, topic: &str, number: u64, qos: QoS, is_retained: bool) -> Result<(), String> {
        // Payloads of many sizes, some over several pages of the file.
        let filler = [0, 40, 600, 9_000][number as usize % 4];
        let payload = format!("{number} {}", "x".repeat(filler));
        let message = Message::new(topic.to_owned(), payload).expect("a topic");
        match self.client.publish(message.qos(qos).retain(is_retained)).await {
            Ok(Published::Acknowledged(reason)) if !reason.is_error() => Ok(()),
            // The answer to a PUBREL that came again: the broker had done with the message, and was killed with PUBCOMP unsent.
            Ok(Published::Acknowledged(ReasonCode::PacketIdentifierNotFound)) => Ok(()),
            other => Err(format!("{number}: {other:?}")),
        }
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }
}

async fn publish(lane: Lane, which: usize) {
    let (topic, qos) = match which % 2 {
        0 => (format!("load/{which}"), QoS::AtLeastOnce),
        _ => (format!("load/{which}"), QoS::ExactlyOnce),
    };
    while lane.goes_on() {
        let number = lane.books.begin();
        let outcome = lane.publish(&topic, number, qos, false).await;
        lane.books.ended(number, qos, outcome);
    }
}

async fn retain(lane: Lane, name: &str) {
    let topic = format!("retained/{name}");
    while lane.goes_on() {
        let number = lane.books.begin();
        let outcome = lane.publish(&topic, number, QoS::AtLeastOnce, true).await;
        lane.books.retained(&topic, number, outcome);
    }
}

fn number(message: &Message) -> u64 {
    let text = std::str::from_utf8(&message.payload).expect("text");
    let number = text.split(' ').next().expect("a number");
    number.parse().expect("a number")
}

/// What a fresh client finds retained, if it comes so soon.
pub(crate) async fn retained(address: SocketAddr, patience: Duration) -> BTreeMap<String, u64> {
    let client = mqtt_tokio::start(options(address, Version::V5, "fresh"));
    let mut stream = client
        .subscribe("retained/#", QoS::AtLeastOnce)
        .await
        .expect("it is granted");
    let mut found = BTreeMap::new();
    while let Ok(Some(incoming)) = tokio::time::timeout(patience, stream.next()).await {
        found.insert(incoming.message.topic.as_str().to_owned(), number(&incoming.message));
        if found.len() == PUBLISHERS.len() {
            break;
        }
    }
    found
}
