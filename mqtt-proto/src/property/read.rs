//! The check of a section of properties: one pass, no allocation.

use super::Properties;
use super::id::Shape;
use super::section::{Section, SectionKind};
use super::{plain, rules};
use crate::error::{demand, require};
use crate::reader::Reader;
use crate::trace::Trace;
use crate::{DecodeError, Field, PropertyId, Role};

impl<'a, T: Trace> Reader<'a, T> {
    /// The Property Length and the properties behind it.
    #[inline(always)]
    pub(crate) fn properties<S: Section>(&mut self) -> Result<Properties<S, &'a [u8]>, DecodeError> {
        let (field, missing) = match S::KIND {
            SectionKind::Will => (Field::WillPropertyLength, &rules::WILL_LENGTH_MISSING),
            _ => (Field::PropertyLength, &rules::LENGTH_MISSING),
        };
        let len = self.varint(field, missing)?;
        if len == 0 {
            return Ok(Properties::empty());
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let overrun = if matches!(S::KIND, SectionKind::Will) {
            missing
        } else {
            &rules::MISPLACED
        };
        let whole = self.peek().get(..len);
        let bytes = demand!(self, whole, Overrun, field, overrun);
        let plain = if T::IS_SILENT {
            plain::check(bytes, S::KIND, &self.rules)
        } else {
            None
        };
        if let Some(stored) = plain {
            self.skip(len);
            return Ok(Properties::checked(bytes, stored));
        }
        let stored = match self.split(len) {
            Some(mut inside) => inside.section(S::KIND)?,
            None => 0,
        };
        Ok(Properties::checked(bytes, stored))
    }

    /// Goes behind a section of properties without looking into it.
    pub(crate) fn skip_properties(&mut self) -> Result<(), DecodeError> {
        let len = self.varint(Field::PropertyLength, &rules::LENGTH_MISSING)?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let fits = self.split(len).is_some();
        require!(self, fits, Overrun, Field::PropertyLength, &rules::MISPLACED);
        Ok(())
    }

    /// Properties up to the end of the cursor. Returns the set of ids.
    pub(super) fn section(&mut self, section: SectionKind) -> Result<u64, DecodeError> {
        let mut stored = 0_u64;
        let mut user_properties = 0_u16;
        while !self.is_at_end() {
            let number = self.u8(Field::PropertyId, &rules::MISPLACED)?;
            let id = demand!(
                self,
                PropertyId::from_number(number),
                UnknownProperty,
                Field::PropertyId,
                &rules::MISPLACED
            );
            require!(
                self,
                id.belongs_to(section),
                PropertyNotAllowed,
                Field::Property(id),
                &rules::MISPLACED
            );
            if stored & id.bit() != 0 {
                require!(
                    self,
                    id.may_repeat_in(section),
                    DuplicateProperty,
                    Field::Property(id),
                    rules::once(section, id)
                );
            }
            stored |= id.bit();
            if id == PropertyId::UserProperty {
                let limit = self.rules.policy.user_properties_limit;
                require!(
                    self,
                    user_properties < limit,
                    TooManyUserProperties,
                    Field::Property(id),
                    &crate::error::Rule::ANY
                );
                user_properties = user_properties.saturating_add(1);
            } else if self.rules.sender.is_some() {
                self.direction(section, id)?;
            }
            self.value(section, id)?;
        }
        Ok(stored)
    }

    /// Properties that only one end may send in this packet.
    #[inline]
    fn direction(&mut self, section: SectionKind, id: PropertyId) -> Result<(), DecodeError> {
        let client = self.rules.sender == Some(Role::Client);
        let field = Field::Property(id);
        match (section, id) {
            (SectionKind::Publish, PropertyId::SubscriptionIdentifier) => {
                require!(
                    self,
                    !client,
                    PropertyNotAllowedFromClient,
                    field,
                    &rules::SUBSCRIPTION_ID_FROM_CLIENT
                );
            }
            (SectionKind::Disconnect, PropertyId::SessionExpiryInterval) => {
                require!(
                    self,
                    client,
                    PropertyNotAllowedFromServer,
                    field,
                    &rules::SESSION_EXPIRY_FROM_SERVER
                );
            }
            (SectionKind::Disconnect, PropertyId::ServerReference) => {
                require!(self, !client, PropertyNotAllowedFromClient, field, &rules::MISPLACED);
            }
            _ => {}
        }
        Ok(())
    }

    #[inline]
    fn value(&mut self, section: SectionKind, id: PropertyId) -> Result<(), DecodeError> {
        let field = Field::Property(id);
        let cut = &rules::MISPLACED;
        match id.shape() {
            Shape::Flag => {
                let byte = self.u8(field, cut)?;
                require!(self, byte <= 1, PropertyOutOfRange, field, rules::range(section, id));
            }
            Shape::Two => {
                self.u16(field, cut)?;
            }
            Shape::TwoNonZero => {
                let number = self.u16(field, cut)?;
                if id == PropertyId::TopicAlias {
                    require!(self, number != 0, ZeroTopicAlias, field, rules::range(section, id));
                } else {
                    require!(self, number != 0, PropertyOutOfRange, field, rules::range(section, id));
                }
            }
            Shape::Four => {
                self.u32(field, cut)?;
            }
            Shape::FourNonZero => {
                let number = self.u32(field, cut)?;
                require!(self, number != 0, PropertyOutOfRange, field, rules::range(section, id));
            }
            Shape::Varint => {
                let number = self.varint(field, cut)?;
                require!(self, number != 0, PropertyOutOfRange, field, rules::range(section, id));
            }
            Shape::Text => {
                self.text(rules::site(id))?;
            }
            Shape::Topic => {
                self.topic_name(rules::site(id))?;
            }
            Shape::Binary => {
                self.binary(rules::site(id))?;
            }
            Shape::Pair => {
                self.text(rules::site(id))?;
                self.text(rules::site(id))?;
            }
        }
        Ok(())
    }
}

impl<S: Section> Properties<S, &[u8]> {
    /// Authentication data has no meaning without a method. Right behind the section that was read. [U5-3.1.2-h]
    pub(crate) fn check_authentication<T: Trace>(&self, reader: &mut Reader<'_, T>) -> Result<(), DecodeError> {
        let lonely = self.has(PropertyId::AuthenticationData) && !self.has(PropertyId::AuthenticationMethod);
        let field = Field::Property(PropertyId::AuthenticationData);
        if lonely {
            // The value stands behind its identifier.
            let left = self
                .encoded_len()
                .saturating_sub(self.len_before(PropertyId::AuthenticationData));
            reader.point_to(reader.peek().len().saturating_add(left).saturating_sub(1));
        }
        require!(
            reader,
            !lonely,
            AuthenticationDataWithoutMethod,
            field,
            &rules::DATA_WITHOUT_METHOD
        );
        Ok(())
    }

    /// AUTH has to name the method. [U5-3.15.2-a]
    pub(crate) fn check_method<T: Trace>(&self, reader: &Reader<'_, T>) -> Result<(), DecodeError> {
        let field = Field::Property(PropertyId::AuthenticationMethod);
        let named = self.has(PropertyId::AuthenticationMethod);
        require!(
            reader,
            named,
            AuthenticationMethodMissing,
            field,
            &rules::METHOD_MISSING
        );
        Ok(())
    }
}
