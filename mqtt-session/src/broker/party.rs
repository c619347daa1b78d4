//! Who a client is.

use bytes::Bytes;

/// Who has a session, or has published something: a client by its name, and whose it is, if the host has said that when it
/// [let it in](super::Broker::admit_as).
///
/// ```
/// use mqtt_session::Party;
///
/// let party = Party::new(b"lamp-7", Some(b"alice")).expect("both are short");
/// assert_eq!(party.client_id(), b"lamp-7");
/// assert_eq!(party.owner(), Some(&b"alice"[..]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Party {
    /// The name of the client, and then that of its owner. Clones share it.
    names: Bytes,
    client_id_len: u16,
    has_owner: bool,
}

impl Party {
    /// One with these names. `None`: one of them is longer than 65,535 bytes.
    #[must_use]
    pub fn new(client_id: &[u8], owner: Option<&[u8]>) -> Option<Self> {
        let client_id_len = u16::try_from(client_id.len()).ok()?;
        let has_owner = owner.is_some();
        let owner = owner.unwrap_or_default();
        if owner.len() > usize::from(u16::MAX) {
            return None;
        }
        let names = match owner {
            [] => Bytes::copy_from_slice(client_id),
            _ => [client_id, owner].concat().into(),
        };
        Some(Self {
            names,
            client_id_len,
            has_owner,
        })
    }

    /// The name of the client.
    #[must_use]
    pub fn client_id(&self) -> &[u8] {
        self.split().0
    }

    /// Whose it is. `None`: the host has not said that.
    #[must_use]
    pub fn owner(&self) -> Option<&[u8]> {
        self.has_owner.then(|| self.split().1)
    }

    /// How many bytes both names are.
    pub(super) const fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether a client of this owner may come in its place. What is nobody's may be ended by whoever comes.
    pub(super) fn is_open_to(&self, owner: Option<&[u8]>) -> bool {
        !self.has_owner || self.owner() == owner
    }

    /// [`client_id`](Self::client_id), sharing its memory.
    pub(super) fn shared_client_id(&self) -> Bytes {
        self.names.slice_ref(self.client_id())
    }

    /// [`owner`](Self::owner), sharing its memory.
    pub(super) fn shared_owner(&self) -> Option<Bytes> {
        self.owner().map(|owner| self.names.slice_ref(owner))
    }

    fn split(&self) -> (&[u8], &[u8]) {
        self.names
            .split_at_checked(usize::from(self.client_id_len))
            .unwrap_or_default()
    }
}
