//! Messages, as the host gives and gets them.

use core::num::NonZeroU64;

use bytes::Bytes;
use mqtt_proto::{Binary, EncodeError, PublishProperties, QoS, TextError, TopicName};

use crate::time::Instant;

/// A message: what PUBLISH carries, without what belongs to one connection alone.
///
/// ```
/// use mqtt_session::{Message, QoS};
/// let message = Message::new("home/temperature", "21.5")?.qos(QoS::AtLeastOnce).retain(true);
/// assert_eq!(message.topic, "home/temperature");
/// # Ok::<(), mqtt_session::proto::TextError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The topic.
    pub topic: TopicName<Bytes>,
    /// The payload. It is shared, not copied, from a certain size on: see [`Limits::inline_bytes`](crate::Limits).
    pub payload: Bytes,
    /// The QoS.
    pub qos: QoS,
    /// To a server: keep the message. From a server: it was kept.
    pub retain: bool,
    /// The Message Expiry Interval in seconds: what is left of it when the message is received.
    pub expiry_seconds: Option<u32>,
    /// The other properties. Those that the machine sets itself (topic alias, message expiry) are left out; in a received
    /// message the subscription identifiers stand here.
    pub properties: PublishProperties<Bytes>,
}

impl Message {
    /// A message of QoS 0.
    ///
    /// # Errors
    /// If the topic is not a valid Topic Name.
    pub fn new(topic: impl Into<Bytes>, payload: impl Into<Bytes>) -> Result<Self, TextError> {
        Ok(Self {
            topic: TopicName::from_bytes(topic.into())?,
            payload: payload.into(),
            qos: QoS::AtMostOnce,
            retain: false,
            expiry_seconds: None,
            properties: PublishProperties::empty(),
        })
    }

    /// A request of QoS 0, since MQTT 5.0: the answer is asked for at `response_topic`, together with `correlation`, by which
    /// the asker tells its questions apart. The asker subscribes to the response topic first.
    ///
    /// # Errors
    /// If one of the topics is not a valid Topic Name, or `correlation` is longer than 65,535 bytes.
    pub fn request(
        topic: impl Into<Bytes>,
        payload: impl Into<Bytes>,
        response_topic: impl AsRef<[u8]>,
        correlation: Option<&[u8]>,
    ) -> Result<Self, EncodeError> {
        let message = Self::new(topic, payload)?;
        let response_topic = TopicName::from_bytes(response_topic.as_ref())?;
        message.answered_at(response_topic.as_bytes(), correlation)
    }

    fn answered_at(self, topic: &[u8], correlation: Option<&[u8]>) -> Result<Self, EncodeError> {
        let mut properties = PublishProperties::builder().response_topic(topic);
        if let Some(data) = correlation {
            properties = properties.correlation_data(data);
        }
        Ok(self.properties(properties.build()?))
    }

    /// The answer to this message: to its response topic, with its correlation data and its QoS. `None` if it does not ask
    /// for one.
    ///
    /// ```
    /// use mqtt_session::{Message, QoS};
    /// let request = Message::request("lamp/state", "", "answers/7", Some(b"n1"))?.qos(QoS::AtLeastOnce);
    ///
    /// // At the other end:
    /// let answer = request.reply("on").expect("it asks for an answer");
    /// assert_eq!(answer.topic, "answers/7");
    /// assert_eq!(answer.qos, QoS::AtLeastOnce);
    /// assert_eq!(answer.properties.correlation_data().unwrap().as_bytes(), b"n1");
    /// assert_eq!(answer.reply("again"), None);
    /// # Ok::<(), mqtt_session::proto::EncodeError>(())
    /// ```
    #[must_use]
    pub fn reply(&self, payload: impl Into<Bytes>) -> Option<Self> {
        let topic = Bytes::copy_from_slice(self.properties.response_topic()?.as_bytes());
        let mut answer = Self::new(topic, payload).ok()?.qos(self.qos);
        if let Some(data) = self.properties.correlation_data() {
            let copied = PublishProperties::builder().correlation_data(data.as_bytes());
            answer.properties = copied.build().ok()?;
        }
        Some(answer)
    }

    /// Sets the QoS.
    #[must_use]
    pub fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    /// Sets the RETAIN flag.
    #[must_use]
    pub fn retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// Sets the Message Expiry Interval, which also holds while the message waits in a queue.
    #[must_use]
    pub fn expiry_seconds(mut self, seconds: u32) -> Self {
        self.expiry_seconds = Some(seconds);
        self
    }

    /// The time of the message is over then.
    pub(crate) fn ends_at(&mut self, end: Instant, now: Instant) {
        self.expiry_seconds = Some(if end > now { now.seconds_until(end) } else { 0 });
    }

    /// The message has waited since then, and less is left of its interval: nothing, if it is over. [MQTT-3.3.2-6]
    pub(crate) fn has_waited(&mut self, since: Instant, now: Instant) {
        let Some(seconds) = self.expiry_seconds.filter(|_| now > since) else {
            return;
        };
        self.ends_at(since.after_seconds(seconds), now);
    }

    /// Sets the properties.
    #[must_use]
    pub fn properties(mut self, properties: PublishProperties<Bytes>) -> Self {
        self.properties = properties;
        self
    }

    /// The message without its payload, which a source gives.
    pub(crate) fn without_payload(mut self) -> Self {
        self.payload = Bytes::new();
        self
    }

    /// How many bytes the variable parts take.
    #[must_use]
    #[inline]
    pub(crate) fn size(&self) -> u64 {
        // All of them lie in memory.
        let parts = self.topic.len().wrapping_add(self.payload.len());
        parts.wrapping_add(self.properties.encoded_len()) as u64
    }
}

/// Of the payload only the first bytes are shown.
impl core::fmt::Debug for Message {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic)
            .field("payload", &Shortened(&self.payload))
            .field("qos", &self.qos)
            .field("retain", &self.retain)
            .field("expiry_seconds", &self.expiry_seconds)
            .field("properties", &self.properties)
            .finish()
    }
}

/// Bytes for a person: never more than the first few.
struct Shortened<'b>(&'b [u8]);

impl core::fmt::Debug for Shortened<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        const SHOWN: usize = 32;
        let shown = self.0.get(..SHOWN).unwrap_or(self.0);
        write!(f, "{:?}", Binary::new(shown).unwrap_or_default())?;
        if shown.len() < self.0.len() {
            write!(f, "... ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

/// The name of one hand-over of a received message, to acknowledge it by.
///
/// In a stored session it is the same after a restart, and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(NonZeroU64);

impl DeliveryId {
    /// The number, for the host's own records.
    #[must_use]
    #[inline]
    pub const fn number(self) -> u64 {
        self.0.get()
    }

    /// The name with this number. The first hand-over of a session has the number 1; with 0 it is a name that none has.
    #[must_use]
    #[inline]
    pub const fn from_number(number: u64) -> Self {
        match NonZeroU64::new(number) {
            Some(number) => Self(number),
            None => Self(NonZeroU64::MAX),
        }
    }
}

/// A message that arrived.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Received {
    /// The message. Its interval is what was left of that when it was polled.
    pub message: Message,
    /// To be acknowledged by this name. `None` if nothing is to be acknowledged.
    pub delivery: Option<DeliveryId>,
    /// The same hand-over was told before, in an earlier life of this machine.
    pub redelivered: bool,
    /// When the message was as old as it says.
    pub(crate) came_at: Instant,
}

impl Received {
    /// When the time of the message is over.
    pub(crate) fn expires_at(&self) -> Option<Instant> {
        let seconds = self.message.expiry_seconds?;
        Some(self.came_at.after_seconds(seconds))
    }

    /// It is this late: less is left of the message's interval.
    #[inline(always)]
    pub(crate) fn grows_old(&mut self, now: Instant) {
        if self.message.expiry_seconds.is_some() {
            self.has_waited_until(now);
        }
    }

    #[cold]
    fn has_waited_until(&mut self, now: Instant) {
        self.message.has_waited(self.came_at, now);
        self.came_at = self.came_at.max(now);
    }
}

/// Whether it is the same message and the same hand-over. How long it has waited is no part of that.
impl PartialEq for Received {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            message,
            delivery,
            redelivered,
            came_at: _,
        } = self;
        (message, delivery, redelivered) == (&other.message, &other.delivery, &other.redelivered)
    }
}

impl Eq for Received {}

/// Who says when a received message has been handed over, so that it can be acknowledged to the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandOver {
    /// When its event is polled. The promise ends there.
    #[default]
    Automatic,
    /// When the host calls `acknowledge`. What the host has written by then and the acknowledgement are one story: a host
    /// that keeps the [`DeliveryId`] with its own effect has exactly-once into its database.
    Manual,
    /// When the message stands in the store of the machine. It is told from there, again after a restart, under the same
    /// [`DeliveryId`], until the host calls `acknowledge`. Needs a store; cannot refuse a message.
    Inbox,
}
