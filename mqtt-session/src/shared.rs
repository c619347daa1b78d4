//! What many connections have in common, and none changes.

/// Counted, so that all have the same one. A target without atomic compare-and-swap has nothing to count with, and few
/// connections: there each has its own.
#[cfg(target_has_atomic = "ptr")]
pub(crate) use alloc::sync::Arc as Shared;

#[cfg(not(target_has_atomic = "ptr"))]
pub(crate) use alloc::boxed::Box as Shared;
