//! A cursor over one packet: every read is checked against the end, and every refusal knows its place and its rule.

use crate::error::{Rule, demand, require};
use crate::topic::{filter_fault, is_plain_filter};
use crate::trace::{Trace, Value};
use crate::{
    Binary, DecodeError, DecodeErrorKind, Field, PacketId, PacketType, Rules, Text, TextError, TopicFilter, TopicName,
    Version, scan,
};

/// The rules for a field that has a length prefix.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) field: Field,
    pub(crate) missing: Rule,
    pub(crate) overrun: Rule,
    pub(crate) utf8: Rule,
    pub(crate) nul: Rule,
    pub(crate) wildcard: Rule,
    pub(crate) empty: Rule,
}

const NUL_IN_TEXT: Rule = Rule::new("MQTT-1.5.4-2", "MQTT-1.5.3-2");
const NUL_IN_TOPIC: Rule = Rule::new("MQTT-4.7.3-2", "MQTT-4.7.3-2");
const EMPTY_TOPIC: Rule = Rule::new("MQTT-4.7.3-1", "MQTT-4.7.3-1");

impl Site {
    /// Text. `missing` is also the rule for a length that runs past the end.
    pub(crate) const fn text(field: Field, missing: Rule, utf8: Rule) -> Self {
        Self {
            field,
            missing,
            overrun: missing,
            utf8,
            nul: NUL_IN_TEXT,
            wildcard: Rule::ANY,
            empty: Rule::ANY,
        }
    }

    /// A topic name or filter.
    pub(crate) const fn topic(field: Field, missing: Rule, utf8: Rule, wildcard: Rule) -> Self {
        Self {
            nul: NUL_IN_TOPIC,
            wildcard,
            empty: EMPTY_TOPIC,
            ..Self::text(field, missing, utf8)
        }
    }

    /// Binary data.
    pub(crate) const fn binary(field: Field, missing: Rule) -> Self {
        Self::text(field, missing, Rule::ANY)
    }

    /// Another rule for a length that runs past the end.
    pub(crate) const fn overrun(mut self, rule: Rule) -> Self {
        self.overrun = rule;
        self
    }

    /// Another rule for U+0000.
    pub(crate) const fn nul(mut self, rule: Rule) -> Self {
        self.nul = rule;
        self
    }
}

const FORBIDDEN_CHARACTER: Rule = Rule::new("U5-1.5.4-a", "U5-1.5.4-a");
const MULTI_LEVEL: Rule = Rule::new("MQTT-4.7.1-1", "MQTT-4.7.1-2");
const SINGLE_LEVEL: Rule = Rule::new("MQTT-4.7.1-2", "MQTT-4.7.1-3");
const SHARE_NAME_EMPTY: Rule = Rule::v5("MQTT-4.8.2-1");
const SHARE_NAME_INVALID: Rule = Rule::v5("MQTT-4.8.2-2");

/// A cursor over one packet.
pub(crate) struct Reader<'a, T> {
    rest: &'a [u8],
    /// Where `rest` ends, counted from the first byte of the packet.
    end: usize,
    /// How many bytes were left where the field that was read last begins. The place itself is worked out when it is
    /// needed, which is when the field is refused.
    left_at_start: usize,
    pub(crate) rules: Rules,
    /// `None` for properties that several packets share.
    packet_type: Option<PacketType>,
    trace: T,
}

impl<'a, T: Trace> Reader<'a, T> {
    /// A cursor over a packet of this type whose body begins at `offset`.
    #[inline]
    pub(crate) fn new(
        body: &'a [u8],
        offset: usize,
        packet_type: impl Into<Option<PacketType>>,
        rules: Rules,
        trace: T,
    ) -> Self {
        Self {
            rest: body,
            end: offset.saturating_add(body.len()),
            left_at_start: body.len(),
            rules,
            packet_type: packet_type.into(),
            trace,
        }
    }

    #[inline]
    pub(crate) fn version(&self) -> Version {
        self.rules.version
    }

    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn offset(&self) -> usize {
        self.end.saturating_sub(self.rest.len())
    }

    /// Where the field that was read last begins.
    #[inline(always)]
    fn start(&self) -> usize {
        self.end.saturating_sub(self.left_at_start)
    }

    /// The place of the field that was read last, for [`point_to`](Self::point_to).
    #[inline(always)]
    pub(crate) fn place(&self) -> usize {
        self.left_at_start
    }

    /// Lets the next refusal point to a field that was read before.
    #[inline(always)]
    pub(crate) fn point_to(&mut self, place: usize) {
        self.left_at_start = place;
    }

    /// Lets the next refusal point here.
    #[inline]
    pub(crate) fn mark(&mut self) {
        self.left_at_start = self.rest.len();
    }

    /// A refusal of the field that was read last.
    ///
    /// Inlined so that the cursor itself can stay in registers: only the parts of the error leave through a call.
    #[inline(always)]
    pub(crate) fn refuse(&self, kind: DecodeErrorKind, field: Field, rule: &'static Rule) -> DecodeError {
        DecodeError::new(kind, field, self.start(), rule, self.rules.version, self.packet_type)
    }

    /// Tells the trace about the field that was read last.
    #[inline]
    fn tell(&mut self, field: Field, value: Value<'a>) {
        let (start, end) = (self.start(), self.offset());
        self.trace.field(field, start..end, value);
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self, field: Field, missing: &'static Rule) -> Result<[u8; N], DecodeError> {
        self.mark();
        let (bytes, rest) = demand!(self, self.rest.split_first_chunk::<N>(), Missing, field, missing);
        self.rest = rest;
        Ok(*bytes)
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self, field: Field, missing: &'static Rule) -> Result<u8, DecodeError> {
        let [byte] = self.array(field, missing)?;
        self.tell(field, Value::Byte(byte));
        Ok(byte)
    }

    #[inline(always)]
    pub(crate) fn u16(&mut self, field: Field, missing: &'static Rule) -> Result<u16, DecodeError> {
        let number = u16::from_be_bytes(self.array(field, missing)?);
        self.tell(field, Value::Number(u32::from(number)));
        Ok(number)
    }

    #[inline]
    pub(crate) fn u32(&mut self, field: Field, missing: &'static Rule) -> Result<u32, DecodeError> {
        let number = u32::from_be_bytes(self.array(field, missing)?);
        self.tell(field, Value::Number(number));
        Ok(number)
    }

    /// A Variable Byte Integer inside the packet: four bytes at most and never padded.
    #[inline(always)]
    pub(crate) fn varint(&mut self, field: Field, missing: &'static Rule) -> Result<u32, DecodeError> {
        const TOO_LONG: Rule = Rule::new("U5-1.5.5-a", "U5-1.5.5-a");
        const PADDED: Rule = Rule::v5("MQTT-1.5.5-1");
        use crate::varint::{self, Varint};

        self.mark();
        let found = varint::read(self.rest);
        require!(self, found != Varint::TooLong, LengthTooLong, field, &TOO_LONG);
        let complete = if let Varint::Value { value, len } = found {
            Some((value, len))
        } else {
            None
        };
        let (value, len) = demand!(self, complete, Missing, field, missing);
        require!(self, len == varint::len(value), LengthPadded, field, &PADDED);
        self.rest = self.rest.get(usize::from(len)..).unwrap_or_default();
        self.tell(field, Value::Number(value));
        Ok(value)
    }

    /// A packet identifier, which is never zero.
    #[inline(always)]
    pub(crate) fn packet_id(&mut self, rule: &'static Rule) -> Result<PacketId, DecodeError> {
        let id = self.u16(Field::PacketId, rule)?;
        Ok(demand!(self, PacketId::new(id), ZeroPacketId, Field::PacketId, rule))
    }

    /// A field with a length prefix, and what follows it. The cursor stays before the field.
    #[inline(always)]
    fn prefixed(&mut self, site: &'static Site) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
        self.mark();
        let (len, tail) = demand!(
            self,
            self.rest.split_first_chunk::<2>(),
            Missing,
            site.field,
            &site.missing
        );
        let len = usize::from(u16::from_be_bytes(*len));
        Ok(demand!(
            self,
            tail.split_at_checked(len),
            Overrun,
            site.field,
            &site.overrun
        ))
    }

    #[inline]
    pub(crate) fn binary(&mut self, site: &'static Site) -> Result<Binary<&'a [u8]>, DecodeError> {
        let (bytes, after) = self.prefixed(site)?;
        self.rest = after;
        self.tell(site.field, Value::Binary(bytes));
        Ok(Binary(bytes))
    }

    #[inline]
    pub(crate) fn text(&mut self, site: &'static Site) -> Result<Text<&'a [u8]>, DecodeError> {
        let (bytes, after) = self.prefixed(site)?;
        if scan::is_unusual(bytes) {
            self.unusual_text(bytes, site)?;
        }
        self.rest = after;
        self.tell(site.field, Value::Text(bytes));
        Ok(Text(bytes))
    }

    /// A topic name; `None` if it is empty.
    #[inline(always)]
    pub(crate) fn topic_or_empty(&mut self, site: &'static Site) -> Result<Option<TopicName<&'a [u8]>>, DecodeError> {
        let (bytes, after) = self.prefixed(site)?;
        let found = scan::scan_topic(bytes);
        if found.unusual() {
            self.unusual_text(bytes, site)?;
        }
        require!(self, !found.wildcard(), WildcardInTopicName, site.field, &site.wildcard);
        self.rest = after;
        self.tell(site.field, Value::Text(bytes));
        Ok(if bytes.is_empty() { None } else { Some(TopicName(bytes)) })
    }

    #[inline]
    pub(crate) fn topic_name(&mut self, site: &'static Site) -> Result<TopicName<&'a [u8]>, DecodeError> {
        let topic = self.topic_or_empty(site)?;
        Ok(demand!(self, topic, Empty, site.field, &site.empty))
    }

    #[inline(always)]
    pub(crate) fn topic_filter(&mut self, site: &'static Site) -> Result<TopicFilter<&'a [u8]>, DecodeError> {
        let (bytes, after) = self.prefixed(site)?;
        if !is_plain_filter(bytes) {
            self.unusual_filter(bytes, site)?;
        }
        self.rest = after;
        self.tell(site.field, Value::Text(bytes));
        Ok(TopicFilter(bytes))
    }

    #[cold]
    fn unusual_filter(&self, bytes: &[u8], site: &'static Site) -> Result<(), DecodeError> {
        if scan::is_unusual(bytes) {
            self.unusual_text(bytes, site)?;
        }
        // `$share/` has a meaning since MQTT 5.0 only.
        let fault = filter_fault(bytes, self.version().has_properties());
        require!(self, fault != Some(TextError::Empty), Empty, site.field, &site.empty);
        require!(
            self,
            fault != Some(TextError::MisplacedMultiLevelWildcard),
            MisplacedMultiLevelWildcard,
            site.field,
            &MULTI_LEVEL
        );
        require!(
            self,
            fault != Some(TextError::MisplacedSingleLevelWildcard),
            MisplacedSingleLevelWildcard,
            site.field,
            &SINGLE_LEVEL
        );
        require!(
            self,
            fault != Some(TextError::EmptyShareName),
            EmptyShareName,
            site.field,
            &SHARE_NAME_EMPTY
        );
        require!(
            self,
            fault != Some(TextError::InvalidShare),
            InvalidShare,
            site.field,
            &SHARE_NAME_INVALID
        );
        require!(self, fault.is_none(), InvalidShare, site.field, &Rule::ANY);
        Ok(())
    }

    /// The exact check of a text that is not printable ASCII.
    #[inline(always)]
    fn unusual_text(&self, bytes: &[u8], site: &'static Site) -> Result<(), DecodeError> {
        let fault = scan::judge(bytes, self.rules.policy.control_characters).err();
        require!(
            self,
            fault != Some(TextError::IllFormedUtf8),
            IllFormedUtf8,
            site.field,
            &site.utf8
        );
        require!(
            self,
            fault != Some(TextError::NulCharacter),
            NulCharacter,
            site.field,
            &site.nul
        );
        require!(
            self,
            fault != Some(TextError::ForbiddenCharacter),
            ForbiddenCharacter,
            site.field,
            &FORBIDDEN_CHARACTER
        );
        require!(self, fault.is_none(), IllFormedUtf8, site.field, &Rule::ANY);
        Ok(())
    }

    /// Everything that is left.
    #[inline]
    pub(crate) fn remainder(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// The payload: everything that is left.
    #[inline]
    pub(crate) fn payload(&mut self) -> &'a [u8] {
        self.mark();
        let payload = self.remainder();
        self.tell(Field::Payload, Value::Binary(payload));
        payload
    }

    /// What is left, without moving.
    #[inline]
    pub(crate) fn peek(&self) -> &'a [u8] {
        self.rest
    }

    /// Goes behind `len` bytes, all of them at most.
    #[inline(always)]
    pub(crate) fn skip(&mut self, len: usize) {
        self.rest = self.rest.get(len..).unwrap_or_default();
    }

    /// A cursor of its own over the next `len` bytes, behind which this one goes on.
    #[inline(always)]
    pub(crate) fn split(&mut self, len: usize) -> Option<Reader<'a, &mut T>> {
        let (inside, after) = self.rest.split_at_checked(len)?;
        let end = self.end.saturating_sub(after.len());
        self.rest = after;
        Some(self.over(inside, end))
    }

    /// A cursor of its own over everything that is left.
    #[inline(always)]
    pub(crate) fn rest_of(&mut self) -> Reader<'a, &mut T> {
        let rest = self.remainder();
        self.over(rest, self.end)
    }

    #[inline(always)]
    fn over(&mut self, rest: &'a [u8], end: usize) -> Reader<'a, &mut T> {
        let Self {
            rules,
            packet_type,
            ref mut trace,
            ..
        } = *self;
        Reader {
            rest,
            end,
            left_at_start: rest.len(),
            rules,
            packet_type,
            trace,
        }
    }

    /// The end of the packet.
    #[inline]
    pub(crate) fn finish(&mut self, rule: &'static Rule) -> Result<(), DecodeError> {
        self.mark();
        require!(self, self.rest.is_empty(), TrailingBytes, Field::EndOfPacket, rule);
        Ok(())
    }
}
