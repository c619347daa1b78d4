//! A sans-IO MQTT client: bytes and time go in, actions come out.
//!
//! [`Client`] is a state machine. It has no socket, no clock, no thread and no randomness of its own; a driver gives it
//! bytes and the time, and takes from it bytes to send, events to tell, batches to store and one deadline to wake at.
//!
//! # The run loop
//!
//! ```
//! use mqtt_session::{Batch, Client, ClientConfig, Event, Instant, Message, Outbox, QoS};
//!
//! let now = Instant::from_secs(1);
//! let mut client = Client::new(ClientConfig::new("sensor-7")?, now);
//! let mut outbox = Outbox::default();
//! let mut batch = Batch::new();
//!
//! // A message may be published at any time: it waits until there is a connection.
//! client.publish(now, Message::new("home/temperature", "21.5")?.qos(QoS::AtLeastOnce), 7)?;
//!
//! // What a driver does, again and again:
//! // 1. Due timers.
//! if client.poll_timeout().is_some_and(|timeout| timeout.at <= now) {
//!     client.handle_timeout(now);
//! }
//! // 2. Batches for the store, if there is one; `handle_stored` tells when they are durable.
//! while client.poll_store(&mut batch) {
//!     client.handle_stored(now, batch.number());
//! }
//! // 3. Bytes for the stream.
//! client.poll_transmit(&mut outbox);
//! // 4. Events.
//! while let Some(event) = client.poll_event() {
//!     match event {
//!         Event::Open => client.handle_open(now), // a stream to the server was opened
//!         Event::Message(received) => println!("{:?}", received.message.topic),
//!         Event::Completed { tag, outcome, .. } => println!("{tag}: {outcome:?}"),
//!         Event::Closed { reason, .. } => println!("{reason}"),
//!         _ => {}
//!     }
//! }
//! // 5. Wait: for the stream, the deadline or the application. Bytes that came go to `handle_input`.
//! client.poll_transmit(&mut outbox);
//! let mut received = &b"\x20\x03\x00\x00\x00"[..]; // CONNACK
//! client.handle_input(now, &mut received);
//! assert!(client.is_connected() && received.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What lives how long
//!
//! | as long as the connection | as long as the session |
//! |---|---|
//! | framing, topic aliases, quota, keep-alive, what the server said of itself | messages on their way out |
//! | the line of acknowledgements | identifiers of QoS 2 that the server uses |
//! | hand-overs of QoS 1 | hand-overs of QoS 2, the inbox |
//!
//! # What is promised
//!
//! Without a store: a message of QoS 1 or 2 is sent until the server has it, over any number of connections, as long as
//! this value lives. With a store, also over restarts: each acknowledgement that leaves, and each first sending, waits for
//! the batch that it depends on. With [`HandOver::Inbox`] a received message is told under one [`DeliveryId`], again after
//! a restart, until it is acknowledged.
//!
//! # What it costs
//!
//! In the steady state sending and receiving allocate nothing, as long as the host drops the messages that it got. Small
//! received messages share blocks of memory; a host that keeps one for long copies it.
//!
//! # What bad input gets
//!
//! A server that breaks the protocol gets a DISCONNECT that says why, and the host one [`Event::Closed`] with the
//! statement. A mistake of the caller is a typed error, and nothing has changed. A damaged record is reported, and the rest
//! is restored.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The same inputs give the same outputs: nothing here asks a clock, a source of randomness or the order of a hash map.
#![deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::iter_over_hash_type)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod alias;
mod capabilities;
mod client;
mod closed;
mod deadlines;
mod fingerprint;
mod flow;
mod framing;
mod id_map;
mod ids;
mod journal;
mod limits;
mod message;
mod op;
mod outbox;
mod pacing;
mod qos;
mod random;
mod server;
mod session;
mod slab;
mod store;
mod time;
mod timers;
mod wire;

pub use capabilities::Capabilities;
pub use client::{
    AuthenticateError, Authentication, CleanStart, Client, ClientConfig, ClientRestore, Event, RequestError,
};
pub use closed::{Closed, Violation};
pub use limits::{Limits, WhenFull};
pub use message::{DeliveryId, HandOver, Message, Received};
pub use mqtt_proto as proto;
pub use mqtt_proto::QoS;
pub use op::{AcknowledgeError, Capability, Limit, Op, Outcome, PublishError, SupplyError};
pub use outbox::Outbox;
pub use pacing::Reconnect;
pub use qos::Loss;
pub use server::{
    Accept, AcceptError, AcceptErrorKind, AnswerError, RequestId, ServerConfig, ServerConnection, ServerEvent,
};
pub use session::{LiveOp, Quarantined, RestoreReport, Session, SessionConfig, SessionEvent, SessionRestore};
pub use store::{
    Batch, Change, InboxRecord, IncomingRecord, Key, MessageRecord, OutgoingRecord, OutgoingState, PayloadOf, Record,
    RecordError, SessionRecord,
};
pub use time::Instant;
pub use timers::{Timeout, Timer};

/// A machine can be sent to and shared with other threads.
const _: fn() = || {
    fn shared_freely<T: Send + Sync>() {}
    shared_freely::<Client>();
    shared_freely::<ServerConnection>();
    shared_freely::<Session>();
    shared_freely::<Outbox>();
    shared_freely::<Batch>();
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
