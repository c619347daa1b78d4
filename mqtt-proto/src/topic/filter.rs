//! Topic filters and shared subscriptions: what a client subscribes to.

use crate::text::{checked_text, fits};
use crate::{Choice, TextError, TopicName, Version, scan};

use super::matching;

/// A topic filter: text of at least one byte in which `+` stands for one level and a final `#` for all that follow.
///
/// A filter `$share/{group}/{filter}` makes a shared subscription; [`shared`](Self::shared) takes it apart.
///
/// ```
/// use mqtt_proto::{TextError, TopicFilter, TopicName};
/// let filter = TopicFilter::new("home/+/temperature")?;
/// assert!(filter.matches(&TopicName::new("home/kitchen/temperature")?));
/// assert!(!filter.matches(&TopicName::new("home/temperature")?));
///
/// let filter = TopicFilter::new("$share/workers/jobs/#")?;
/// let shared = filter.shared().unwrap();
/// assert_eq!((shared.name.as_str(), shared.filter.as_str()), ("workers", "jobs/#"));
/// # Ok::<(), TextError>(())
/// ```
#[derive(Clone, Copy)]
pub struct TopicFilter<B>(pub(crate) B);

checked_text!(TopicFilter);

const SHARE: &[u8] = b"$share/";

impl<B: AsRef<[u8]>> TopicFilter<B> {
    /// Checks bytes in any storage, by the rules of MQTT 5.0: what begins with `$share/` has to be a shared filter.
    ///
    /// # Errors
    /// If they are not valid text, empty, or have a wildcard or share name out of place.
    pub fn from_bytes(bytes: B) -> Result<Self, TextError> {
        Self::from_bytes_for(Version::V5, bytes)
    }

    /// Checks bytes in any storage, by the rules of a version: before MQTT 5.0, `$share/` means nothing.
    ///
    /// # Errors
    /// If they are not valid text, empty, or have a wildcard or share name out of place.
    pub fn from_bytes_for(version: Version, bytes: B) -> Result<Self, TextError> {
        fits(bytes.as_ref())?;
        if !is_plain(bytes.as_ref()) {
            scan::check(bytes.as_ref(), Choice::Accept)?;
            if let Some(fault) = fault(bytes.as_ref(), version.has_properties()) {
                return Err(fault);
            }
        }
        Ok(Self(bytes))
    }

    /// The share name and the filter behind it, if this is a shared subscription.
    ///
    /// In MQTT 3.1.1 `$share/...` is an ordinary filter, so one that a decoder let through may look like a shared one and
    /// not be well formed; that one is not shared.
    #[must_use]
    pub fn shared(&self) -> Option<SharedFilter<'_>> {
        let (name, filter) = split_share(self.as_bytes())?;
        let valid = share_fault(name, filter).is_none();
        valid.then_some(SharedFilter {
            name: ShareName(name),
            filter: TopicFilter(filter),
        })
    }

    /// Whether the filter holds a wildcard; a share name has none.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        has_wildcard(self.as_bytes())
    }

    /// Whether this is a filter by the rules of MQTT 5.0 too: 3.1.1 knows no shared subscriptions and lets more pass.
    #[must_use]
    #[inline]
    pub fn is_valid_in_v5(&self) -> bool {
        !begins_shared(self.as_bytes()) || fault(self.as_bytes(), true).is_none()
    }

    /// Whether a message with this topic belongs to the filter. Of a shared filter, only the part behind the share name
    /// counts. Text is compared byte by byte. [MQTT-4.7.3-4]
    #[must_use]
    pub fn matches<C: AsRef<[u8]>>(&self, topic: &TopicName<C>) -> bool {
        matching::matches(self.unshared(), topic.as_bytes())
    }

    /// Whether some topic belongs to both filters. Of a shared filter, only the part behind the share name counts.
    ///
    /// ```
    /// # use mqtt_proto::TopicFilter;
    /// let filter = |text| TopicFilter::new(text).unwrap();
    /// assert!(filter("a/+/c").overlaps(&filter("a/b/#")));
    /// assert!(!filter("a/+").overlaps(&filter("a/b/c")));
    /// assert!(!filter("#").overlaps(&filter("$SYS/load")));
    /// ```
    #[must_use]
    pub fn overlaps<C: AsRef<[u8]>>(&self, other: &TopicFilter<C>) -> bool {
        matching::overlap(self.unshared(), other.unshared())
    }

    /// The parts between the slashes, share name included.
    pub fn levels(&self) -> impl Iterator<Item = &[u8]> {
        self.as_bytes().split(|byte| *byte == b'/')
    }

    fn unshared(&self) -> &[u8] {
        match self.shared() {
            Some(shared) => shared.filter.0,
            None => self.as_bytes(),
        }
    }
}

/// A shared subscription, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedFilter<'a> {
    /// The group that shares it.
    pub name: ShareName<&'a [u8]>,
    /// What the group is subscribed to.
    pub filter: TopicFilter<&'a [u8]>,
}

/// The name of a group that shares a subscription: text of at least one byte, without `/`, `+` and `#`.
#[derive(Clone, Copy)]
pub struct ShareName<B>(pub(crate) B);

checked_text!(ShareName);

impl<B: AsRef<[u8]>> ShareName<B> {
    /// Checks bytes in any storage.
    ///
    /// # Errors
    /// If they are not valid text, empty, or hold `/`, `+` or `#`.
    pub fn from_bytes(bytes: B) -> Result<Self, TextError> {
        fits(bytes.as_ref())?;
        let found = scan::check(bytes.as_ref(), Choice::Accept)?;
        if bytes.as_ref().is_empty() {
            return Err(TextError::EmptyShareName);
        }
        if found.wildcard() || bytes.as_ref().contains(&b'/') {
            return Err(TextError::InvalidShare);
        }
        Ok(Self(bytes))
    }
}

fn has_wildcard(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, b'+' | b'#'))
}

#[inline(always)]
fn begins_shared(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'$') && bytes.starts_with(SHARE)
}

/// What stands between `$share/` and the next slash, and what stands behind that; `None` if it does not begin so.
fn split_share(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_prefix(SHARE)?;
    let mut parts = rest.splitn(2, |byte| *byte == b'/');
    Some((parts.next().unwrap_or_default(), parts.next().unwrap_or_default()))
}

/// Whether one pass can tell that this is a filter in every version, as it can of nearly all.
#[inline(always)]
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| *first != b'$') && scan::is_plain_filter(bytes)
}

/// What is wrong with a filter whose text is valid. `shared` tells that `$share/` means a shared subscription, as it does
/// since MQTT 5.0.
pub(crate) fn fault(bytes: &[u8], shared: bool) -> Option<TextError> {
    if bytes.is_empty() {
        return Some(TextError::Empty);
    }
    if shared && begins_shared(bytes) {
        let (group, filter) = split_share(bytes).unwrap_or_default();
        return share_fault(group, filter);
    }
    wildcard_fault(bytes)
}

fn share_fault(group: &[u8], filter: &[u8]) -> Option<TextError> {
    if group.is_empty() {
        return Some(TextError::EmptyShareName);
    }
    if has_wildcard(group) || filter.is_empty() {
        return Some(TextError::InvalidShare);
    }
    wildcard_fault(filter)
}

fn wildcard_fault(bytes: &[u8]) -> Option<TextError> {
    let mut levels = bytes.split(|byte| *byte == b'/').peekable();
    while let Some(level) = levels.next() {
        match level {
            b"#" if levels.peek().is_none() => {}
            b"+" => {}
            _ => match level.iter().find(|byte| matches!(byte, b'+' | b'#')) {
                Some(b'#') => return Some(TextError::MisplacedMultiLevelWildcard),
                Some(_) => return Some(TextError::MisplacedSingleLevelWildcard),
                None => {}
            },
        }
    }
    None
}
