//! What a device says of itself.

/// What a program took, as the device that ran it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// `size_of` the client.
    pub client_bytes: u32,
    /// The buffers that the program gives to the client, beside the heap.
    pub buffer_bytes: u32,
    /// The most bytes of the heap that were held at once.
    pub heap_held: u32,
    /// The highest byte of the heap that was ever used.
    pub heap_reach: u32,
    /// How deep the stack was, with everything that the program keeps there; 0 where that is not known.
    pub stack: u32,
}

impl Report {
    /// How long a report is on the wire.
    pub const BYTES: usize = 20;

    /// As the payload of a message.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let fields = [
            self.client_bytes,
            self.buffer_bytes,
            self.heap_held,
            self.heap_reach,
            self.stack,
        ];
        let mut bytes = [0; Self::BYTES];
        for (place, field) in bytes.chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    /// From the payload of a message.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let field = |index: usize| bytes[4 * index..][..4].try_into().map_or(0, u32::from_be_bytes);
        Some(Self {
            client_bytes: field(0),
            buffer_bytes: field(1),
            heap_held: field(2),
            heap_reach: field(3),
            stack: field(4),
        })
    }
}
