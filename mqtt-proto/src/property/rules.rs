//! Which rule of the specification a property breaks, by section and property.

use super::section::SectionKind;
use crate::error::Rule;
use crate::reader::Site;
use crate::{Field, PropertyId};

/// A property that does not fit, is not known or is not allowed here.
pub(super) static MISPLACED: Rule = Rule::v5("U5-2.2.2-a");

/// A Property Length that is not there.
pub(super) static LENGTH_MISSING: Rule = Rule::v5("MQTT-2.2.2-1");
pub(super) static WILL_LENGTH_MISSING: Rule = Rule::new("MQTT-3.1.2-9", "MQTT-3.1.2-9");

/// A property that only the other end may send.
pub(super) static SUBSCRIPTION_ID_FROM_CLIENT: Rule = Rule::v5("MQTT-3.3.4-6");
pub(super) static SESSION_EXPIRY_FROM_SERVER: Rule = Rule::v5("MQTT-3.14.2-2");

pub(super) static DATA_WITHOUT_METHOD: Rule = Rule::v5("U5-3.1.2-h");
pub(super) static METHOD_MISSING: Rule = Rule::v5("U5-3.15.2-a");

/// The rule for a second occurrence.
pub(super) fn once(section: SectionKind, id: PropertyId) -> &'static Rule {
    use SectionKind::{Ack, Auth, ConnAck, Connect, Disconnect, Publish, Subscribe, Unsubscribe, Will};
    match (section, id) {
        (Connect, _) => connect(id),
        (Will, _) => &const { Rule::v5("U5-3.1.3-a") },
        (ConnAck, _) => &const { Rule::v5("U5-3.2.2-a") },
        (Publish, _) => &const { Rule::v5("U5-3.3.2-c") },
        (Subscribe | Unsubscribe, _) => &const { Rule::v5("U5-3.8.2-a") },
        (Ack | Disconnect | Auth, PropertyId::ReasonString) => &const { Rule::v5("U5-3.4.2-b") },
        (Auth, PropertyId::AuthenticationData) => &const { Rule::v5("U5-3.15.2-b") },
        (Auth, _) => &METHOD_MISSING,
        (Disconnect | Ack, _) => &const { Rule::v5("U5-3.14.2-b") },
    }
}

/// The rule for a value out of range.
pub(super) fn range(section: SectionKind, id: PropertyId) -> &'static Rule {
    match (section, id) {
        (_, PropertyId::PayloadFormatIndicator) => &MISPLACED,
        (SectionKind::Connect, _) => connect(id),
        (SectionKind::ConnAck, PropertyId::ReceiveMaximum | PropertyId::MaximumPacketSize) => {
            &const { Rule::v5("U5-3.2.2-b") }
        }
        (SectionKind::ConnAck, PropertyId::MaximumQoS) => &const { Rule::v5("U5-3.2.2-c") },
        (SectionKind::ConnAck, _) => &const { Rule::v5("U5-3.2.2-d") },
        (SectionKind::Publish, PropertyId::TopicAlias) => &const { Rule::v5("MQTT-3.3.2-8") },
        (SectionKind::Publish, _) => &const { Rule::v5("U5-3.3.2-d") },
        _ => &const { Rule::v5("U5-3.8.2-a") },
    }
}

/// In CONNECT one rule of each property says both: once, and in which range.
fn connect(id: PropertyId) -> &'static Rule {
    match id {
        PropertyId::SessionExpiryInterval => &const { Rule::v5("U5-3.1.2-a") },
        PropertyId::ReceiveMaximum => &const { Rule::v5("U5-3.1.2-b") },
        PropertyId::MaximumPacketSize => &const { Rule::v5("U5-3.1.2-c") },
        PropertyId::TopicAliasMaximum => &const { Rule::v5("U5-3.1.2-d") },
        PropertyId::RequestResponseInformation => &const { Rule::v5("U5-3.1.2-e") },
        PropertyId::RequestProblemInformation => &const { Rule::v5("U5-3.1.2-f") },
        PropertyId::AuthenticationMethod => &const { Rule::v5("U5-3.1.2-g") },
        _ => &DATA_WITHOUT_METHOD,
    }
}

/// The rules for the text or data of a property.
pub(super) fn site(id: PropertyId) -> &'static Site {
    const CUT: Rule = Rule::v5("U5-2.2.2-a");
    const UTF8: Rule = Rule::v5("MQTT-1.5.4-1");
    const PAIR: Rule = Rule::v5("MQTT-1.5.7-1");
    macro_rules! text {
        ($id:ident, $utf8:expr) => {
            &const { Site::text(Field::Property(PropertyId::$id), CUT, $utf8) }
        };
    }
    match id {
        PropertyId::ContentType => text!(ContentType, Rule::v5("MQTT-3.3.2-19")),
        PropertyId::ResponseTopic => {
            &const {
                let wildcard = Rule::v5("MQTT-3.3.2-14");
                Site::topic(
                    Field::Property(PropertyId::ResponseTopic),
                    CUT,
                    Rule::v5("MQTT-3.3.2-13"),
                    wildcard,
                )
            }
        }
        PropertyId::AssignedClientIdentifier => text!(AssignedClientIdentifier, UTF8),
        PropertyId::AuthenticationMethod => text!(AuthenticationMethod, UTF8),
        PropertyId::ResponseInformation => text!(ResponseInformation, UTF8),
        PropertyId::ServerReference => text!(ServerReference, UTF8),
        PropertyId::CorrelationData => text!(CorrelationData, UTF8),
        PropertyId::AuthenticationData => text!(AuthenticationData, UTF8),
        PropertyId::UserProperty => {
            &const { Site::text(Field::Property(PropertyId::UserProperty), CUT, PAIR).nul(PAIR) }
        }
        _ => text!(ReasonString, UTF8),
    }
}
