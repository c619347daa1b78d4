//! `mqtt store dump`.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};

use bytes::Bytes;
use mqtt_session::{
    BrokerRecord, ClientRecord, InboxRecord, MessageRecord, OutgoingRecord, OutgoingState, Party, PayloadId, PayloadOf,
    Record, SessionId, SubscriptionRecord,
};
use mqtt_store::{FileReader, SessionName, Stored};

use super::kept::{Clients, Kept, in_words, text};
use super::line::{Line, Message, Show, time};
use super::{Which, open, refused};
use crate::Ending;

/// What `mqtt store dump` is told.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct DumpArguments {
    #[command(flatten)]
    which: Which,
    /// Only what belongs to this client, and what is retained from it; can be given more than once
    #[arg(long, value_name = "CLIENT")]
    client: Vec<String>,
    /// How payloads are shown
    #[arg(long, value_enum, default_value_t)]
    payload: Show,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &DumpArguments) -> Result<(), Ending> {
    let source = arguments.which.source()?;
    let mut reader = open(&source.path)?;
    let mut dump = Dump {
        arguments,
        out: BufWriter::new(io::stdout().lock()),
        is_damaged: reader.salvaged().is_some(),
    };
    match dump.all(&mut reader) {
        // Whoever reads has seen enough.
        Err(Failed::Writing(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        Err(Failed::Writing(error)) => return Err(error.into()),
        Err(Failed::Reading(ending)) => return Err(ending),
        Ok(()) => {}
    }
    match dump.is_damaged {
        false => Ok(()),
        true => Err(Ending::failed(format_args!(
            "{}: the store is damaged: something is missing",
            source.path.display()
        ))
        .advice("`mqtt store check` says what")),
    }
}

enum Failed {
    Writing(io::Error),
    Reading(Ending),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Writing(error)
    }
}

impl From<Ending> for Failed {
    fn from(ending: Ending) -> Self {
        Self::Reading(ending)
    }
}

struct Dump<'a, W: Write> {
    arguments: &'a DumpArguments,
    out: W,
    is_damaged: bool,
}

/// The payloads of a broker, and whose they are.
struct Payloads<'r> {
    bytes: HashMap<PayloadId, &'r Bytes>,
    of: HashMap<(SessionId, PayloadOf), PayloadId>,
}

impl<'r> Payloads<'r> {
    fn new(records: &'r [BrokerRecord]) -> Self {
        let mut payloads = Self {
            bytes: HashMap::new(),
            of: HashMap::new(),
        };
        for record in records {
            match record {
                BrokerRecord::Payload { id, bytes } => drop(payloads.bytes.insert(*id, bytes)),
                BrokerRecord::PayloadOf { session, of, payload } => {
                    payloads.of.insert((*session, *of), *payload);
                }
                _ => {}
            }
        }
        payloads
    }

    fn get(&self, session: SessionId, of: PayloadOf) -> Option<&'r Bytes> {
        self.bytes.get(self.of.get(&(session, of))?).copied()
    }
}

/// A session, wherever it stands.
#[derive(Clone, Copy)]
struct Owner<'r> {
    broker: &'r str,
    client: &'r str,
}

impl<W: Write> Dump<'_, W> {
    fn all(&mut self, reader: &mut FileReader) -> Result<(), Failed> {
        for name in reader.brokers().map_err(|error| refused(&error))? {
            let loaded = reader.load_broker(&name).map_err(|error| refused(&error))?;
            self.broker(&Kept::of(name, loaded)?)?;
        }
        for name in reader.sessions().map_err(|error| refused(&error))? {
            self.session(reader, &name)?;
        }
        Ok(self.out.flush()?)
    }

    fn print(&mut self, line: &Line<'_>) -> Result<(), Failed> {
        if self.arguments.json {
            serde_json::to_writer(&mut self.out, line).map_err(io::Error::from)?;
            writeln!(self.out)?;
        } else {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    fn is_wanted(&self, client: Option<&[u8]>) -> bool {
        let wanted = &self.arguments.client;
        wanted.is_empty() || client.is_some_and(|client| wanted.iter().any(|name| name.as_bytes() == client))
    }

    fn message<'r>(&self, message: &'r MessageRecord, expiry: Option<u32>, payload: Option<&Bytes>) -> Message<'r> {
        Message::new(message, expiry, payload, self.arguments.payload, self.arguments.json)
    }

    fn broker(&mut self, kept: &Kept) -> Result<(), Failed> {
        let broker = kept.name.to_string();
        let (clients, payloads) = (kept.clients(), Payloads::new(&kept.records));
        for key in &kept.damaged {
            self.is_damaged = true;
            let what = clients.describe(key);
            self.print(&Line::Damaged { broker: &broker, what })?;
        }
        for record in &kept.records {
            self.record(&broker, record, &clients, &payloads)?;
        }
        Ok(())
    }

    fn record(
        &mut self,
        broker: &str,
        record: &BrokerRecord,
        clients: &Clients,
        payloads: &Payloads<'_>,
    ) -> Result<(), Failed> {
        match record {
            BrokerRecord::Client(client) if self.is_wanted(Some(client.who.client_id())) => self.client(broker, client),
            BrokerRecord::Session { session, record } => {
                let name = clients.name(*session);
                if !self.is_wanted(name) {
                    return Ok(());
                }
                let client = name.map_or_else(String::new, lossy);
                let owner = Owner {
                    broker,
                    client: &client,
                };
                self.of_session(owner, record, |of| payloads.get(*session, of))
            }
            BrokerRecord::Subscription(subscription) => {
                let name = clients.name(subscription.session);
                match self.is_wanted(name) {
                    true => self.subscription(broker, name, subscription),
                    false => Ok(()),
                }
            }
            BrokerRecord::Retained {
                message,
                payload,
                publisher,
                origin: _,
            } if self.is_wanted(publisher.as_ref().map(Party::client_id)) => {
                let payload = payloads.bytes.get(payload).copied();
                let message = self.message(message, None, payload);
                let publisher = publisher.as_ref().map(|who| lossy(who.client_id()));
                self.print(&Line::Retained {
                    broker,
                    publisher,
                    message,
                })
            }
            BrokerRecord::Forward(forward) if self.is_wanted(forward.publisher.as_ref().map(Party::client_id)) => {
                let payload = payloads.bytes.get(&forward.payload).copied();
                let message = self.message(&forward.message, None, payload);
                self.print(&Line::Forward { broker, message })
            }
            // What the broker needs for itself; payloads are shown with their messages.
            _ => Ok(()),
        }
    }

    fn client(&mut self, broker: &str, client: &ClientRecord) -> Result<(), Failed> {
        let name = lossy(client.who.client_id());
        self.print(&Line::Session {
            broker,
            client: name.clone(),
            user: client.who.owner().map(lossy),
            expiry_seconds: (client.session_expiry_seconds != u32::MAX).then_some(client.session_expiry_seconds),
            ends_at: client.ends_at.map(time),
        })?;
        let Some(will) = &client.will else { return Ok(()) };
        let message = self.message(&will.message, will.expiry_seconds, Some(&will.payload));
        self.print(&Line::Will {
            broker,
            client: name,
            delay_seconds: will.delay_seconds,
            due_at: will.at.map(time),
            message,
        })
    }

    fn subscription(
        &mut self,
        broker: &str,
        client: Option<&[u8]>,
        subscription: &SubscriptionRecord,
    ) -> Result<(), Failed> {
        let options = subscription.options;
        self.print(&Line::Subscription {
            broker,
            client: client.map_or_else(String::new, lossy),
            filter: subscription.filter.as_str(),
            qos: options.qos.bits(),
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            retain_handling: options.retain_handling as u8,
            subscription_identifier: subscription.identifier.map(mqtt_proto::SubscriptionId::get),
            is_replaying: subscription.replay.is_some(),
        })
    }

    fn of_session<'r>(
        &mut self,
        owner: Owner<'_>,
        record: &Record,
        payload: impl Fn(PayloadOf) -> Option<&'r Bytes>,
    ) -> Result<(), Failed> {
        match record {
            Record::Outgoing(outgoing) => self.outgoing(owner, outgoing, payload(PayloadOf::Outgoing(outgoing.serial))),
            Record::Inbox(inbox) => self.inbox(owner, inbox, payload(PayloadOf::Inbox(inbox.delivery))),
            Record::Incoming(incoming) => self.print(&Line::Received {
                broker: owner.broker,
                client: owner.client.to_owned(),
                packet_id: incoming.id.get(),
            }),
            _ => Ok(()),
        }
    }

    fn outgoing(&mut self, owner: Owner<'_>, outgoing: &OutgoingRecord, payload: Option<&Bytes>) -> Result<(), Failed> {
        let (state, id, message) = match &outgoing.state {
            OutgoingState::Publish { id: None, message } => ("queued", None, Some(message)),
            OutgoingState::Publish { id, message } => ("in flight", *id, Some(message)),
            OutgoingState::Release { id, .. } => ("released", Some(*id), None),
        };
        let message = message.map(|message| self.message(message, None, payload));
        self.print(&Line::Message {
            broker: owner.broker,
            client: owner.client.to_owned(),
            state,
            packet_id: id.map(mqtt_proto::PacketId::get),
            message,
        })
    }

    fn inbox(&mut self, owner: Owner<'_>, inbox: &InboxRecord, payload: Option<&Bytes>) -> Result<(), Failed> {
        let message = self.message(&inbox.message, None, payload);
        self.print(&Line::Message {
            broker: owner.broker,
            client: owner.client.to_owned(),
            state: "inbox",
            packet_id: inbox.id.map(mqtt_proto::PacketId::get),
            message: Some(message),
        })
    }

    /// The session of a client, which no broker has.
    fn session(&mut self, reader: &mut FileReader, name: &SessionName) -> Result<(), Failed> {
        if !self.is_wanted(Some(name.as_bytes())) {
            return Ok(());
        }
        let loaded = reader.load(name).map_err(|error| refused(&error))?;
        let client = lossy(name.as_bytes());
        let owner = Owner {
            broker: "",
            client: &client,
        };
        self.print(&Line::ClientSession { client: client.clone() })?;
        let (mut records, mut payloads) = (Vec::new(), HashMap::new());
        for stored in loaded.records {
            match stored {
                Stored::Record(key, bytes) => match Record::decode(&bytes) {
                    Ok(Record::Payload { of, bytes }) => drop(payloads.insert(of, bytes)),
                    Ok(record) => records.push(record),
                    Err(_) => self.damaged(owner, key)?,
                },
                Stored::Damaged(key) => self.damaged(owner, key)?,
            }
        }
        for record in &records {
            self.of_session(owner, record, |of| payloads.get(&of))?;
        }
        Ok(())
    }

    fn damaged(&mut self, owner: Owner<'_>, key: mqtt_session::Key) -> Result<(), Failed> {
        self.is_damaged = true;
        self.print(&Line::Damaged {
            broker: owner.broker,
            what: format!("{} of \"{}\"", in_words(key), text(owner.client.as_bytes())),
        })
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
