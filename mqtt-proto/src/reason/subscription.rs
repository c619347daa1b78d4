//! What SUBACK and UNSUBACK may say for one filter.

use crate::QoS;

reasons_of_packet! {
    /// What SUBACK may say for one filter. MQTT 3.1.1 has the first three and `UnspecifiedError`.
    SubAckReason {
        GrantedQoS0 = 0x00,
        GrantedQoS1 = 0x01,
        GrantedQoS2 = 0x02,
        UnspecifiedError = 0x80,
        ImplementationSpecificError = 0x83,
        NotAuthorized = 0x87,
        TopicFilterInvalid = 0x8F,
        PacketIdentifierInUse = 0x91,
        QuotaExceeded = 0x97,
        SharedSubscriptionsNotSupported = 0x9E,
        SubscriptionIdentifiersNotSupported = 0xA1,
        WildcardSubscriptionsNotSupported = 0xA2,
    }
}

impl SubAckReason {
    /// The code that grants this QoS.
    #[must_use]
    pub const fn granted(qos: QoS) -> Self {
        match qos {
            QoS::AtMostOnce => Self::GrantedQoS0,
            QoS::AtLeastOnce => Self::GrantedQoS1,
            QoS::ExactlyOnce => Self::GrantedQoS2,
        }
    }

    /// The granted QoS, or `None` for a refusal.
    #[must_use]
    pub const fn granted_qos(self) -> Option<QoS> {
        QoS::from_bits(self.value())
    }
}

reasons_of_packet! {
    /// What UNSUBACK may say for one filter of MQTT 5.0.
    UnsubAckReason {
        Success = 0x00,
        NoSubscriptionExisted = 0x11,
        UnspecifiedError = 0x80,
        ImplementationSpecificError = 0x83,
        NotAuthorized = 0x87,
        TopicFilterInvalid = 0x8F,
        PacketIdentifierInUse = 0x91,
    }
}
