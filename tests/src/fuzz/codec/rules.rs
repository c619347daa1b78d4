//! How an input chooses the rules of a decoder.

use mqtt_proto::{Choice, Role, Rules, Version};

/// The rules that the first two bytes of an input stand for, and the bytes behind them. Zeros are the default rules.
///
/// First byte: bits 0 and 1 the sender, bit 2 refuses control characters, bit 3 accepts padded lengths, bit 4 refuses
/// the habits of MQTT 3.1, bit 5 allows one User Property only, bits 6 and 7 scale the size limit in the second byte.
pub(super) fn draw(version: Version, input: &[u8]) -> Option<(Rules, &[u8])> {
    let (&[choices, limit], rest) = input.split_first_chunk::<2>()?;
    let mut rules = Rules::new(version);
    rules.sender = match choices & 0b11 {
        0b01 => Some(Role::Client),
        0b10 => Some(Role::Server),
        _ => None,
    };
    if choices & 0x04 != 0 {
        rules.policy.control_characters = Choice::Refuse;
    }
    if choices & 0x08 != 0 {
        rules.policy.padded_remaining_length = Choice::Accept;
    }
    if choices & 0x10 != 0 {
        rules.policy.v3_1_habits = Choice::Refuse;
    }
    if choices & 0x20 != 0 {
        rules.policy.user_properties_limit = 1;
    }
    match choices >> 6 {
        0 => {}
        scale => rules.limit_bytes = u32::from(limit) << (3 * (scale - 1)),
    }
    Some((rules, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_the_default_rules() {
        assert_eq!(draw(Version::V5, &[0, 0, 7]), Some((Rules::new(Version::V5), &[7][..])));
        assert_eq!(draw(Version::V5, &[0]), None);
    }

    #[test]
    fn every_choice_can_be_drawn() {
        let (rules, _) = draw(Version::V3_1, &[0b1011_1110, 255]).expect("two bytes");
        assert_eq!(rules.sender, Some(Role::Server));
        assert_eq!(rules.policy.control_characters, Choice::Refuse);
        assert_eq!(rules.policy.padded_remaining_length, Choice::Accept);
        assert_eq!(rules.policy.v3_1_habits, Choice::Refuse);
        assert_eq!(rules.policy.user_properties_limit, 1);
        assert_eq!(rules.limit_bytes, 255 * 8);
    }
}
