//! MQTT on blocking sockets: a client for applications, and connections of both roles, without an async runtime.
//!
//! ```no_run
//! use mqtt_std::{ClientOptions, Message, QoS};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = mqtt_std::connect(ClientOptions::from_url("mqtt://localhost")?)?;
//! let lamps = client.subscribe("lamp/+/state", QoS::AtLeastOnce)?;
//! client.publish(Message::new("lamp/1/switch", "on")?.qos(QoS::ExactlyOnce))?;
//! for incoming in lamps {
//!     println!("{}: {:?}", incoming.message.topic, incoming.message.payload);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`connect`] waits for the first connection, [`start`] does not. Both keep the connection in one thread: see [`Client`].
//! [`Connection`] serves a machine of `mqtt-session` over a stream of your own, and [`Listener`] accepts connections for a
//! server. Both wait by what the system has for it (`epoll`, `kqueue` and so on, by way of `polling`), so a command of another
//! thread is not kept waiting. What the system cannot wait for, such as a serial port, goes in slices: see [`Sliced`]. With
//! the feature `broker`, `broker::start` runs a whole broker.
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod blocking;
#[cfg(feature = "broker")]
#[cfg_attr(docsrs, doc(cfg(feature = "broker")))]
pub mod broker;
mod client;
mod connection;
mod dial;
mod keeping;
mod listener;
mod reactor;
mod sliced;
mod stream;

pub use blocking::{block_on, block_on_within};
pub use client::{Client, Requester, States, Subscription, connect, connect_with, start, start_with};
pub use connection::{Connection, Waited};
pub use listener::{Accepted, Listener};
pub use mqtt_adapter as adapter;
#[cfg(feature = "store")]
#[cfg_attr(docsrs, doc(cfg(feature = "store")))]
pub use mqtt_adapter::store;
pub use mqtt_adapter::{
    Acknowledge, Acknowledged, Acknowledgement, Answering, AuthenticationError, Authenticator, Cause, ClientLayers,
    ClientOptions, Clock, Completion, ConnectionState, DialError, Endpoint, Failure, Incoming, LayerError,
    OptionsError, Place, PublishError, Published, ReauthenticateError, RequestError, Restored, Scheme, ServerLayers,
    Statistics, Step, Stranger, SubscribeError, Subscribing, TryPublishError, Unanswered, Unclaimed, Unfinished,
    UrlError, UrlFault,
};
#[cfg(feature = "tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub use mqtt_adapter::{ClientTrust, Identity, Tls, TlsAlert, TlsError, TlsServer, TlsSession, TlsSetupError, Trust};
#[cfg(feature = "websocket")]
#[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
pub use mqtt_adapter::{WebSocket, WebSocketError, WebSocketRefusal, WebSocketServer};
pub use mqtt_session as session;
pub use mqtt_session::{Message, QoS};
pub use sliced::Sliced;
pub use stream::Stream;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
