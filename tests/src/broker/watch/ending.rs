//! What has to be so when all has come to rest.

use mqtt_session::QoS;

use super::{FORBIDDEN, GROUP, OF_GROUP, Sent, Watch, matches};
use crate::broker::bounds::Told;
use crate::broker::retained::Snapshot;

impl Watch {
    /// All has come to rest: what was acknowledged is with everybody who was there for it.
    pub(in crate::broker) fn finish(&mut self, kept: &Snapshot) -> Result<(), String> {
        if let Some(tag) = self.open.first() {
            return Err(format!("operation {tag} has not ended"));
        }
        let granted = |client: usize, filter: &str, at: u64| {
            let subscriber = &self.subscribers[client];
            let granted = subscriber.granted.get(filter).map(|(_, qos)| *qos);
            granted.filter(|_| subscriber.since < at && !subscriber.is_mistaken && !subscriber.is_small)
        };
        let mut told = self.lost.clone();
        let (lives, now) = (&self.lives, self.now);
        let may_have_ended = |number: u64| lives.may_have_ended(number, now);
        let required = self
            .retained
            .finish(kept, self.asks, granted, may_have_ended, &mut told)?;
        self.counts.retained_required += required;
        if let Some((topic, kept)) = kept.iter().find(|(_, (number, _))| lives.has_ended(*number, now)) {
            return Err(format!("{kept:?} is retained for {topic} at {now:?}, and has ended"));
        }
        self.counts.retained_expired += self.retained.expired(kept, |number| lives.has_ended(number, now));
        for (number, sent) in &self.sent {
            if !sent.is_acknowledged || sent.qos == QoS::AtMostOnce || (self.asks && sent.topic == FORBIDDEN) {
                continue;
            }
            self.counts.of_groups += u64::from(self.has_to_reach(*number, sent, &mut told)?);
            for (client, subscriber) in self.subscribers.iter().enumerate() {
                let wants = |(filter, (since, qos)): (&&'static str, &(u64, QoS))| {
                    *since < sent.at
                        && *qos > QoS::AtMostOnce
                        && !filter.starts_with("$share")
                        && matches(filter, sent.topic)
                };
                let may_miss = |(filter, _): &(&&'static str, &(u64, QoS))| {
                    sent.publisher == client && subscriber.options.may_miss_own(filter)
                };
                let Some((filter, (since, _))) = subscriber
                    .granted
                    .iter()
                    .find(|granted| wants(*granted) && !may_miss(granted))
                else {
                    continue;
                };
                // MQTT cannot tell both sessions apart: its client takes a new message for one that it has.
                let is_taken_for_another = subscriber.is_mistaken && sent.qos == QoS::ExactlyOnce;
                if sent.is_large && subscriber.is_small {
                    self.counts.too_large += 1;
                    continue;
                }
                if subscriber.since >= sent.at || is_taken_for_another {
                    continue;
                }
                if self.lives.may_have_ended(*number, self.now) {
                    if !subscriber.got.contains_key(&(subscriber.epoch, *number)) {
                        self.counts.expired += 1;
                    }
                    continue;
                }
                let has_come = subscriber.got.contains_key(&(subscriber.epoch, *number));
                if !has_come && told.excuses(client, *number) {
                    self.counts.excused += 1;
                    continue;
                }
                self.counts.required += 1;
                if !has_come {
                    return Err(format!(
                        "client {client} has {filter} since {since} and never got {number}, which was acknowledged"
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Watch {
    /// A message of QoS 1 to a group that had a member all the time is with somebody: what a member did not acknowledge when
    /// its session ended has gone on to another. A session that is not stored ends with the broker, and nobody hears of it.
    fn has_to_reach(&self, number: u64, sent: &Sent, told: &mut Told) -> Result<bool, String> {
        let has_member = self.subscribers.iter().any(|subscriber| {
            let granted = subscriber.granted.get(GROUP);
            subscriber.since < sent.at && granted.is_some_and(|(since, _)| *since < sent.at)
        });
        let may_not_fit = sent.is_large && self.subscribers.iter().any(|subscriber| subscriber.is_small);
        let has_to = !may_not_fit
            && sent.topic == OF_GROUP
            && sent.qos == QoS::AtLeastOnce
            && sent.at > self.last_crash
            && !self.lives.may_have_ended(number, self.now)
            && has_member;
        if has_to && !self.reached.contains_key(&number) && !told.excuses_a_group() {
            return Err(format!("{number} was acknowledged, and reached no member of {GROUP}"));
        }
        Ok(has_to)
    }
}
