//! Topic names: what a message is published to.

use crate::text::{checked_text, fits};
use crate::{Choice, TextError, scan};

/// The topic of a message: text of at least one byte, without wildcards.
///
/// ```
/// use mqtt_proto::{TextError, TopicName};
/// assert!(TopicName::new("home/kitchen/temperature").is_ok());
/// assert_eq!(TopicName::new("home/+").unwrap_err(), TextError::WildcardInTopicName);
/// assert_eq!(TopicName::new("").unwrap_err(), TextError::Empty);
/// ```
#[derive(Clone, Copy)]
pub struct TopicName<B>(pub(crate) B);

checked_text!(TopicName);

impl<B: AsRef<[u8]>> TopicName<B> {
    /// Checks bytes in any storage.
    ///
    /// # Errors
    /// If they are not valid text, empty, or hold a wildcard.
    pub fn from_bytes(bytes: B) -> Result<Self, TextError> {
        if !fits(bytes.as_ref()) {
            return Err(TextError::TopicTooLong);
        }
        let found = scan::check(bytes.as_ref(), Choice::Accept)?;
        if bytes.as_ref().is_empty() {
            return Err(TextError::Empty);
        }
        if found.wildcard() {
            return Err(TextError::WildcardInTopicName);
        }
        Ok(Self(bytes))
    }

    /// Whether the topic begins with `$`, which keeps it from filters that begin with a wildcard. [MQTT-4.7.2-1]
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.as_bytes().first() == Some(&b'$')
    }

    /// The parts between the slashes.
    pub fn levels(&self) -> impl Iterator<Item = &[u8]> {
        self.as_bytes().split(|byte| *byte == b'/')
    }
}
