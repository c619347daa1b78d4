//! Connections that are lent to the threads that wait: what nobody waits for goes on, and streams are opened by the thread of the client.

mod parrot;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mqtt_std::session::{Reconnect, ServerConfig, ServerEvent};
use mqtt_std::{Client, ClientOptions, DialError, Endpoint, Listener, Message, QoS, Sliced, Step};
use parrot::answers;

const SOON: Duration = Duration::from_secs(20);
/// Far more than it takes for a connection to be lent.
const MESSAGES: usize = 200;

/// Serves one client after the other and gives each back what it publishes, until one says farewell. Each connection is cut after so many
/// messages.
fn parrot(messages: usize) -> (SocketAddr, thread::JoinHandle<()>) {
    let mut listener = Listener::bind("127.0.0.1:0", ServerConfig::default()).unwrap();
    let address = listener.local_addr();
    let server = thread::spawn(move || {
        loop {
            let accepted = listener.accept_within(SOON).unwrap().expect("a client comes");
            let mut connection = accepted.connection;
            let mut left = messages;
            while left > 0 {
                let step = connection.next().expect("the end is told first");
                let now = connection.now();
                let machine = connection.machine_mut();
                match step {
                    Step::Event(ServerEvent::Closed { .. }) => return,
                    Step::Event(event) => left -= usize::from(answers(machine, now, event)),
                    Step::Store(_) => {}
                }
            }
        }
    });
    (address, server)
}

fn options(address: SocketAddr) -> ClientOptions {
    let reconnect = Reconnect::default().max_delay(Duration::from_millis(10));
    let options = ClientOptions::tcp("127.0.0.1", address.port()).client_id("lent");
    options.unwrap().reconnect(reconnect)
}

fn publish(client: &Client, times: usize) {
    for _ in 0..times {
        let message = Message::new("t", "x").unwrap().qos(QoS::AtLeastOnce);
        client.publish(message).unwrap();
    }
}

#[test]
fn what_nobody_waits_for_goes_on() {
    let (address, server) = parrot(usize::MAX);
    let client = mqtt_std::connect(options(address)).unwrap();
    let mut stream = client.subscribe("#", QoS::AtLeastOnce).unwrap();
    publish(&client, MESSAGES);
    let message = Message::new("t", "last").unwrap().qos(QoS::AtLeastOnce);
    let completion = client.try_publish(message).unwrap();
    // No call waits from here on; all there is comes nevertheless, and goes.
    let until = Instant::now() + SOON;
    let mut came = 0;
    while came <= MESSAGES {
        assert!(Instant::now() < until, "{came} of {} came", MESSAGES + 1);
        match stream.try_next() {
            Some(_) => came += 1,
            None => thread::sleep(Duration::from_millis(1)),
        }
    }
    assert!(mqtt_std::block_on_within(SOON, completion).is_some_and(|end| end.is_ok()));
    client.disconnect(SOON).unwrap();
    server.join().unwrap();
}

#[test]
fn streams_are_opened_by_the_thread_of_the_client() {
    let (address, server) = parrot(23);
    let opened = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&opened);
    let client = mqtt_std::connect_with(options(address), move |_| {
        assert_eq!(
            thread::current().name(),
            Some("mqtt"),
            "no other thread is kept waiting"
        );
        counts.fetch_add(1, Ordering::Relaxed);
        let stream = TcpStream::connect(address).map_err(DialError::connect)?;
        stream.set_nodelay(true).map_err(DialError::connect)?;
        Ok(stream)
    });
    let client = client.unwrap();
    publish(&client, MESSAGES);
    assert!(opened.load(Ordering::Relaxed) >= MESSAGES / 23, "{opened:?}");
    client.disconnect(SOON).unwrap();
    server.join().unwrap();
}

#[test]
fn threads_that_come_and_go_wait_for_nothing_in_vain() {
    let (address, server) = parrot(usize::MAX);
    let client = mqtt_std::connect(options(address)).unwrap();
    let mut stream = client.subscribe("#", QoS::AtLeastOnce).unwrap();
    thread::scope(|scope| {
        for pause in [0, 1, 7] {
            let client = client.clone();
            scope.spawn(move || {
                for _ in 0..5 {
                    publish(&client, MESSAGES / 5);
                    thread::sleep(Duration::from_millis(pause));
                }
            });
        }
        for _ in 0..3 * MESSAGES {
            stream.next_within(SOON).expect("each message comes back");
        }
    });
    assert!(stream.next_within(Duration::from_millis(20)).is_none());
    // Alone again, and with a time limit.
    publish(&client, MESSAGES);
    for _ in 0..MESSAGES {
        stream.next_within(SOON).expect("each message comes back");
    }
    let before = Instant::now();
    assert!(stream.next_within(Duration::from_millis(300)).is_none());
    assert!(before.elapsed() >= Duration::from_millis(300));
    client.disconnect(SOON).unwrap();
    server.join().unwrap();
}

/// A stream that remembers who has read it.
struct Port {
    socket: TcpStream,
    readers: Arc<Mutex<Vec<String>>>,
}

impl Read for Port {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let name = thread::current().name().unwrap_or_default().to_owned();
        self.readers.lock().unwrap().push(name);
        self.socket.read(buffer)
    }
}

impl Write for Port {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Opens ports that are read in slices, after a while.
fn ports(
    slice: Duration,
    after: Duration,
    readers: &Arc<Mutex<Vec<String>>>,
) -> impl FnMut(&Endpoint) -> Result<Sliced<Port>, DialError> + Send + 'static {
    let readers = Arc::clone(readers);
    move |endpoint| {
        thread::sleep(after);
        let socket = TcpStream::connect(("127.0.0.1", endpoint.port())).map_err(DialError::connect)?;
        socket.set_read_timeout(Some(slice)).map_err(DialError::connect)?;
        let readers = Arc::clone(&readers);
        Ok(Sliced::new(Port { socket, readers }).read_slice(slice))
    }
}

#[test]
fn a_stream_in_slices_is_read_by_the_thread_of_the_client() {
    let (address, server) = parrot(usize::MAX);
    let readers = Arc::default();
    let slice = Duration::from_millis(50);
    // There is no stream yet that would be read in slices while threads begin to wait.
    let client = mqtt_std::start_with(options(address), ports(slice, 4 * slice, &readers)).unwrap();
    let mut states = client.states();
    let until = Instant::now() + SOON;
    while readers.lock().unwrap().len() < 10 {
        assert!(Instant::now() < until, "nothing is read");
        states.next_within(Duration::from_millis(1));
        publish(&client, usize::from(client.is_connected()));
    }
    assert!(readers.lock().unwrap().iter().all(|name| name == "mqtt"), "{readers:?}");
    client.disconnect(SOON).unwrap();
    server.join().unwrap();
}

#[test]
fn a_wait_ends_in_time_while_a_stream_is_read() {
    let (address, server) = parrot(usize::MAX);
    let slice = Duration::from_secs(3);
    let readers = Arc::default();
    let client = mqtt_std::connect_with(options(address), ports(slice, Duration::ZERO, &readers)).unwrap();
    let mut states = client.states();
    let before = Instant::now();
    for _ in 0..40 {
        states.next_within(Duration::from_millis(1));
    }
    // One slice may be on its way, and each wait took one.
    assert!(before.elapsed() < 10 * slice, "{:?}", before.elapsed());
    client.disconnect(SOON).unwrap();
    server.join().unwrap();
}

#[test]
fn a_panic_that_has_nothing_to_do_with_it_does_not_end_a_client() {
    /// Says something at its end, as guards do.
    struct Guard(Client);

    impl Drop for Guard {
        fn drop(&mut self) {
            publish(&self.0, MESSAGES);
        }
    }

    let (address, server) = parrot(usize::MAX);
    let client = mqtt_std::connect(options(address)).unwrap();
    let guard = Guard(client.clone());
    let panics = thread::spawn(move || {
        publish(&guard.0, MESSAGES);
        // Without a message, which would look like a fault of the test.
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(panics.join().is_err());
    publish(&client, 1);
    assert_eq!(client.statistics().connections, 1);
    client.disconnect(SOON).unwrap();
    server.join().unwrap();
}
