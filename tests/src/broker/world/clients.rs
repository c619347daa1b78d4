//! What the clients of a simulation do.

use bytes::Bytes;
use mqtt_session::proto::{Filters, SubscribeProperties, SubscriptionOptions, TopicFilters};
use mqtt_session::{Event, Message, QoS};

use super::{FILTERS, QOS, TOPICS, World};
use crate::broker::watch::GROUP;

impl World {
    pub(super) fn publish(&mut self, index: usize) {
        let (topic, qos) = (self.random.one_of(&TOPICS), self.random.one_of(&QOS));
        let retain = self.random.percent(15);
        let number = self.number;
        let payload = if retain && self.random.percent(20) {
            String::new()
        } else {
            number.to_string()
        };
        let message = Message::new(topic, payload.clone())
            .expect("a valid topic")
            .qos(qos)
            .retain(retain);
        if self.peers[index].client.publish(self.now, message, number).is_ok() {
            self.number += 1;
            if retain {
                let step = self.watch.step;
                self.watch.retained.published(number, topic, payload.is_empty(), step);
            }
            if !payload.is_empty() {
                self.watch.published(number, index, topic, qos);
            }
            self.watch
                .note(|| format!("{index} publishes {number} to {topic} q{}", qos.bits()));
        }
    }

    pub(super) fn subscribe(&mut self, index: usize) {
        let (filter, qos) = (self.random.one_of(&FILTERS), self.random.one_of(&QOS));
        // A group keeps the promises of QoS 1 only if all of its members ask for it.
        let qos = if filter == GROUP {
            qos.max(QoS::AtLeastOnce)
        } else {
            qos
        };
        let filters: Filters<Bytes> = Filters::builder()
            .filter(filter, SubscriptionOptions::new(qos))
            .build()
            .expect("a valid filter");
        let none = SubscribeProperties::empty();
        let tag = self.number;
        let peer = &mut self.peers[index];
        if peer.client.subscribe(self.now, filters, none, tag).is_ok() {
            self.number += 1;
            self.watch.asked(tag, index, filter, Some(qos));
            self.watch
                .note(|| format!("{index} subscribes to {filter} q{}", qos.bits()));
            if filter.starts_with("$share") {
                self.watch.counts.shared += 1;
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, index: usize) {
        let filter = self.random.one_of(&FILTERS);
        let filters: TopicFilters<Bytes> = TopicFilters::builder().filter(filter).build().expect("a valid filter");
        let tag = self.number;
        if self.peers[index].client.unsubscribe(self.now, filters, tag).is_ok() {
            self.number += 1;
            self.watch.asked(tag, index, filter, None);
            self.watch.note(|| format!("{index} unsubscribes from {filter}"));
        }
    }

    /// What the broker has to tell, and then the clients, who may know what it had to tell.
    pub(super) fn look(&mut self) -> Result<(), String> {
        self.hear()?;
        for index in 0..self.peers.len() {
            while let Some(event) = self.peers[index].client.poll_event() {
                if matches!(event, Event::Open) {
                    self.peers[index].wants_stream = true;
                }
                self.watch.told(index, &event)?;
                // An old CONNECT that arrives late takes the session over; the application wants its client back.
                if matches!(event, Event::Closed { retry_at: None, .. }) {
                    self.peers[index].client.reconnect(self.now);
                }
            }
        }
        Ok(())
    }
}
