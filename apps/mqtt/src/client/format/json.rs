//! A message as JSON, with the names that mosquitto's clients give its parts.

use data_encoding::BASE64;
use jiff::Zoned;
use mqtt_tokio::Message;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::json::Properties;

/// A message as JSON. With `is_json`, the payload has to be JSON too, and stands there as such: `None` if it is not.
pub(super) fn encoded(message: &Message, now: &Zoned, is_json: bool, is_pretty: bool) -> Option<Vec<u8>> {
    let payload = match is_json {
        true => Payload::Json(serde_json::from_slice(&message.payload).ok()?),
        false => Payload::of(&message.payload),
    };
    let object = Object { message, now, payload };
    let bytes = match is_pretty {
        true => serde_json::to_vec_pretty(&object),
        false => serde_json::to_vec(&object),
    };
    bytes.ok()
}

/// What a payload is in JSON.
enum Payload<'m> {
    Empty,
    Text(&'m str),
    Binary(&'m [u8]),
    Json(&'m RawValue),
}

impl<'m> Payload<'m> {
    fn of(bytes: &'m [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok("") => Self::Empty,
            Ok(text) => Self::Text(text),
            Err(_) => Self::Binary(bytes),
        }
    }
}

struct Object<'m> {
    message: &'m Message,
    now: &'m Zoned,
    payload: Payload<'m>,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = self.message;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("tst", &self.now.strftime("%Y-%m-%dT%H:%M:%S.%6f%z").to_string())?;
        map.serialize_entry("topic", message.topic.as_str())?;
        map.serialize_entry("qos", &message.qos.bits())?;
        map.serialize_entry("retain", &u8::from(message.retain))?;
        map.serialize_entry("payloadlen", &message.payload.len())?;
        let properties = Properties::of(&message.properties, message.expiry_seconds);
        if !properties.is_empty() {
            map.serialize_entry("properties", &properties)?;
        }
        match self.payload {
            Payload::Empty => map.serialize_entry("payload", &())?,
            Payload::Text(text) => map.serialize_entry("payload", text)?,
            Payload::Binary(bytes) => map.serialize_entry("payload-base64", &BASE64.encode(bytes))?,
            Payload::Json(value) => map.serialize_entry("payload", value)?,
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use mqtt_tokio::session::proto::section::PublishProperties;

    use super::*;

    fn json(message: &Message) -> String {
        let now: Zoned = "2026-01-02T03:04:05.678901+02:00[+02:00]".parse().unwrap();
        String::from_utf8(encoded(message, &now, false, false).unwrap()).unwrap()
    }

    #[test]
    fn a_message_is_one_object_in_a_settled_order() {
        let message = Message::new("a/\"b\"", "x\ny").unwrap();
        assert_eq!(
            json(&message),
            r#"{"tst":"2026-01-02T03:04:05.678901+0200","topic":"a/\"b\"","qos":0,"retain":0,"payloadlen":3,"payload":"x\ny"}"#
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        let mut message = Message::new("a", &b"\xff\x00"[..]).unwrap();
        message.properties = PublishProperties::builder().correlation_data(b"\xff").build().unwrap();
        let json = json(&message);
        assert!(
            json.contains(r#""properties":{"correlation-data-base64":"/w=="}"#),
            "{json}"
        );
        assert!(json.ends_with(r#""payload-base64":"/wA="}"#), "{json}");
        message.payload = Default::default();
        assert!(self::json(&message).ends_with(r#""payload":null}"#));
    }

    #[test]
    fn a_name_that_stands_twice_is_shown_twice() {
        let mut message = Message::new("a", "b").unwrap();
        let twice = PublishProperties::builder()
            .user_property("k", "v")
            .user_property("k", "w");
        message.properties = twice.content_type("text/plain").build().unwrap();
        message.expiry_seconds = Some(7);
        let properties = r#""properties":{"content-type":"text/plain","user-properties":{"k":"v","k":"w"},"message-expiry-interval":7}"#;
        assert!(json(&message).contains(properties), "{}", json(&message));
    }

    #[test]
    fn a_payload_of_json_stands_there_as_it_is() {
        let now = Zoned::now();
        let as_json = |payload: &'static str| encoded(&Message::new("a", payload).unwrap(), &now, true, false);
        let whole = String::from_utf8(as_json(r#"{"a": 1.50}"#).unwrap()).unwrap();
        assert!(whole.ends_with(r#""payload":{"a": 1.50}}"#), "{whole}");
        assert!(as_json("{").is_none() && as_json("").is_none());
    }
}
