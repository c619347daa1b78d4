//! Reason codes: all of them, and for each packet the ones that it may carry.

/// What a reason code says, in a few words. One text serves the list of all codes and the list of each packet.
macro_rules! meaning {
    (Success) => {
        "Success: accepted, or this step of the exchange is complete."
    };
    (NormalDisconnection) => {
        "Normal disconnection: the server drops the will."
    };
    (GrantedQoS0) => {
        "Subscribed; messages come at QoS 0."
    };
    (GrantedQoS1) => {
        "Subscribed; messages come at QoS 1 at most."
    };
    (GrantedQoS2) => {
        "Subscribed; messages come at QoS 2 at most."
    };
    (DisconnectWithWill) => {
        "Disconnection with the wish that the will is published."
    };
    (NoMatchingSubscribers) => {
        "Accepted, but nobody is subscribed."
    };
    (NoSubscriptionExisted) => {
        "There was no such subscription."
    };
    (ContinueAuthentication) => {
        "Another step of the authentication follows."
    };
    (ReAuthenticate) => {
        "The client starts a re-authentication."
    };
    (UnspecifiedError) => {
        "Unspecified error."
    };
    (MalformedPacket) => {
        "Malformed packet: it could not be parsed."
    };
    (ProtocolError) => {
        "Protocol error: the packet can be parsed but is not allowed."
    };
    (ImplementationSpecificError) => {
        "The packet is valid but this implementation does not process it."
    };
    (UnsupportedProtocolVersion) => {
        "Unsupported protocol version."
    };
    (ClientIdentifierNotValid) => {
        "The client identifier is not permitted."
    };
    (BadUserNameOrPassword) => {
        "Bad user name or password."
    };
    (NotAuthorized) => {
        "Not authorized."
    };
    (ServerUnavailable) => {
        "The server is not available."
    };
    (ServerBusy) => {
        "The server is busy."
    };
    (Banned) => {
        "The client is banned."
    };
    (ServerShuttingDown) => {
        "The server is shutting down."
    };
    (BadAuthenticationMethod) => {
        "The authentication method is not supported, or not the one in use."
    };
    (KeepAliveTimeout) => {
        "Nothing was received for one and a half times the keep-alive."
    };
    (SessionTakenOver) => {
        "Another connection uses the same client identifier."
    };
    (TopicFilterInvalid) => {
        "The topic filter is well formed but not accepted."
    };
    (TopicNameInvalid) => {
        "The topic name is well formed but not accepted."
    };
    (PacketIdentifierInUse) => {
        "The packet identifier is in use."
    };
    (PacketIdentifierNotFound) => {
        "The packet identifier is not known."
    };
    (ReceiveMaximumExceeded) => {
        "More messages in flight than the Receive Maximum."
    };
    (TopicAliasInvalid) => {
        "The topic alias is zero or above its maximum."
    };
    (PacketTooLarge) => {
        "The packet is larger than the Maximum Packet Size."
    };
    (MessageRateTooHigh) => {
        "Messages arrive too fast."
    };
    (QuotaExceeded) => {
        "A limit of the implementation or the administrator was exceeded."
    };
    (AdministrativeAction) => {
        "An administrator closed the connection."
    };
    (PayloadFormatInvalid) => {
        "The payload is not in the announced format."
    };
    (RetainNotSupported) => {
        "Retained messages are not supported."
    };
    (QoSNotSupported) => {
        "The quality of service is not supported."
    };
    (UseAnotherServer) => {
        "Use another server for the time being."
    };
    (ServerMoved) => {
        "The server has moved for good."
    };
    (SharedSubscriptionsNotSupported) => {
        "Shared subscriptions are not supported."
    };
    (ConnectionRateExceeded) => {
        "Too many connections in too short a time."
    };
    (MaximumConnectTime) => {
        "The time granted to this connection is over."
    };
    (SubscriptionIdentifiersNotSupported) => {
        "Subscription identifiers are not supported."
    };
    (WildcardSubscriptionsNotSupported) => {
        "Wildcard subscriptions are not supported."
    };
}

macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $value:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[repr(u8)]
        pub enum $name {
            $(#[doc = meaning!($variant)] $variant = $value,)*
        }

        impl $name {
            /// Every code, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code with this number, if the list has it.
            #[must_use]
            #[inline]
            pub const fn from_value(value: u8) -> Option<Self> {
                match value {
                    $($value => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The number on the wire in MQTT 5.0.
            #[must_use]
            #[inline]
            pub const fn value(self) -> u8 {
                self as u8
            }

            /// Whether the code reports a failure: 0x80 and above.
            #[must_use]
            #[inline]
            pub const fn is_error(self) -> bool {
                self.value() >= 0x80
            }

            /// What the code says, as a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => meaning!($variant),)*
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "0x{:02X} {}", self.value(), self.meaning())
            }
        }
    };
}

macro_rules! reasons_of_packet {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $value:literal,)* }) => {
        reasons! { $(#[$meta])* $name { $($variant = $value,)* } }

        impl From<$name> for ReasonCode {
            fn from(reason: $name) -> Self {
                match reason {
                    $($name::$variant => ReasonCode::from_listed($value),)*
                }
            }
        }
    };
}

reasons! {
    /// Every reason code of MQTT 5.0. 0x00 means success, a normal disconnection or a granted QoS 0, by the packet.
    #[non_exhaustive]
    ReasonCode {
        Success = 0x00,
        GrantedQoS1 = 0x01,
        GrantedQoS2 = 0x02,
        DisconnectWithWill = 0x04,
        NoMatchingSubscribers = 0x10,
        NoSubscriptionExisted = 0x11,
        ContinueAuthentication = 0x18,
        ReAuthenticate = 0x19,
        UnspecifiedError = 0x80,
        MalformedPacket = 0x81,
        ProtocolError = 0x82,
        ImplementationSpecificError = 0x83,
        UnsupportedProtocolVersion = 0x84,
        ClientIdentifierNotValid = 0x85,
        BadUserNameOrPassword = 0x86,
        NotAuthorized = 0x87,
        ServerUnavailable = 0x88,
        ServerBusy = 0x89,
        Banned = 0x8A,
        ServerShuttingDown = 0x8B,
        BadAuthenticationMethod = 0x8C,
        KeepAliveTimeout = 0x8D,
        SessionTakenOver = 0x8E,
        TopicFilterInvalid = 0x8F,
        TopicNameInvalid = 0x90,
        PacketIdentifierInUse = 0x91,
        PacketIdentifierNotFound = 0x92,
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

impl ReasonCode {
    /// The code for a number that the list of a packet has, and so this list too.
    const fn from_listed(value: u8) -> Self {
        match Self::from_value(value) {
            Some(code) => code,
            None => Self::UnspecifiedError,
        }
    }
}

reasons_of_packet! {
    /// What CONNACK may say. The return codes of MQTT 3.1.1 and 3.1 map onto these.
    ConnAckReason {
        Success = 0x00,
        UnspecifiedError = 0x80,
        MalformedPacket = 0x81,
        ProtocolError = 0x82,
        ImplementationSpecificError = 0x83,
        UnsupportedProtocolVersion = 0x84,
        ClientIdentifierNotValid = 0x85,
        BadUserNameOrPassword = 0x86,
        NotAuthorized = 0x87,
        ServerUnavailable = 0x88,
        ServerBusy = 0x89,
        Banned = 0x8A,
        BadAuthenticationMethod = 0x8C,
        TopicNameInvalid = 0x90,
        PacketTooLarge = 0x95,
        QuotaExceeded = 0x97,
        PayloadFormatInvalid = 0x99,
        RetainNotSupported = 0x9A,
        QoSNotSupported = 0x9B,
        UseAnotherServer = 0x9C,
        ServerMoved = 0x9D,
        ConnectionRateExceeded = 0x9F,
    }
}

impl ConnAckReason {
    /// The reason that stands for a return code of MQTT 3.1.1 or 3.1; 6 and above are reserved.
    #[must_use]
    pub const fn from_return_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Success),
            1 => Some(Self::UnsupportedProtocolVersion),
            2 => Some(Self::ClientIdentifierNotValid),
            3 => Some(Self::ServerUnavailable),
            4 => Some(Self::BadUserNameOrPassword),
            5 => Some(Self::NotAuthorized),
            _ => None,
        }
    }

    /// The return code of MQTT 3.1.1 and 3.1 that says exactly this, if there is one.
    #[must_use]
    pub const fn return_code(self) -> Option<u8> {
        match self {
            Self::Success => Some(0),
            Self::UnsupportedProtocolVersion => Some(1),
            Self::ClientIdentifierNotValid => Some(2),
            Self::ServerUnavailable => Some(3),
            Self::BadUserNameOrPassword => Some(4),
            Self::NotAuthorized => Some(5),
            _ => None,
        }
    }

    /// The nearest reason that MQTT 3.1.1 and 3.1 can say, or `None` where they close without an answer.
    #[must_use]
    pub const fn for_v3(self) -> Option<Self> {
        match self {
            Self::ServerBusy
            | Self::UseAnotherServer
            | Self::ServerMoved
            | Self::ConnectionRateExceeded
            | Self::QuotaExceeded => Some(Self::ServerUnavailable),
            Self::Banned | Self::BadAuthenticationMethod => Some(Self::NotAuthorized),
            other => match other.return_code() {
                Some(_) => Some(other),
                None => None,
            },
        }
    }
}

reasons_of_packet! {
    /// What PUBACK may say.
    PubAckReason {
        Success = 0x00,
        NoMatchingSubscribers = 0x10,
        UnspecifiedError = 0x80,
        ImplementationSpecificError = 0x83,
        NotAuthorized = 0x87,
        TopicNameInvalid = 0x90,
        PacketIdentifierInUse = 0x91,
        QuotaExceeded = 0x97,
        PayloadFormatInvalid = 0x99,
    }
}

reasons_of_packet! {
    /// What PUBREC may say.
    PubRecReason {
        Success = 0x00,
        NoMatchingSubscribers = 0x10,
        UnspecifiedError = 0x80,
        ImplementationSpecificError = 0x83,
        NotAuthorized = 0x87,
        TopicNameInvalid = 0x90,
        PacketIdentifierInUse = 0x91,
        QuotaExceeded = 0x97,
        PayloadFormatInvalid = 0x99,
    }
}

reasons_of_packet! {
    /// What PUBREL may say.
    PubRelReason {
        Success = 0x00,
        PacketIdentifierNotFound = 0x92,
    }
}

reasons_of_packet! {
    /// What PUBCOMP may say.
    PubCompReason {
        Success = 0x00,
        PacketIdentifierNotFound = 0x92,
    }
}

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
    pub const fn granted(qos: crate::QoS) -> Self {
        match qos {
            crate::QoS::AtMostOnce => Self::GrantedQoS0,
            crate::QoS::AtLeastOnce => Self::GrantedQoS1,
            crate::QoS::ExactlyOnce => Self::GrantedQoS2,
        }
    }

    /// The granted QoS, or `None` for a refusal.
    #[must_use]
    pub const fn granted_qos(self) -> Option<crate::QoS> {
        crate::QoS::from_bits(self.value())
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
    pub const fn may_be_sent_by(self, sender: crate::Role) -> bool {
        match self {
            Self::DisconnectWithWill => matches!(sender, crate::Role::Client),
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
            | Self::WildcardSubscriptionsNotSupported => matches!(sender, crate::Role::Server),
            _ => true,
        }
    }
}

reasons_of_packet! {
    /// What AUTH may say. [`may_be_sent_by`](Self::may_be_sent_by) tells which end may say it.
    AuthReason {
        Success = 0x00,
        ContinueAuthentication = 0x18,
        ReAuthenticate = 0x19,
    }
}

impl AuthReason {
    /// Whether this end may say it.
    #[must_use]
    pub const fn may_be_sent_by(self, sender: crate::Role) -> bool {
        match self {
            Self::Success => matches!(sender, crate::Role::Server),
            Self::ContinueAuthentication => true,
            Self::ReAuthenticate => matches!(sender, crate::Role::Client),
        }
    }
}
