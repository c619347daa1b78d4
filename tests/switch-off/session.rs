
/// Whether what breaks this row, named by its qualified id in the environment, closes nothing.
pub(crate) fn is_switched_off(closed: &Closed) -> bool {
    let Ok(row) = std::env::var("MQTT_SWITCH_OFF") else {
        return false;
    };
    let Some((table, id)) = row.split_once(':') else {
        return false;
    };
    let is_of_table = |version: mqtt_proto::Version| (table == "v311") != version.has_properties() || id.starts_with("U5-");
    closed
        .statement()
        .is_some_and(|statement| statement.id == id && is_of_table(statement.version))
}

/// Whether this law is not kept.
pub(crate) fn is_law_off(law: &str) -> bool {
    std::env::var("MQTT_SWITCH_OFF").is_ok_and(|off| off == law)
}
