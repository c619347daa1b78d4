//! The names of sessions and brokers.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The name of a session in a store: for a client and a server, the client identifier. Or the name of a broker, of its host's
/// choice: one for each shard.
///
/// Any bytes up to 65,535, which is what a client identifier can have. Cloning one copies nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(Arc<[u8]>);

/// A name has more bytes than a client identifier can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTooLong {
    /// How many it has.
    pub bytes: usize,
}

impl SessionName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = u16::MAX as usize;

    /// A session with this name.
    ///
    /// # Errors
    /// If the name is longer than [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn new(name: impl AsRef<[u8]>) -> Result<Self, NameTooLong> {
        let name = name.as_ref();
        if name.len() > Self::MAX_BYTES {
            return Err(NameTooLong { bytes: name.len() });
        }
        Ok(Self(name.into()))
    }

    /// The bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for SessionName {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl fmt::Display for NameTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes } = self;
        write!(
            f,
            "a session's name has {} bytes at most, not {bytes}",
            SessionName::MAX_BYTES
        )
    }
}

impl std::error::Error for NameTooLong {}
