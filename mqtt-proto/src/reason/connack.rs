//! What CONNACK may say, and the return codes of MQTT 3.1.1 and 3.1.

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
