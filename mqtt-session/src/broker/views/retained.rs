//! What is retained.

use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{TopicFilter, TopicName};

use crate::Message;
use crate::broker::retained::Step;
use crate::broker::{Broker, Party};
use crate::time::Instant;

/// How far one has come in the retained messages of a broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetainedCursor {
    after: Option<TopicName<Bytes>>,
    is_at_end: bool,
}

impl RetainedCursor {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.is_at_end
    }
}

/// What can be seen of a retained message.
#[derive(Clone, Copy, Debug)]
pub struct RetainedView<'b> {
    /// The message, as it was published.
    pub message: &'b Message,
    /// When it expires. `None`: it stays.
    pub expires_at: Option<Instant>,
    /// Who published it. `None`: the host did, or nobody knows.
    pub publisher: Option<&'b Party>,
}

impl Broker {
    /// The retained messages for a filter in the next page, for which so many topics are looked at. The cursor is behind it then.
    ///
    /// They come in the order of their levels. Those that have expired are left out; of topics that begin with `$` those whose
    /// first level the filter names. Of several machines, each has its own.
    pub fn retained<B: AsRef<[u8]>>(
        &self,
        filter: &TopicFilter<B>,
        cursor: &mut RetainedCursor,
        looks: usize,
    ) -> Vec<RetainedView<'_>> {
        let mut page = Vec::new();
        // A page of no topics would never come to the end.
        let mut looks = looks.max(1);
        while looks > 0 && !cursor.is_at_end {
            match self
                .retained
                .next_within(filter, cursor.after.as_ref(), self.now, &mut looks, |_| true)
            {
                Step::Found(topic, kept) => {
                    cursor.after = Some(topic.clone());
                    page.push(RetainedView {
                        message: &kept.message,
                        expires_at: kept.expires_at,
                        publisher: kept.publisher.as_ref(),
                    });
                }
                Step::Budget(topic) => cursor.after = Some(topic.clone()),
                Step::End => cursor.is_at_end = true,
            }
        }
        page
    }
}
