//! What distinguishes messages on their way out.

use super::{Exchange, Outgoing};
use crate::fingerprint::Fingerprint;
use crate::slab::List;

impl Outgoing {
    pub(crate) fn fingerprint(&self, mark: &mut Fingerprint<'_>) {
        for list in [&self.publishes, &self.releases, &self.plain] {
            self.fingerprint_of(list, mark);
        }
        self.ids.fingerprint(mark);
        mark.number(self.is_connected);
        mark.number(self.window);
        mark.number(self.charged);
        mark.number(self.identified);
        mark.number(self.charged_publishes);
        mark.number(self.is_held);
    }

    fn fingerprint_of(&self, list: &List, mark: &mut Fingerprint<'_>) {
        mark.count(list.len());
        let mut next = list.head();
        while let Some(key) = next {
            if let Some(exchange) = self.exchanges.get(key) {
                mark.time(self.times.as_ref().and_then(|times| times.deadlines.get(key)));
                exchange.fingerprint(self.connection, mark);
            }
            next = list.next(&self.exchanges, key);
        }
    }
}

impl Exchange {
    fn fingerprint(&self, connection: u32, mark: &mut Fingerprint<'_>) {
        mark.number(self.tag);
        mark.number(self.told);
        mark.number(self.id.map_or(0, mqtt_proto::PacketId::get));
        match &self.message {
            None => mark.number(u64::MAX),
            Some(message) => {
                mark.number(message.qos.bits());
                mark.number(message.retain);
                mark.bytes(message.topic.as_bytes());
                mark.bytes(&message.payload);
                mark.bytes(message.properties.as_encoded().unwrap_or_default());
            }
        }
        mark.number(self.source_bytes.unwrap_or(u32::MAX));
        mark.time(self.expires_at);
        mark.number(self.sent_on == connection);
        mark.number(self.charged_on == connection);
        mark.number(self.repeated);
        mark.ticket(self.ticket);
    }
}
