//! What the clients of a simulation do.

use bytes::Bytes;
use mqtt_session::proto::{
    Filters, RetainHandling, SubscribeProperties, SubscriptionId, SubscriptionOptions, TopicFilters, Version,
};
use mqtt_session::{Event, Message, QoS};

use super::{FILTERS, LARGE_PAYLOAD_BYTES, QOS, TOPICS, World};
use crate::broker::options::identifier_of;
use crate::broker::watch::GROUP;

impl World {
    pub(super) fn publish(&mut self, index: usize) {
        let (topic, qos) = (self.random.one_of(&TOPICS), self.random.one_of(&QOS));
        let retain = self.random.percent(15);
        let is_large = self.random.percent(8);
        let is_empty = retain && self.random.percent(20);
        self.send(index, (topic, qos), retain, (is_large, is_empty), true);
    }

    /// A client publishes a message. `is_limited`: it may end after some time.
    pub(super) fn send(
        &mut self,
        index: usize,
        (topic, qos): (&'static str, QoS),
        retain: bool,
        (is_large, is_empty): (bool, bool),
        is_limited: bool,
    ) {
        let number = self.number;
        let payload = if is_empty {
            String::new()
        } else {
            let width = if is_large { LARGE_PAYLOAD_BYTES } else { 0 };
            format!("{number:<width$}")
        };
        let message = Message::new(topic, payload.clone())
            .expect("a valid topic")
            .qos(qos)
            .retain(retain);
        let message = match is_limited {
            true => self.limit(index, message),
            false => message,
        };
        if self.peers[index].client.publish(self.now, message, number).is_ok() {
            self.number += 1;
            if retain {
                let step = self.watch.step;
                let lane = self.cluster.place_of(&self.peers[index].name);
                self.watch
                    .retained
                    .published(number, (topic, lane), payload.is_empty(), step);
            }
            if !payload.is_empty() {
                self.watch.published(number, index, (topic, qos), retain, is_large);
            }
            self.watch
                .note(|| format!("{index} publishes {number} to {topic} q{}", qos.bits()));
        }
    }

    /// Some messages end after some time, if their version can say so.
    fn limit(&mut self, index: usize, message: Message) -> Message {
        if self.plan.clients[index].version != Version::V5 || !self.random.percent(30) {
            return message;
        }
        message.expiry_seconds(self.random.one_of(&[1, 2, 15, 120, 5000]))
    }

    pub(super) fn subscribe(&mut self, index: usize) {
        let (filter, qos) = (self.random.one_of(&FILTERS), self.random.one_of(&QOS));
        // A group keeps the promises of QoS 1 only if all of its members ask for it.
        let qos = if filter == GROUP {
            qos.max(QoS::AtLeastOnce)
        } else {
            qos
        };
        self.subscribe_to(index, filter, qos);
    }

    /// A client subscribes.
    pub(super) fn subscribe_to(&mut self, index: usize, filter: &'static str, qos: QoS) {
        let (options, properties) = self.options(index, filter, qos);
        let has_identifier = properties.subscription_id().is_some();
        let filters = Filters::builder()
            .filter(filter, options)
            .build()
            .expect("a valid filter");
        let tag = self.number;
        let peer = &mut self.peers[index];
        if peer.client.subscribe(self.now, filters, properties, tag).is_ok() {
            self.number += 1;
            self.watch.asked(tag, index, filter, Some(qos));
            self.watch.asked_how(index, filter, options, has_identifier);
            self.watch
                .note(|| format!("{index} subscribes to {filter} q{}", qos.bits()));
            if filter.starts_with("$share") {
                self.watch.counts.shared += 1;
            }
        }
    }

    /// How a client subscribes, as far as its version can say.
    fn options(&mut self, index: usize, filter: &str, qos: QoS) -> (SubscriptionOptions, SubscribeProperties<Bytes>) {
        let mut options = SubscriptionOptions::new(qos);
        if self.plan.clients[index].version != Version::V5 {
            return (options, SubscribeProperties::empty());
        }
        options.no_local = !filter.starts_with("$share") && self.random.percent(20);
        options.retain_as_published = self.random.percent(40);
        options.retain_handling = self.random.one_of(&[
            RetainHandling::Send,
            RetainHandling::Send,
            RetainHandling::SendIfNew,
            RetainHandling::DoNotSend,
        ]);
        let mut properties = SubscribeProperties::<Bytes>::builder();
        if self.random.percent(40) {
            let identifier = SubscriptionId::new(identifier_of(filter));
            properties = properties.subscription_id(identifier.expect("a small number"));
        }
        (options, properties.build().expect("short"))
    }

    /// A client ends, and another one begins with its name and nothing else.
    pub(super) fn restart_client(&mut self, index: usize) {
        let who = &self.plan.clients[index];
        self.watch.client_restarted(index);
        let seed = self.plan.seed ^ self.random.next();
        let peer = &mut self.peers[index];
        peer.client = super::client(index, who, (seed, self.plan.has_door), self.now);
        peer.wants_stream = false;
        peer.held.clear();
        peer.outbox.clear();
        if let Some(link) = &mut peer.link {
            link.is_used = false;
            link.down.clear();
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
                if matches!(event, Event::Authenticate { .. }) {
                    // Its connection may have ended since.
                    let answer = self.peers[index].client.authenticate(self.now, Some(b"here it is"));
                    self.watch.counts.steps_answered += u64::from(answer.is_ok());
                }
                self.judge_refusal(index, &event)?;
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
