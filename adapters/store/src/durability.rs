//! What a confirmed write survives.

/// What a write survives once it is confirmed. It decides what the acknowledgements of the machine are worth.
///
/// | | `kill -9` of the process | crash of the kernel, loss of power |
/// |---|---|---|
/// | [`Sync`](Self::Sync) | yes | yes |
/// | [`Os`](Self::Os) | yes | no |
/// | [`None`](Self::None) | no | no |
///
/// Never covered are the loss of the disk, caches that lie about a flush, QoS 0, and sessions that end with their connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Once PUBACK, PUBREC or PUBCOMP is sent, neither `kill -9`, nor a kernel crash, nor power loss of this host loses an
    /// acknowledged message or creates a QoS 2 duplicate, given storage that honours flush. Each group costs one flush.
    #[default]
    Sync,
    /// Survives `kill -9` only: a group is with the operating system before it is confirmed, and nothing is flushed. After a
    /// loss of power the store may be older than what was acknowledged, or damaged.
    Os,
    /// Survives nothing: groups are confirmed from memory, and reach the file when the store is closed.
    None,
}
