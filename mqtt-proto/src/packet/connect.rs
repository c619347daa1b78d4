//! CONNECT: who the client is, and what it wants.

use super::{Body, body, section_len, write_section};
use crate::error::{Rule, demand, require};
use crate::reader::{Reader, Site};
use crate::sink::Sink;
use crate::text::Hidden;
use crate::trace::Trace;
use crate::{
    Binary, Choice, DecodeError, EncodeError, Field, PacketType, Properties, PropertyId, QoS, Text, TopicName, Version,
    section,
};

/// A client asks to be served.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub struct Connect<B: AsRef<[u8]>> {
    /// The version that the client speaks.
    pub version: Version,
    /// Whether the session begins anew. MQTT 3.1.1 calls it Clean Session, and then it ends with the connection too.
    pub clean_start: bool,
    /// How many seconds may pass between two packets of the client. 0 turns this off.
    pub keep_alive: u16,
    /// The name of the client. Empty: the server chooses one.
    pub client_id: Text<B>,
    /// What the server publishes when the connection ends without a farewell.
    pub will: Option<Will<B>>,
    /// The user name.
    pub username: Option<Text<B>>,
    /// The password. MQTT 3.1.1 and 3.1 have it only together with a user name.
    pub password: Option<Binary<B>>,
    /// Properties, since MQTT 5.0.
    pub properties: Properties<section::Connect, B>,
}

/// What the server publishes when the connection ends without a farewell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "B: AsRef<[u8]>",
        deserialize = "B: AsRef<[u8]> + From<alloc::vec::Vec<u8>>"
    ))
)]
pub struct Will<B: AsRef<[u8]>> {
    /// The QoS of the message.
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
    /// Its topic.
    pub topic: TopicName<B>,
    /// Its payload.
    pub payload: Binary<B>,
    /// Its properties, since MQTT 5.0.
    pub properties: Properties<section::Will, B>,
}

const RESERVED: u8 = 0x01;
const CLEAN_START: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_QOS_SHIFT: u32 = 3;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

/// For what stands before the payload and is cut off.
static CUT: Rule = Rule::new("MQTT-3.1.4-1", "MQTT-3.1.4-1");

static CLIENT_ID: Site = Site::text(
    Field::ClientId,
    Rule::new("MQTT-3.1.3-3", "MQTT-3.1.3-3"),
    Rule::new("MQTT-3.1.3-4", "MQTT-3.1.3-4"),
)
.overrun(Rule::new("MQTT-3.1.3-1", "MQTT-3.1.3-1"));

const WILL_CUT: Rule = Rule::new("MQTT-3.1.2-9", "MQTT-3.1.2-9");
static WILL_TOPIC: Site = Site::topic(
    Field::WillTopic,
    WILL_CUT,
    Rule::new("MQTT-3.1.3-11", "MQTT-3.1.3-10"),
    Rule::new("MQTT-4.7.0-1", "MQTT-4.7.1-1"),
);
static WILL_PAYLOAD: Site = Site::binary(Field::WillPayload, WILL_CUT);

static USER_NAME_TEXT: Site = Site::text(
    Field::UserName,
    Rule::new("MQTT-3.1.2-17", "MQTT-3.1.2-19"),
    Rule::new("MQTT-3.1.3-12", "MQTT-3.1.3-11"),
);
static PASSWORD_DATA: Site = Site::binary(Field::Password, Rule::new("MQTT-3.1.2-19", "MQTT-3.1.2-21"));

impl<B: AsRef<[u8]> + Default> Connect<B> {
    /// With a clean start, without keep-alive, will, credentials and properties.
    ///
    /// ```
    /// use mqtt_proto::{Connect, Text, Version};
    /// let connect = Connect {
    ///     keep_alive: 60,
    ///     ..Connect::new(Version::V5, Text::new("sensor-7")?)
    /// };
    /// let mut buffer = [0; 64];
    /// assert_eq!(connect.encode(Version::V5, &mut buffer)?, 23);
    /// # Ok::<(), mqtt_proto::EncodeError>(())
    /// ```
    #[must_use]
    pub fn new(version: Version, client_id: Text<B>) -> Self {
        Self {
            version,
            clean_start: true,
            keep_alive: 0,
            client_id,
            will: None,
            username: None,
            password: None,
            properties: Properties::empty(),
        }
    }
}

impl<B: AsRef<[u8]> + Default> Will<B> {
    /// With QoS 0, not retained, without properties.
    #[must_use]
    pub fn new(topic: TopicName<B>, payload: Binary<B>) -> Self {
        Self {
            qos: QoS::AtMostOnce,
            retain: false,
            topic,
            payload,
            properties: Properties::empty(),
        }
    }
}

impl<'a> Connect<&'a [u8]> {
    #[inline(never)]
    pub(crate) fn read<T: Trace>(reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
        let version = read_version(reader)?;
        let flags = read_flags(reader)?;
        let keep_alive = reader.u16(Field::KeepAlive, &CUT)?;
        let properties = if version.has_properties() {
            reader.properties()?
        } else {
            Properties::empty()
        };
        properties.check_authentication(reader)?;
        let client_id = reader.text(&CLIENT_ID)?;
        let will = if flags & WILL != 0 {
            Some(Will::read(flags, reader)?)
        } else {
            None
        };
        let username = read_if_there(reader, flags, USER_NAME, |reader| reader.text(&USER_NAME_TEXT))?;
        let password = read_if_there(reader, flags, PASSWORD, |reader| reader.binary(&PASSWORD_DATA))?;
        reader.finish(trailing(flags))?;
        let clean_start = flags & CLEAN_START != 0;
        Ok(Self {
            version,
            clean_start,
            keep_alive,
            client_id,
            will,
            username,
            password,
            properties,
        })
    }
}

impl<'a> Connect<&'a [u8]> {
    /// Reads up to the client identifier and skips the properties before it.
    pub(crate) fn read_client<T: Trace>(reader: &mut Reader<'a, T>) -> Result<(Version, Text<&'a [u8]>), DecodeError> {
        let version = read_version(reader)?;
        read_flags(reader)?;
        reader.u16(Field::KeepAlive, &CUT)?;
        if version.has_properties() {
            reader.skip_properties()?;
        }
        Ok((version, reader.text(&CLIENT_ID)?))
    }
}

/// Name and level. From here on the packet is read by the version that they stand for.
fn read_version<T: Trace>(reader: &mut Reader<'_, T>) -> Result<Version, DecodeError> {
    static NAME: Site = Site::text(
        Field::ProtocolName,
        Rule::new("MQTT-3.1.4-1", "MQTT-3.1.4-1"),
        Rule::new("MQTT-1.5.4-1", "MQTT-1.5.3-1"),
    );
    static UNKNOWN_NAME: Rule = Rule::new("MQTT-3.1.2-1", "MQTT-3.1.2-1");
    static UNKNOWN_LEVEL: Rule = Rule::new("MQTT-3.1.2-2", "MQTT-3.1.2-2");

    let name = reader.text(&NAME)?;
    let known = Version::ALL.iter().any(|version| name == version.protocol_name());
    require!(reader, known, UnknownProtocolName, Field::ProtocolName, &UNKNOWN_NAME);
    let level = reader.u8(Field::ProtocolLevel, &CUT)?;
    let version = Version::from_name_and_level(name.as_bytes(), level);
    let version = demand!(
        reader,
        version,
        UnsupportedProtocolLevel,
        Field::ProtocolLevel,
        &UNKNOWN_LEVEL
    );
    reader.rules.version = version;
    Ok(version)
}

fn read_flags<T: Trace>(reader: &mut Reader<'_, T>) -> Result<u8, DecodeError> {
    static RESERVED_BIT: Rule = Rule::new("MQTT-3.1.2-3", "MQTT-3.1.2-3");
    static NO_WILL_BOTH: Rule = Rule::new("MQTT-3.1.2-11", "MQTT-3.1.2-11");
    static NO_WILL_QOS: Rule = Rule::new("MQTT-3.1.2-11", "MQTT-3.1.2-13");
    static NO_WILL_RETAIN: Rule = Rule::new("MQTT-3.1.2-13", "MQTT-3.1.2-15");
    static WILL_QOS_3: Rule = Rule::new("MQTT-3.1.2-12", "MQTT-3.1.2-14");
    static PASSWORD_ALONE: Rule = Rule::v3("MQTT-3.1.2-22");

    let field = Field::ConnectFlags;
    let flags = reader.u8(field, &CUT)?;
    require!(reader, flags & RESERVED == 0, ReservedBitsSet, field, &RESERVED_BIT);
    let (qos, retain) = (will_qos_bits(flags), flags & WILL_RETAIN != 0);
    if flags & WILL == 0 {
        require!(reader, !(qos != 0 && retain), WillBitsWithoutWill, field, &NO_WILL_BOTH);
        require!(reader, qos == 0, WillBitsWithoutWill, field, &NO_WILL_QOS);
        require!(reader, !retain, WillBitsWithoutWill, field, &NO_WILL_RETAIN);
    }
    require!(reader, qos != 3, InvalidQoS, field, &WILL_QOS_3);
    if !reader.version().has_properties() {
        let alone = flags & PASSWORD != 0 && flags & USER_NAME == 0;
        require!(reader, !alone, PasswordWithoutUserName, field, &PASSWORD_ALONE);
    }
    Ok(flags)
}

const fn will_qos_bits(flags: u8) -> u8 {
    flags >> WILL_QOS_SHIFT & 0b11
}

/// A field at the end of the payload that a flag announces. A client of MQTT 3.1 may announce it and leave it out.
fn read_if_there<'a, T: Trace, V>(
    reader: &mut Reader<'a, T>,
    flags: u8,
    flag: u8,
    read: impl FnOnce(&mut Reader<'a, T>) -> Result<V, DecodeError>,
) -> Result<Option<V>, DecodeError> {
    let habit = reader.version() == Version::V3_1 && reader.rules.policy.v3_1_habits == Choice::Accept;
    if flags & flag == 0 || habit && reader.is_at_end() {
        return Ok(None);
    }
    read(reader).map(Some)
}

/// Bytes behind the last field break the rule of the field that they might have been.
fn trailing(flags: u8) -> &'static Rule {
    if flags & USER_NAME == 0 {
        &const { Rule::new("MQTT-3.1.2-16", "MQTT-3.1.2-18") }
    } else if flags & PASSWORD == 0 {
        &const { Rule::new("MQTT-3.1.2-18", "MQTT-3.1.2-20") }
    } else {
        &CUT
    }
}

impl<'a> Will<&'a [u8]> {
    fn read<T: Trace>(flags: u8, reader: &mut Reader<'a, T>) -> Result<Self, DecodeError> {
        Ok(Self {
            qos: QoS::from_bits(will_qos_bits(flags)).unwrap_or_default(),
            retain: flags & WILL_RETAIN != 0,
            properties: if reader.version().has_properties() {
                reader.properties()?
            } else {
                Properties::empty()
            },
            topic: reader.topic_name(&WILL_TOPIC)?,
            payload: reader.binary(&WILL_PAYLOAD)?,
        })
    }
}

impl<B: AsRef<[u8]>> Connect<B> {
    /// The nearest CONNECT of a version: without properties for MQTT 3.1.1 and 3.1, and without a password there if there
    /// is no user name.
    ///
    /// What `clean_start` means changes with the version: in MQTT 3.1.1 and 3.1 a session that is not clean outlives the
    /// connection, in MQTT 5.0 only one with a session expiry does. And 3.1.1 takes an empty client identifier only
    /// together with a clean session. Both are for the caller to settle, who knows what was meant.
    #[must_use]
    pub fn for_version(mut self, version: Version) -> Self {
        self.version = version;
        if !version.has_properties() {
            self.properties = self.properties.cleared();
            self.password = self.password.filter(|_| self.username.is_some());
            self.will = self.will.map(|will| Will {
                properties: will.properties.cleared(),
                ..will
            });
        }
        self
    }

    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> Connect<C> {
        Connect {
            version: self.version,
            clean_start: self.clean_start,
            keep_alive: self.keep_alive,
            client_id: self.client_id.convert(storage),
            will: self.will.as_ref().map(|will| will.convert(storage)),
            username: self.username.as_ref().map(|username| username.convert(storage)),
            password: self.password.as_ref().map(|password| password.convert(storage)),
            properties: self.properties.convert(storage),
        }
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.clean_start {
            flags |= CLEAN_START;
        }
        if let Some(will) = &self.will {
            flags |= WILL | will.qos.bits() << WILL_QOS_SHIFT;
            if will.retain {
                flags |= WILL_RETAIN;
            }
        }
        if self.username.is_some() {
            flags |= USER_NAME;
        }
        if self.password.is_some() {
            flags |= PASSWORD;
        }
        flags
    }
}

impl<B: AsRef<[u8]>> Will<B> {
    pub(crate) fn convert<'s, C: AsRef<[u8]>>(&'s self, storage: &mut impl FnMut(&'s [u8]) -> C) -> Will<C> {
        Will {
            qos: self.qos,
            retain: self.retain,
            topic: self.topic.convert(storage),
            payload: self.payload.convert(storage),
            properties: self.properties.convert(storage),
        }
    }
}

impl<B: AsRef<[u8]>> Body for Connect<B> {
    #[inline(always)]
    fn first_byte(&self) -> u8 {
        PacketType::Connect.first_byte()
    }

    #[inline(always)]
    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        if self.version != version {
            return Err(EncodeError::VersionMismatch {
                stated: self.version,
                asked: version,
            });
        }
        // [MQTT-3.1.2-22]
        if self.password.is_some() && self.username.is_none() && !version.has_properties() {
            return Err(EncodeError::NotInVersion {
                field: Field::Password,
                version,
            });
        }
        // [U5-3.1.2-h]
        if self.properties.has(PropertyId::AuthenticationData) && !self.properties.has(PropertyId::AuthenticationMethod)
        {
            return Err(EncodeError::AuthenticationMethodMissing);
        }
        let prefixed = |bytes: usize| bytes.saturating_add(2);
        // Level, flags and keep alive take four bytes.
        let mut len = prefixed(version.protocol_name().len()).saturating_add(4);
        len = len.saturating_add(section_len(&self.properties, version)?);
        len = len.saturating_add(prefixed(self.client_id.len()));
        if let Some(will) = &self.will {
            len = len.saturating_add(section_len(&will.properties, version)?);
            len = len
                .saturating_add(prefixed(will.topic.len()))
                .saturating_add(prefixed(will.payload.len()));
        }
        len = len.saturating_add(self.username.as_ref().map_or(0, |username| prefixed(username.len())));
        Ok(len.saturating_add(self.password.as_ref().map_or(0, |password| prefixed(password.len()))))
    }

    #[inline(always)]
    fn write_body<K: Sink>(&self, version: Version, sink: &mut K) {
        sink.put_prefixed(version.protocol_name().as_bytes());
        let [high, low] = self.keep_alive.to_be_bytes();
        sink.put_array([version.level(), self.flags(), high, low]);
        write_section(&self.properties, version, sink);
        sink.put_prefixed(self.client_id.as_bytes());
        if let Some(will) = &self.will {
            write_section(&will.properties, version, sink);
            sink.put_prefixed(will.topic.as_bytes());
            sink.put_prefixed(will.payload.as_bytes());
        }
        if let Some(username) = &self.username {
            sink.put_prefixed(username.as_bytes());
        }
        if let Some(password) = &self.password {
            sink.put_prefixed(password.as_bytes());
        }
    }
}

body!(Connect);

/// The password is hidden.
impl<B: AsRef<[u8]> + core::fmt::Debug> core::fmt::Debug for Connect<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("clean_start", &self.clean_start)
            .field("keep_alive", &self.keep_alive)
            .field("client_id", &self.client_id)
            .field("will", &self.will)
            .field("username", &self.username)
            .field(
                "password",
                &self.password.as_ref().map(|password| Hidden(password.len())),
            )
            .field("properties", &self.properties)
            .finish()
    }
}
