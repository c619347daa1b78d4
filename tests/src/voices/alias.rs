//! Topic aliases of one connection, in both directions. They change nothing of what is heard.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use bytes::Bytes;
use mqtt_proto::{Publish, TopicName};

use super::script::{Message, Script};

/// A client announces no more, so that some of its messages have none.
const ANNOUNCED: usize = 3;
/// A server may announce so many to the clients of every second script.
const ALLOWED: u16 = 2;

/// How many topic aliases a server may announce to the clients of a script.
pub(super) const fn allowed(script: &Script) -> u16 {
    if script.seed % 2 == 1 { ALLOWED } else { 0 }
}

/// The alias of a message that is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alias {
    pub(super) number: NonZeroU16,
    /// The server knows the topic.
    pub(super) is_known: bool,
}

/// What both ends have announced.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// How many the server takes.
    taken: u16,
    announced: Vec<&'static str>,
    heard: BTreeMap<NonZeroU16, TopicName<Bytes>>,
}

impl Aliases {
    /// The server takes so many.
    pub(super) fn take(&mut self, taken: Option<u16>) {
        self.taken = taken.unwrap_or(0);
    }

    /// The alias of a message: of two in three, if there is room.
    pub(super) fn of(&mut self, message: &Message) -> Option<Alias> {
        message.number.filter(|number| number % 3 != 0)?;
        let known = self.announced.iter().position(|topic| *topic == message.topic);
        let place = known.unwrap_or(self.announced.len());
        if known.is_none() {
            if place >= ANNOUNCED.min(usize::from(self.taken)) {
                return None;
            }
            self.announced.push(message.topic);
        }
        let number = u16::try_from(place).ok()?.checked_add(1).and_then(NonZeroU16::new)?;
        Some(Alias {
            number,
            is_known: known.is_some(),
        })
    }

    /// Gives a message that was heard its topic. The error is one of the server.
    pub(super) fn resolve(&mut self, publish: &mut Publish<Bytes>, allowed: u16) -> Result<(), String> {
        let Some(number) = publish.properties.topic_alias() else {
            return Ok(());
        };
        if number.get() > allowed {
            return Err(format!("topic alias {number}, and {allowed} were allowed"));
        }
        match &publish.topic {
            Some(topic) => {
                self.heard.insert(number, topic.clone());
            }
            None => publish.topic = self.heard.get(&number).cloned(),
        }
        match publish.topic {
            Some(_) => Ok(()),
            None => Err(format!("topic alias {number} stands for nothing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use mqtt_proto::QoS;

    use super::*;
    use crate::voices::draw;
    use crate::voices::script::Action;

    fn message(number: u32, topic: &'static str) -> Message {
        Message {
            topic,
            number: Some(number),
            qos: QoS::AtMostOnce,
            retain: false,
            expiry: None,
            is_adorned: false,
        }
    }

    fn alias(aliases: &mut Aliases, number: u32, topic: &'static str) -> Option<(u16, bool)> {
        let alias = aliases.of(&message(number, topic));
        alias.map(|alias| (alias.number.get(), alias.is_known))
    }

    #[test]
    fn a_topic_is_announced_once_and_no_more_than_are_taken() {
        let mut aliases = Aliases::default();
        assert_eq!(alias(&mut aliases, 2, "a"), None);
        aliases.take(Some(1));
        assert_eq!(alias(&mut aliases, 3, "a"), None);
        assert_eq!(alias(&mut aliases, 2, "a"), Some((1, false)));
        assert_eq!(alias(&mut aliases, 4, "b"), None);
        aliases.take(Some(10));
        assert_eq!(alias(&mut aliases, 4, "b"), Some((2, false)));
        assert_eq!(alias(&mut aliases, 5, "c"), Some((3, false)));
        assert_eq!(alias(&mut aliases, 7, "d"), None);
        assert_eq!(alias(&mut aliases, 8, "a"), Some((1, true)));
    }

    #[test]
    fn scripts_have_messages_without_a_topic() {
        let mut known = 0;
        for script in (0..600).map(draw) {
            let mut of_clients: Vec<Aliases> = script.clients.iter().map(|_| Aliases::default()).collect();
            for step in &script.steps {
                let aliases = &mut of_clients[step.client];
                match &step.action {
                    Action::Connect(_) => {
                        *aliases = Aliases::default();
                        aliases.take(script.clients[step.client].has_properties().then_some(10));
                    }
                    Action::Publish(message) => {
                        known += usize::from(aliases.of(message).is_some_and(|alias| alias.is_known));
                    }
                    _ => {}
                }
            }
        }
        assert!(known > 40, "{known}");
    }

    #[test]
    fn what_a_server_announces_stands_for_its_topic_and_nothing_else_does() {
        let mut aliases = Aliases::default();
        let mut heard = |number: u16, topic: Option<&'static str>| {
            let topic = topic.map(|topic| TopicName::from_bytes(Bytes::from(topic)).unwrap());
            let mut publish = Publish::new(TopicName::from_bytes(Bytes::from("other")).unwrap(), Bytes::new());
            publish.topic = topic;
            let properties = mqtt_proto::PublishProperties::builder().topic_alias(number);
            publish.properties = properties.build().unwrap();
            aliases
                .resolve(&mut publish, ALLOWED)
                .map(|()| publish.topic.unwrap().to_string())
        };
        assert!(heard(1, None).is_err());
        assert_eq!(heard(1, Some("a")), Ok("a".to_owned()));
        assert_eq!(heard(1, None), Ok("a".to_owned()));
        assert_eq!(heard(1, Some("b")), Ok("b".to_owned()));
        assert_eq!(heard(1, None), Ok("b".to_owned()));
        assert!(heard(2, None).is_err());
        assert!(heard(3, Some("c")).is_err(), "that many were not allowed");
    }
}
