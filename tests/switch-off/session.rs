
/// Whether what breaks this row, named by its qualified id in the environment, closes nothing.
pub(crate) fn is_switched_off(closed: &Closed) -> bool {
    let Ok(row) = std::env::var("MQTT_SWITCH_OFF") else {
        return false;
    };
    let Some((table, id)) = row.split_once(':') else {
        return false;
    };
    let version = if table == "v311" {
        mqtt_proto::Version::V3_1_1
    } else {
        mqtt_proto::Version::V5
    };
    match closed {
        Closed::Malformed(error) => error.statement() == id,
        Closed::Violation(violation) => [mqtt_proto::Role::Client, mqtt_proto::Role::Server]
            .into_iter()
            .any(|sender| violation.statement(version, sender) == id),
        _ => false,
    }
}

/// Whether this law is not kept.
pub(crate) fn is_law_off(law: &str) -> bool {
    std::env::var("MQTT_SWITCH_OFF").is_ok_and(|off| off == law)
}
