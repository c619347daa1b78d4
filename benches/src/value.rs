//! The packets of a stream as plain owned values.
//!
//! Every codec builds its own packet structs from these before the clock
//! starts, and the byte streams are written from them by [`crate::wire`], so
//! no codec decides what the others have to read.

/// The version of the protocol that a stream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT 3.1.1
    V3,
    /// MQTT 5.0
    V5,
}

/// One packet of a stream.
#[derive(Clone, Debug)]
pub enum Packet {
    /// CONNECT
    Connect(Connect),
    /// PUBLISH
    Publish(Publish),
    /// PUBACK
    PubAck(PubAck),
    /// SUBSCRIBE
    Subscribe(Subscribe),
}

/// CONNECT with a will, a user name and a password.
#[derive(Clone, Debug)]
pub struct Connect {
    pub clean_start: bool,
    pub keep_alive: u16,
    pub client_id: String,
    pub will: Will,
    pub username: String,
    pub password: String,
    /// Sent in 5.0 only.
    pub session_expiry: u32,
    /// Sent in 5.0 only.
    pub receive_maximum: u16,
}

/// The will of a CONNECT.
#[derive(Clone, Debug)]
pub struct Will {
    pub qos: u8,
    pub retain: bool,
    pub topic: String,
    pub payload: Vec<u8>,
    /// Sent in 5.0 only.
    pub delay: u32,
}

/// PUBLISH.
#[derive(Clone, Debug)]
pub struct Publish {
    pub qos: u8,
    pub retain: bool,
    /// 0 where `qos` is 0.
    pub id: u16,
    pub topic: String,
    pub payload: Vec<u8>,
    pub properties: Option<PublishProperties>,
}

/// The five properties of a 5.0 PUBLISH.
#[derive(Clone, Debug)]
pub struct PublishProperties {
    pub expiry: u32,
    pub content_type: String,
    pub correlation_data: Vec<u8>,
    pub user: [(String, String); 2],
}

/// PUBACK. In 3.1.1 `reason` is 0.
#[derive(Clone, Debug)]
pub struct PubAck {
    pub id: u16,
    pub reason: u8,
}

/// SUBSCRIBE.
#[derive(Clone, Debug)]
pub struct Subscribe {
    pub id: u16,
    /// Sent in 5.0 only.
    pub subscription_id: u32,
    pub filters: Vec<Filter>,
}

/// One filter of a SUBSCRIBE. All but `path` and `qos` is 5.0 only.
#[derive(Clone, Debug)]
pub struct Filter {
    pub path: String,
    pub qos: u8,
    pub no_local: bool,
    pub retain_as_published: bool,
    pub retain_handling: u8,
}
