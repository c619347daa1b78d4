//! Processes with a durable client that are started and killed, and what they say meanwhile.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mqtt_adapter::{Acknowledge, Client, ClientOptions};
use mqtt_session::proto::{QoS, Version};
use mqtt_session::{CleanStart, Limits};
use mqtt_store::{Durability, FileOptions, FileStore};

use crate::random::Random;
use crate::scenarios::{message, number, options, writer};
use crate::{Adapter, until};

/// What the process is told, in its environment.
const ORDER: &str = "MQTT_TESTBED_KILLED";

/// What a process is to do until it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Publish numbers from this one on.
    Publish(u32),
    /// Send what the store has, and end.
    Drain,
    /// Receive, and acknowledge some of it.
    Receive,
    /// Receive and acknowledge what is left, up to the last one, and end.
    Finish,
}

/// What a process says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is about to publish this number.
    Begins(u32),
    /// This number was accepted.
    Accepted(u32),
    /// It is subscribed.
    Subscribed,
    /// It was told this number, by this delivery, as one that was told before or not.
    Told(u32, u64, bool),
    /// It has done everything.
    Done,
}

/// The QoS of a number.
pub(crate) const fn qos_of(number: u32) -> QoS {
    match number % 2 {
        0 => QoS::ExactlyOnce,
        _ => QoS::AtLeastOnce,
    }
}

/// A process that can be killed. It is, at the latest when this is dropped.
pub(crate) struct Killed {
    child: Child,
    said: Arc<Mutex<Vec<Said>>>,
    listener: Option<JoinHandle<()>>,
}

impl Killed {
    /// Starts one that is to do this.
    pub(crate) fn start(role: Role, to: SocketAddr, folder: &Path, durability: Durability) -> Self {
        let order = format!("{}\n{to}\n{durability:?}\n{}", role.text(), folder.display());
        let mut child = Command::new(std::env::current_exe().expect("this is a test"))
            .args(["the_process_that_is_killed", "--exact", "--ignored", "--nocapture"])
            .env(ORDER, order)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("it starts");
        let said = Arc::new(Mutex::new(Vec::new()));
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        let heard = Arc::clone(&said);
        let listener = thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some(said) = Said::read(&line) {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(said);
                }
            }
        });
        Self {
            child,
            said,
            listener: Some(listener),
        }
    }

    /// Whether it has said this.
    pub(crate) fn has_said(&self, what: Said) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).contains(&what)
    }

    /// Kills it, and returns all that it has said.
    pub(crate) fn kill(mut self) -> Vec<Said> {
        self.end();
        std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn end(&mut self) {
        // SIGKILL, where there are signals.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.end();
    }
}

impl Role {
    fn text(self) -> String {
        match self {
            Self::Publish(first) => format!("publish {first}"),
            Self::Drain => "drain".to_owned(),
            Self::Receive => "receive".to_owned(),
            Self::Finish => "finish".to_owned(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            "drain" => Some(Self::Drain),
            "receive" => Some(Self::Receive),
            "finish" => Some(Self::Finish),
            other => other.strip_prefix("publish ")?.parse().ok().map(Self::Publish),
        }
    }
}

impl Said {
    fn say(self) {
        let line = match self {
            Self::Begins(number) => format!("begins {number}"),
            Self::Accepted(number) => format!("accepted {number}"),
            Self::Subscribed => "subscribed".to_owned(),
            Self::Told(number, delivery, again) => format!("told {number} {delivery} {again}"),
            Self::Done => "done".to_owned(),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").expect("somebody listens");
        out.flush().expect("somebody listens");
    }

    /// A line that was cut off says nothing.
    fn read(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["begins", number] => number.parse().ok().map(Self::Begins),
            ["accepted", number] => number.parse().ok().map(Self::Accepted),
            ["subscribed"] => Some(Self::Subscribed),
            ["told", number, delivery, again] => Some(Self::Told(
                number.parse().ok()?,
                delivery.parse().ok()?,
                again.parse().ok()?,
            )),
            ["done"] => Some(Self::Done),
            _ => None,
        }
    }
}

/// What the process does that is started and killed: to be called by a test that is ignored and has this name. Without an
/// order it does nothing.
///
/// # Panics
/// If something is not as it should be, which the one who started it hears.
pub async fn the_process_that_is_killed<A: Adapter>() {
    let Ok(order) = std::env::var(ORDER) else { return };
    // Where tests run one at a time, their name stands in the line that would be the first one.
    println!();
    let mut parts = order.splitn(4, '\n');
    let mut part = || parts.next().expect("an order has four parts");
    let role = Role::read(part()).expect("it is a role");
    let to: SocketAddr = part().parse().expect("it is an address");
    let durability = match part() {
        "Sync" => Durability::Sync,
        "Os" => Durability::Os,
        _ => Durability::None,
    };
    let path = Path::new(part()).join("sessions.redb");
    let store = FileStore::open_with(path, FileOptions::default().durability(durability));
    let own = options(to, Version::V5, "killed")
        .acknowledge(Acknowledge::ByApplication)
        // The first life is to keep what it is sent too.
        .clean_start(CleanStart::ByStore)
        // mosquitto 2.0.11 does not keep to one.
        .limits(Limits::default().receive_maximum(u16::MAX))
        .store(&writer(store.expect("it can be opened")));
    match role {
        Role::Publish(first) => publish::<A>(own, first).await,
        Role::Drain => drain::<A>(own).await,
        Role::Receive => receive::<A>(own, false).await,
        Role::Finish => receive::<A>(own, true).await,
    }
}

async fn publish<A: Adapter>(own: ClientOptions, first: u32) {
    let client = A::start(own);
    for number in first.. {
        Said::Begins(number).say();
        let publishing = client.publish(message("killed", number, qos_of(number)));
        publishing.accepted().await.expect("it is accepted");
        Said::Accepted(number).say();
    }
}

async fn drain<A: Adapter>(own: ClientOptions) {
    let client = A::start(own);
    until::<A>("all outcomes", || client.statistics().unfinished == 0).await;
    end(&client).await;
}

async fn end(client: &Client) {
    let ended = client.disconnect(Duration::from_secs(5)).await;
    ended.expect("nothing is left");
    Said::Done.say();
}

/// What is published when nothing else is any more: what was sent before comes before it.
pub(crate) const LAST: u32 = u32::MAX;
/// How long nothing comes after the last one before it ends.
const QUIET: Duration = Duration::from_millis(500);

async fn receive<A: Adapter>(own: ClientOptions, finishes: bool) {
    let client = A::start(own);
    let mut random = Random::new(u64::from(std::process::id()));
    let mut stream = client
        .subscribe("killed", QoS::ExactlyOnce)
        .await
        .expect("it is granted");
    Said::Subscribed.say();
    let (mut quiet, mut was_last) = (Duration::ZERO, false);
    while quiet < QUIET || !was_last || !finishes {
        // The application is slower than its server, so messages wait in the store.
        let pause = Duration::from_millis(if finishes { 0 } else { random.below(20) });
        A::sleep(pause).await;
        let Some(incoming) = stream.try_next() else {
            A::sleep(Duration::from_millis(10)).await;
            quiet += Duration::from_millis(10);
            continue;
        };
        quiet = Duration::ZERO;
        was_last |= number(&incoming) == LAST;
        let delivery = incoming.delivery.expect("it is to be acknowledged").number();
        Said::Told(number(&incoming), delivery, incoming.redelivered).say();
        if finishes || !random.one_in(3) {
            let acknowledgement = incoming.acknowledgement.expect("it is the application's");
            acknowledgement.acknowledge().expect("it stands in the store");
        }
    }
    end(&client).await;
}
