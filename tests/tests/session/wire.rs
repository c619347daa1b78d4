//! Frames written field by field, by code that the codec does not share.

use mqtt_session::proto::Version;
use mqtt_tests::hex;

/// Writes the frames of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wire(pub(crate) Version);

/// A frame: first byte, shortest Remaining Length, body.
pub(crate) fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut left = body.len();
    loop {
        let digit = u8::try_from(left % 128).unwrap_or_default();
        left /= 128;
        bytes.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP without a reason code.
pub(crate) fn puback(id: u16) -> Vec<u8> {
    frame(0x40, &id.to_be_bytes())
}

pub(crate) fn pubrec(id: u16) -> Vec<u8> {
    frame(0x50, &id.to_be_bytes())
}

pub(crate) fn pubrel(id: u16) -> Vec<u8> {
    frame(0x62, &id.to_be_bytes())
}

pub(crate) fn pubcomp(id: u16) -> Vec<u8> {
    frame(0x70, &id.to_be_bytes())
}

/// The same with a reason code, which 5.0 has.
pub(crate) fn coded(mut ack: Vec<u8>, code: u8) -> Vec<u8> {
    ack[1] = 3;
    ack.push(code);
    ack
}

pub(crate) const PINGREQ: &[u8] = &[0xC0, 0];
pub(crate) const PINGRESP: &[u8] = &[0xD0, 0];

/// DISCONNECT of 5.0 with this reason code; of 3.1.1, which has none, if it is 0.
pub(crate) fn disconnect(code: u8) -> Vec<u8> {
    if code == 0 { vec![0xE0, 0] } else { vec![0xE0, 1, code] }
}

/// AUTH with a method and data.
pub(crate) fn auth(code: u8, method: &str, data: &[u8]) -> Vec<u8> {
    let mut properties = property_text(0x15, method.as_bytes());
    properties.extend(property_text(0x16, data));
    let mut body = vec![code, u8::try_from(properties.len()).expect("a short section")];
    body.extend(properties);
    frame(0xF0, &body)
}

/// A property that is a string or binary data.
pub(crate) fn property_text(id: u8, text: &[u8]) -> Vec<u8> {
    let mut property = vec![id];
    property.extend(prefixed(text));
    property
}

fn prefixed(text: &[u8]) -> Vec<u8> {
    let len = u16::try_from(text.len()).expect("a string");
    let mut bytes = len.to_be_bytes().to_vec();
    bytes.extend_from_slice(text);
    bytes
}

impl Wire {
    pub(crate) fn is_5(self) -> bool {
        self.0 == Version::V5
    }

    /// A section of properties, if the version has them.
    fn section(self, properties: &[u8]) -> Vec<u8> {
        if !self.is_5() {
            assert!(properties.is_empty(), "this version has no properties");
            return Vec::new();
        }
        let mut section = frame(0, properties);
        section.remove(0);
        section
    }

    /// CONNECT without will and credentials; with properties in hex.
    pub(crate) fn connect(self, clean: bool, keep_alive: u16, id: &str, properties: &str) -> Vec<u8> {
        let name = if self.0 == Version::V3_1 { "MQIsdp" } else { "MQTT" };
        let mut body = prefixed(name.as_bytes());
        body.extend([self.0.level(), u8::from(clean) << 1]);
        body.extend(keep_alive.to_be_bytes());
        body.extend(self.section(&hex::bytes(properties)));
        body.extend(prefixed(id.as_bytes()));
        frame(0x10, &body)
    }

    /// CONNACK with Session Present, code and properties in hex.
    pub(crate) fn connack(self, present: bool, code: u8, properties: &str) -> Vec<u8> {
        let mut body = vec![u8::from(present), code];
        body.extend(self.section(&hex::bytes(properties)));
        frame(0x20, &body)
    }

    /// A first PUBLISH of payload `x` to topic `t`.
    pub(crate) fn publish(self, qos: u8, id: u16) -> Publish {
        Publish {
            wire: self,
            first: 0x30 | qos << 1,
            id: (qos > 0).then_some(id),
            topic: "t".into(),
            properties: Vec::new(),
            payload: b"x".to_vec(),
        }
    }

    /// SUBSCRIBE to one filter.
    pub(crate) fn subscribe(self, id: u16, filter: &str, options: u8) -> Vec<u8> {
        let mut body = self.request(id);
        body.extend(prefixed(filter.as_bytes()));
        body.push(options);
        frame(0x82, &body)
    }

    /// UNSUBSCRIBE from one filter.
    pub(crate) fn unsubscribe(self, id: u16, filter: &str) -> Vec<u8> {
        let mut body = self.request(id);
        body.extend(prefixed(filter.as_bytes()));
        frame(0xA2, &body)
    }

    pub(crate) fn suback(self, id: u16, codes: &[u8]) -> Vec<u8> {
        let mut body = self.request(id);
        body.extend_from_slice(codes);
        frame(0x90, &body)
    }

    /// UNSUBACK; its codes are left out where the version has none.
    pub(crate) fn unsuback(self, id: u16, codes: &[u8]) -> Vec<u8> {
        let mut body = self.request(id);
        if self.is_5() {
            body.extend_from_slice(codes);
        }
        frame(0xB0, &body)
    }

    fn request(self, id: u16) -> Vec<u8> {
        let mut body = id.to_be_bytes().to_vec();
        body.extend(self.section(&[]));
        body
    }
}

/// A PUBLISH in the making.
#[derive(Clone, Debug)]
pub(crate) struct Publish {
    wire: Wire,
    first: u8,
    id: Option<u16>,
    topic: String,
    properties: Vec<u8>,
    payload: Vec<u8>,
}

impl Publish {
    pub(crate) fn dup(mut self) -> Self {
        self.first |= 0x08;
        self
    }

    pub(crate) fn topic(mut self, topic: &str) -> Self {
        self.topic = topic.into();
        self
    }

    /// Properties in hex.
    pub(crate) fn properties(mut self, properties: &str) -> Self {
        self.properties = hex::bytes(properties);
        self
    }

    pub(crate) fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = payload.into();
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut body = prefixed(self.topic.as_bytes());
        if let Some(id) = self.id {
            body.extend(id.to_be_bytes());
        }
        body.extend(self.wire.section(&self.properties));
        body.extend(self.payload);
        frame(self.first, &body)
    }
}
