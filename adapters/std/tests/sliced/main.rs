//! Machines of both roles over blocking streams that nothing can wait for.

#[path = "../parrot/mod.rs"]
mod parrot;
mod wire;

use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mqtt_std::session::proto::{ConnAckProperties, ConnAckReason};
use mqtt_std::session::{Client as Machine, ClientConfig, Closed, Event, Reconnect, ServerConfig, ServerConnection};
use mqtt_std::{
    Cause, Client, ClientOptions, Clock, Connection, ConnectionState, DialError, Message, Published, QoS, Sliced, Step,
    Waited, block_on, block_on_within,
};
use parrot::answers;
use wire::{End, Habits, SLICE, wire};

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn sliced(end: End) -> Sliced<End> {
    Sliced::new(end).read_slice(SLICE)
}

fn message(qos: QoS) -> Message {
    Message::new("t", "x").unwrap().qos(qos)
}

/// Gives its client back what it publishes, until the connection ends.
fn parrot(end: Sliced<End>) -> JoinHandle<()> {
    let clock = Clock::new();
    let machine = ServerConnection::new(ServerConfig::default(), clock.now());
    let mut connection = Connection::accepted(machine, end, clock).unwrap();
    thread::spawn(move || {
        while let Some(step) = connection.next() {
            let now = connection.now();
            if let Step::Event(event) = step {
                answers(connection.machine_mut(), now, event);
            }
        }
    })
}

fn options() -> ClientOptions {
    ClientOptions::tcp("nowhere", 1883).client_id("sliced").unwrap()
}

/// A client over these streams, one after the other; then none can be opened.
fn start(options: ClientOptions, ends: impl IntoIterator<Item = Sliced<End>>) -> Client {
    let mut ends = ends.into_iter().collect::<Vec<_>>();
    ends.reverse();
    let dial = move |_: &_| {
        let end = ends.pop();
        end.ok_or_else(|| DialError::connect(ErrorKind::ConnectionRefused.into()))
    };
    mqtt_std::start_with(options, dial).unwrap()
}

/// A client over one stream, with a server at its other end.
fn connected(options: ClientOptions, habits: Habits) -> (Client, JoinHandle<()>) {
    let (near, far) = wire(habits);
    let server = parrot(sliced(far));
    let client = start(options, [sliced(near)]);
    block_on(client.handle().established()).unwrap();
    (client, server)
}

#[test]
fn every_qos_goes_both_ways_whatever_the_stream_does() {
    let nothing_yet = [ErrorKind::TimedOut, ErrorKind::WouldBlock];
    for (place, nothing_yet) in nothing_yet.into_iter().enumerate() {
        let habits = Habits {
            nothing_yet,
            portion: 7,
            room: 50,
            interrupted: 3,
            waits: SLICE * place as u32,
        };
        let (client, server) = connected(options(), habits);
        let mut stream = client.subscribe("t", QoS::ExactlyOnce).unwrap();
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let large = Message::new("t", vec![7; 3000]).unwrap().qos(qos);
            client.publish(large.clone()).unwrap();
            let incoming = stream.next_within(PATIENCE).expect("it comes back");
            assert_eq!((incoming.message.qos, incoming.message.payload), (qos, large.payload));
        }
        client.disconnect(PATIENCE).unwrap();
        server.join().unwrap();
    }
}

#[test]
fn a_machine_is_served_without_a_client_too() {
    let (near, far) = wire(Habits::default());
    let server = parrot(sliced(far));
    let clock = Clock::new();
    let machine = Machine::new(ClientConfig::new("low").unwrap(), clock.now());
    let mut connection = Connection::client(machine, clock).unwrap();
    let mut near = Some(sliced(near));
    let mut outcomes = 0;
    loop {
        let now = connection.now();
        match connection.next_within(PATIENCE) {
            Waited::Step(Step::Event(Event::Open)) => connection.opened(near.take().unwrap()).unwrap(),
            Waited::Step(Step::Event(Event::Connected { .. })) => {
                let published = connection.machine_mut().publish(now, message(QoS::ExactlyOnce), 3);
                published.unwrap();
            }
            Waited::Step(Step::Event(Event::Completed { tag, .. })) => {
                outcomes += tag;
                connection.machine_mut().disconnect(now);
            }
            Waited::Step(_) => {}
            Waited::Over => break,
            Waited::TimedOut => panic!("it takes too long"),
        }
    }
    assert_eq!(outcomes, 3);
    server.join().unwrap();
}

#[test]
fn a_command_of_another_thread_does_not_wait_for_input() {
    let (client, server) = connected(options(), Habits::default());
    for _ in 0..20 {
        // The thread of the connection reads, and nothing comes.
        thread::sleep(SLICE * 3);
        let published = block_on_within(
            Duration::from_secs(2),
            client.handle().publish(message(QoS::ExactlyOnce)),
        );
        assert!(matches!(published, Some(Ok(Published::Acknowledged(_)))));
    }
    client.disconnect(PATIENCE).unwrap();
    server.join().unwrap();
}

#[test]
fn keep_alive_goes_on_while_nothing_else_does() {
    let keep_alive = Duration::from_secs(2);
    let (client, server) = connected(options().keep_alive(keep_alive), Habits::default());
    // The server would have closed after three seconds.
    thread::sleep(Duration::from_millis(4500));
    assert!(client.is_connected());
    assert_eq!(client.statistics().connections, 1);
    client.disconnect(PATIENCE).unwrap();
    server.join().unwrap();
}

#[test]
fn two_ends_that_have_too_much_to_say_listen_to_each_other() {
    let habits = Habits {
        room: 300,
        ..Habits::default()
    };
    let (client, server) = connected(options(), habits);
    let mut stream = client.subscribe("t", QoS::AtLeastOnce).unwrap();
    let large = Message::new("t", vec![7; 20_000]).unwrap().qos(QoS::AtLeastOnce);
    let published = (0..10).map(|_| client.try_publish(large.clone()).unwrap());
    for completion in published.collect::<Vec<_>>() {
        assert!(block_on_within(PATIENCE, completion).expect("it is not stuck").is_ok());
    }
    for _ in 0..10 {
        assert!(stream.next_within(PATIENCE).is_some());
    }
    client.disconnect(PATIENCE).unwrap();
    server.join().unwrap();
}

#[test]
fn the_end_of_a_stream_is_noticed_and_the_next_one_goes_on() {
    let (near, far) = wire(Habits::default());
    let (next, next_far) = wire(Habits::default());
    let (watch, first) = (near.watch(), parrot(sliced(far)));
    let reconnect = Reconnect::default().first_delay(Duration::from_millis(10));
    let client = start(options().reconnect(reconnect), [sliced(near), sliced(next)]);
    block_on(client.handle().established()).unwrap();
    let mut states = client.states();
    assert!(matches!(states.next(), Some(ConnectionState::Connected { .. })));
    let second = parrot(sliced(next_far));
    // Unlike a reset, an end in order.
    watch.cut();
    let Some(ConnectionState::Disconnected { failure, .. }) = states.next_within(PATIENCE) else {
        panic!("the end is not noticed");
    };
    assert!(matches!(failure.cause, Cause::Closed(Closed::StreamEnded)), "{failure}");
    client.publish(message(QoS::ExactlyOnce)).unwrap();
    assert_eq!(client.statistics().connections, 2);
    assert_eq!(watch.drops.load(Ordering::Relaxed), 1);
    client.disconnect(PATIENCE).unwrap();
    [first, second].into_iter().for_each(|server| server.join().unwrap());
}

/// Says what it is told to, call by call, and nothing afterwards; takes what is written, or nothing.
struct Script {
    reads: Vec<io::Result<Vec<u8>>>,
    writes: bool,
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.reads.pop().unwrap_or(Err(ErrorKind::TimedOut.into()))?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.writes {
            true => Ok(bytes.len()),
            false => Err(ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How the connection of a client over this stream ends.
fn ending(script: Script) -> (Option<Closed>, Option<ErrorKind>) {
    let clock = Clock::new();
    let config = ClientConfig::new("low").unwrap().reconnect(Reconnect::never());
    let mut connection = Connection::client(Machine::new(config, clock.now()), clock).unwrap();
    let (mut stream, mut closed) = (Some(Sliced::new(script)), None);
    loop {
        match connection.next_within(PATIENCE) {
            Waited::Step(Step::Event(Event::Open)) => connection.opened(stream.take().unwrap()).unwrap(),
            Waited::Step(Step::Event(Event::Closed { reason, .. })) => closed = Some(reason),
            Waited::Step(_) => {}
            Waited::Over => return (closed, connection.take_error().map(|error| error.kind())),
            Waited::TimedOut => panic!("it takes too long"),
        }
    }
}

#[test]
fn a_broken_stream_is_told_with_its_error() {
    let script = Script {
        reads: vec![
            Err(ErrorKind::ConnectionReset.into()),
            Err(ErrorKind::Interrupted.into()),
        ],
        writes: true,
    };
    assert_eq!(
        ending(script),
        (Some(Closed::StreamEnded), Some(ErrorKind::ConnectionReset))
    );
}

#[test]
fn what_a_server_said_before_it_closed_is_read_when_writing_fails() {
    // CONNACK of MQTT 5.0: not authorized.
    let script = Script {
        reads: vec![Ok(vec![0x20, 3, 0, 0x87, 0])],
        writes: false,
    };
    let refused = Closed::Refused {
        reason: ConnAckReason::NotAuthorized,
        properties: ConnAckProperties::empty(),
    };
    assert_eq!(ending(script).0, Some(refused));
}

#[test]
fn a_stream_that_cannot_say_farewell_is_dropped_at_once() {
    let (near, far) = wire(Habits::default());
    let (near_watch, far_watch) = (near.watch(), far.watch());
    let server = parrot(sliced(far));
    let client = start(options(), [sliced(near)]);
    block_on(client.handle().established()).unwrap();
    let before = near_watch.reads.load(Ordering::Relaxed);
    client.disconnect(PATIENCE).unwrap();
    server.join().unwrap();
    until(|| near_watch.drops.load(Ordering::Relaxed) == 1);
    // It would be read from for a second otherwise: that is two hundred slices.
    assert!(near_watch.reads.load(Ordering::Relaxed) - before < 100);
    assert_eq!(far_watch.drops.load(Ordering::Relaxed), 1);
}

#[test]
fn a_stream_that_can_say_farewell_does_so_once_and_waits_for_the_other_end() {
    let (near, far) = wire(Habits::default());
    let (watch, far_watch) = (near.watch(), far.watch());
    let server = parrot(sliced(far).closing(End::close_writing));
    let client = start(options(), [sliced(near).closing(End::close_writing)]);
    block_on(client.handle().established()).unwrap();
    let before = watch.reads.load(Ordering::Relaxed);
    client.disconnect(PATIENCE).unwrap();
    server.join().unwrap();
    until(|| watch.drops.load(Ordering::Relaxed) == 1);
    // It would wait for a second if the other end did not close: that is two hundred slices.
    assert!(watch.reads.load(Ordering::Relaxed) - before < 100);
    for watch in [watch, far_watch] {
        assert_eq!(watch.closings.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_stream_that_never_waits_costs_one_look_a_slice_and_commands_are_noticed_at_once() {
    let slice = Duration::from_millis(200);
    let habits = Habits {
        waits: Duration::ZERO,
        ..Habits::default()
    };
    let (near, far) = wire(habits);
    let (watch, server) = (near.watch(), parrot(sliced(far)));
    let client = start(options(), [Sliced::new(near).read_slice(slice)]);
    block_on(client.handle().established()).unwrap();
    let (reads, before) = (watch.reads.load(Ordering::Relaxed), Instant::now());
    thread::sleep(slice * 5);
    let looks = watch.reads.load(Ordering::Relaxed) - reads;
    let most = before.elapsed().as_millis().div_ceil(slice.as_millis()) + 1;
    assert!((1..=most).contains(&u128::from(looks)), "{looks} of {most}");

    // A hundred slices would be twenty seconds.
    let before = Instant::now();
    for _ in 0..100 {
        client.publish(message(QoS::AtMostOnce)).unwrap();
    }
    assert!(before.elapsed() < slice * 50);
    client.disconnect(PATIENCE).unwrap();
    server.join().unwrap();
}

fn until(is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "it takes too long");
        thread::sleep(Duration::from_millis(1));
    }
}
