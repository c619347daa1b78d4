//! Numbers that are never given twice, over restarts too.

/// How many numbers one record sets aside.
const AT_ONCE: u64 = 1024;

/// Gives numbers out, the lowest first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Names {
    /// The one that was given last.
    last: u64,
    /// Those up to this one are set aside in the store.
    named: u64,
}

impl Names {
    /// The next number. One that has to be told from those of other lives is [set aside](Self::set_aside) before.
    pub(super) fn give(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// Sets numbers aside, if the next one is not. Returns whether that has to be written down.
    pub(super) fn set_aside(&mut self) -> bool {
        let is_due = self.last >= self.named;
        if is_due {
            self.named = self.last.saturating_add(AT_ONCE);
        }
        is_due
    }

    /// The one that was given last, or may have been in an earlier life.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// Those up to this number are set aside.
    pub(super) const fn named(&self) -> u64 {
        self.named
    }

    /// An earlier life has set these aside.
    pub(super) fn restore_named(&mut self, named: u64) {
        self.named = self.named.max(named);
        self.last = self.last.max(named);
    }

    /// An earlier life has given this one.
    pub(super) fn restore_given(&mut self, number: u64) {
        self.last = self.last.max(number);
    }
}
