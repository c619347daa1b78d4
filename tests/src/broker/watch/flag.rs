//! Retain As Published: a subscription with it sees the flag as it was published, and one without it does not.

use super::{Watch, number_in};

/// As what a message comes to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It was just published.
    Published,
    /// It is retained.
    Retained,
    /// Nobody can tell.
    Either,
}

impl Watch {
    /// A client gets a message with or without the flag. Returns as what it comes.
    pub(super) fn judge_flag(
        &mut self,
        client: usize,
        topic: &str,
        text: &str,
        has_flag: bool,
    ) -> Result<Sight, String> {
        let flag = self.subscribers[client].options.flag(topic);
        if has_flag && !flag.may_stay && !flag.may_be_replay {
            return Err(format!(
                "client {client} got {text} of {topic} with the flag, and never asked for that"
            ));
        }
        let sent = number_in(text).and_then(|number| self.sent.get(&number));
        if has_flag && sent.is_some_and(|sent| !sent.is_retained) {
            return Err(format!(
                "client {client} got {text} with a flag that it was not published with"
            ));
        }
        if !has_flag && flag.has_to_stay && sent.is_some_and(|sent| sent.is_retained) {
            return Err(format!(
                "client {client} got {text} of {topic} without the flag: {flag:?}"
            ));
        }
        let is_kept = has_flag && flag.may_stay;
        self.counts.flags_kept += u64::from(is_kept && !flag.may_be_replay);
        self.counts.flags_cleared +=
            u64::from(!has_flag && !flag.may_stay && sent.is_some_and(|sent| sent.is_retained));
        Ok(match (has_flag, flag.may_stay, flag.may_be_replay) {
            (false, ..) | (true, true, false) => Sight::Published,
            (true, false, _) => Sight::Retained,
            (true, true, true) => Sight::Either,
        })
    }
}
