//! What a broker holds, for somebody who looks.
//!
//! Nothing here changes anything. A list may be long, so it is seen in pages: a [`Cursor`] says how far one has come, and each
//! page looks at no more places than it is told to. What is there from the first page to the last is seen exactly once; what
//! comes or goes meanwhile is seen as it is when its page comes, or not at all. The order follows from the calls before, and
//! never from a hash.

mod retained;
mod session;

pub use retained::{RetainedCursor, RetainedView};
pub use session::{MessageView, SessionView, SubscriptionView};

use super::Broker;

/// How far one has come in the sessions, or in the subscriptions, of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    next: Option<u32>,
}

impl Cursor {
    /// Before the first.
    pub const START: Self = Self { next: Some(0) };

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_at_end(self) -> bool {
        self.next.is_none()
    }

    /// The places of the next page, of which all lie below the bound.
    fn page(&mut self, looks: u32, bound: u32) -> core::ops::Range<u32> {
        let from = self.next.unwrap_or(bound).min(bound);
        // A page of no places would never come to the end.
        let upto = from.saturating_add(looks.max(1)).min(bound);
        self.next = (upto < bound).then_some(upto);
        from..upto
    }
}

impl Default for Cursor {
    fn default() -> Self {
        Self::START
    }
}

impl Broker {
    /// The sessions of the next page, for which so many places are looked at. The cursor is behind it then.
    ///
    /// ```
    /// use mqtt_session::{Broker, BrokerConfig, Cursor, Instant};
    ///
    /// let broker = Broker::new(BrokerConfig::new(7), Instant::from_secs(1));
    /// let mut cursor = Cursor::START;
    /// while !cursor.is_at_end() {
    ///     for session in broker.sessions(&mut cursor, 100) {
    ///         println!("{:?}: {} messages wait", session.client_id(), session.messages());
    ///     }
    ///     // Elsewhere things may go on here.
    /// }
    /// ```
    pub fn sessions(&self, cursor: &mut Cursor, looks: u32) -> impl Iterator<Item = SessionView<'_>> + use<'_> {
        let page = cursor.page(looks, self.sessions.bound());
        page.filter_map(|slot| SessionView::new(self, slot))
    }

    /// The session of a client.
    #[must_use]
    pub fn session(&self, client_id: &[u8]) -> Option<SessionView<'_>> {
        SessionView::new(self, self.sessions.of_client(client_id)?)
    }

    /// The subscriptions of all clients in the next page, for which so many places are looked at. The cursor is behind it then.
    pub fn subscriptions(
        &self,
        cursor: &mut Cursor,
        looks: u32,
    ) -> impl Iterator<Item = SubscriptionView<'_>> + use<'_> {
        let page = cursor.page(looks, self.routes.bound());
        page.filter_map(|key| {
            let (slot, filter, wanted) = self.routes.at(key)?;
            let session = SessionView::new(self, slot)?;
            Some(SubscriptionView::new(session.who(), filter, wanted))
        })
    }
}
