//! What a client is to be, with defaults for everything.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use mqtt_session::proto::{Binary, BinaryTooLong, Disconnect, DisconnectReason, QoS, Text, TextError, Version, Will};
use mqtt_session::{CleanStart, ClientConfig, HandOver, Limits, Loss, Reconnect, WhenFull};

use crate::authentication::Begin;
use crate::layers::Wanted;
use crate::url::Parsed;
use crate::{Endpoint, UrlError};

/// Who says that a received message has been dealt with, so that it is acknowledged to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acknowledge {
    /// It is acknowledged when the application takes it from its stream.
    #[default]
    WhenTaken,
    /// The application says so, with the [`Acknowledgement`](crate::Acknowledgement) that each message has. With a store, what
    /// an application was dealing with when its process died is told again.
    ByApplication,
}

/// What becomes of a message that belongs to no [`Subscription`](crate::Subscription) of this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unclaimed {
    /// It is acknowledged, dropped and counted.
    Drop,
    /// It waits for a subscription that it belongs to. A message of QoS 1 or 2 is not acknowledged meanwhile, or stays in the
    /// store.
    Hold,
}

/// What a client is to be, and where its server is. It is read by `connect` of an adapter.
///
/// ```
/// use std::time::Duration;
/// use mqtt_adapter::ClientOptions;
/// use mqtt_adapter::session::proto::Version;
///
/// let options = ClientOptions::from_url("mqtt://sensor:secret@broker.example")?
///     .client_id("sensor-7")?
///     .version(Version::V3_1_1)
///     .keep_alive(Duration::from_secs(30));
/// assert_eq!(options.endpoint().to_string(), "mqtt://broker.example:1883");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientOptions {
    endpoint: Endpoint,
    config: ClientConfig,
    has_client_id: bool,
    has_session_expiry: bool,
    #[cfg(feature = "store")]
    pub(crate) store: Option<mqtt_store::Writer>,
    unclaimed: Option<Unclaimed>,
    pub(crate) acknowledge: Acknowledge,
    pub(crate) publish_qos_maximum: QoS,
    pub(crate) connect_timeout: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) farewell: Disconnect<Bytes>,
    pub(crate) stream_messages: usize,
    pub(crate) held_messages: usize,
    pub(crate) held_bytes: usize,
    pub(crate) wanted: Wanted,
    pub(crate) begin_authentication: Option<Begin>,
    pub(crate) authentication_timeout: Duration,
}

/// Why options cannot be made from this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionsError {
    /// The URL is wrong.
    Url(UrlError),
    /// The client identifier, user name or authentication method is not valid text.
    Text(TextError),
    /// The password is longer than 65,535 bytes.
    Password(BinaryTooLong),
}

impl ClientOptions {
    /// A client of the server there.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        let mut config = ClientConfig::new(Bytes::new()).unwrap_or_else(|_| unreachable!("empty text is text"));
        config.seed = random();
        Self {
            endpoint,
            config,
            has_client_id: false,
            has_session_expiry: false,
            #[cfg(feature = "store")]
            store: None,
            unclaimed: None,
            acknowledge: Acknowledge::default(),
            publish_qos_maximum: QoS::ExactlyOnce,
            connect_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(5),
            farewell: Disconnect::new(DisconnectReason::NormalDisconnection),
            stream_messages: 1024,
            held_messages: 4096,
            held_bytes: 64 << 20,
            wanted: Wanted::default(),
            begin_authentication: None,
            authentication_timeout: Duration::from_secs(10),
        }
    }

    /// A client of the server on a port of a host, over TCP without TLS.
    #[must_use]
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::new(Endpoint::tcp(host, port))
    }

    /// A client of the server that the URL names: `mqtt://`, `mqtts://`, `ws://`, `wss://` or `unix:`, with a user name and a
    /// password perhaps.
    ///
    /// # Errors
    /// If the URL is wrong, or its user name or password cannot be sent.
    pub fn from_url(url: &str) -> Result<Self, OptionsError> {
        let parsed = Parsed::new(url).map_err(OptionsError::Url)?;
        let mut options = Self::new(parsed.endpoint);
        if let Some(name) = parsed.username.filter(|name| !name.is_empty()) {
            options = options.username(name)?;
        }
        if let Some(password) = parsed.password {
            options = options.password(password)?;
        }
        Ok(options)
    }

    /// Where the server is.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How long opening a stream may take: for adapters that wait for it.
    #[must_use]
    pub const fn dial_timeout(&self) -> Duration {
        self.connect_timeout
    }

    pub(crate) fn into_endpoint(self) -> Endpoint {
        self.endpoint
    }

    /// The version to speak. Default 5.0.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.config.version = version;
        self
    }

    /// The name of the client. By default the server chooses one in MQTT 5.0, and a random one is used in MQTT 3.
    ///
    /// # Errors
    /// If it is not valid text.
    pub fn client_id(mut self, id: impl Into<Bytes>) -> Result<Self, OptionsError> {
        self.config.client_id = Text::from_bytes(id.into()).map_err(OptionsError::Text)?;
        self.has_client_id = true;
        Ok(self)
    }

    /// The user name.
    ///
    /// # Errors
    /// If it is not valid text.
    pub fn username(mut self, name: impl Into<Bytes>) -> Result<Self, OptionsError> {
        self.config.username = Some(Text::from_bytes(name.into()).map_err(OptionsError::Text)?);
        Ok(self)
    }

    /// The password.
    ///
    /// # Errors
    /// If it is longer than 65,535 bytes.
    pub fn password(mut self, password: impl Into<Bytes>) -> Result<Self, OptionsError> {
        self.config.password = Some(Binary::new(password.into()).map_err(OptionsError::Password)?);
        Ok(self)
    }

    /// What the server publishes if the client vanishes.
    #[must_use]
    pub fn will(mut self, will: Will<Bytes>) -> Self {
        self.config.will = Some(will);
        self
    }

    /// After how long without a packet PINGREQ is sent, in whole seconds. Default 60 s. Zero turns it off.
    #[must_use]
    pub fn keep_alive(mut self, time: Duration) -> Self {
        self.config.keep_alive_seconds = u16::try_from(time.as_secs()).unwrap_or(u16::MAX);
        self
    }

    /// How long the server keeps the session without a connection, in whole seconds; from 4,294,967,295 on for ever. Default
    /// one hour, and for ever with a store. MQTT 3 knows only zero and for ever.
    #[must_use]
    pub fn session_expiry(mut self, time: Duration) -> Self {
        self.has_session_expiry = true;
        self.config.session_expiry_seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        self
    }

    /// How the session begins. By default the first connection begins it anew, since nothing is known of an earlier life,
    /// and all further ones go on with it. With a store that has a session the first one goes on with it too.
    #[must_use]
    pub fn clean_start(mut self, clean_start: CleanStart) -> Self {
        self.config.clean_start = clean_start;
        self
    }

    /// When a connection is opened again. By default after half a second, and then after longer and longer, up to a minute,
    /// without end. What cannot succeed is not tried again: see [`Failure`](crate::Failure).
    #[must_use]
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.config.reconnect = reconnect;
        self
    }

    /// What becomes of messages in flight when the server has lost the session.
    #[must_use]
    pub fn loss(mut self, loss: Loss) -> Self {
        self.config.loss = loss;
        self
    }

    /// What `try_publish` does when the queue is full; `publish` waits until it is not, if messages are refused.
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.config.when_full = when_full;
        self
    }

    /// The bounds of the machine: sizes of packets and queues, windows, timeouts.
    ///
    /// Three of them are not taken as they are:
    /// - `whole_packet_bytes` counts as `u32::MAX`: this client tells messages whole, so `packet_bytes` is the bound of their size. A payload in
    ///   parts takes the machine itself, over a `Connection` of an adapter.
    /// - `events` is at least 4096, so that all that one read brings fits. What waits in the streams is bounded by
    ///   [`stream_messages`](Self::stream_messages), [`held_messages`](Self::held_messages) and [`held_bytes`](Self::held_bytes).
    /// - `receive_maximum` counts as 65,535 with MQTT 3, whose servers cannot be told it: `held_messages` is the bound there.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Everything else that the machine can be told. The options above are fields of it. For its `limits` the same is true as for
    /// [`limits`](Self::limits); `is_stored` and `hand_over` say whether there is a store.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(ClientConfig) -> ClientConfig) -> Self {
        let before = self.config.session_expiry_seconds;
        self.config = change(self.config);
        self.has_session_expiry |= self.config.session_expiry_seconds != before;
        self
    }

    /// The highest QoS that the server takes, where it cannot say so itself: a server of MQTT 3 that has no QoS 2 closes the
    /// connection, again and again, while the message waits for its end. Messages above it are refused with
    /// [`Capability::QoS`](mqtt_session::Capability) instead. Default 2.
    #[must_use]
    pub const fn publish_qos_maximum(mut self, qos: QoS) -> Self {
        self.publish_qos_maximum = qos;
        self
    }

    /// Who acknowledges received messages. Default: it is done when they are taken.
    #[must_use]
    pub fn acknowledge(mut self, acknowledge: Acknowledge) -> Self {
        self.acknowledge = acknowledge;
        self
    }

    /// What becomes of messages that belong to no subscription. By default they are dropped, unless the first connection goes
    /// on with a session of an earlier life, or there is a store: then they wait for the subscription to be made again.
    #[must_use]
    pub fn unclaimed(mut self, unclaimed: Unclaimed) -> Self {
        self.unclaimed = Some(unclaimed);
        self
    }

    /// TLS as it is to be for `mqtts://` and `wss://`. By default the authorities that this machine trusts are trusted, which are
    /// read at the first connection, and no certificate is shown.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn tls(mut self, tls: crate::Tls) -> Self {
        self.wanted.tls = Some(tls);
        self
    }

    /// WebSocket as it is to be for `ws://` and `wss://`.
    #[cfg(feature = "websocket")]
    #[cfg_attr(docsrs, doc(cfg(feature = "websocket")))]
    #[must_use]
    pub fn websocket(mut self, websocket: crate::WebSocket) -> Self {
        self.wanted.websocket = Some(websocket);
        self
    }

    /// How long opening a stream may take, with the handshakes of TLS and WebSocket. Default 10 s. In no time nothing is opened: zero is no way to have no bound,
    /// [`Duration::MAX`] is.
    #[must_use]
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = time;
        self
    }

    /// How long the client goes on with what was published, once the last handle has been dropped. Default 5 s.
    #[must_use]
    pub fn drain_timeout(mut self, time: Duration) -> Self {
        self.drain_timeout = time;
        self
    }

    /// What the client says when it goes and everything has ended, since MQTT 5.0: a Session Expiry Interval of zero takes the
    /// session with it, and the reason [`DisconnectWithWill`](DisconnectReason::DisconnectWithWill) lets the server publish the
    /// will. A client that goes before everything has ended, or is aborted, says nothing of it, and its session stays.
    #[must_use]
    pub fn farewell(mut self, farewell: Disconnect<Bytes>) -> Self {
        self.farewell = farewell;
        self
    }

    /// How many messages of QoS 0 wait in the stream of one subscription. Default 1024. Further ones are dropped and counted.
    #[must_use]
    pub fn stream_messages(mut self, messages: usize) -> Self {
        self.stream_messages = messages;
        self
    }

    /// How many messages the application may leave in its streams altogether. Default 4096. At the bound messages of QoS 0
    /// are dropped and counted; at one of QoS 1 or 2 the connection is closed, and the server goes on with the next one. What the same read has brought is kept
    /// beyond the bound. An
    /// application that is behind by more than this sees messages of QoS 1 again and again, so it is to be larger than the
    /// window of the server.
    /// MQTT 5.0 comes nowhere near: there the server keeps to `receive_maximum` of [`Limits`]. With a store `inbox_messages` is
    /// the bound of QoS 1 and 2, and no connection is closed for it.
    #[must_use]
    pub fn held_messages(mut self, messages: usize) -> Self {
        self.held_messages = messages;
        self
    }

    /// The same in bytes of topics and payloads. Default 64 MiB.
    #[must_use]
    pub fn held_bytes(mut self, bytes: usize) -> Self {
        self.held_bytes = bytes;
        self
    }

    #[cfg(feature = "store")]
    const fn is_durable(&self) -> bool {
        self.store.is_some()
    }

    #[cfg(not(feature = "store"))]
    #[allow(clippy::unused_self, reason = "as with a store")]
    const fn is_durable(&self) -> bool {
        false
    }

    pub(crate) fn unclaimed_policy(&self) -> Unclaimed {
        self.unclaimed.unwrap_or(match self.config.clean_start {
            CleanStart::Never => Unclaimed::Hold,
            _ if self.is_durable() => Unclaimed::Hold,
            _ => Unclaimed::Drop,
        })
    }

    /// What the machine is told.
    pub(crate) fn machine_config(&self) -> ClientConfig {
        let mut config = self.config.clone();
        config.is_stored = self.is_durable();
        // Either way a message has been handed over when it is taken from its stream, or when the application says so.
        config.hand_over = match config.is_stored {
            true => HandOver::Inbox,
            false => HandOver::Manual,
        };
        if config.is_stored && !self.has_session_expiry {
            config.session_expiry_seconds = u32::MAX;
        }
        if config.version.has_properties() {
            return config;
        }
        // A server of MQTT 3 cannot be told a window. A machine that stops reading at one would not see the answers to
        // what the application publishes before it takes the next message; `held_messages` is the bound instead.
        config.limits.receive_maximum = u16::MAX;
        if !self.has_client_id && !config.is_stored && config.client_id.is_empty() {
            // Without a name there is no session to go on with.
            let name = format!("mqtt{:016x}", random());
            config.client_id = Text::from_bytes(Bytes::from(name)).unwrap_or(config.client_id);
        }
        config
    }
}

/// Passwords are not shown: the configuration hides them.
impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("endpoint", &self.endpoint)
            .field("client_id", &self.config.client_id)
            .field("version", &self.config.version)
            .field("acknowledge", &self.acknowledge)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Text(error) => write!(f, "the client identifier, user name or authentication method {error}"),
            Self::Password(_) => f.write_str("the password is longer than 65535 bytes"),
        }
    }
}

impl std::error::Error for OptionsError {}

/// A number that is another one at each call: the standard library seeds its hash maps from the operating system.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_mqtt_3_has_a_name_of_its_own() {
        let options = ClientOptions::tcp("localhost", 1883).version(Version::V3_1_1);
        let (one, other) = (options.machine_config().client_id, options.machine_config().client_id);
        assert_eq!((one.len(), other.len()), (20, 20));
        assert_ne!(one, other);
        let named = options.client_id("a").map(|options| options.machine_config().client_id);
        assert!(named.is_ok_and(|id| id == "a"));
        assert!(
            ClientOptions::tcp("localhost", 1883)
                .machine_config()
                .client_id
                .is_empty()
        );
    }

    #[test]
    fn the_url_gives_name_and_password() {
        let config = ClientOptions::from_url("mqtt://a:b@host").map(|options| options.machine_config());
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        assert!(config.username.is_some_and(|name| name == "a"));
        assert!(config.password.is_some_and(|password| password.as_bytes() == b"b"));
        let config = ClientOptions::from_url("mqtt://host").map(|options| options.machine_config());
        assert!(config.is_ok_and(|config| config.username.is_none() && config.password.is_none()));
    }

    #[test]
    fn a_password_is_not_shown() {
        let options = ClientOptions::from_url("mqtt://a:secret@host");
        assert!(!format!("{options:?}").contains("secret"));
    }

    #[test]
    fn messages_of_an_earlier_life_wait_for_their_subscription() {
        let options = ClientOptions::tcp("localhost", 1883);
        assert_eq!(options.unclaimed_policy(), Unclaimed::Drop);
        let options = options.clean_start(CleanStart::Never);
        assert_eq!(options.unclaimed_policy(), Unclaimed::Hold);
        assert_eq!(options.unclaimed(Unclaimed::Drop).unclaimed_policy(), Unclaimed::Drop);
    }

    #[cfg(feature = "store")]
    #[test]
    fn a_durable_client_keeps_its_session_for_ever_unless_it_is_told_otherwise() {
        let writer = mqtt_store::Writer::start(mqtt_store::MemoryStore::new());
        let writer = writer.unwrap_or_else(|error| panic!("{error}"));
        let options = ClientOptions::tcp("localhost", 1883);
        let seconds = |options: &ClientOptions| options.machine_config().session_expiry_seconds;
        assert_eq!(seconds(&options), 3600);
        let durable = options.store(&writer);
        assert_eq!(seconds(&durable), u32::MAX);
        assert!(durable.machine_config().is_stored);
        assert_eq!(durable.machine_config().hand_over, HandOver::Inbox);
        assert_eq!(durable.unclaimed_policy(), Unclaimed::Hold);
        let hour = Duration::from_secs(3600);
        assert_eq!(seconds(&durable.clone().session_expiry(hour)), 3600);
        assert_eq!(
            seconds(&durable.configure(|config| config.session_expiry_seconds(0))),
            0
        );
    }
}
