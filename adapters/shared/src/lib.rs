//! What the MQTT adapters for tokio, smol and blocking sockets share.
//!
//! Use this crate by way of an adapter (`mqtt-tokio`, `mqtt-smol`, `mqtt-std`), which re-exports what its users need. Use it
//! directly to write an adapter for another runtime: implement [`Transport`] for its streams, a [`Dial`] that opens them, and
//! poll a [`Keeper`] in a task.
//!
//! | | |
//! |---|---|
//! | [`Client`] | the handle of an application, the same for all runtimes: its futures need wakers and no runtime |
//! | [`Keeper`] | keeps the connection of a client; an adapter polls it, and sleeps until its deadline |
//! | [`Channel`] | a stream joined to a [`Driver`](mqtt_session::Driver): for whoever serves a machine itself |
//! | [`ClientOptions`], [`Endpoint`] | what a client is to be, and where its server is |
//! | [`Failure`] | why there is no connection: what happened, where, and what to try |
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod authentication;
mod channel;
mod client;
mod clock;
mod failure;
#[cfg(feature = "broker")]
#[cfg_attr(docsrs, doc(cfg(feature = "broker")))]
pub mod host;
mod layers;
mod link;
mod options;
mod places;
mod transport;
mod url;

pub use authentication::{Answering, AuthenticationError, Authenticator, Unanswered};
pub use channel::{Channel, Step};
pub use client::{
    Acknowledged, Acknowledgement, AnyStream, Client, Completion, ConnectionState, Dial, Dialing, Incoming, Keeper,
    Publish, PublishError, Published, ReauthenticateError, RequestError, Requester, Restored, States, Statistics,
    SubscribeError, Subscribing, Subscription, TryPublishError, Unfinished,
};
pub use clock::Clock;
pub use failure::{Cause, DialError, Failure, Stranger};
#[cfg(feature = "tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub use layers::tls::{ClientTrust, Identity, Tls, TlsAlert, TlsError, TlsServer, TlsSession, TlsSetupError, Trust};
#[cfg(feature = "websocket")]
#[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
pub use layers::websocket::{WebSocket, WebSocketError, WebSocketRefusal, WebSocketServer};
pub use layers::{Carrier, ClientLayers, LayerError, ServerLayers};
pub use link::Link;
pub use mqtt_session as session;
#[cfg(feature = "store")]
#[cfg_attr(docsrs, doc(cfg(feature = "store")))]
pub use mqtt_store as store;
pub use options::{Acknowledge, ClientOptions, OptionsError, Unclaimed};
pub use places::{AcceptFault, Place, Places};
pub use transport::Transport;
pub use url::{Endpoint, Scheme, UrlError, UrlFault};
