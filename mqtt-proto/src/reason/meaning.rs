//! What each reason code says.

/// What a reason code says, in a few words. One text serves the list of all codes and the list of each packet.
macro_rules! meaning {
    (Success) => {
        "Success: accepted, or this step of the exchange is complete."
    };
    (NormalDisconnection) => {
        "Normal disconnection: no will is published."
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
