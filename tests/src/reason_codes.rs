//! The table of reason codes in `data/reason-codes.tsv`.

use std::collections::BTreeSet;

use mqtt_proto::Role;

/// The codes that a packet may carry, whichever end sends it.
#[must_use]
pub fn codes_of(packet: &str) -> BTreeSet<u8> {
    codes(packet, &[Role::Client, Role::Server])
}

/// The codes that a packet may carry when this end sends it.
#[must_use]
pub fn codes_sent_by(sender: Role, packet: &str) -> BTreeSet<u8> {
    codes(packet, &[sender])
}

/// Every code of the table.
#[must_use]
pub fn all_codes() -> BTreeSet<u8> {
    rows().map(|(code, _)| code).collect()
}

fn codes(packet: &str, senders: &[Role]) -> BTreeSet<u8> {
    rows()
        .filter(|(_, packets)| lists(packets, packet, senders))
        .map(|(code, _)| code)
        .collect()
}

fn rows() -> impl Iterator<Item = (u8, &'static str)> {
    include_str!("../data/reason-codes.tsv").lines().skip(1).map(|line| {
        let mut cells = line.split('\t');
        let mut cell = || cells.next().unwrap_or_default();
        let number = cell().trim_start_matches("0x");
        let number = u8::from_str_radix(number, 16).unwrap_or_else(|_| panic!("no number: {line}"));
        let _name = cell();
        (number, cell())
    })
}

/// Whether a list such as `PUBACK(server), DISCONNECT` has a packet. Only an end in brackets restricts who sends it.
fn lists(packets: &str, packet: &str, senders: &[Role]) -> bool {
    packets.split(',').map(str::trim).any(|entry| {
        let (name, remark) = entry.split_once('(').unwrap_or((entry, ""));
        name.trim() == packet
            && match remark.strip_suffix(')') {
                Some("client") => senders.contains(&Role::Client),
                Some("server") => senders.contains(&Role::Server),
                _ => true,
            }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        assert_eq!(all_codes().len(), 43);
        assert_eq!(codes_of("PUBREL"), BTreeSet::from([0x00, 0x92]));
        assert_eq!(codes_of("AUTH"), BTreeSet::from([0x00, 0x18, 0x19]));
        assert_eq!(codes_sent_by(Role::Client, "AUTH"), BTreeSet::from([0x18, 0x19]));
        assert!(!codes_sent_by(Role::Server, "DISCONNECT").contains(&0x04));
        assert!(
            codes_sent_by(Role::Client, "DISCONNECT").contains(&0x9B),
            "3.3.4 has the client send it"
        );
    }
}
