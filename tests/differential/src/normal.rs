//! What a packet says, in a form that belongs to no codec. Two codecs agree on a frame if these are equal.

/// A packet with everything that it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Connect(Box<Connect>),
    /// `code` is the byte on the wire: a return code in MQTT 3.1.1, a reason code in MQTT 5.0.
    ConnAck {
        session_present: bool,
        code: u8,
        properties: Properties,
    },
    Publish(Box<Publish>),
    /// PUBACK, PUBREC, PUBREL and PUBCOMP, by `packet_type`.
    Ack {
        packet_type: u8,
        id: u16,
        code: u8,
        properties: Properties,
    },
    Subscribe {
        id: u16,
        subscriptions: Vec<Subscription>,
        properties: Properties,
    },
    SubAck {
        id: u16,
        codes: Vec<u8>,
        properties: Properties,
    },
    Unsubscribe {
        id: u16,
        filters: Vec<Vec<u8>>,
        properties: Properties,
    },
    UnsubAck {
        id: u16,
        codes: Vec<u8>,
        properties: Properties,
    },
    PingReq,
    PingResp,
    Disconnect {
        code: u8,
        properties: Properties,
    },
    Auth {
        code: u8,
        properties: Properties,
    },
}

/// What CONNECT says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connect {
    pub(crate) level: u8,
    pub(crate) clean_start: bool,
    pub(crate) keep_alive: u16,
    pub(crate) client_id: Vec<u8>,
    pub(crate) will: Option<Will>,
    pub(crate) username: Option<Vec<u8>>,
    pub(crate) password: Option<Vec<u8>>,
    pub(crate) properties: Properties,
}

/// The will of a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Will {
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) topic: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) properties: Properties,
}

/// What PUBLISH says. `id` is 0 at QoS 0; `topic` is empty where an alias stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) dup: bool,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) topic: Vec<u8>,
    pub(crate) id: u16,
    pub(crate) properties: Properties,
    pub(crate) payload: Vec<u8>,
}

/// One filter of a SUBSCRIBE with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) filter: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: u8,
}

/// One property: its identifier and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) id: u8,
    pub(crate) value: Value,
}

/// What a property holds, whatever its width on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u32),
    Bytes(Vec<u8>),
    Pair(Vec<u8>, Vec<u8>),
}

/// Properties, in the order of the wire or in another one: properties of different identifiers have no order that means
/// anything, those of one identifier do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Properties(pub(crate) Vec<Property>);

impl Properties {
    pub(crate) fn number(&mut self, id: u8, value: Option<impl Into<u32>>) -> &mut Self {
        self.0.extend(value.map(|value| Property {
            id,
            value: Value::Number(value.into()),
        }));
        self
    }

    pub(crate) fn bytes(&mut self, id: u8, value: Option<&(impl AsRef<[u8]> + ?Sized)>) -> &mut Self {
        self.0.extend(value.map(|value| Property {
            id,
            value: Value::Bytes(value.as_ref().to_vec()),
        }));
        self
    }

    pub(crate) fn pair(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Self {
        let value = Value::Pair(name.as_ref().to_vec(), value.as_ref().to_vec());
        self.0.push(Property {
            id: USER_PROPERTY,
            value,
        });
        self
    }

    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    fn in_order(&self) -> Vec<&Property> {
        let mut sorted: Vec<&Property> = self.0.iter().collect();
        // Stable: the order within one identifier stays.
        sorted.sort_by_key(|property| property.id);
        sorted
    }
}

impl PartialEq for Properties {
    fn eq(&self, other: &Self) -> bool {
        self.in_order() == other.in_order()
    }
}

impl Eq for Properties {}

/// The identifier of the one property that is a pair.
pub(crate) const USER_PROPERTY: u8 = 0x26;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_counts_within_one_identifier_and_not_between_two() {
        let of = |pairs: &[(u8, u32)]| {
            let mut properties = Properties::default();
            for (id, value) in pairs {
                properties.number(*id, Some(*value));
            }
            properties
        };
        assert_eq!(of(&[(1, 0), (11, 5), (11, 6)]), of(&[(11, 5), (11, 6), (1, 0)]));
        assert_ne!(of(&[(11, 5), (11, 6)]), of(&[(11, 6), (11, 5)]));
        assert_ne!(of(&[(11, 5)]), of(&[(11, 5), (11, 5)]));
    }
}
