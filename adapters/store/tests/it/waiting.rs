//! The thread of a store: who waits for what, and who is told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mqtt_session::{Batch, BrokerKey, Client, ClientConfig, Instant, Message, QoS};
use mqtt_store::{Loaded, MemoryStore, SessionName, Store, StoreError, StoreErrorKind, Write, Writer};

use crate::exchange::client_name;

const LONG: Duration = Duration::from_secs(20);

/// A machine that only publishes, and its batches.
struct Publisher {
    client: Client,
    now: Instant,
}

impl Publisher {
    fn new() -> Self {
        let now = Instant::from_secs(1);
        let client = Client::new(ClientConfig::new("c").unwrap().is_stored(true), now);
        Self { client, now }
    }

    fn batch(&mut self) -> Batch {
        let message = Message::new("t", "m").unwrap().qos(QoS::AtLeastOnce);
        self.client.publish(self.now, message, 0).unwrap();
        let mut batch = Batch::new();
        assert!(self.client.poll_store(&mut batch));
        batch
    }
}

/// Commits when it is told to, and says how large each group was.
struct Gate {
    inner: MemoryStore,
    open: Receiver<()>,
    sizes: Sender<usize>,
}

impl Store for Gate {
    fn commit(&mut self, group: &[Write]) -> Result<(), StoreError> {
        self.sizes.send(group.len()).unwrap();
        self.open.recv().unwrap();
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
        Box::new(self.inner).close()
    }
}

fn gated() -> (Writer, Sender<()>, Receiver<usize>) {
    let (opener, open) = channel();
    let (sizes, seen) = channel();
    let inner = MemoryStore::new();
    (Writer::start(Gate { inner, open, sizes }).unwrap(), opener, seen)
}

#[test]
fn what_arrives_during_a_flush_is_the_next_group() {
    let (writer, open, sizes) = gated();
    let mut session = writer.session(client_name());
    let mut publisher = Publisher::new();
    session.write(&publisher.batch());
    assert_eq!(sizes.recv_timeout(LONG), Ok(1));
    for _ in 0..50 {
        session.write(&publisher.batch());
    }
    assert_eq!(
        session.try_stored().unwrap(),
        None,
        "nothing is confirmed before its flush"
    );
    open.send(()).unwrap();
    assert_eq!(sizes.recv_timeout(LONG), Ok(50), "one flush covers all that waited");
    assert_eq!(session.wait_stored(LONG).unwrap(), Some(1));
    assert_eq!(session.wait_stored(Duration::from_millis(20)).unwrap(), None);
    open.send(()).unwrap();
    let mut last = 0;
    while last < 51 {
        last = session.wait_stored(LONG).unwrap().unwrap();
    }
}

#[test]
fn each_session_hears_of_its_own_batches() {
    let (writer, open, _sizes) = gated();
    let mut one = writer.session(SessionName::new("one").unwrap());
    let mut other = writer.session(SessionName::new("other").unwrap());
    let mut publisher = Publisher::new();
    one.write(&publisher.batch());
    open.send(()).unwrap();
    assert_eq!(one.wait_stored(LONG).unwrap(), Some(1));
    assert_eq!(other.try_stored().unwrap(), None);
}

#[derive(Default)]
struct Woken(AtomicUsize, Mutex<Option<Sender<()>>>);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        if let Some(sender) = &*self.1.lock().unwrap() {
            sender.send(()).unwrap();
        }
    }
}

#[test]
fn a_task_is_woken_when_its_batch_is_durable() {
    let (writer, open, _sizes) = gated();
    let mut session = writer.session(client_name());
    let (sender, woken) = channel();
    let wake = Arc::new(Woken(AtomicUsize::new(0), Mutex::new(Some(sender))));
    let waker = Waker::from(wake.clone());
    let mut context = Context::from_waker(&waker);
    session.write(&Publisher::new().batch());
    assert!(session.poll_stored(&mut context).is_pending());
    assert!(session.poll_stored(&mut context).is_pending());
    open.send(()).unwrap();
    woken.recv_timeout(LONG).unwrap();
    assert!(matches!(session.poll_stored(&mut context), Poll::Ready(Ok(1))));
    assert!(
        session.poll_stored(&mut context).is_pending(),
        "each number is told once"
    );
    assert_eq!(wake.0.load(Ordering::SeqCst), 1);
    // The end of the thread is something to hear of.
    writer.close().unwrap();
    woken.recv_timeout(LONG).unwrap();
    let Poll::Ready(Err(error)) = session.poll_stored(&mut context) else {
        panic!("it is still pending")
    };
    assert_eq!(error.kind(), StoreErrorKind::Stopped);
}

#[test]
fn what_waits_is_written_when_the_last_handle_goes() {
    let store = MemoryStore::new();
    let writer = Writer::start(store.clone()).unwrap();
    let mut session = writer.session(client_name());
    let mut publisher = Publisher::new();
    for _ in 0..100 {
        session.write(&publisher.batch());
    }
    drop((writer, session));
    assert_eq!(
        store.clone().load(&client_name()).unwrap().records.len(),
        200,
        "the thread has ended by here"
    );
}

#[test]
fn what_is_loaded_has_what_was_given_before() {
    let writer = Writer::start(MemoryStore::new()).unwrap();
    let mut session = writer.session(client_name());
    session.write(&Publisher::new().batch());
    assert_eq!(writer.load(&client_name()).unwrap().records.len(), 2);
    assert_eq!(writer.sessions().unwrap(), [client_name()]);
    session.forget();
    assert!(writer.load(&client_name()).unwrap().is_empty());
    assert_eq!(writer.sessions().unwrap(), []);
}

/// A store with a fault of its own.
struct Panicking;

impl Store for Panicking {
    fn commit(&mut self, _: &[Write]) -> Result<(), StoreError> {
        panic!("a fault of the store, on purpose")
    }

    fn sessions(&mut self) -> Result<Vec<SessionName>, StoreError> {
        Ok(Vec::new())
    }

    fn load(&mut self, _: &SessionName) -> Result<Loaded, StoreError> {
        Ok(Loaded::default())
    }

    fn brokers(&mut self) -> Result<Vec<SessionName>, StoreError> {
        Ok(Vec::new())
    }

    fn load_broker(&mut self, _: &SessionName) -> Result<Loaded<BrokerKey>, StoreError> {
        Ok(Loaded::default())
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

#[test]
fn a_store_that_panics_leaves_nobody_waiting() {
    let writer = Writer::start(Panicking).unwrap();
    let mut session = writer.session(client_name());
    session.write(&Publisher::new().batch());
    let error = session.wait_stored(LONG).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Stopped);
    writer.load(&client_name()).unwrap_err();
    writer.close().unwrap_err();
}

#[test]
fn a_session_can_be_claimed_once_at_a_time() {
    let writer = Writer::start(MemoryStore::new()).unwrap();
    let first = writer.claim(client_name()).unwrap();
    let error = writer.clone().claim(client_name()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::SessionInUse);
    assert!(error.to_string().contains("another name"), "{error}");
    // Others are free, and who does not claim is not refused.
    writer.claim(SessionName::new("other").unwrap()).unwrap();
    drop(writer.session(client_name()));
    assert!(writer.claim(client_name()).is_err());
    drop(first);
    writer.claim(client_name()).unwrap();
}

#[test]
fn a_broker_has_one_writer_at_a_time() {
    let writer = Writer::start(MemoryStore::new()).unwrap();
    let name = client_name();
    let first = writer.broker(name.clone()).unwrap();
    assert_eq!(
        writer.broker(name.clone()).unwrap_err().kind(),
        StoreErrorKind::SessionInUse
    );
    // A session of the same name is somebody else.
    let session = writer.claim(name.clone()).unwrap();
    drop(first);
    writer.broker(name).unwrap();
    drop(session);
}
