//! What AUTH may say, and which end may say it.

use crate::Role;

reasons_of_packet! {
    /// What AUTH may say. [`may_be_sent_by`](Self::may_be_sent_by) tells which end may say it.
    AuthReason {
        Success = 0x00,
        ContinueAuthentication = 0x18,
        ReAuthenticate = 0x19,
    }
}

impl AuthReason {
    /// Whether this end may say it.
    #[must_use]
    pub const fn may_be_sent_by(self, sender: Role) -> bool {
        match self {
            Self::Success => matches!(sender, Role::Server),
            Self::ContinueAuthentication => true,
            Self::ReAuthenticate => matches!(sender, Role::Client),
        }
    }
}
