//! A packet for people: every field with its bytes and what they mean. It is the decoder itself that tells.

use core::fmt;
use core::ops::Range;

use crate::decode::decode_traced;
use crate::text::{Hidden, Shortened};
use crate::trace::{Observer, Value};
use crate::{
    ConnAckReason, DecodeError, Decoded, Field, PacketType, PropertyId, QoS, ReasonCode, Rules, SubscriptionOptions,
    Version,
};

/// One field of a packet.
///
/// `Display` writes its name and what it means: `Topic Name: "home/kitchen"`. Passwords and authentication data are hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained<'a> {
    /// Where the field lies in the packet.
    pub range: Range<usize>,
    /// Which field it is.
    pub field: Field,
    /// What it holds.
    pub value: Value<'a>,
    context: Context,
}

/// What the meaning of a field depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Context {
    packet_type: Option<PacketType>,
    version: Version,
}

/// Decodes the packet at the start of `bytes` and tells about every field, in the order of the wire.
///
/// If the bytes are refused, the fields before the fault have been told, and the error says what is wrong and where.
/// [`Explanation`] does the same as a text.
///
/// # Errors
/// As for [`decode`](crate::decode).
pub fn explain<'a>(
    bytes: &'a [u8],
    rules: &Rules,
    mut tell: impl FnMut(Explained<'_>),
) -> Result<Decoded<'a>, DecodeError> {
    let mut context = Context {
        packet_type: None,
        version: rules.version,
    };
    let trace = Observer(|field: Field, range: Range<usize>, value: Value<'_>| {
        context.learn(field, value);
        tell(Explained {
            range,
            field,
            value,
            context,
        });
    });
    decode_traced(bytes, rules, trace)
}

impl Context {
    fn learn(&mut self, field: Field, value: Value<'_>) {
        match (field, value) {
            (Field::FixedHeader, Value::Byte(first)) => self.packet_type = PacketType::from_number(first >> 4),
            (Field::ProtocolLevel, Value::Byte(level)) => {
                let stated = Version::ALL.into_iter().find(|version| version.level() == level);
                self.version = stated.unwrap_or(self.version);
            }
            _ => {}
        }
    }
}

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.field)?;
        match self.value {
            Value::Byte(byte) => self.byte(byte, f),
            Value::Number(number) => write!(f, "{number}"),
            Value::Text(bytes) => write!(f, "{:?}", core::str::from_utf8(bytes).unwrap_or_default()),
            Value::Binary(bytes) => match self.field {
                Field::Password | Field::Property(PropertyId::AuthenticationData) => {
                    write!(f, "{:?}", Hidden(bytes.len()))
                }
                _ => write!(f, "{:?}", Shortened(bytes)),
            },
        }
    }
}

impl Explained<'_> {
    fn byte(&self, byte: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Field::FixedHeader => first_byte(byte, f),
            Field::ConnectFlags => connect_flags(byte, f),
            Field::ConnectAcknowledgeFlags => f.write_str(if byte & 1 == 0 {
                "no session present"
            } else {
                "session present"
            }),
            Field::ReasonCode => self.reason(byte, f),
            Field::SubscriptionOptions => match SubscriptionOptions::from_bits(byte) {
                Some(options) => write!(f, "{options:?}"),
                None => write!(f, "0x{byte:02X}"),
            },
            Field::PropertyId => match PropertyId::from_number(byte) {
                Some(id) => write!(f, "{id}"),
                None => write!(f, "0x{byte:02X}"),
            },
            _ => write!(f, "{byte}"),
        }
    }

    fn reason(&self, byte: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before_v5 = !self.context.version.has_properties();
        match (self.context.packet_type, before_v5) {
            (Some(PacketType::ConnAck), true) => match ConnAckReason::from_return_code(byte) {
                Some(reason) => write!(f, "{byte} {}", reason.meaning()),
                None => write!(f, "{byte}"),
            },
            (Some(PacketType::SubAck), _) if byte <= 2 => write!(f, "0x{byte:02X} granted QoS {byte}"),
            (Some(PacketType::Disconnect), _) if byte == 0 => f.write_str("0x00 normal disconnection"),
            _ => match ReasonCode::from_value(byte) {
                Some(reason) => write!(f, "{reason}"),
                None => write!(f, "0x{byte:02X}"),
            },
        }
    }
}

fn first_byte(byte: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(packet_type) = PacketType::from_number(byte >> 4) else {
        return write!(f, "0x{byte:02X}");
    };
    write!(f, "{packet_type}")?;
    if packet_type == PacketType::Publish {
        write!(f, ", QoS {}", byte >> 1 & 0b11)?;
        for (bit, name) in [(0x08, ", DUP"), (0x01, ", RETAIN")] {
            if byte & bit != 0 {
                f.write_str(name)?;
            }
        }
    }
    Ok(())
}

fn connect_flags(byte: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let names = [
        (0x80, "user name"),
        (0x40, "password"),
        (0x20, "will retain"),
        (0x04, "will"),
        (0x02, "clean start"),
    ];
    let mut separator = "";
    for (bit, name) in names {
        if byte & bit != 0 {
            write!(f, "{separator}{name}")?;
            separator = ", ";
        }
    }
    if byte & 0x04 != 0 {
        write!(
            f,
            "{separator}will QoS {}",
            QoS::from_bits(byte >> 3 & 0b11).unwrap_or_default().bits()
        )?;
    } else if separator.is_empty() {
        f.write_str("none")?;
    }
    Ok(())
}

/// The explanation of a packet as a text: a line for each field, with its place, its bytes in hex, and its meaning.
///
/// ```
/// use mqtt_proto::{Explanation, Rules, Version};
/// let explanation = Explanation::new(b"\x30\x05\x00\x01thi", Rules::new(Version::V3_1_1));
/// let lines = explanation.to_string();
/// let lines: Vec<&str> = lines.lines().collect();
/// assert_eq!(lines, [
///     "   0  30                          packet type and flags: PUBLISH, QoS 0",
///     "   1  05                          Remaining Length: 5",
///     "   2  00 01 74                    Topic Name: \"t\"",
///     "   5  68 69                       payload: \"hi\"",
/// ]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Explanation<'a> {
    bytes: &'a [u8],
    rules: Rules,
}

impl<'a> Explanation<'a> {
    /// How many bytes of a field are shown in hex.
    const SHOWN: usize = 8;

    /// Of the packet at the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8], rules: Rules) -> Self {
        Self { bytes, rules }
    }

    fn line(&self, field: &Explained<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:4}  ", field.range.start)?;
        let bytes = self.bytes.get(field.range.clone()).unwrap_or_default();
        let hidden = matches!(
            field.field,
            Field::Password | Field::Property(PropertyId::AuthenticationData)
        );
        for place in 0..Self::SHOWN {
            match bytes.get(place) {
                Some(_) if hidden => f.write_str("** ")?,
                Some(byte) => write!(f, "{byte:02X} ")?,
                None => f.write_str("   ")?,
            }
        }
        let more = if bytes.len() > Self::SHOWN { "..." } else { "   " };
        writeln!(f, "{more} {field}")
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut result = Ok(());
        let decoded = explain(self.bytes, &self.rules, |field| {
            if result.is_ok() {
                result = self.line(&field, f);
            }
        });
        result?;
        match decoded {
            Ok(Decoded::Packet { .. }) => Ok(()),
            Ok(Decoded::Incomplete { missing }) => {
                writeln!(f, "      incomplete: at least {missing} bytes are missing")
            }
            Err(error) => writeln!(f, "{:4}  refused: {error}", error.offset()),
        }
    }
}
