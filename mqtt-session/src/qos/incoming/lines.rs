//! The tables and lines of messages of QoS 1 and 2. Many peers never send any, and then there is no memory for them.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::ops::{Deref, DerefMut};

use mqtt_proto::PacketId;

use super::{Held, Open, Slot};
use crate::id_map::IdMap;

/// All of them. To look at them costs nothing; where something is put into one, they get their memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Option<Box<All>>);

#[derive(Clone, Debug, Default)]
pub(super) struct All {
    pub(super) held: IdMap<Held>,
    /// In the order of the numbers.
    pub(super) open: VecDeque<Open>,
    // Of the connection:
    pub(super) pubacks: VecDeque<Slot>,
    pub(super) pubrecs: VecDeque<PacketId>,
}

/// What is seen where there are none.
static NOTHING: All = All {
    held: IdMap::new(),
    open: VecDeque::new(),
    pubacks: VecDeque::new(),
    pubrecs: VecDeque::new(),
};

impl Lines {
    /// Those that there are.
    #[inline]
    pub(super) fn get_mut(&mut self) -> Option<&mut All> {
        self.0.as_deref_mut()
    }

    /// Gives the memory back, if nothing is in it.
    #[cfg(feature = "broker")]
    pub(super) fn rest(&mut self) {
        let are_empty =
            self.held.is_empty() && self.open.is_empty() && self.pubacks.is_empty() && self.pubrecs.is_empty();
        if are_empty {
            self.0 = None;
        }
    }
}

/// The first message of this kind has come.
#[cold]
fn begin() -> Box<All> {
    Box::default()
}

impl Deref for Lines {
    type Target = All;

    #[inline]
    fn deref(&self) -> &All {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Lines {
    #[inline]
    fn deref_mut(&mut self) -> &mut All {
        self.0.get_or_insert_with(begin)
    }
}
