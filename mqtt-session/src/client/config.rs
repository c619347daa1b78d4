//! What a client is to be.

use bytes::Bytes;
use mqtt_proto::{Binary, Policy, QoS, Text, TextError, Version, Will};

use crate::{HandOver, Limits, Loss, Reconnect, WhenFull};

/// Enhanced authentication, since MQTT 5.0: a method that both ends know, and its first data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// The name of the method.
    pub method: Text<Bytes>,
    /// What CONNECT says in it.
    pub data: Option<Binary<Bytes>>,
}

/// How a client begins its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CleanStart {
    /// A client that knows nothing of an earlier life begins anew, and resumes from then on: one without a store, or whose
    /// store has no record of a session. One that was restored with such a record resumes.
    ///
    /// Before MQTT 5.0 a session that begins anew ends with its connection, so the session that is kept begins with the second
    /// connection, of this life or the next. A client that is sure that the server has nothing of it says [`Never`](Self::Never).
    #[default]
    ByStore,
    /// Each connection begins anew. What was in flight when a connection ended is treated as lost.
    Always,
    /// The first connection resumes too, even without a record of a session. A message of QoS 2 that an earlier life had received and
    /// not completed can make the server's next one with the same identifier disappear.
    Never,
}

/// What a client is to be. The defaults are MQTT 5.0 with a session of one hour.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The version to speak. Default 5.0.
    pub version: Version,
    /// The name of the client. Empty: the server chooses one.
    pub client_id: Text<Bytes>,
    /// The user name.
    pub username: Option<Text<Bytes>>,
    /// The password.
    pub password: Option<Binary<Bytes>>,
    /// Enhanced authentication, since MQTT 5.0.
    pub authentication: Option<Authentication>,
    /// What the server publishes if the client vanishes.
    pub will: Option<Will<Bytes>>,
    /// After how many seconds without a packet PINGREQ is sent. Default 60. 0 turns it off.
    pub keep_alive_seconds: u16,
    /// How long the session outlives a connection, in seconds. Default 3600. MQTT 3 knows only 0 and not 0.
    pub session_expiry_seconds: u32,
    /// Whether the server is to say, in CONNACK, what response topics are made from: since MQTT 5.0. Default no.
    pub request_response_information: bool,
    /// Whether the server may explain its answers in words and User Properties: since MQTT 5.0. Default yes. If not, a
    /// server that does so all the same, elsewhere than in CONNACK and DISCONNECT, breaks the protocol. [MQTT-3.1.2-29]
    pub request_problem_information: bool,
    /// How the session begins.
    pub clean_start: CleanStart,
    /// The highest QoS of a message that this client takes. It asks for no higher one, and a server that sends one all the
    /// same is disconnected. [U5-3.3.4-c] Default: 2.
    pub maximum_qos: QoS,
    /// Who says that a received message was handed over.
    pub hand_over: HandOver,
    /// Whether the session is kept in a store: `poll_store` then has batches, and promises wait for them. Default no.
    pub is_stored: bool,
    /// What happens when the queue is full.
    pub when_full: WhenFull,
    /// What becomes of messages in flight when the server has lost the session.
    pub loss: Loss,
    /// When a stream is to be opened again.
    pub reconnect: Reconnect,
    /// The bounds.
    pub limits: Limits,
    /// The choices that the specification leaves to a receiver.
    pub policy: Policy,
    /// The seed of all randomness: another one at each start.
    pub seed: u64,
}

impl ClientConfig {
    /// A client with this name.
    ///
    /// # Errors
    /// If the name is not valid text.
    pub fn new(client_id: impl Into<Bytes>) -> Result<Self, TextError> {
        Ok(Self {
            version: Version::V5,
            client_id: Text::from_bytes(client_id.into())?,
            username: None,
            password: None,
            authentication: None,
            will: None,
            keep_alive_seconds: 60,
            session_expiry_seconds: 3600,
            request_response_information: false,
            request_problem_information: true,
            clean_start: CleanStart::default(),
            maximum_qos: QoS::ExactlyOnce,
            hand_over: HandOver::default(),
            is_stored: false,
            when_full: WhenFull::default(),
            loss: Loss::default(),
            reconnect: Reconnect::default(),
            limits: Limits::default(),
            policy: Policy::endpoint(),
            seed: 0,
        })
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty),* $(,)?) => {
        impl ClientConfig {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
                #[must_use]
                pub fn $name(mut self, value: $type) -> Self {
                    self.$name = value;
                    self
                }
            )*
        }
    };
}

setters! {
    version: Version,
    username: Option<Text<Bytes>>,
    password: Option<Binary<Bytes>>,
    authentication: Option<Authentication>,
    will: Option<Will<Bytes>>,
    keep_alive_seconds: u16,
    session_expiry_seconds: u32,
    request_response_information: bool,
    request_problem_information: bool,
    clean_start: CleanStart,
    maximum_qos: QoS,
    hand_over: HandOver,
    is_stored: bool,
    when_full: WhenFull,
    loss: Loss,
    reconnect: Reconnect,
    limits: Limits,
    policy: Policy,
    seed: u64,
}
