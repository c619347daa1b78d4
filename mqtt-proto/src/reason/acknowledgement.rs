//! What PUBACK, PUBREC, PUBREL and PUBCOMP may say.

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
