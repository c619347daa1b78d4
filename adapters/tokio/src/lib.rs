//! MQTT on tokio: a client for applications, and connections of both roles over any byte stream.
//!
//! ```no_run
//! use mqtt_tokio::{ClientOptions, Message, QoS};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = mqtt_tokio::connect(ClientOptions::from_url("mqtt://localhost")?).await?;
//! let mut lamps = client.subscribe("lamp/+/state", QoS::AtLeastOnce).await?;
//! client.publish(Message::new("lamp/1/switch", "on")?.qos(QoS::ExactlyOnce)).await?;
//! while let Some(incoming) = lamps.next().await {
//!     println!("{}: {:?}", incoming.message.topic, incoming.message.payload);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`connect`] waits for the first connection, [`start`] does not. Both keep the connection in a task of the runtime they are
//! called in; [`prepare`] leaves spawning it to the caller. See [`Client`]. [`Connection`] serves a machine of `mqtt-session` over a stream of your own, and [`Listener`]
//! accepts connections for a server. With the feature `broker`, `broker::start` runs a whole broker.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "broker")]
#[cfg_attr(docsrs, doc(cfg(feature = "broker")))]
pub mod broker;
mod connection;
mod dial;
mod listener;
mod stream;
mod task;

pub use connection::Connection;
pub use dial::{Dialer, dial_by};
pub use listener::{Accepted, Listener};
pub use mqtt_adapter as adapter;
#[cfg(feature = "store")]
#[cfg_attr(docsrs, doc(cfg(feature = "store")))]
pub use mqtt_adapter::store;
pub use mqtt_adapter::{
    Acknowledge, Acknowledged, Acknowledgement, Answering, AuthenticationError, Authenticator, Cause, Client,
    ClientLayers, ClientOptions, Clock, Completion, ConnectionState, DialError, Endpoint, Failure, Incoming,
    LayerError, OptionsError, Place, Publish, PublishError, Published, ReauthenticateError, RequestError, Requester,
    Restored, Scheme, ServerLayers, States, Statistics, Step, Stranger, SubscribeError, Subscribing, Subscription,
    TryPublishError, Unanswered, Unclaimed, Unfinished, UrlError, UrlFault,
};
#[cfg(feature = "tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub use mqtt_adapter::{ClientTrust, Identity, Tls, TlsAlert, TlsError, TlsServer, TlsSession, TlsSetupError, Trust};
#[cfg(feature = "websocket")]
#[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
pub use mqtt_adapter::{WebSocket, WebSocketError, WebSocketRefusal, WebSocketServer};
pub use mqtt_session as session;
pub use mqtt_session::{Message, QoS};
pub use stream::Io;
pub use task::{connect, connect_with, prepare, start, start_with};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../RUMQTTC.md")]
struct FromRumqttc;
