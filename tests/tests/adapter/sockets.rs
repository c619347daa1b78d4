//! What a listener and a client do with sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};
use std::{panic, thread};

use mqtt_session::proto::{ConnAckProperties, ConnAckReason, DisconnectReason};
use mqtt_session::{Accept, BrokerConfig, Closed, Limits, ServerConfig, ServerEvent, SessionConfig, Timer};
use mqtt_std::broker::{Host, Listen};
use mqtt_std::{ClientOptions, Listener, Message, QoS, Step};
use mqtt_testbed::scenarios;
use mqtt_tests::ledger::{Layer, Trial, covers};

use crate::adapter::Std;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, id: &'static str, run: fn()| {
        Trial::new(Layer::Adapter, format!("{id}: {name}"), move || {
            run();
            covers(id);
        })
    };
    vec![
        trial(
            "the fault of one connection ends that connection alone",
            "BI-110",
            faults_are_isolated,
        ),
        trial("nobody keeps a place for nothing", "BI-111", places_are_given_back),
        trial(
            "an address has so many places and no more",
            "BI-111",
            addresses_have_a_bound,
        ),
        trial(
            "a slow application stops neither answers nor itself",
            "RG-21",
            slowness_stops_nothing,
        ),
    ]
}

/// Serves whoever comes, until the test ends, and tells how connections end.
fn serve(config: &ServerConfig, places: usize, ends: Sender<Closed>) -> SocketAddr {
    let mut listener = Listener::bind("127.0.0.1:0", config.clone())
        .expect("there is a port")
        .connections(places);
    let (address, longest) = (listener.local_addr(), config.keep_alive_seconds_max);
    thread::spawn(move || {
        while let Ok(accepted) = listener.accept() {
            let ends = ends.clone();
            thread::spawn(move || {
                let (mut connection, _place) = (accepted.connection, accepted.place);
                while let Some(step) = connection.next() {
                    let now = connection.now();
                    match step {
                        Step::Event(ServerEvent::Connect(connect)) => {
                            if connect.client_id == "panics" {
                                // A panic of which nothing is printed: it is meant.
                                panic::resume_unwind(Box::new("the host has a fault of its own"));
                            }
                            let machine = connection.machine_mut();
                            // A client of MQTT 3 cannot be told another keep-alive.
                            let is_told = connect.version.has_properties();
                            let answered = match longest.filter(|longest| connect.keep_alive > *longest && !is_told) {
                                Some(_) => {
                                    let properties = ConnAckProperties::empty();
                                    machine
                                        .refuse_client(now, ConnAckReason::NotAuthorized, properties)
                                        .is_ok()
                                }
                                None => machine.accept(now, Accept::new()).is_ok(),
                            };
                            assert!(answered, "it was asked for");
                        }
                        Step::Event(ServerEvent::Closed { reason, .. }) => {
                            let _ = ends.send(reason);
                        }
                        _ => {}
                    }
                }
            });
        }
    });
    address
}

/// Long for anything here.
const SOON: Duration = Duration::from_secs(10);

/// The others are served, and what happens by time goes on, whatever came before.
fn faults_are_isolated() {
    let (ends, ended) = channel();
    let limits = Limits::default().handshake_timeout(Duration::from_secs(2));
    let config = ServerConfig::default().session(SessionConfig::default().limits(limits));
    let address = serve(&config, 16, ends);
    let options = |id: &'static str| {
        ClientOptions::tcp("127.0.0.1", address.port())
            .client_id(id)
            .expect("it is text")
    };
    let healthy = mqtt_std::connect(options("healthy")).expect("the server accepts");
    let publish = || {
        let message = Message::new("t", "x").expect("it is a topic").qos(QoS::ExactlyOnce);
        healthy.publish(message).expect("the server acknowledges");
    };
    publish();
    // A stranger, one that breaks the protocol, and one on which the host itself panics.
    let mut stranger = TcpStream::connect(address).expect("the server listens");
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it is open");
    assert!(matches!(
        ended.recv_timeout(SOON),
        Ok(Closed::Malformed(_) | Closed::Violation(..))
    ));
    publish();
    // Its deadline lies beyond both faults, and there is one after them.
    let before = TcpStream::connect(address).expect("the server listens");
    assert!(mqtt_std::connect(options("panics")).is_err());
    publish();
    let after = TcpStream::connect(address).expect("the server listens");
    for _ in [&before, &after] {
        let end = ended.recv_timeout(SOON).expect("who says nothing loses his place");
        assert_eq!(end, Closed::TimedOut(Timer::Handshake));
    }
    let late = mqtt_std::connect(options("late")).expect("the server accepts");
    assert_eq!(late.statistics().connections, 1);
    publish();
    assert_eq!(healthy.statistics().connections, 1);
}

/// A keep-alive that is longer than the server wants is shortened where that can be said, and refused by the host where not; a connection
/// that never says CONNECT loses its place, and there are no more connections than places.
fn places_are_given_back() {
    let limits = Limits::default().handshake_timeout(Duration::from_millis(100));
    let config = ServerConfig::default()
        .keep_alive_seconds_max(Some(30))
        .session(SessionConfig::default().limits(limits));
    let (ends, ended) = channel();
    let address = serve(&config, 1, ends);
    // CONNECT with a keep-alive of 65,535 seconds; Server Keep Alive in the answer.
    let mut patient = TcpStream::connect(address).expect("the server listens");
    patient
        .write_all(&[0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0xFF, 0xFF, 0, 0, 1, b'c'])
        .expect("it is open");
    let mut answer = [0; 5];
    patient.read_exact(&mut answer).expect("it is answered");
    let mut properties = vec![0; usize::from(answer[4])];
    patient.read_exact(&mut properties).expect("it is answered");
    assert_eq!((answer[0], answer[3]), (0x20, 0), "it is accepted");
    assert!(
        properties.windows(3).any(|window| window == [0x13, 0, 30]),
        "{properties:?}"
    );
    // The one place is taken: the next one waits in the queue of the system.
    let mut silent = TcpStream::connect(address).expect("the system takes it");
    silent
        .set_read_timeout(Some(Duration::from_millis(300)))
        .expect("it is open");
    assert!(silent.read(&mut [0]).is_err(), "nobody looks at it yet");
    drop(patient);
    assert!(ended.recv().is_ok());
    // It has its place, says nothing, and loses it.
    assert!(matches!(ended.recv(), Ok(Closed::TimedOut(_))));
    let mut old = TcpStream::connect(address).expect("the server listens");
    old.write_all(&[0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0xFF, 0xFF, 0, 1, b'c'])
        .expect("it is open");
    let mut answer = [0; 4];
    old.read_exact(&mut answer).expect("it is answered");
    assert_eq!(answer[..3], [0x20, 2, 0]);
    assert_ne!(answer[3], 0, "MQTT 3.1.1 cannot say less, so it is refused");
}

/// By a listener alone it is its user's, who is told where a client is before anything else; a host of a broker has it.
fn addresses_have_a_bound() {
    let most = NonZeroU32::new(2).expect("it is not 0");
    let host = Host::new(BrokerConfig::new(7))
        .connections_per_address(most)
        .listen(Listen::tcp("127.0.0.1:0").name("plain"));
    let broker = mqtt_std::broker::start(host).expect("it starts");
    let address = broker.local_addr().expect("it listens");
    let come_in = || {
        let mut stream = TcpStream::connect(address).expect("the system takes it");
        stream.set_read_timeout(Some(SOON)).expect("it is open");
        // It may be closed before all of it is said.
        let _ = stream.write_all(&[0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 0]);
        let mut first = [0];
        let answer = stream.read(&mut first).map(|len| first[..len].to_vec());
        (stream, answer.unwrap_or_default())
    };
    let ((one, first), (two, second)) = (come_in(), come_in());
    assert_eq!((first, second), (vec![0x20], vec![0x20]), "CONNACK");
    assert_eq!(come_in().1, [0_u8; 0], "one too many is closed");
    drop(one);
    // Whoever goes makes room for one, as soon as that is noticed.
    let began = Instant::now();
    while come_in().1 != [0x20] {
        assert!(began.elapsed() < SOON, "the place is not given back");
        thread::sleep(Duration::from_millis(5));
    }
    drop(two);
    broker.shutdown(DisconnectReason::ServerShuttingDown, SOON);
    broker.wait().expect("it ends well");
}

fn slowness_stops_nothing() {
    mqtt_std::block_on(scenarios::publishing_in_the_receive_loop_cannot_deadlock::<Std>());
    mqtt_std::block_on(scenarios::a_stream_that_nobody_reads_keeps_nobody_waiting::<Std>());
    mqtt_std::block_on(scenarios::keep_alive_does_not_need_the_application::<Std>());
}
