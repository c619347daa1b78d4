//! What DISCONNECT may say, and which end may say it.

use crate::Role;

reasons_of_packet! {
    /// What DISCONNECT may say. [`may_be_sent_by`](Self::may_be_sent_by) tells which end may say it.
    DisconnectReason {
        NormalDisconnection = 0x00,
        DisconnectWithWill = 0x04,
        UnspecifiedError = 0x80,
        MalformedPacket = 0x81,
        ProtocolError = 0x82,
        ImplementationSpecificError = 0x83,
        NotAuthorized = 0x87,
        ServerBusy = 0x89,
        ServerShuttingDown = 0x8B,
        BadAuthenticationMethod = 0x8C,
        KeepAliveTimeout = 0x8D,
        SessionTakenOver = 0x8E,
        TopicFilterInvalid = 0x8F,
        TopicNameInvalid = 0x90,
        ReceiveMaximumExceeded = 0x93,
        TopicAliasInvalid = 0x94,
        PacketTooLarge = 0x95,
        MessageRateTooHigh = 0x96,
        QuotaExceeded = 0x97,
        AdministrativeAction = 0x98,
        PayloadFormatInvalid = 0x99,
        RetainNotSupported = 0x9A,
        QoSNotSupported = 0x9B,
        UseAnotherServer = 0x9C,
        ServerMoved = 0x9D,
        SharedSubscriptionsNotSupported = 0x9E,
        ConnectionRateExceeded = 0x9F,
        MaximumConnectTime = 0xA0,
        SubscriptionIdentifiersNotSupported = 0xA1,
        WildcardSubscriptionsNotSupported = 0xA2,
    }
}

impl DisconnectReason {
    /// Whether this end may say it.
    ///
    /// The specification lists `QoSNotSupported` for servers and yet tells clients to send it, and lists
    /// `BadAuthenticationMethod` in one of two tables: both pass in both directions.
    #[must_use]
    pub const fn may_be_sent_by(self, sender: Role) -> bool {
        match self {
            Self::DisconnectWithWill => matches!(sender, Role::Client),
            Self::NotAuthorized
            | Self::ServerBusy
            | Self::ServerShuttingDown
            | Self::KeepAliveTimeout
            | Self::SessionTakenOver
            | Self::TopicFilterInvalid
            | Self::RetainNotSupported
            | Self::UseAnotherServer
            | Self::ServerMoved
            | Self::SharedSubscriptionsNotSupported
            | Self::ConnectionRateExceeded
            | Self::MaximumConnectTime
            | Self::SubscriptionIdentifiersNotSupported
            | Self::WildcardSubscriptionsNotSupported => matches!(sender, Role::Server),
            _ => true,
        }
    }
}
