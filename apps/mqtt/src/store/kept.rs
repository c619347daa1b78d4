//! What the file has of one broker, record by record.

use std::collections::BTreeMap;

use mqtt_session::{BrokerKey, BrokerRecord, Key, Party, RecordError, SessionId, Shards};
use mqtt_store::{Loaded, SessionName, Stored};

use crate::Ending;

/// The records of a broker, or of one of its shards, in the order of the file.
pub(super) struct Kept {
    pub(super) name: SessionName,
    pub(super) records: Vec<BrokerRecord>,
    /// What cannot be read.
    pub(super) damaged: Vec<BrokerKey>,
}

impl Kept {
    pub(super) fn of(name: SessionName, loaded: Loaded<BrokerKey>) -> Result<Self, Ending> {
        let mut kept = Self {
            name,
            records: Vec::new(),
            damaged: Vec::new(),
        };
        for stored in loaded.records {
            match stored {
                Stored::Record(key, bytes) => match BrokerRecord::decode(&bytes) {
                    Ok(record) if record.key() == key => kept.records.push(record),
                    Err(error @ RecordError::Version(_)) => {
                        return Err(Ending::failed(error).advice("use the version of this program that wrote the file"));
                    }
                    _ => kept.damaged.push(key),
                },
                Stored::Damaged(key) => kept.damaged.push(key),
            }
        }
        Ok(kept)
    }

    /// Which of how many shards it is; none if no broker of this program has such a name.
    pub(super) fn shards(&self) -> Option<Shards> {
        let name = std::str::from_utf8(self.name.as_bytes()).ok()?;
        if name == "broker" {
            return Shards::new(0, 1);
        }
        let (own, count) = name.strip_prefix("broker-")?.split_once("-of-")?;
        Shards::new(own.parse().ok()?, count.parse().ok()?)
    }

    /// The same, and the only one if that is not known.
    pub(super) fn shards_or_one(&self) -> Shards {
        self.shards().or_else(|| Shards::new(0, 1)).unwrap_or_default()
    }

    /// Who the sessions belong to.
    pub(super) fn clients(&self) -> Clients {
        let clients = self.records.iter().filter_map(|record| match record {
            BrokerRecord::Client(client) => Some((client.session, client.who.clone())),
            _ => None,
        });
        Clients(clients.collect())
    }
}

/// The names of clients, by their sessions.
pub(super) struct Clients(BTreeMap<SessionId, Party>);

impl Clients {
    /// The name of a client; none if what has it is damaged.
    pub(super) fn name(&self, session: SessionId) -> Option<&[u8]> {
        self.0.get(&session).map(Party::client_id)
    }

    fn quoted(&self, session: SessionId) -> String {
        match self.name(session) {
            Some(name) => format!("\"{}\"", text(name)),
            None => format!("a client whose name is not known (session {})", session.number()),
        }
    }

    /// What stands under a key, in words.
    pub(super) fn describe(&self, key: &BrokerKey) -> String {
        match key {
            BrokerKey::Broker => "what the broker knows of itself".to_owned(),
            BrokerKey::Client(session) => format!("the client {}", self.quoted(*session)),
            BrokerKey::Session(session, key) => format!("{} of {}", in_words(*key), self.quoted(*session)),
            BrokerKey::Subscription(session, filter) => {
                format!(
                    "the subscription of {} to \"{}\"",
                    self.quoted(*session),
                    text(filter.as_bytes())
                )
            }
            BrokerKey::Retained(topic) => format!("the retained message of \"{}\"", text(topic.as_bytes())),
            BrokerKey::Payload(_) => "a payload".to_owned(),
            BrokerKey::Forward(_) => "a message on its way to other shards".to_owned(),
            BrokerKey::Shard(shard) => format!("how far the messages of shard {} were taken", shard.0),
            other => format!("{other:?}"),
        }
    }
}

/// A record of a session, in words.
pub(super) fn in_words(key: Key) -> String {
    match key {
        Key::Session => "the session".to_owned(),
        Key::Outgoing(number) => format!("message {number} to the client"),
        Key::Incoming(id) => format!("the exchange of QoS 2 with packet identifier {id}"),
        Key::Inbox(number) => format!("received message {number}"),
        Key::Payload(_) => "the payload of a message".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Bytes that are text, or nearly.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().to_string()
}
