//! Sans-IO MQTT state machines: bytes and time go in, actions come out.
//!
//! [`Client`] is one client over any number of connections. [`ServerConnection`] is one accepted connection, for those who
//! write a broker or a proxy; its [`Session`] outlives it. Neither has a socket, a clock, a thread or randomness of its own. A
//! driver gives them bytes and the time, and takes from them bytes to send, events to tell, batches to store and one
//! deadline to wake at. MQTT 5.0, 3.1.1 and 3.1; QoS 0, 1 and 2 in both directions, by the same code in both roles.
//!
//! # The run loop
//!
//! [`Driver`] knows the order in which a machine is served. Here a client and a server run side by side, without a network:
//!
//! ```
//! use bytes::{Buf, BufMut};
//! use mqtt_session::{
//!     Accept, Client, ClientConfig, Driver, Event, Instant, Message, Next, QoS, ServerConfig, ServerConnection, ServerEvent,
//! };
//!
//! let now = Instant::from_secs(1);
//! let mut client = Driver::new(Client::new(ClientConfig::new("sensor-7")?, now));
//! let mut server = Driver::accepted(ServerConnection::new(ServerConfig::default(), now));
//! let (mut acknowledged, mut arrived) = (false, None);
//!
//! // A message may be published at any time: it waits until there is a connection.
//! client.machine_mut().publish(now, Message::new("home/temperature", "21.5")?.qos(QoS::ExactlyOnce), 7)?;
//!
//! while !acknowledged {
//!     // What an adapter does for a client, again and again.
//!     match client.next(now) {
//!         Next::Event(Event::Open) => client.opened(now), // open a stream to the server first
//!         Next::Event(Event::Completed { tag: 7, outcome, .. }) => {
//!             println!("{outcome:?}");
//!             acknowledged = true;
//!         }
//!         Next::Event(_) => {}
//!         Next::Store(_) => {} // write the batch; this client has no store
//!         Next::Wait(_) => {
//!             // Wait for the stream, the deadline or the application. Here: what one end writes, the other one reads.
//!             while !client.output().is_empty() {
//!                 let output = client.output().len();
//!                 server.read_buffer().put_slice(client.output());
//!                 client.wrote(output);
//!             }
//!             server.received(now);
//!         }
//!         _ => {}
//!     }
//!     // And for a server.
//!     match server.next(now) {
//!         Next::Event(ServerEvent::Connect(connect)) => {
//!             println!("{} connects", connect.client_id);
//!             server.machine_mut().accept(now, Accept::new())?;
//!         }
//!         Next::Event(ServerEvent::Message(received)) => arrived = Some(received.message.payload),
//!         Next::Event(ServerEvent::Closed { reason, .. }) => println!("{reason}"),
//!         Next::Wait(_) => {
//!             while !server.output().is_empty() {
//!                 let output = server.output().len();
//!                 client.read_buffer().put_slice(server.output());
//!                 server.wrote(output);
//!             }
//!             client.received(now);
//!         }
//!         _ => {}
//!     }
//! }
//! assert_eq!(arrived.unwrap(), "21.5");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`guide`] shows an adapter for a real stream, line by line.
//!
//! # QoS 2, both ends
//!
//! ```text
//!  sender                                                    receiver
//!  publish ── stored: message, id ──> PUBLISH ─────────────> known id? answer, and forget it
//!                                                            stored: id and message, in one batch
//!  stored: released, message gone <──────────────── PUBREC <── handed over
//!            │
//!            └──────────────────────> PUBREL ─────────────> stored: id is free
//!  completed <───────────────────────────────────── PUBCOMP <──┘
//! ```
//!
//! QoS 1 is the first line, and PUBACK in the place of PUBREC. Each arrow that crosses leaves when the record before it is
//! durable, and on the connection whose packet it answers. After a cut the sender begins again with the last arrow of its
//! own: PUBLISH with DUP, or PUBREL.
//!
//! # What lives how long
//!
//! | as long as the connection | as long as the session |
//! |---|---|
//! | framing, topic aliases, quota, keep-alive, limits that the peer announced | messages on their way out, their order and identifiers |
//! | the line of acknowledgements, answers that wait | identifiers of QoS 2 that the peer uses |
//! | hand-overs of QoS 1 | hand-overs of QoS 2, the inbox |
//! | a payload that is half received or half sent | messages that wait for their source |
//!
//! A session begins anew where one end knows nothing of it: [`CleanStart`] says what a client does, and a server hands a
//! session in with its answer or leaves it out ([`Accept`]). It ends when the client asks for that, with the connection where
//! the client has asked for no more, or when the time that the client asked for has passed without one:
//! [`Session::ends_at`] tells when, and its operations end then. A store without a record of a session counts as no session;
//! what else it holds is not lost, and what stands in the inbox stays until it is acknowledged.
//!
//! # What is promised
//!
//! In memory: a message of QoS 1 or 2 is sent until the peer has it, over any number of connections, as long as this value
//! lives. With a store whose flush is honest: once PUBACK, PUBREC or PUBCOMP is sent, neither the end of the process nor a
//! crash of the kernel nor the loss of power loses an acknowledged message or makes a second one of a message of QoS 2; and what `publish` took is sent
//! when its batch is durable. Not covered are the loss of the disk, caches that lie, QoS 0, and sessions that end with their
//! connection.
//!
//! The promise ends where the message is handed over; [`HandOver`] says where that is. With [`HandOver::Inbox`] a received
//! message is told under one [`DeliveryId`], again after a restart, until it is acknowledged. A host that keeps that number
//! in the transaction of its own effect has exactly-once into its database.
//!
//! # What it costs
//!
//! In the steady state sending and receiving allocate nothing, as long as the host drops the messages that it got. Small
//! received messages share blocks of memory; a host that keeps one for long copies it.
//!
//! # What bad input gets
//!
//! A peer that breaks the protocol gets a DISCONNECT or CONNACK that says why, and the host one last event with the
//! statement that was broken: [`Closed`]. A mistake of the caller is a typed error, and nothing has changed. A damaged record
//! is reported, and the rest is restored.
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
#[cfg(feature = "broker")]
mod broker;
mod capabilities;
mod client;
mod closed;
mod deadlines;
mod driver;
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
mod queue;
mod random;
mod rest;
mod server;
mod session;
mod shared;
mod slab;
mod store;
mod time;
mod timers;
mod wire;

#[cfg(feature = "broker")]
pub use broker::{
    Ask, Broker, BrokerBatch, BrokerBound, BrokerChange, BrokerConfig, BrokerEvent, BrokerKey, BrokerLimits,
    BrokerRecord, BrokerReport, BrokerRestore, ClientRecord, ConnectionId, Cursor, Figure, FigureKind, Figures,
    ForwardId, ForwardRecord, LocalError, LocalId, MessageView, Origin, Overlap, Party, PayloadId, PeerMessage,
    PeerPublish, QuestionId, ReplayRecord, RetainedCursor, RetainedView, Scope, SessionId, SessionView, ShardId,
    Shards, Share, SubscriptionRecord, SubscriptionView, Verdict, WillRecord,
};
pub use capabilities::Capabilities;
pub use client::{
    AuthenticateError, Authentication, CleanStart, Client, ClientConfig, ClientRestore, Event, RequestError,
};
pub use closed::{Closed, Statement, Violation};
pub use driver::{Driver, Machine, Next, Wait};
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
    #[cfg(feature = "broker")]
    shared_freely::<(Broker, BrokerBatch, BrokerRestore)>();
};

#[doc = include_str!("../GUIDE.md")]
pub mod guide {}

#[cfg(feature = "broker")]
#[doc = include_str!("../BROKER.md")]
pub mod broker_guide {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
