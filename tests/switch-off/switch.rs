
// What follows is appended to mqtt-proto/src/error.rs in a copy of the workspace: see tests/switch-off.sh.

extern crate std;

/// Whether the check that carries this rule is switched off. The environment names the row as the ledger does.
pub(crate) fn switched_off(rule: &Rule, version: Version) -> bool {
    static ROW: std::sync::OnceLock<Option<std::string::String>> = std::sync::OnceLock::new();
    let Some(row) = ROW.get_or_init(|| std::env::var("MQTT_SWITCH_OFF").ok()) else { return false };
    match row.split_once(':') {
        Some(("v5", id)) => version == Version::V5 && rule.v5 == id,
        Some(("v311", id)) => version != Version::V5 && rule.v3 == id,
        Some((_, id)) => rule.v5 == id,
        None => false,
    }
}

/// A value to go on with where the bytes have none.
pub(crate) trait Substitute {
    fn substitute() -> Self;
}

macro_rules! substitutes {
    ($($type:ty => $value:expr;)*) => {
        $(impl Substitute for $type {
            fn substitute() -> Self {
                $value
            }
        })*
    };
}

substitutes! {
    &[u8] => &[];
    (&[u8], &[u8]) => (&[], &[]);
    (u32, u8) => (0, 0);
    (u32, usize) => (0, 0);
    PacketType => PacketType::PingReq;
    Version => Version::V5;
    crate::PacketId => crate::PacketId::MIN;
    crate::PropertyId => crate::PropertyId::ReasonString;
    crate::TopicName<&[u8]> => crate::TopicName(b"t");
    crate::ConnAckReason => crate::ConnAckReason::Success;
    crate::PubAckReason => crate::PubAckReason::Success;
    crate::PubRecReason => crate::PubRecReason::Success;
    crate::PubRelReason => crate::PubRelReason::Success;
    crate::PubCompReason => crate::PubCompReason::Success;
    crate::DisconnectReason => crate::DisconnectReason::NormalDisconnection;
    crate::AuthReason => crate::AuthReason::Success;
}

impl<const N: usize> Substitute for (&[u8; N], &[u8]) {
    fn substitute() -> Self {
        (const { &[0; N] }, &[])
    }
}
