//! When a connection is lent, and when it is taken back.

use mqtt_adapter::{Client, ClientOptions, Dial};
use mqtt_session::proto::QoS;
use mqtt_session::{Accept, Message, ServerConfig, ServerEvent};

use super::*;
use crate::dial::Dialer;
use crate::{Listener, Step};

const SOON: Duration = Duration::from_secs(20);

/// A client of a server that takes everything, and the thread that is its own.
fn client() -> (Client, Arc<Keeping>, thread::JoinHandle<()>) {
    let mut listener = Listener::bind("127.0.0.1:0", ServerConfig::default()).unwrap();
    let port = listener.local_addr().port();
    thread::spawn(move || {
        let mut connection = listener.accept().unwrap().connection;
        while let Some(step) = connection.next() {
            let now = connection.now();
            if let Step::Event(ServerEvent::Connect(_)) = step {
                connection.machine_mut().accept(now, Accept::new()).unwrap();
            }
        }
    });
    let reactor = Reactor::new().unwrap();
    let mut dialer = Dialer {
        reactor: Arc::clone(&reactor),
        timeout: SOON,
    };
    let dialer: AnyDialer = Box::new(move |endpoint| dialer.dial(endpoint));
    let options = ClientOptions::tcp("127.0.0.1", port).client_id("kept").unwrap();
    let (client, keeper) = Client::with_dialer(options, dialer);
    let keeping = Arc::new(Keeping::new(keeper, reactor));
    let own = Arc::clone(&keeping);
    let thread = thread::spawn(move || own.keep());
    keeping.wait(client.established()).unwrap();
    (client, keeping, thread)
}

fn publish(client: &Client, keeping: &Keeping) {
    let message = Message::new("t", "x").unwrap().qos(QoS::AtLeastOnce);
    let published = keeping.wait_within(SOON, client.publish(message));
    published.expect("it is acknowledged").unwrap();
}

/// Until the connection is lent, or is not.
fn until(keeping: &Keeping, is_lent: bool, mut meanwhile: impl FnMut()) {
    let until = Clocked::now() + SOON;
    while keeping.lock().is_lent != is_lent {
        assert!(Clocked::now() < until, "it never comes to that");
        meanwhile();
    }
}

#[test]
fn who_waits_often_keeps_the_connection_until_nobody_does() {
    let (client, keeping, thread) = client();
    assert!(!keeping.lock().is_lent);
    for _ in 0..3 {
        until(&keeping, true, || publish(&client, &keeping));
        let before = keeping.lock().loans;
        let tries = Clocked::now() + SOON;
        while keeping.lock().loans < before + 10 {
            assert!(Clocked::now() < tries, "nobody takes it");
            publish(&client, &keeping);
        }
        until(&keeping, false, || thread::sleep(LOAN));
    }
    keeping.wait(client.disconnect(SOON)).unwrap();
    thread.join().unwrap();
}

#[test]
fn who_looks_without_waiting_keeps_nothing() {
    let (client, keeping, thread) = client();
    let look = || {
        assert_eq!(keeping.wait_within(Duration::ZERO, std::future::pending::<()>()), None);
        thread::sleep(LOAN / 10);
    };
    until(&keeping, true, || publish(&client, &keeping));
    until(&keeping, false, look);
    for _ in 0..10 * BRIEF_WAITS {
        look();
        assert!(!keeping.lock().is_lent);
    }
    keeping.wait(client.disconnect(SOON)).unwrap();
    thread.join().unwrap();
}

#[test]
fn who_waits_for_long_keeps_it_and_two_at_once_give_it_back() {
    let (client, keeping, thread) = client();
    until(&keeping, true, || publish(&client, &keeping));
    // Long enough that the client's own thread has stopped looking.
    let waits = thread::spawn({
        let keeping = Arc::clone(&keeping);
        let client = client.clone();
        move || {
            until(&keeping, true, || publish(&client, &keeping));
            keeping.wait_within(10 * LOAN, std::future::pending::<()>())
        }
    });
    while !keeping.lock().is_to_be_called && !waits.is_finished() {
        thread::sleep(LOAN / 10);
    }
    publish(&client, &keeping);
    assert_eq!(waits.join().unwrap(), None);
    until(&keeping, false, || thread::sleep(LOAN));
    publish(&client, &keeping);
    keeping.wait(client.disconnect(SOON)).unwrap();
    thread.join().unwrap();
}
