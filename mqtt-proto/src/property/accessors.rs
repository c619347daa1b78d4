//! For every section its properties by name: a method that reads on [`Properties`], one that writes on the builder.

use core::num::{NonZeroU16, NonZeroU32};

use super::{PayloadFormat, Properties, PropertiesBuilder, Property, Storage, SubscriptionId, section};
use crate::{Binary, PropertyId, QoS, Text, TopicName};

/// The reader of a property that occurs once.
macro_rules! reads {
    ($doc:literal, $method:ident, $id:ident, $type:ty) => {
        #[doc = $doc]
        #[must_use]
        #[inline]
        pub fn $method(&self) -> Option<$type> {
            match self.find(PropertyId::$id) {
                Some(Property::$id(value)) => Some(value),
                _ => None,
            }
        }
    };
}

macro_rules! read {
    (payload_format) => {
        reads!(
            "Whether the payload is text.",
            payload_format,
            PayloadFormatIndicator,
            PayloadFormat
        );
    };
    (message_expiry) => {
        reads!(
            "How many seconds the message is worth delivering.",
            message_expiry,
            MessageExpiryInterval,
            u32
        );
    };
    (content_type) => {
        reads!(
            "What the payload is, in the sender's own terms.",
            content_type,
            ContentType,
            Text<&[u8]>
        );
    };
    (response_topic) => {
        reads!(
            "Where an answer goes.",
            response_topic,
            ResponseTopic,
            TopicName<&[u8]>
        );
    };
    (correlation_data) => {
        reads!(
            "By what the requester recognises the answer.",
            correlation_data,
            CorrelationData,
            Binary<&[u8]>
        );
    };
    (subscription_id) => {
        reads!(
            "The identifier for the subscriptions of this packet.",
            subscription_id,
            SubscriptionIdentifier,
            SubscriptionId
        );
    };
    (session_expiry) => {
        reads!(
            "How many seconds the session outlives the connection; `u32::MAX` is for ever.",
            session_expiry,
            SessionExpiryInterval,
            u32
        );
    };
    (assigned_client_id) => {
        reads!(
            "The client identifier that the server chose.",
            assigned_client_id,
            AssignedClientIdentifier,
            Text<&[u8]>
        );
    };
    (server_keep_alive) => {
        reads!(
            "The keep-alive in seconds that replaces the client's.",
            server_keep_alive,
            ServerKeepAlive,
            u16
        );
    };
    (authentication_method) => {
        reads!(
            "The name of the authentication method.",
            authentication_method,
            AuthenticationMethod,
            Text<&[u8]>
        );
    };
    (authentication_data) => {
        reads!(
            "What the authentication method exchanges.",
            authentication_data,
            AuthenticationData,
            Binary<&[u8]>
        );
    };
    (request_problem_information) => {
        reads!(
            "Whether reason strings and user properties are wanted with every kind of packet. Absent means yes.",
            request_problem_information,
            RequestProblemInformation,
            bool
        );
    };
    (will_delay) => {
        reads!(
            "How many seconds the will waits. Absent means none.",
            will_delay,
            WillDelayInterval,
            u32
        );
    };
    (request_response_information) => {
        reads!(
            "Whether response information is wanted. Absent means no.",
            request_response_information,
            RequestResponseInformation,
            bool
        );
    };
    (response_information) => {
        reads!(
            "From what the client makes response topics.",
            response_information,
            ResponseInformation,
            Text<&[u8]>
        );
    };
    (server_reference) => {
        reads!(
            "Which other server to use.",
            server_reference,
            ServerReference,
            Text<&[u8]>
        );
    };
    (reason_string) => {
        reads!(
            "A diagnosis for people.",
            reason_string,
            ReasonString,
            Text<&[u8]>
        );
    };
    (receive_maximum) => {
        reads!(
            "How many messages with QoS above 0 may be in flight. Absent means 65,535.",
            receive_maximum,
            ReceiveMaximum,
            NonZeroU16
        );
    };
    (topic_alias_maximum) => {
        reads!(
            "The highest topic alias that may be used. Absent means none.",
            topic_alias_maximum,
            TopicAliasMaximum,
            u16
        );
    };
    (topic_alias) => {
        reads!(
            "The number that stands for the topic.",
            topic_alias,
            TopicAlias,
            NonZeroU16
        );
    };
    (maximum_qos) => {
        reads!(
            "The highest QoS that the server supports. Absent means 2.",
            maximum_qos,
            MaximumQoS,
            QoS
        );
    };
    (retain_available) => {
        reads!(
            "Whether the server keeps retained messages. Absent means yes.",
            retain_available,
            RetainAvailable,
            bool
        );
    };
    (maximum_packet_size) => {
        reads!(
            "The largest packet in bytes that may be sent. Absent means any.",
            maximum_packet_size,
            MaximumPacketSize,
            NonZeroU32
        );
    };
    (wildcard_available) => {
        reads!(
            "Whether filters may hold wildcards. Absent means yes.",
            wildcard_available,
            WildcardSubscriptionAvailable,
            bool
        );
    };
    (subscription_ids_available) => {
        reads!(
            "Whether subscriptions may have identifiers. Absent means yes.",
            subscription_ids_available,
            SubscriptionIdentifierAvailable,
            bool
        );
    };
    (shared_available) => {
        reads!(
            "Whether subscriptions may be shared. Absent means yes.",
            shared_available,
            SharedSubscriptionAvailable,
            bool
        );
    };
    (subscription_ids) => {
        /// The identifiers of the subscriptions that the message was sent for.
        pub fn subscription_ids(&self) -> impl Iterator<Item = SubscriptionId> + '_ {
            self.iter().filter_map(|property| match property {
                Property::SubscriptionIdentifier(id) => Some(id),
                _ => None,
            })
        }
    };
    (user_properties) => {
        /// Names and values with a meaning of the application's own, in order.
        pub fn user_properties(&self) -> impl Iterator<Item = (Text<&[u8]>, Text<&[u8]>)> {
            self.iter().filter_map(|property| match property {
                Property::UserProperty(name, value) => Some((name, value)),
                _ => None,
            })
        }
    };
}

/// The writer of a property.
macro_rules! writes {
    ($method:ident, $id:ident, text) => {
        #[doc = concat!("Appends [`", stringify!($id), "`](Property::", stringify!($id), ").")]
        pub fn $method(self, value: impl AsRef<[u8]>) -> Self {
            self.prefixed(PropertyId::$id, value.as_ref())
        }
    };
    ($method:ident, $id:ident, flag) => {
        #[doc = concat!("Appends [`", stringify!($id), "`](Property::", stringify!($id), ").")]
        pub fn $method(self, value: bool) -> Self {
            self.bytes(PropertyId::$id, &[u8::from(value)])
        }
    };
    ($method:ident, $id:ident, $number:ident) => {
        #[doc = concat!("Appends [`", stringify!($id), "`](Property::", stringify!($id), ").")]
        pub fn $method(self, value: $number) -> Self {
            self.bytes(PropertyId::$id, &value.to_be_bytes())
        }
    };
}

macro_rules! write_property {
    (payload_format) => {
        /// Appends [`PayloadFormatIndicator`](Property::PayloadFormatIndicator).
        pub fn payload_format(self, format: PayloadFormat) -> Self {
            self.bytes(PropertyId::PayloadFormatIndicator, &[format as u8])
        }
    };
    (message_expiry) => {
        writes!(message_expiry, MessageExpiryInterval, u32);
    };
    (content_type) => {
        writes!(content_type, ContentType, text);
    };
    (response_topic) => {
        writes!(response_topic, ResponseTopic, text);
    };
    (correlation_data) => {
        writes!(correlation_data, CorrelationData, text);
    };
    (subscription_id) => {
        /// Appends [`SubscriptionIdentifier`](Property::SubscriptionIdentifier).
        pub fn subscription_id(self, id: SubscriptionId) -> Self {
            self.subscription(id)
        }
    };
    (subscription_ids) => {
        write_property!(subscription_id);
    };
    (session_expiry) => {
        writes!(session_expiry, SessionExpiryInterval, u32);
    };
    (assigned_client_id) => {
        writes!(assigned_client_id, AssignedClientIdentifier, text);
    };
    (server_keep_alive) => {
        writes!(server_keep_alive, ServerKeepAlive, u16);
    };
    (authentication_method) => {
        writes!(authentication_method, AuthenticationMethod, text);
    };
    (authentication_data) => {
        writes!(authentication_data, AuthenticationData, text);
    };
    (request_problem_information) => {
        writes!(request_problem_information, RequestProblemInformation, flag);
    };
    (will_delay) => {
        writes!(will_delay, WillDelayInterval, u32);
    };
    (request_response_information) => {
        writes!(request_response_information, RequestResponseInformation, flag);
    };
    (response_information) => {
        writes!(response_information, ResponseInformation, text);
    };
    (server_reference) => {
        writes!(server_reference, ServerReference, text);
    };
    (reason_string) => {
        writes!(reason_string, ReasonString, text);
    };
    (receive_maximum) => {
        writes!(receive_maximum, ReceiveMaximum, u16);
    };
    (topic_alias_maximum) => {
        writes!(topic_alias_maximum, TopicAliasMaximum, u16);
    };
    (topic_alias) => {
        writes!(topic_alias, TopicAlias, u16);
    };
    (maximum_qos) => {
        /// Appends [`MaximumQoS`](Property::MaximumQoS); nothing for QoS 2, which is said by absence.
        pub fn maximum_qos(self, qos: QoS) -> Self {
            self.maximum(qos)
        }
    };
    (retain_available) => {
        writes!(retain_available, RetainAvailable, flag);
    };
    (maximum_packet_size) => {
        writes!(maximum_packet_size, MaximumPacketSize, u32);
    };
    (wildcard_available) => {
        writes!(wildcard_available, WildcardSubscriptionAvailable, flag);
    };
    (subscription_ids_available) => {
        writes!(subscription_ids_available, SubscriptionIdentifierAvailable, flag);
    };
    (shared_available) => {
        writes!(shared_available, SharedSubscriptionAvailable, flag);
    };
    (user_properties) => {
        /// Appends a [`UserProperty`](Property::UserProperty).
        pub fn user_property(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
            self.pair(name.as_ref(), value.as_ref())
        }
    };
}

macro_rules! accessors {
    ($($section:ident { $($method:ident)* })*) => {
        $(
            impl<B: AsRef<[u8]>> Properties<section::$section, B> {
                $(read!($method);)*
            }

            impl<W: Storage> PropertiesBuilder<section::$section, W> {
                $(write_property!($method);)*
            }
        )*
    };
}

accessors! {
    Connect {
        session_expiry receive_maximum maximum_packet_size topic_alias_maximum request_response_information
        request_problem_information authentication_method authentication_data user_properties
    }
    Will {
        will_delay payload_format message_expiry content_type response_topic correlation_data user_properties
    }
    ConnAck {
        session_expiry receive_maximum maximum_qos retain_available maximum_packet_size assigned_client_id
        topic_alias_maximum reason_string wildcard_available subscription_ids_available shared_available
        server_keep_alive response_information server_reference authentication_method authentication_data
        user_properties
    }
    Publish {
        payload_format message_expiry topic_alias response_topic correlation_data subscription_ids content_type
        user_properties
    }
    Ack { reason_string user_properties }
    Subscribe { subscription_id user_properties }
    Unsubscribe { user_properties }
    Disconnect { session_expiry reason_string server_reference user_properties }
    Auth { authentication_method authentication_data reason_string user_properties }
}
