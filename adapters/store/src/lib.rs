//! Stores for durable MQTT sessions and brokers: the medium for the batches of [`mqtt_session`].
//!
//! A machine with a store says, batch by batch, what has to become durable, and withholds what depends on it: `publish` of a
//! client, PUBACK, PUBREC and PUBCOMP of either side. A [`Store`] is where batches go. There is one in memory,
//! [`MemoryStore`], and one in a file, [`FileStore`]; both hold any number of sessions and brokers, by [`SessionName`]. A [`Writer`] is a
//! thread with a store on it, for hosts that have something else to do than to wait for a flush: blocking ones and
//! asynchronous ones alike, since it knows no runtime.
//!
//! ```text
//!  poll_store ── batch ──> SessionWriter ── queue ──> thread: a group, one flush ──> Store
//!  handle_stored <── number ── waker, or wait <──────────────┘
//! ```
//!
//! # A durable client
//!
//! The loop of a client whose store is a file. It restores what an earlier life left behind, serves the machine by its
//! [`Driver`](mqtt_session::Driver), and hears of the store in between; `server` is a server in memory here, and a stream
//! elsewhere. The message is acknowledged to the application once the server has it; and if the power had failed at any
//! moment after its batch was durable, the next life would have sent it.
//!
//! ```
//! use std::time::Duration;
//! # use bytes::BufMut;
//! use mqtt_session::{Client, ClientConfig, Driver, Event, HandOver, Instant, Message, Next, QoS};
//! # use mqtt_session::{Accept, ServerConfig, ServerConnection, ServerEvent};
//! use mqtt_store::{FileStore, SessionName, Writer};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("sessions.redb");
//! // A clock that goes on after a restart, so that stored deadlines keep their meaning.
//! let now = Instant::from_secs(1_700_000_000);
//! let writer = Writer::start(FileStore::open(&path)?)?;
//! let mut store = writer.session(SessionName::new("sensor-7")?);
//!
//! let config = ClientConfig::new("sensor-7")?.hand_over(HandOver::Inbox);
//! let mut restore = Client::restore(config, now);
//! writer.load(store.name())?.into_client(&mut restore);
//! let (client, report) = restore.finish();
//! println!("{} messages go on, {} records are lost", report.live.len(), report.quarantined.len());
//!
//! let mut client = Driver::new(client);
//! client.machine_mut().publish(now, Message::new("home/temperature", "21.5")?.qos(QoS::ExactlyOnce), 7)?;
//! # let mut server = Driver::accepted(ServerConnection::new(ServerConfig::default(), now));
//! let mut is_acknowledged = false;
//! while !is_acknowledged {
//!     match client.next(now) {
//!         // The batch goes to the thread, and everything else goes on.
//!         Next::Store(batch) => store.write(batch),
//!         Next::Event(Event::Open) => client.opened(now),
//!         Next::Event(Event::Completed { tag: 7, .. }) => is_acknowledged = true,
//!         Next::Event(_) => {}
//!         Next::Wait(_) => {
//! #           while !client.output().is_empty() {
//! #               let len = client.output().len();
//! #               server.read_buffer().put_slice(client.output());
//! #               client.wrote(len);
//! #           }
//! #           server.received(now);
//! #           loop {
//! #               match server.next(now) {
//! #                   Next::Event(ServerEvent::Connect(_)) => server.machine_mut().accept(now, Accept::new())?,
//! #                   Next::Wait(_) => break,
//! #                   _ => {}
//! #               }
//! #           }
//! #           while !server.output().is_empty() {
//! #               let len = server.output().len();
//! #               client.read_buffer().put_slice(server.output());
//! #               server.wrote(len);
//! #           }
//! #           client.received(now);
//!             // Wait for the stream, the deadline, the application and the store together: with `poll_stored` in a task,
//!             // or with a waker of one's own in an event loop. Here there is only the store.
//!             match store.wait_stored(Duration::from_millis(1)) {
//!                 Ok(Some(number)) => client.machine_mut().handle_stored(now, number),
//!                 Ok(None) => {}
//!                 Err(error) => {
//!                     eprintln!("{error}");
//!                     client.machine_mut().handle_store_failed(now);
//!                     break;
//!                 }
//!             }
//!         }
//!         _ => {}
//!     }
//! }
//! assert!(is_acknowledged);
//! writer.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A durable broker
//!
//! A broker has a name in the store, and all of its sessions, subscriptions and retained messages are its records. One
//! batch has what changed since the last one, whatever the number of sessions, and one flush covers all batches that
//! wait. What depends on a batch waits for it within the broker: here CONNACK, which promises a session.
//!
//! ```
//! use std::time::Duration;
//! use bytes::Buf;
//! use mqtt_session::{Broker, BrokerBatch, BrokerConfig, Instant, Outbox};
//! use mqtt_store::{FileStore, SessionName, Writer};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("broker.redb");
//! let now = Instant::from_secs(1_700_000_000);
//! for sessions in [0, 1] {
//!     // Each life begins with what the one before has stored. What is damaged is reported, and the rest goes on.
//!     let store = FileStore::open(&path)?;
//!     if let Some(salvaged) = store.salvaged() {
//!         eprintln!("the file was damaged and is kept as {}", salvaged.moved_to.display());
//!     }
//!     let writer = Writer::start(store)?;
//!     let mut store = writer.broker(SessionName::new("broker")?)?;
//!     let mut restore = Broker::restore(BrokerConfig::new(7), now);
//!     store.load()?.into_broker(&mut restore)?;
//!     let (mut broker, report) = restore.finish();
//!     assert_eq!((report.sessions, report.quarantined.len()), (sessions, 0));
//!
//!     // CONNECT of a client that is called "c", MQTT 3.1.1, whose session outlives its connection.
//!     let connection = broker.handle_open(now).expect("there is room");
//!     broker.handle_input(now, connection, &mut &b"\x10\x0D\0\x04MQTT\x04\0\0\x3C\0\x01c"[..]);
//!
//!     // The loop of a host: everything that is to be stored goes to the thread, and what is durable is told to the broker.
//!     let mut batch = BrokerBatch::new();
//!     let mut outbox = Outbox::default();
//!     while outbox.is_empty() {
//!         while broker.poll_store(&mut batch) {
//!             store.write(&batch);
//!         }
//!         match store.wait_stored(Duration::from_millis(1)) {
//!             Ok(Some(number)) => broker.handle_stored(now, number),
//!             Ok(None) => {}
//!             Err(error) => {
//!                 eprintln!("{error}");
//!                 broker.handle_store_failed(now);
//!             }
//!         }
//!         while let Some(ready) = broker.poll_ready() {
//!             broker.poll_transmit(ready, &mut outbox);
//!         }
//!     }
//!     // CONNACK says whether there was a session.
//!     let connack = outbox.copy_to_bytes(outbox.len());
//!     assert_eq!(connack[..], [0x20, 2, u8::try_from(sessions)?, 0]);
//!     drop(store);
//!     writer.close()?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is promised
//!
//! - A batch is there or not, as a whole, and what is there is a prefix of the order in which batches were given: across all
//!   sessions and brokers of a store, not only within one.
//! - What is confirmed survives what its [`Durability`] says. With [`Durability::Sync`], the default: once PUBACK, PUBREC or
//!   PUBCOMP is sent, neither `kill -9`, nor a kernel crash, nor power loss of this host loses an acknowledged message or
//!   creates a QoS 2 duplicate, given storage that honours flush.
//! - A failed flush is fatal: the store confirms nothing again until it is opened anew. Every session and broker hears of it.
//! - A damaged record is lost alone, and said to be lost: see [`FileStore`]. Bytes that were not written are never given out as a
//!   record, within what checksums of 32 and of 128 bits can tell.
//!
//! # What bad input gets
//!
//! A [`StoreError`] says what happened, where, and what to try: a file that another process has open, a full disk, a failed
//! flush, a file of another format or of another program. A file that is refused is as it was.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod durability;
mod error;
mod file;
mod memory;
mod name;
mod store;
mod writer;

pub use durability::Durability;
pub use error::{StoreError, StoreErrorKind};
pub use file::{Compaction, FORMAT_VERSION, FileOptions, FileReader, FileStore, Medium, Salvaged, Snapshot};
pub use memory::MemoryStore;
pub use name::{NameTooLong, SessionName};
pub use store::{Action, Loaded, Store, Stored, Write};
pub use writer::{BatchWriter, BrokerWriter, RecordKey, SessionWriter, Writer};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
