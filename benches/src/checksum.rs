//! One number that is only right when every field of every packet was read.
//!
//! Numbers go in whole. Texts and payloads go in by length, first and last
//! byte: what they are made of is the decoder's business to check, not the
//! checksum's to read. The contributions are added up, so the chain between
//! two fields is one addition, and a codec that does not expose a field can be
//! held against a sum without it.

use crate::value::{Packet, Protocol};
use crate::wire::property;

/// What the sum of a stream is made of.
#[derive(Clone, Copy)]
#[repr(u64)]
enum Field {
    Publish = 1,
    Topic,
    Payload,
    PubAck,
    Connect,
    ClientId,
    Will,
    WillTopic,
    WillPayload,
    Username,
    Password,
    Subscribe,
    Filter,
    UserName,
    UserValue,
    /// Property `p` weighs as field `Property + p`.
    Property = 64,
}

/// The sum over the fields read so far.
#[derive(Clone, Copy, Default)]
pub struct Checksum(u64);

impl Checksum {
    /// The sum.
    #[inline(always)]
    pub fn finish(self) -> u64 {
        self.0
    }

    /// The fixed fields, the topic and the payload of a PUBLISH.
    #[inline(always)]
    pub fn publish(&mut self, (dup, qos, retain): (bool, u8, bool), id: u16, topic: &[u8], payload: &[u8]) {
        let flags = u64::from(dup) << 3 | u64::from(qos) << 1 | u64::from(retain);
        self.add(Field::Publish as u64, flags << 16 | u64::from(id));
        self.add(Field::Topic as u64, ends(topic));
        self.add(Field::Payload as u64, ends(payload));
    }

    /// A PUBACK.
    #[inline(always)]
    pub fn puback(&mut self, id: u16, reason: u8) {
        self.add(Field::PubAck as u64, u64::from(reason) << 16 | u64::from(id));
    }

    /// The fields of a CONNECT outside the will, the user name and the password.
    #[inline(always)]
    pub fn connect(&mut self, clean_start: bool, keep_alive: u16, client_id: &[u8]) {
        let value = u64::from(clean_start) << 16 | u64::from(keep_alive);
        self.add(Field::Connect as u64, value);
        self.add(Field::ClientId as u64, ends(client_id));
    }

    /// The will of a CONNECT.
    #[inline(always)]
    pub fn will(&mut self, qos: u8, retain: bool, topic: &[u8], payload: &[u8]) {
        let value = u64::from(qos) << 1 | u64::from(retain);
        self.add(Field::Will as u64, value);
        self.add(Field::WillTopic as u64, ends(topic));
        self.add(Field::WillPayload as u64, ends(payload));
    }

    /// The user name of a CONNECT.
    #[inline(always)]
    pub fn username(&mut self, username: &[u8]) {
        self.add(Field::Username as u64, ends(username));
    }

    /// The password of a CONNECT.
    #[inline(always)]
    pub fn password(&mut self, password: &[u8]) {
        self.add(Field::Password as u64, ends(password));
    }

    /// The packet identifier of a SUBSCRIBE.
    #[inline(always)]
    pub fn subscribe(&mut self, id: u16) {
        self.add(Field::Subscribe as u64, u64::from(id));
    }

    /// One filter of a SUBSCRIBE, `options` as they are on the wire.
    #[inline(always)]
    pub fn filter(&mut self, path: &[u8], options: u8) {
        self.add(Field::Filter as u64, ends(path) << 8 | u64::from(options));
    }

    /// A property that is a number.
    #[inline(always)]
    pub fn property_number(&mut self, id: u8, value: u32) {
        self.add(Field::Property as u64 + u64::from(id), u64::from(value));
    }

    /// A property that is a text or binary data.
    #[inline(always)]
    pub fn property_bytes(&mut self, id: u8, value: &[u8]) {
        self.add(Field::Property as u64 + u64::from(id), ends(value));
    }

    /// A user property.
    #[inline(always)]
    pub fn user_property(&mut self, name: &[u8], value: &[u8]) {
        self.add(Field::UserName as u64, ends(name));
        self.add(Field::UserValue as u64, ends(value));
    }

    #[inline(always)]
    fn add(&mut self, field: u64, value: u64) {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let weight = field.wrapping_mul(SPREAD) | 1;
        self.0 = self.0.wrapping_add((value + 1).wrapping_mul(weight));
    }
}

/// The options byte of a 5.0 subscription from its parts.
#[inline(always)]
pub fn options(qos: u8, no_local: bool, retain_as_published: bool, retain_handling: u8) -> u8 {
    qos | u8::from(no_local) << 2 | u8::from(retain_as_published) << 3 | retain_handling << 4
}

/// The sum that a decoder of `packets` has to arrive at.
pub fn expected(packets: &[Packet], protocol: Protocol) -> u64 {
    let mut sum = Checksum::default();
    for packet in packets {
        match protocol {
            Protocol::V3 => add_v3(&mut sum, packet),
            Protocol::V5 => add_v5(&mut sum, packet),
        }
    }
    sum.finish()
}

fn add_v3(sum: &mut Checksum, packet: &Packet) {
    match packet {
        Packet::Connect(connect) => {
            let will = &connect.will;
            sum.connect(connect.clean_start, connect.keep_alive, connect.client_id.as_bytes());
            sum.will(will.qos, will.retain, will.topic.as_bytes(), &will.payload);
            sum.username(connect.username.as_bytes());
            sum.password(connect.password.as_bytes());
        }
        Packet::Publish(publish) => sum.publish(
            (false, publish.qos, publish.retain),
            publish.id,
            publish.topic.as_bytes(),
            &publish.payload,
        ),
        Packet::PubAck(ack) => sum.puback(ack.id, ack.reason),
        Packet::Subscribe(subscribe) => {
            sum.subscribe(subscribe.id);
            for filter in &subscribe.filters {
                sum.filter(filter.path.as_bytes(), filter.qos);
            }
        }
    }
}

fn add_v5(sum: &mut Checksum, packet: &Packet) {
    match packet {
        Packet::Connect(connect) => {
            add_v3(sum, packet);
            sum.property_number(property::SESSION_EXPIRY, connect.session_expiry);
            sum.property_number(property::RECEIVE_MAXIMUM, u32::from(connect.receive_maximum));
            sum.property_number(property::WILL_DELAY, connect.will.delay);
        }
        Packet::Publish(publish) => {
            add_v3(sum, packet);
            if let Some(properties) = &publish.properties {
                sum.property_number(property::MESSAGE_EXPIRY, properties.expiry);
                sum.property_bytes(property::CONTENT_TYPE, properties.content_type.as_bytes());
                sum.property_bytes(property::CORRELATION_DATA, &properties.correlation_data);
                for (name, value) in &properties.user {
                    sum.user_property(name.as_bytes(), value.as_bytes());
                }
            }
        }
        Packet::PubAck(_) => add_v3(sum, packet),
        Packet::Subscribe(subscribe) => {
            sum.subscribe(subscribe.id);
            sum.property_number(property::SUBSCRIPTION_ID, subscribe.subscription_id);
            for filter in &subscribe.filters {
                let options = options(
                    filter.qos,
                    filter.no_local,
                    filter.retain_as_published,
                    filter.retain_handling,
                );
                sum.filter(filter.path.as_bytes(), options);
            }
        }
    }
}

/// Length, first and last byte in one number.
#[inline(always)]
fn ends(bytes: &[u8]) -> u64 {
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => (bytes.len() as u64) << 16 | u64::from(*first) << 8 | u64::from(*last),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream;

    /// A sum that some field does not enter would let a codec skip the field.
    #[test]
    fn every_field_of_a_publish_moves_the_sum() {
        let stream = stream::all()
            .into_iter()
            .find(|stream| stream.slug == "publish-5-properties-256")
            .unwrap();
        let whole = expected(&stream.packets, stream.protocol);
        let changes: [fn(&mut crate::value::Publish); 9] = [
            |publish| publish.qos ^= 1,
            |publish| publish.retain ^= true,
            |publish| publish.id ^= 1,
            |publish| publish.topic.push('x'),
            |publish| *publish.payload.last_mut().unwrap() ^= 1,
            |publish| publish.properties.as_mut().unwrap().expiry ^= 1,
            |publish| publish.properties.as_mut().unwrap().content_type.push('x'),
            |publish| publish.properties.as_mut().unwrap().correlation_data[0] ^= 1,
            |publish| publish.properties.as_mut().unwrap().user[1].1.push('x'),
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut packets = stream.packets.clone();
            let Packet::Publish(publish) = &mut packets[3] else {
                unreachable!("the stream holds PUBLISH only")
            };
            change(publish);
            assert_ne!(expected(&packets, stream.protocol), whole, "change {at}");
        }
    }
}
