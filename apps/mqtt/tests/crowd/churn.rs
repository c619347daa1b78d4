//! Clients that come and go: with every version, QoS, kind of session and kind of end.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mqtt_tokio::session::Reconnect;
use mqtt_tokio::session::proto::{Binary, Connect, Text, TopicName, Version, Will, WillProperties};
use mqtt_tokio::{Client, ClientOptions, Message, QoS};
use tokio::task::JoinHandle;

use super::lives::PATIENCE;

/// How many come and go at a time.
const LANES: u64 = 8;
/// Names that come again and again, in each lane: what they find is theirs.
const NAMES: u64 = 8;
/// Topics with a retained message, at most.
const RETAINED: u64 = 100;
/// Topics of wills.
const WILLS: u64 = 20;
const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
/// Between two visits of a lane.
const REST: Duration = Duration::from_millis(40);

/// All of them.
pub(crate) struct Churn {
    is_over: Arc<AtomicBool>,
    visits: Arc<AtomicU64>,
    lanes: Vec<JoinHandle<()>>,
    /// They stay, and take what comes.
    _listeners: Vec<Client>,
}

impl Churn {
    /// Sessions of those whose names come never again live so many seconds after them, or so many less.
    pub(crate) async fn start(address: SocketAddr, session_seconds: u64) -> Self {
        let mut listeners = Vec::new();
        for (number, qos) in QOS.into_iter().enumerate() {
            let client = mqtt_tokio::start(options(address, Version::V5, format!("listener-{number}")));
            for filter in ["load/#", "wills/#", "retained/#"] {
                let mut stream = client.subscribe(filter, qos).await.expect("it is granted");
                tokio::spawn(async move { while stream.next().await.is_some() {} });
            }
            listeners.push(client);
        }
        let (is_over, visits) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let lanes = (0..LANES).map(|lane| {
            let (is_over, visits) = (Arc::clone(&is_over), Arc::clone(&visits));
            tokio::spawn(async move {
                for turn in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let visit = Visit {
                        lane,
                        turn,
                        session_seconds,
                    };
                    visit.pay(address).await;
                    visits.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(REST).await;
                }
            })
        });
        Self {
            lanes: lanes.collect(),
            is_over,
            visits,
            _listeners: listeners,
        }
    }

    pub(crate) fn visits(&self) -> u64 {
        self.visits.load(Ordering::Relaxed)
    }

    pub(crate) async fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        for lane in self.lanes {
            let ended = tokio::time::timeout(PATIENCE, lane).await;
            ended.expect("a visit ends").expect("a visit is as it is to be");
        }
    }
}

fn options(address: SocketAddr, version: Version, name: String) -> ClientOptions {
    let options = ClientOptions::tcp(address.ip().to_string(), address.port()).version(version);
    // A connection that is lost makes a visit fail.
    options.reconnect(Reconnect::never()).client_id(name).expect("a name")
}

/// One client, from its connection to its end.
struct Visit {
    lane: u64,
    turn: u64,
    session_seconds: u64,
}

impl Visit {
    fn options(&self, address: SocketAddr) -> ClientOptions {
        let Self { lane, turn, .. } = *self;
        let returns = turn % 2 == 0;
        let name = match returns {
            true => format!("again-{lane}-{}", turn / 2 % NAMES),
            false => format!("once-{lane}-{turn}"),
        };
        let version = if turn % 5 == 4 { Version::V3_1_1 } else { Version::V5 };
        let mut options = options(address, version, name);
        if version == Version::V5 {
            options = options.session_expiry(Duration::from_secs(self.session_seconds * (turn % 4).min(1)));
        }
        if turn % 3 != 0 {
            options = options.will(self.will(version));
        }
        options
    }

    fn will(&self, version: Version) -> Will<bytes::Bytes> {
        let Self { lane, turn, .. } = *self;
        let topic = format!("wills/{}", (turn + lane) % WILLS);
        let topic = TopicName::from_bytes(topic.into()).expect("a topic");
        let mut will = Will::new(topic, Binary::new("gone".into()).expect("it is short"));
        will.qos = QOS[(turn % 3) as usize];
        will.retain = turn % 7 == 0;
        if version == Version::V5 && turn % 4 == 1 {
            let delayed = WillProperties::builder().will_delay(1).build();
            will.properties = delayed.expect("it is one");
        }
        will
    }

    async fn pay(&self, address: SocketAddr) {
        let Self { lane, turn, .. } = *self;
        let client = mqtt_tokio::start(self.options(address));
        let filters = [
            format!("load/{lane}/+"),
            "$share/all/load/#".to_owned(),
            format!("retained/{}", turn % RETAINED),
        ];
        let mut streams = Vec::new();
        for (filter, qos) in filters.into_iter().zip(QOS.into_iter().cycle().skip(turn as usize % 3)) {
            let granted = tokio::time::timeout(PATIENCE, client.subscribe(filter, qos)).await;
            streams.push(granted.expect("it is answered").expect("it is granted"));
        }
        for number in 0..8 {
            self.publish(&client, number).await;
        }
        match turn % 4 {
            0 => drop(streams.pop()),
            1 => {
                client.abort();
                let connect = self.connect();
                let vanished = tokio::task::spawn_blocking(move || vanish(address, &connect)).await;
                vanished.expect("it does not panic").expect("it is let in");
            }
            _ => client.disconnect(PATIENCE).await.expect("all has ended"),
        }
    }

    /// The CONNECT of a client with a will.
    fn connect(&self) -> bytes::BytesMut {
        let version = if self.turn % 8 == 1 {
            Version::V3_1_1
        } else {
            Version::V5
        };
        let name = format!("vanishing-{}-{}", self.lane, self.turn);
        let mut connect = Connect::new(version, Text::from_bytes(name.into()).expect("a name"));
        connect.will = Some(self.will(version));
        let mut packet = bytes::BytesMut::new();
        connect.encode_to(version, &mut packet).expect("there is room");
        packet
    }

    async fn publish(&self, client: &Client, number: u64) {
        let Self { lane, turn, .. } = *self;
        let is_retained = number < 2;
        let topic = match is_retained {
            true => format!("retained/{}", (turn * 7 + number * 31 + lane) % RETAINED),
            false => format!("load/{}/{number}", (lane + number) % LANES),
        };
        // Some are empty, and take a retained message away.
        let payload = "x".repeat(((turn + number) % 4 * 700) as usize);
        let message = Message::new(topic, payload).expect("a topic");
        let message = message.qos(QOS[(turn + number) as usize % 3]).retain(is_retained);
        let ended = tokio::time::timeout(PATIENCE, client.publish(message)).await;
        ended.expect("it ends").expect("it is taken");
    }
}

/// A client that is taken over by another one of its name, which goes without a word.
fn vanish(address: SocketAddr, connect: &[u8]) -> io::Result<()> {
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(connect)?;
        stream.read_exact(&mut [0; 4])?;
        streams.push(stream);
    }
    Ok(())
}
