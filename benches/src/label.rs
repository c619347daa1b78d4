//! What the rows of the table are called.

use mqtt_benches::environment::version;

use crate::run::Row;

/// What a row is called in the table, with the version from the lock file.
pub fn label(row: Row) -> String {
    match row {
        Row::Ours => "**this crate**".to_owned(),
        Row::OursOwned => "**this crate**, owned".to_owned(),
        Row::OursBuffer => "**this crate**, into `BufMut`".to_owned(),
        Row::OursParts => "**this crate**, parts".to_owned(),
        Row::ProtocolCoreSlices => {
            format!("mqtt-protocol-core {}, slices", version("mqtt-protocol-core"))
        }
        Row::Akasamq => format!("mqtt-proto {} (akasamq)", version("mqtt-proto")),
        Row::Skip => "floor: skip".to_owned(),
        Row::Memcpy => "floor: memcpy".to_owned(),
        other => format!("{} {}", other.slug(), version(other.slug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_its_version() {
        for row in Row::ALL {
            if !row.is_ours() && !row.is_floor() {
                assert!(label(row).contains('.'), "{}", label(row));
            }
        }
    }
}
