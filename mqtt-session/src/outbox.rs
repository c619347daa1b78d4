//! What is to be written to the stream of one connection.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};
use mqtt_proto::varint::{self, Varint};

#[cfg(test)]
mod tests;

/// Written bytes are dropped from the front of the buffer once they are more than this or than the limit, and more than those
/// after them.
const COMPACT_BYTES: usize = 4096;

/// Holds what is to be written to one connection, and the position of partial writes.
///
/// The driver owns one for each connection. The machine appends whole packets; small parts are copied into one buffer,
/// large payloads are shared. The driver writes what the stream takes and says how much that was:
///
/// - with one slice: [`chunk`](Buf::chunk), write, [`advance`](Buf::advance);
/// - with several slices: [`chunks`](Self::chunks), a vectored write, [`advance`](Buf::advance).
///
/// The memory of the buffer is kept when it is drained, so that a steady state allocates nothing.
///
/// ```
/// use bytes::Buf;
/// use mqtt_session::Outbox;
/// let mut outbox = Outbox::new(16 * 1024);
/// // The machine has nothing to write.
/// assert!(outbox.is_empty());
/// assert_eq!(outbox.chunk(), b"");
/// ```
#[derive(Clone)]
pub struct Outbox {
    /// What was copied, and from `taken` on is still to be written.
    copied: Vec<u8>,
    taken: usize,
    /// Where `copied` begins in the stream of all copied bytes since this was empty.
    base: u64,
    shared: VecDeque<Shared>,
    shared_bytes: usize,
    limit_bytes: usize,
    #[cfg(feature = "broker")]
    begun: Begun,
}

/// What was put into an outbox since it is there.
#[cfg(feature = "broker")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Packets of all types.
    pub(crate) packets: u64,
    /// PUBLISH among them.
    pub(crate) messages: u64,
}

/// A part that is not copied.
#[derive(Clone)]
struct Shared {
    /// How many copied bytes go before it. Counted from `base`'s origin, so that compacting does not touch it.
    after: u64,
    bytes: Bytes,
}

impl Outbox {
    /// The limit of [`Outbox::default`].
    pub const DEFAULT_LIMIT_BYTES: usize = 64 * 1024;

    /// An empty one. A packet is started while it holds less than `limit_bytes`, so it holds at most that many bytes and
    /// one packet. A limit of 0 counts as 1: one packet at a time.
    #[must_use]
    pub const fn new(limit_bytes: usize) -> Self {
        Self {
            copied: Vec::new(),
            taken: 0,
            base: 0,
            shared: VecDeque::new(),
            shared_bytes: 0,
            limit_bytes: if limit_bytes == 0 { 1 } else { limit_bytes },
            #[cfg(feature = "broker")]
            begun: Begun {
                packets: 0,
                messages: 0,
            },
        }
    }

    /// How many bytes are to be written.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.copied_bytes().saturating_add(self.shared_bytes)
    }

    /// Whether everything has been written.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// From how many bytes on no further packet is started.
    #[must_use]
    #[inline]
    pub const fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// Whether another packet may be started.
    #[must_use]
    #[inline]
    pub fn has_room(&self) -> bool {
        self.len() < self.limit_bytes
    }

    /// Forgets what was not written: for the next connection, or because the peer is gone. The memory is kept.
    #[inline]
    pub fn clear(&mut self) {
        self.copied.clear();
        self.taken = 0;
        self.base = 0;
        if !self.shared.is_empty() {
            self.clear_shared();
        }
        self.shared_bytes = 0;
    }

    #[cold]
    fn clear_shared(&mut self) {
        self.shared.clear();
    }

    /// Fills `into` with what is to be written next, in order, and returns how many slices were filled: for a vectored
    /// write. Not taken until [`advance`](Buf::advance).
    pub fn chunks<'a>(&'a self, into: &mut [&'a [u8]]) -> usize {
        let mut filled = 0_usize;
        for (place, chunk) in into.iter_mut().zip(self.parts()) {
            *place = chunk;
            filled = filled.saturating_add(1);
        }
        filled
    }

    /// Where packets are encoded to, which are [counted](Self::count) then. Bytes may only be appended.
    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.copied
    }

    /// So many packets that are no messages were appended.
    #[inline]
    pub(crate) const fn count(&mut self, packets: usize) {
        #[cfg(feature = "broker")]
        {
            self.begun.packets = self.begun.packets.wrapping_add(packets as u64);
        }
        #[cfg(not(feature = "broker"))]
        let _ = packets;
    }

    /// So many messages were appended, or their heads.
    #[inline]
    pub(crate) const fn count_messages(&mut self, messages: usize) {
        #[cfg(feature = "broker")]
        {
            self.begun.messages = self.begun.messages.wrapping_add(messages as u64);
        }
        self.count(messages);
    }

    /// All that was appended, taken or not.
    #[cfg(feature = "broker")]
    #[inline]
    pub(crate) const fn begun(&self) -> Begun {
        self.begun
    }

    /// How many of these bytes may be appended now, and how many packets they are: whole ones, which stand one behind the
    /// other, each begun while there is room.
    pub(crate) fn fitting(&self, packets: &[u8]) -> (usize, usize) {
        let room = self.limit_bytes.saturating_sub(self.len());
        let (mut bytes, mut count) = (0_usize, 0_usize);
        while bytes < room.min(packets.len()) {
            bytes = bytes.saturating_add(packet_len(packets.get(bytes..).unwrap_or_default()));
            count = count.saturating_add(1);
        }
        (bytes.min(packets.len()), count)
    }

    /// Appends bytes without copying them, after all that is there.
    pub(crate) fn share(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.shared_bytes = self.shared_bytes.saturating_add(bytes.len());
        let after = self.base.saturating_add(self.copied.len() as u64);
        self.shared.push_back(Shared { after, bytes });
    }

    #[inline]
    fn copied_bytes(&self) -> usize {
        // No more is taken than there is.
        self.copied.len().wrapping_sub(self.taken)
    }

    /// The copied bytes from `from` up to the place of a shared part, or up to the end.
    #[inline]
    fn run(&self, from: usize, until: Option<&Shared>) -> &[u8] {
        let rest = self.copied.get(from..).unwrap_or_default();
        match until {
            Some(shared) => {
                let until = shared.after.saturating_sub(self.base).saturating_sub(from as u64);
                usize::try_from(until)
                    .ok()
                    .and_then(|len| rest.get(..len))
                    .unwrap_or(rest)
            }
            None => rest,
        }
    }

    /// All that is to be written, in order, without empty parts.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = self.taken;
        let parts = self.shared.iter().map(Some).chain([None]).flat_map(move |next| {
            let run = self.run(from, next);
            from = from.saturating_add(run.len());
            [run, next.map(|shared| &shared.bytes[..]).unwrap_or_default()]
        });
        parts.filter(|part| !part.is_empty())
    }

    /// Takes at most `count` bytes of the first part, and returns how many.
    #[inline]
    fn advance_part(&mut self, count: usize) -> usize {
        let run = self.run(self.taken, self.shared.front()).len();
        if run > 0 {
            let count = count.min(run);
            self.taken = self.taken.saturating_add(count);
            return count;
        }
        let Some(first) = self.shared.front_mut() else {
            return 0;
        };
        let count = count.min(first.bytes.len());
        first.bytes.advance(count);
        if first.bytes.is_empty() {
            self.shared.pop_front();
        }
        self.shared_bytes = self.shared_bytes.saturating_sub(count);
        count
    }

    /// Takes fewer bytes off than there are.
    #[inline(never)]
    fn advance_some(&mut self, count: usize) {
        let mut left = count;
        while left > 0 {
            match self.advance_part(left) {
                0 => break,
                taken => left = left.saturating_sub(taken),
            }
        }
        self.compact();
    }

    /// Gives the room of written bytes back. Moves fewer bytes than were written since the last time.
    fn compact(&mut self) {
        if self.is_empty() {
            self.clear();
        } else if self.taken > COMPACT_BYTES.min(self.limit_bytes) && self.taken > self.copied_bytes() {
            self.base = self.base.saturating_add(self.taken as u64);
            self.copied.drain(..self.taken.min(self.copied.len()));
            self.taken = 0;
        }
    }
}

/// The length of the encoded packet that these bytes begin with.
pub(crate) fn packet_len(bytes: &[u8]) -> usize {
    match varint::read(bytes.get(1..).unwrap_or_default()) {
        Varint::Value { value, len } => crate::flow::size(value)
            .saturating_add(usize::from(len))
            .saturating_add(1),
        Varint::Incomplete | Varint::TooLong => 1,
    }
}

impl Buf for Outbox {
    #[inline]
    fn remaining(&self) -> usize {
        self.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        let shared = self.shared.front();
        let run = self.run(self.taken, shared);
        match shared {
            Some(shared) if run.is_empty() => &shared.bytes,
            _ => run,
        }
    }

    /// Takes the first `count` bytes off: they have been written. More than there are counts as all.
    #[inline]
    fn advance(&mut self, count: usize) {
        if count >= self.len() {
            self.clear();
        } else {
            self.advance_some(count);
        }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new(Self::DEFAULT_LIMIT_BYTES)
    }
}

/// What waits may be secret: only its amount is shown.
impl core::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Outbox")
            .field("len", &self.len())
            .field("shared_bytes", &self.shared_bytes)
            .field("limit_bytes", &self.limit_bytes)
            .finish()
    }
}
