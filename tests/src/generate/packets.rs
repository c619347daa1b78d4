//! Packets of every type.

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use mqtt_proto::{
    Auth, AuthReason, ConnAck, ConnAckReason, Connect, Delivery, Disconnect, DisconnectReason, Filters, Packet,
    PacketId, PacketType, PropertyId, PubAck, PubAckReason, PubComp, PubCompReason, PubRec, PubRecReason, PubRel,
    PubRelReason, Publish, QoS, RetainHandling, Role, SubAck, SubAckCodes, SubAckReason, Subscribe,
    SubscriptionOptions, Text, TopicFilters, UnsubAck, UnsubAckCodes, UnsubAckReason, Unsubscribe, Version, Will,
};

use super::properties::properties;
use super::texts;

/// A packet that this end may send in this version.
///
/// # Errors
/// As the source of bytes has them.
pub fn packet(u: &mut Unstructured<'_>, version: Version, sender: Role) -> Result<Packet<Bytes>> {
    let types: Vec<PacketType> = PacketType::ALL
        .iter()
        .copied()
        .filter(|kind| kind.may_be_sent_by(sender, version))
        .filter(|kind| *kind != PacketType::Auth || version.has_properties())
        .collect();
    // PUBLISH is most of the traffic, and has most of the ways to be written.
    let kind = if u.ratio(1, 4)? {
        PacketType::Publish
    } else {
        *u.choose(&types)?
    };
    let source = &mut Source { u, version, sender };
    Ok(match kind {
        PacketType::Connect => Packet::Connect(source.connect()?),
        PacketType::ConnAck => Packet::ConnAck(source.connack()?),
        PacketType::Publish => Packet::Publish(source.publish()?),
        PacketType::Subscribe => Packet::Subscribe(source.subscribe()?),
        PacketType::SubAck => Packet::SubAck(source.suback()?),
        PacketType::Unsubscribe => Packet::Unsubscribe(source.unsubscribe()?),
        PacketType::UnsubAck => Packet::UnsubAck(source.unsuback()?),
        PacketType::PingReq => Packet::PingReq,
        PacketType::PingResp => Packet::PingResp,
        PacketType::Disconnect => Packet::Disconnect(source.disconnect()?),
        PacketType::Auth => Packet::Auth(source.auth()?),
        acknowledgement => source.acknowledgement(acknowledgement)?,
    })
}

struct Source<'s, 'b> {
    u: &'s mut Unstructured<'b>,
    version: Version,
    sender: Role,
}

impl Source<'_, '_> {
    fn connect(&mut self) -> Result<Connect<Bytes>> {
        let username = if self.u.ratio(1, 2)? {
            Some(texts::text(self.u)?)
        } else {
            None
        };
        let password_allowed = username.is_some() || self.version.has_properties();
        let password = if password_allowed && self.u.ratio(1, 2)? {
            Some(texts::binary(self.u)?)
        } else {
            None
        };
        Ok(Connect {
            version: self.version,
            clean_start: self.u.arbitrary()?,
            keep_alive: self.u.arbitrary()?,
            client_id: self.client_id()?,
            will: if self.u.ratio(1, 2)? { Some(self.will()?) } else { None },
            username,
            password,
            properties: properties(self.u, self.version, self.sender, &[])?,
        })
    }

    /// MQTT 3.1 asks for 1 to 23 characters.
    fn client_id(&mut self) -> Result<Text<Bytes>> {
        if self.version == Version::V3_1 {
            let length = self.u.int_in_range(1..=23_usize)?;
            return Ok(Text::from_bytes(Bytes::from(vec![b'c'; length])).expect("plain text"));
        }
        texts::text(self.u)
    }

    fn will(&mut self) -> Result<Will<Bytes>> {
        Ok(Will {
            qos: self.qos()?,
            retain: self.u.arbitrary()?,
            topic: texts::topic_name(self.u)?,
            payload: texts::binary(self.u)?,
            properties: properties(self.u, self.version, self.sender, &[])?,
        })
    }

    fn connack(&mut self) -> Result<ConnAck<Bytes>> {
        let reasons: Vec<ConnAckReason> = ConnAckReason::ALL
            .iter()
            .copied()
            .filter(|reason| self.version.has_properties() || reason.return_code().is_some())
            .collect();
        let reason = if self.u.ratio(1, 2)? {
            ConnAckReason::Success
        } else {
            *self.u.choose(&reasons)?
        };
        let may_be_present = reason == ConnAckReason::Success && self.version != Version::V3_1;
        Ok(ConnAck {
            session_present: may_be_present && self.u.arbitrary()?,
            reason,
            properties: properties(self.u, self.version, self.sender, &[])?,
        })
    }

    fn publish(&mut self) -> Result<Publish<Bytes>> {
        let aliased = self.version.has_properties() && self.u.ratio(1, 6)?;
        let needed: &[PropertyId] = if aliased { &[PropertyId::TopicAlias] } else { &[] };
        Ok(Publish {
            delivery: self.delivery()?,
            retain: self.u.arbitrary()?,
            topic: if aliased {
                None
            } else {
                Some(texts::topic_name(self.u)?)
            },
            properties: properties(self.u, self.version, self.sender, needed)?,
            payload: self.payload()?,
        })
    }

    fn delivery(&mut self) -> Result<Delivery> {
        let (id, dup) = (self.id()?, self.u.arbitrary()?);
        Ok(match self.qos()? {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce { id, dup },
            QoS::ExactlyOnce => Delivery::ExactlyOnce { id, dup },
        })
    }

    /// Seldom so long that the Remaining Length takes a third byte.
    fn payload(&mut self) -> Result<Bytes> {
        if self.u.ratio(1, 40)? {
            return Ok(Bytes::from(vec![b'p'; self.u.int_in_range(16_300..=16_420_usize)?]));
        }
        texts::bytes(self.u)
    }

    fn acknowledgement(&mut self, kind: PacketType) -> Result<Packet<Bytes>> {
        let id = self.id()?;
        let properties = properties(self.u, self.version, self.sender, &[])?;
        Ok(match kind {
            PacketType::PubRec => {
                let reasons = self.listed(PubRecReason::ALL, PubRecReason::NoMatchingSubscribers);
                let reason = self.reason(&reasons, PubRecReason::Success)?;
                Packet::PubRec(PubRec { id, reason, properties })
            }
            PacketType::PubRel => {
                let reason = self.reason(PubRelReason::ALL, PubRelReason::Success)?;
                Packet::PubRel(PubRel { id, reason, properties })
            }
            PacketType::PubComp => {
                let reason = self.reason(PubCompReason::ALL, PubCompReason::Success)?;
                Packet::PubComp(PubComp { id, reason, properties })
            }
            _ => {
                let reasons = self.listed(PubAckReason::ALL, PubAckReason::NoMatchingSubscribers);
                let reason = self.reason(&reasons, PubAckReason::Success)?;
                Packet::PubAck(PubAck { id, reason, properties })
            }
        })
    }

    /// All of the reasons, but only a server says that there are no subscribers.
    fn listed<R: Copy + PartialEq>(&self, reasons: &[R], no_subscribers: R) -> Vec<R> {
        reasons
            .iter()
            .copied()
            .filter(|reason| self.sender == Role::Server || *reason != no_subscribers)
            .collect()
    }

    /// Before MQTT 5.0 an acknowledgement cannot fail.
    fn reason<R: Copy>(&mut self, reasons: &[R], success: R) -> Result<R> {
        if !self.version.has_properties() || self.u.ratio(1, 2)? {
            Ok(success)
        } else {
            Ok(*self.u.choose(reasons)?)
        }
    }

    fn subscribe(&mut self) -> Result<Subscribe<Bytes>> {
        let five = self.version.has_properties();
        let mut filters = Filters::builder();
        for _ in 0..self.u.int_in_range(1..=6_u8)? {
            let filter = texts::topic_filter(self.u, five)?;
            let mut options = SubscriptionOptions::new(self.qos()?);
            if five {
                options.no_local = filter.shared().is_none() && self.u.arbitrary()?;
                options.retain_as_published = self.u.arbitrary()?;
                let handlings = [
                    RetainHandling::Send,
                    RetainHandling::SendIfNew,
                    RetainHandling::DoNotSend,
                ];
                options.retain_handling = *self.u.choose(&handlings)?;
            }
            filters = filters.filter(filter, options);
        }
        Ok(Subscribe {
            id: self.id()?,
            filters: filters
                .build()
                .expect("valid filters, and No Local on none that is shared"),
            properties: properties(self.u, self.version, self.sender, &[])?,
        })
    }

    fn suback(&mut self) -> Result<SubAck<Bytes>> {
        let allowed: Vec<SubAckReason> = SubAckReason::ALL
            .iter()
            .copied()
            .filter(|code| self.version.has_properties() || !code.is_error() || *code == SubAckReason::UnspecifiedError)
            .collect();
        let codes = self.some_of(&allowed)?;
        Ok(SubAck {
            id: self.id()?,
            codes: SubAckCodes::new(codes).expect("at least one"),
            properties: properties(self.u, self.version, self.sender, &[])?,
        })
    }

    fn unsubscribe(&mut self) -> Result<Unsubscribe<Bytes>> {
        let mut filters = TopicFilters::builder();
        for _ in 0..self.u.int_in_range(1..=6_u8)? {
            filters = filters.filter(texts::topic_filter(self.u, self.version.has_properties())?);
        }
        Ok(Unsubscribe {
            id: self.id()?,
            filters: filters.build().expect("valid filters"),
            properties: properties(self.u, self.version, self.sender, &[])?,
        })
    }

    fn unsuback(&mut self) -> Result<UnsubAck<Bytes>> {
        let codes = if self.version.has_properties() {
            UnsubAckCodes::new(self.some_of(UnsubAckReason::ALL)?).expect("at least one")
        } else {
            UnsubAckCodes::none()
        };
        Ok(UnsubAck {
            id: self.id()?,
            codes,
            properties: properties(self.u, self.version, self.sender, &[])?,
        })
    }

    fn disconnect(&mut self) -> Result<Disconnect<Bytes>> {
        let reasons: Vec<DisconnectReason> = DisconnectReason::ALL
            .iter()
            .copied()
            .filter(|reason| reason.may_be_sent_by(self.sender))
            .collect();
        Ok(Disconnect {
            reason: self.reason(&reasons, DisconnectReason::NormalDisconnection)?,
            properties: properties(self.u, self.version, self.sender, &[])?,
        })
    }

    fn auth(&mut self) -> Result<Auth<Bytes>> {
        let reasons: Vec<AuthReason> = AuthReason::ALL
            .iter()
            .copied()
            .filter(|reason| reason.may_be_sent_by(self.sender))
            .collect();
        Ok(Auth {
            reason: *self.u.choose(&reasons)?,
            properties: properties(self.u, self.version, self.sender, &[PropertyId::AuthenticationMethod])?,
        })
    }

    fn some_of<C: Copy>(&mut self, codes: &[C]) -> Result<Vec<C>> {
        let count = self.u.int_in_range(1..=8_usize)?;
        (0..count).map(|_| self.u.choose(codes).copied()).collect()
    }

    fn qos(&mut self) -> Result<QoS> {
        self.u
            .choose(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
            .copied()
    }

    fn id(&mut self) -> Result<PacketId> {
        Ok(PacketId::new(self.u.arbitrary()?).unwrap_or(PacketId::MAX))
    }
}
