//! The calls that wait: each of them, against a server that gives every client back what it publishes.

mod parrot;

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use mqtt_std::adapter::store::{MemoryStore, Writer};
use mqtt_std::session::{Client as Machine, ClientConfig, Event, ServerConfig};
use mqtt_std::{
    ClientOptions, Clock, Connection, ConnectionState, Listener, Message, Published, QoS, ReauthenticateError, Step,
    Waited, block_on_within,
};
use parrot::answers;

const SOON: Duration = Duration::from_secs(10);

/// Serves one client, and ends with it.
fn parrot() -> (SocketAddr, thread::JoinHandle<()>) {
    let mut listener = Listener::bind("127.0.0.1:0", ServerConfig::default()).unwrap();
    let address = listener.local_addr();
    let server = thread::spawn(move || {
        let mut connection = listener
            .accept_within(SOON)
            .unwrap()
            .expect("a client comes")
            .connection;
        while let Some(step) = connection.next() {
            let now = connection.now();
            if let Step::Event(event) = step {
                answers(connection.machine_mut(), now, event);
            }
        }
    });
    (address, server)
}

fn options(address: SocketAddr) -> ClientOptions {
    ClientOptions::tcp("127.0.0.1", address.port())
        .client_id("blocking")
        .unwrap()
}

#[test]
fn every_call_waits_for_its_end() {
    let (address, server) = parrot();
    let client = mqtt_std::connect(options(address)).unwrap();
    assert!(client.is_connected());
    let mut stream = client.subscribe("#", QoS::ExactlyOnce).unwrap();
    assert_eq!(stream.granted().collect::<Vec<_>>(), [Ok(QoS::ExactlyOnce)]);
    let message = |qos| Message::new("t", "x").unwrap().qos(qos);
    assert_eq!(client.publish(message(QoS::AtMostOnce)).unwrap(), Published::Sent);
    assert!(matches!(
        client.publish(message(QoS::ExactlyOnce)).unwrap(),
        Published::Acknowledged(_)
    ));
    client.publish_accepted(message(QoS::AtLeastOnce)).unwrap();
    let completion = client.try_publish(message(QoS::AtLeastOnce)).unwrap();
    assert!(matches!(
        block_on_within(SOON, completion),
        Some(Ok(Published::Acknowledged(_)))
    ));
    assert_eq!(stream.by_ref().take(4).count(), 4);
    assert!(stream.try_next().is_none());
    let before = Instant::now();
    assert!(stream.next_within(Duration::from_millis(30)).is_none());
    assert!(before.elapsed() >= Duration::from_millis(30));

    let requester = client.requester("answers").unwrap();
    let answer = requester
        .request(message(QoS::AtLeastOnce), SOON)
        .unwrap()
        .expect("it comes in time");
    assert_eq!(answer.payload, "answer");

    assert!(matches!(client.reauthenticate(), Err(ReauthenticateError::NoMethod)));
    let states = client.states();
    client.disconnect(SOON).unwrap();
    assert!(matches!(states.last(), Some(ConnectionState::Ended { .. })));
    assert!(
        stream.all(|incoming| incoming.message.topic == "answers"),
        "the stream ends with the client"
    );
    server.join().unwrap();
}

#[test]
fn threads_share_one_client_and_its_connection() {
    let (address, server) = parrot();
    let client = mqtt_std::connect(options(address)).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let message = Message::new("t", "x").unwrap().qos(QoS::AtLeastOnce);
                    client.publish(message).unwrap();
                }
            });
        }
    });
    let statistics = client.statistics();
    assert_eq!((statistics.delivered, statistics.connections), (200, 1));
    client.disconnect(SOON).unwrap();
    server.join().unwrap();
}

#[test]
fn the_longest_time_is_waited_for_as_if_there_were_no_end() {
    let mut listener = Listener::bind("127.0.0.1:0", ServerConfig::default()).unwrap();
    let address = listener.local_addr();
    let server = thread::spawn(move || {
        let accepted = listener.accept_within(Duration::MAX).unwrap();
        let mut connection = accepted.expect("it waits for a client").connection;
        loop {
            match connection.next_within(Duration::MAX) {
                Waited::Step(Step::Event(event)) => {
                    let now = connection.now();
                    answers(connection.machine_mut(), now, event);
                }
                Waited::Step(_) => {}
                Waited::TimedOut => panic!("it does not wait"),
                Waited::Over => return,
            }
        }
    });
    let clock = Clock::new();
    let machine = Machine::new(ClientConfig::new("patient").unwrap(), clock.now());
    let mut client = Connection::client(machine, clock).unwrap();
    loop {
        match client.next_within(Duration::MAX) {
            Waited::Step(Step::Event(Event::Open)) => client.opened(TcpStream::connect(address).unwrap()).unwrap(),
            Waited::Step(Step::Event(Event::Connected { .. })) => {
                let now = client.now();
                client.machine_mut().disconnect(now);
            }
            Waited::Step(_) => {}
            Waited::TimedOut => panic!("it does not wait"),
            Waited::Over => break,
        }
    }
    server.join().unwrap();
}

/// The names of all threads of this process.
#[cfg(target_os = "linux")]
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

/// The names of those that are not among these.
#[cfg(target_os = "linux")]
fn beside(others: &[String]) -> Vec<String> {
    let mut others = others.to_vec();
    let is_new = |name: &String| match others.iter().position(|other| other == name) {
        Some(place) => {
            others.remove(place);
            false
        }
        None => true,
    };
    let mut found: Vec<_> = threads().into_iter().filter(is_new).collect();
    found.sort();
    found
}

/// In a process of its own: other tests have clients of their own.
#[cfg(target_os = "linux")]
#[test]
fn no_thread_and_no_file_is_left_behind() {
    const CHILD: &str = "MQTT_STD_LEAVES_NOTHING";
    if std::env::var_os(CHILD).is_none() {
        let name = "no_thread_and_no_file_is_left_behind";
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let status = command.args([name, "--exact", "--nocapture"]).env(CHILD, "1").status();
        assert!(status.unwrap().success());
        return;
    }
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let without = threads();
    let once = |is_durable: bool| {
        let (address, server) = parrot();
        let with_server = threads();
        let (mut options, mut own) = (options(address), vec!["mqtt"]);
        if is_durable {
            options = options.store(&Writer::start(MemoryStore::new()).unwrap());
            own.push("mqtt-store");
        }
        let client = mqtt_std::connect(options).unwrap();
        assert_eq!(beside(&with_server), own);
        client
            .publish(Message::new("t", "x").unwrap().qos(QoS::AtLeastOnce))
            .unwrap();
        drop(client);
        server.join().unwrap();
        let until = Instant::now() + SOON;
        // A thread that was joined is listed for a moment longer, and a new one has the name of this one at first.
        loop {
            let left = beside(&without);
            if left.is_empty() {
                break;
            }
            assert!(Instant::now() < until, "a thread stays: {left:?}");
            thread::sleep(Duration::from_millis(1));
        }
    };
    for is_durable in [false, true] {
        once(is_durable);
        let before = files();
        for _ in 0..100 {
            once(is_durable);
        }
        assert_eq!(files(), before);
    }
}
