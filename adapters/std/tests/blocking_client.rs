//! The client with calls that wait, where things go wrong: behind a network that breaks, and with little room.

mod adapter;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use adapter::Std;
use mqtt_std::session::{CleanStart, Limits, Reconnect};
use mqtt_std::{Client, ClientOptions, Incoming, Message, PublishError, Published, QoS, SubscribeError, Subscribing};
use mqtt_testbed::{Adapter, Broker, Faults, Hub, MOSQUITTO};

const PATIENCE: Duration = Duration::from_secs(60);

/// Calls that wait have no end of their own: a deadlock is told as one.
fn in_time(name: &str, body: impl FnOnce() + Send + 'static) {
    let (tells, over) = channel();
    let thread = thread::spawn(move || {
        body();
        let _ = tells.send(());
    });
    match over.recv_timeout(PATIENCE) {
        Ok(()) => {}
        Err(RecvTimeoutError::Timeout) => panic!("{name}: it does not end"),
        Err(RecvTimeoutError::Disconnected) => {}
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn server() -> (Arc<Hub>, SocketAddr) {
    let hub = Arc::new(Hub::default());
    let address = mqtt_std::block_on(Std::serve(Arc::clone(&hub), 0));
    (hub, address)
}

fn options(address: SocketAddr, id: &'static str) -> ClientOptions {
    let reconnect = Reconnect::default()
        .first_delay(Duration::from_millis(10))
        .max_delay(Duration::from_millis(50));
    ClientOptions::tcp("127.0.0.1", address.port())
        .client_id(id)
        .unwrap()
        .reconnect(reconnect)
}

fn message(topic: &'static str, number: u32, qos: QoS) -> Message {
    Message::new(topic, number.to_be_bytes().to_vec()).unwrap().qos(qos)
}

fn number(incoming: &Incoming) -> u32 {
    u32::from_be_bytes(incoming.message.payload[..].try_into().unwrap())
}

/// The last number.
const LAST: u32 = u32::MAX;

/// Gives back each message, and waits for the acknowledgement of that before it takes the next one.
fn echoes(client: &Client, qos: QoS) {
    let mut stream = client.subscribe("in", qos).unwrap();
    for incoming in stream.by_ref() {
        let number = number(&incoming);
        client.publish(message("out", number, qos)).unwrap();
        if number == LAST {
            return;
        }
    }
    panic!("the stream ends");
}

#[test]
fn a_network_that_breaks_loses_nothing_and_doubles_nothing() {
    const CUTS: u64 = 10;
    const ON_THE_WAY: usize = 20;
    let first = std::env::var("MQTT_SEED").map_or(1, |seed| seed.parse::<u64>().unwrap());
    for seed in first..first + 3 {
        in_time("behind a broken network", move || {
            let (hub, address) = server();
            let faults = Faults::start(address, seed);
            let behind = mqtt_std::start(options(faults.address(), "behind").clean_start(CleanStart::Never)).unwrap();
            let other = mqtt_std::connect(options(address, "other")).unwrap();
            let mut echoed = other.subscribe("out", QoS::ExactlyOnce).unwrap();
            let echo = thread::spawn(move || {
                echoes(&behind, QoS::ExactlyOnce);
                behind.disconnect(PATIENCE).unwrap();
            });
            while !hub.has_subscription("in") {
                thread::sleep(Duration::from_millis(5));
            }
            let (mut sent, mut came) = (0, Vec::new());
            while faults.cuts() < CUTS {
                if (sent as usize) < came.len() + ON_THE_WAY {
                    other.publish(message("in", sent, QoS::ExactlyOnce)).unwrap();
                    sent += 1;
                }
                came.extend(echoed.next_within(Duration::from_millis(1)).as_ref().map(number));
            }
            faults.calm();
            other.publish(message("in", LAST, QoS::ExactlyOnce)).unwrap();
            came.extend(
                echoed
                    .by_ref()
                    .map(|incoming| number(&incoming))
                    .take_while(|number| *number != LAST),
            );
            assert!(
                came.iter().copied().eq(0..sent),
                "seed {seed}: {sent} were sent, {came:?}"
            );
            println!("seed {seed}: {} cuts, {sent} messages there and back", faults.cuts());
            echo.join().unwrap();
            other.disconnect(PATIENCE).unwrap();
        });
    }
}

#[test]
fn publishing_in_the_loop_over_a_subscription_cannot_deadlock() {
    const COUNT: u32 = 500;
    in_time("publishing in the loop", || {
        let (hub, address) = server();
        let small = Limits::default().receive_maximum(4).queued_messages(2);
        let client = mqtt_std::connect(options(address, "echo").limits(small)).unwrap();
        let other = mqtt_std::connect(options(address, "other")).unwrap();
        let echoed = other.subscribe("out", QoS::ExactlyOnce).unwrap();
        let stream = client.subscribe("in", QoS::AtLeastOnce).unwrap();
        for number in 0..COUNT {
            hub.publish(&message("in", number, QoS::AtLeastOnce));
        }
        for (expected, incoming) in (0..COUNT).zip(stream) {
            assert_eq!(number(&incoming), expected);
            client.publish(message("out", expected, QoS::ExactlyOnce)).unwrap();
        }
        assert!(
            echoed
                .take(COUNT as usize)
                .map(|incoming| number(&incoming))
                .eq(0..COUNT)
        );
        assert_eq!(hub.connects(), 2);
    });
}

#[test]
fn mosquitto_gives_and_takes_every_qos() {
    let Some(broker) = Broker::start(&MOSQUITTO) else {
        return;
    };
    in_time("before mosquitto", move || {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let client = mqtt_std::connect(options(broker.address(), "blocking")).unwrap();
            let other = mqtt_std::connect(options(broker.address(), "other")).unwrap();
            let mut echoed = other.subscribe("out", qos).unwrap();
            let stream = client.subscribe("in", qos).unwrap();
            let echo = thread::spawn(move || {
                for incoming in stream.take(100) {
                    client.publish(message("out", number(&incoming), qos)).unwrap();
                }
                client.disconnect(PATIENCE).unwrap();
            });
            for sent in 0..100 {
                other.publish(message("in", sent, qos)).unwrap();
                let back = echoed.next_within(PATIENCE).expect("it comes back");
                assert_eq!(number(&back), sent, "{qos:?}");
            }
            echo.join().unwrap();
            echoed.unsubscribe().unwrap();
            other.disconnect(PATIENCE).unwrap();
        }
    });
}

#[test]
fn calls_with_a_time_do_not_wait_longer() {
    in_time("without a server", || {
        const BRIEF: Duration = Duration::from_millis(20);
        // It is bound, and nobody accepts there.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = mqtt_std::start(options(nobody.local_addr().unwrap(), "alone")).unwrap();
        let publish = |within| client.publish_within(message("t", 1, QoS::AtLeastOnce), within);
        assert!(publish(BRIEF).unwrap().is_none());
        assert_eq!(client.statistics().unfinished, 1, "the client goes on with it");
        let subscribe = client.subscribe_within(Subscribing::new("t", QoS::AtLeastOnce), BRIEF);
        assert!(subscribe.unwrap().is_none());
        client.abort();
        assert!(matches!(publish(PATIENCE), Err(PublishError::Ended(_))));
        let subscribe = client.subscribe_within(Subscribing::new("t", QoS::AtLeastOnce), PATIENCE);
        assert!(matches!(subscribe, Err(SubscribeError::Ended(_))));

        let (_hub, address) = server();
        let client = mqtt_std::connect(options(address, "there")).unwrap();
        let asked = Subscribing::new("t", QoS::AtLeastOnce);
        let mut stream = client.subscribe_within(asked, PATIENCE).unwrap().expect("it is soon");
        let published = client.publish_within(message("t", 7, QoS::AtLeastOnce), Duration::MAX);
        assert!(matches!(published, Ok(Some(Published::Acknowledged(_)))));
        assert_eq!(stream.next_within(Duration::MAX).as_ref().map(number), Some(7));
    });
}

#[test]
fn no_time_to_connect_is_told_as_that() {
    in_time("without time", || {
        let (_hub, address) = server();
        let failure = mqtt_std::connect(options(address, "hasty").connect_timeout(Duration::ZERO)).unwrap_err();
        assert!(failure.to_string().ends_with("or raise `connect_timeout`"), "{failure}");
    });
}
