//! Properties of messages as JSON, with the names that mosquitto's clients give them.

use bytes::Bytes;
use data_encoding::BASE64;
use mqtt_proto::{Property, PublishProperties};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// The properties of a message, and its expiry, which are one object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Properties<'m> {
    properties: &'m PublishProperties<Bytes>,
    expiry_seconds: Option<u32>,
}

impl<'m> Properties<'m> {
    pub(crate) const fn of(properties: &'m PublishProperties<Bytes>, expiry_seconds: Option<u32>) -> Self {
        Self {
            properties,
            expiry_seconds,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.expiry_seconds.is_none() && self.properties.iter().next().is_none()
    }
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let properties = self.properties;
        let mut map = serializer.serialize_map(None)?;
        for property in properties {
            match property {
                Property::ContentType(text) => map.serialize_entry("content-type", text.as_str())?,
                Property::ResponseTopic(topic) => map.serialize_entry("response-topic", topic.as_str())?,
                Property::PayloadFormatIndicator(format) => {
                    map.serialize_entry("payload-format-indicator", &(format as u8))?;
                }
                Property::CorrelationData(data) => match std::str::from_utf8(data.as_bytes()) {
                    Ok(text) => map.serialize_entry("correlation-data", text)?,
                    Err(_) => map.serialize_entry("correlation-data-base64", &BASE64.encode(data.as_bytes()))?,
                },
                _ => {}
            }
        }
        // A message that belongs to several subscriptions has several identifiers; each is a number of its own elsewhere.
        let mut ids = properties.subscription_ids();
        if let Some(id) = ids.next() {
            map.serialize_entry("subscription-identifier", &id.get())?;
        }
        if properties.user_properties().next().is_some() {
            map.serialize_entry("user-properties", &UserProperties(properties))?;
        }
        if let Some(seconds) = self.expiry_seconds {
            map.serialize_entry("message-expiry-interval", &seconds)?;
        }
        map.end()
    }
}

/// Names and values, in their order; a name that stands twice in the message stands here twice.
struct UserProperties<'m>(&'m PublishProperties<Bytes>);

impl Serialize for UserProperties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs = self.0.user_properties();
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in pairs {
            map.serialize_entry(name.as_str(), value.as_str())?;
        }
        map.end()
    }
}
