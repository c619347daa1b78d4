//! What the broker and its host do of their own: wills, changes of the policy, and what is lost at bounds.

use mqtt_session::Outcome;
use mqtt_session::proto::SubAckReason;

use super::{Sent, Watch};
use crate::broker::wills::{Cause, Will};

impl Watch {
    /// A will is published, and from here on a message as others are.
    pub(in crate::broker) fn will_published(
        &mut self,
        number: u64,
        client: usize,
        will: Will,
        cause: Option<Cause>,
        lasts: bool,
    ) {
        let counts = &mut self.counts;
        match cause {
            Some(Cause::Cut) => counts.wills_by_cut += 1,
            Some(Cause::KeepAlive) => counts.wills_by_keep_alive += 1,
            Some(Cause::Takeover) => counts.wills_by_takeover += 1,
            Some(Cause::Disconnect) => counts.wills_by_disconnect += 1,
            Some(Cause::Host) => counts.wills_by_host += 1,
            Some(Cause::SessionEnd) => counts.wills_by_session_end += 1,
            Some(Cause::Restart) => counts.wills_by_restart += 1,
            None => {}
        }
        if will.is_retained {
            // No will surpasses another message, nor the other way round: nobody acknowledges it.
            self.retained.published(number, (will.topic, 0), false, self.step);
        }
        self.note(|| format!("will {number} of {client} is published to {}: {cause:?}", will.topic));
        if !lasts {
            self.passing_wills.push(number);
        }
        let sent = Sent {
            publisher: client,
            topic: will.topic,
            qos: will.qos,
            at: self.step,
            is_acknowledged: true,
            is_orphan: false,
            is_repeated: self.sent.contains_key(&number),
            is_large: false,
            is_retained: will.is_retained,
        };
        self.sent.insert(number, sent);
    }

    /// That these were published was not stored when the broker ended. They may be published again.
    pub(in crate::broker) fn wills_forgotten(&mut self, numbers: &[u64]) {
        for number in numbers {
            if let Some(sent) = self.sent.get_mut(number) {
                sent.is_acknowledged = false;
            }
        }
    }

    /// The host denies a client a filter from here on, or does not any more.
    pub(in crate::broker) fn policy_changed(&mut self, (client, filter): (usize, &'static str), is_denied: bool) {
        self.note(|| format!("{client} is denied {filter}: {is_denied}"));
        let step = self.step;
        let denied = &mut self.subscribers[client].denied;
        if is_denied {
            denied.insert(filter, step);
        } else {
            denied.remove(filter);
        }
    }

    /// The broker says that a subscription has ended, since the host denies it.
    pub(in crate::broker) fn revoked(&mut self, client: usize, filter: &str, number: u64) {
        self.retained.ended(client, Some(filter));
        self.note(|| format!("{client} is subscribed to {filter} no more"));
        let subscriber = &mut self.subscribers[client];
        subscriber.granted.retain(|granted, _| *granted != filter);
        subscriber.revoked.insert(filter.to_owned(), number);
    }

    /// Copies for a client were dropped, and it was told.
    pub(in crate::broker) fn dropped(&mut self, client: usize, copies: u64, are_oldest: bool) {
        self.note(|| format!("{copies} copies for {client} are dropped"));
        self.counts.dropped += copies;
        self.counts.dropped_oldest += if are_oldest { copies } else { 0 };
        self.lost.dropped(client, copies);
    }

    /// A filter is refused for want of room only if a bound was met.
    pub(super) fn judge_room(&mut self, outcome: &Outcome) -> Result<(), String> {
        let Outcome::Subscribed(answer) = outcome else {
            return Ok(());
        };
        for _ in answer.codes.iter().filter(|code| *code == SubAckReason::QuotaExceeded) {
            self.lost.filter_refused()?;
            self.counts.filters_told += 1;
        }
        Ok(())
    }
}
