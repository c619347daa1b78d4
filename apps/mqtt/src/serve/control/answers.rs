//! What each request does.

use bytes::Bytes;
use mqtt_adapter::host::{Desk, ShardHandle};
use mqtt_proto::{Disconnect, DisconnectProperties, DisconnectReason, TopicFilter, TopicName};
use mqtt_session::{Cursor, Party, RetainedCursor, RetainedView};

use super::Served;
use super::asking::{ask, list, shard_of};
use super::backup::backup;
use super::exchange::{Output, Stopped};
use super::facts;
use super::pattern::Pattern;
use crate::broker::config::LogLevel;
use crate::ctl::protocol::{Deleted, Fault, Healthy, Kicked, Kind, Level, Logged, Request, Session, Shown, Stat};
use crate::serve::figures;
use crate::serve::health::Health;
use crate::serve::log;

/// No more subscriptions, and no more messages, are told of one session. A list of subscriptions tells all.
const SHOWN: usize = 1000;
/// And no more bytes of their filters, and of their topics.
const SHOWN_BYTES: usize = 256 * 1024;
/// A reason that a client is told has at most so many bytes.
const REASON_BYTES: usize = 1024;

/// Does what is asked, and writes what there is to be told.
pub(super) fn answer(
    Served { shards, health, store }: &Served,
    request: Request,
    output: &mut Output<'_, '_>,
) -> Result<(), Stopped> {
    match request {
        Request::Clients { client, limit } => sessions(shards, client.as_deref(), true, limit, output),
        Request::Sessions { client, limit } => sessions(shards, client.as_deref(), false, limit, output),
        Request::Subscriptions { client, topic, limit } => {
            let topic = topic.map(|topic| topic_name(&topic)).transpose()?;
            let client = client.as_deref().map(pattern).transpose()?;
            let topic_len = topic.as_ref().map_or(0, |topic| topic.as_bytes().len());
            list(shards, limit, output, move |desk, cursor: &mut Cursor, items| {
                let Some(view) = desk.broker.subscriptions(cursor, 1).next() else {
                    return 0;
                };
                if is_named(client.as_ref(), view.who.client_id())
                    && topic.as_ref().is_none_or(|topic| view.filter.matches(topic))
                {
                    items.push(facts::subscription(&view));
                }
                view.who.client_id().len() + view.filter.as_bytes().len() + topic_len
            })
        }
        Request::Show { client, messages } => show(shards, &client, messages, output),
        Request::Kick {
            client,
            reason,
            end_session,
        } => kick(shards, client, reason.as_deref(), end_session, output),
        Request::Retained { filter, limit } => {
            let filter = topic_filter(filter.as_deref().unwrap_or("#"))?;
            list(
                shards,
                limit,
                output,
                move |desk, cursor: &mut RetainedCursor, items| {
                    let found = desk.broker.retained(&filter, cursor, 1);
                    items.extend(found.iter().map(facts::retained));
                    let publisher = |view: &RetainedView<'_>| view.publisher.map_or(0, party_len);
                    found
                        .iter()
                        .map(|view| view.message.topic.as_bytes().len() + publisher(view))
                        .sum()
                },
            )
        }
        Request::DeleteRetained { topic } => delete_topic(shards, &topic, output),
        Request::DeleteAllRetained { filter } => delete_filter(shards, &filter, output),
        Request::Log { level } => set_log(level, output),
        Request::Backup { path, force } => backup(store.as_ref(), &path, force, output),
        Request::Stats {} => stats(shards, output),
        Request::Health {} => is_healthy(shards, health, output),
    }
}

fn is_named(client: Option<&Pattern>, name: &[u8]) -> bool {
    client.is_none_or(|pattern| pattern.matches(&String::from_utf8_lossy(name)))
}

/// How long the names are that are told of a party.
fn party_len(who: &Party) -> usize {
    who.client_id().len() + who.owner().map_or(0, <[u8]>::len)
}

fn pattern(text: &str) -> Result<Pattern, Fault> {
    Pattern::new(text).map_err(bad)
}

fn bad(message: impl std::fmt::Display) -> Fault {
    Fault::new(Kind::BadRequest, message)
}

fn topic_name(text: &str) -> Result<TopicName<Bytes>, Fault> {
    TopicName::from_bytes(Bytes::copy_from_slice(text.as_bytes()))
        .map_err(|error| bad(format_args!("{text:?} is no topic: {error}")))
}

fn topic_filter(text: &str) -> Result<TopicFilter<Bytes>, Fault> {
    TopicFilter::from_bytes(Bytes::copy_from_slice(text.as_bytes()))
        .map_err(|error| bad(format_args!("{text:?} is no filter: {error}")))
}

fn no_session(client: &str) -> Fault {
    Fault::new(Kind::NotFound, format_args!("no client {client:?} has a session"))
}

/// The shard that knows of a client.
fn owner<'s>(shards: &'s [ShardHandle], client: &str) -> Result<&'s ShardHandle, Fault> {
    shard_of(shards, client).ok_or_else(|| no_session(client))
}

fn sessions(
    shards: &[ShardHandle],
    client: Option<&str>,
    connected: bool,
    limit: Option<u64>,
    output: &mut Output<'_, '_>,
) -> Result<(), Stopped> {
    let client = client.map(pattern).transpose()?;
    if let Some(name) = client.as_ref().and_then(Pattern::name) {
        let session = look_up(shards, name, output)?;
        let session = session.filter(|session| !connected || session.connection.is_some());
        if let Some(session) = session
            && output.has_room(limit)
        {
            output.item(&session)?;
        }
        return Ok(());
    }
    list(shards, limit, output, move |desk, cursor: &mut Cursor, items| {
        let desk: &Desk<'_> = desk;
        let Some(view) = desk.broker.sessions(cursor, 1).next() else {
            return 0;
        };
        if (!connected || view.connection().is_some()) && is_named(client.as_ref(), view.client_id()) {
            items.push(facts::session(desk, &view));
        }
        party_len(view.who())
    })
}

/// The session of this client, found without looking at others.
fn look_up(shards: &[ShardHandle], name: String, output: &Output<'_, '_>) -> Result<Option<Session>, Fault> {
    ask(owner(shards, &name)?, output.ask_until(), move |desk| {
        let view = desk.broker.session(name.as_bytes())?;
        Some(facts::session(desk, &view))
    })
}

fn show(
    shards: &[ShardHandle],
    client: &str,
    messages: Option<u64>,
    output: &mut Output<'_, '_>,
) -> Result<(), Stopped> {
    let name = client.to_owned();
    let messages = messages.and_then(|wanted| usize::try_from(wanted).ok());
    let messages = messages.unwrap_or(SHOWN).min(SHOWN);
    let shown = ask(owner(shards, client)?, output.ask_until(), move |desk| {
        let view = desk.broker.session(name.as_bytes())?;
        Some(Shown {
            session: facts::session(desk, &view),
            subscriptions: within(view.subscriptions().take(SHOWN), |view| {
                (view.filter.as_bytes().len(), facts::subscription(view))
            }),
            messages: within(view.outgoing().take(messages), |view| {
                let topic = view.message.map_or(0, |message| message.topic.as_bytes().len());
                (topic, facts::message(view))
            }),
        })
    })?;
    Ok(output.item(&shown.ok_or_else(|| no_session(client))?)?)
}

/// The first of these whose bytes are no more than are shown.
fn within<V, T>(views: impl Iterator<Item = V>, fact: impl Fn(&V) -> (usize, T)) -> Vec<T> {
    let mut left = SHOWN_BYTES;
    let facts = views.map_while(|view| {
        let (len, fact) = fact(&view);
        left = left.checked_sub(len)?;
        Some(fact)
    });
    facts.collect()
}

fn kick(
    shards: &[ShardHandle],
    client: String,
    reason: Option<&str>,
    end_session: bool,
    output: &mut Output<'_, '_>,
) -> Result<(), Stopped> {
    let farewell = farewell(reason)?;
    let name = client.clone();
    let kicked = ask(owner(shards, &client)?, output.ask_until(), move |desk| {
        let connection = desk.broker.connection_of(name.as_bytes());
        let has_session = desk.broker.has_session(name.as_bytes());
        let session_ended = end_session && desk.broker.remove_session(desk.now, name.as_bytes(), farewell.clone());
        let was_connected = match connection {
            Some(_) if session_ended => true,
            Some(connection) => desk.broker.disconnect(desk.now, connection, farewell),
            None => false,
        };
        if was_connected {
            tracing::info!(target: log::CONTROL, client = %name, "a client is disconnected, as the control socket was told");
        }
        if session_ended {
            tracing::info!(target: log::CONTROL, client = %name, "a session is ended, as the control socket was told");
        }
        (has_session, was_connected, session_ended)
    })?;
    match kicked {
        (false, ..) => Err(no_session(&client).into()),
        (true, false, false) => {
            let message = format_args!("the client {client:?} is not connected: there is only its session");
            Err(Fault::new(Kind::NotFound, message).into())
        }
        (true, was_connected, session_ended) => Ok(output.item(&Kicked {
            client,
            was_connected,
            session_ended,
        })?),
    }
}

/// What the client is told.
fn farewell(reason: Option<&str>) -> Result<Disconnect<Bytes>, Fault> {
    let mut farewell = Disconnect::new(DisconnectReason::AdministrativeAction);
    if let Some(reason) = reason {
        if reason.len() > REASON_BYTES {
            return Err(bad(format_args!("the reason is longer than {REASON_BYTES} bytes")));
        }
        let properties = DisconnectProperties::<Bytes>::builder().reason_string(reason).build();
        farewell.properties = properties.map_err(|error| bad(format_args!("the reason cannot be sent: {error}")))?;
    }
    Ok(farewell)
}

fn delete_topic(shards: &[ShardHandle], text: &str, output: &mut Output<'_, '_>) -> Result<(), Stopped> {
    let topic = topic_name(text)?;
    for shard in shards {
        let topic = topic.clone();
        let errand = move |desk: &mut Desk<'_>| desk.broker.remove_retained(desk.now, &topic);
        // One of them has it.
        if ask(shard, output.ask_until(), errand)? {
            tracing::info!(target: log::CONTROL, topic = text, "a retained message is deleted, as the control socket was told");
            return Ok(output.item(&Deleted { topic: text.to_owned() })?);
        }
    }
    Err(Fault::new(
        Kind::NotFound,
        format_args!("nothing is retained for the topic {text:?}"),
    )
    .into())
}

fn delete_filter(shards: &[ShardHandle], text: &str, output: &mut Output<'_, '_>) -> Result<(), Stopped> {
    let filter = topic_filter(text)?;
    tracing::info!(target: log::CONTROL, filter = text, "retained messages are being deleted, as the control socket was told");
    let deleted = list(shards, None, output, move |desk, cursor: &mut RetainedCursor, items| {
        let found = desk.broker.retained(&filter, cursor, 1);
        let Some(topic) = found.first().map(|view| view.message.topic.clone()) else {
            return 0;
        };
        desk.broker.remove_retained(desk.now, &topic);
        items.push(Deleted {
            topic: topic.to_string(),
        });
        topic.as_bytes().len()
    });
    tracing::info!(
        target: log::CONTROL,
        filter = text,
        messages = output.items(),
        is_complete = deleted.is_ok(),
        "retained messages were deleted"
    );
    deleted
}

fn set_log(level: Option<Level>, output: &mut Output<'_, '_>) -> Result<(), Stopped> {
    let Some(before) = log::level().map(Level::from) else {
        return Err(bad("the log of this process is not that of the broker").into());
    };
    if let Some(level) = level {
        log::set_level(level.into());
        tracing::info!(
            target: log::CONTROL,
            level = level.name(),
            before = before.name(),
            "the level of the log is another one, as the control socket was told"
        );
    }
    let level = level.unwrap_or(before);
    Ok(output.item(&Logged { level, before })?)
}

fn stats(shards: &[ShardHandle], output: &mut Output<'_, '_>) -> Result<(), Stopped> {
    let sums = figures::ask(shards).ok_or_else(is_silent)?;
    for figure in figures::ALL {
        let kind = match figure.kind {
            figures::Kind::Counter => "counter",
            figures::Kind::Gauge => "gauge",
        };
        output.item(&Stat {
            name: figure.name.to_owned(),
            kind: kind.to_owned(),
            value: figure.of(&sums),
            help: figure.help.to_owned(),
        })?;
    }
    Ok(())
}

fn is_healthy(shards: &[ShardHandle], health: &Health, output: &mut Output<'_, '_>) -> Result<(), Stopped> {
    if let Some(why) = health.store_failure() {
        return Err(Fault::new(Kind::StoreFailed, format_args!("the store has failed: {why}")).into());
    }
    figures::ask(shards).ok_or_else(is_silent)?;
    Ok(output.item(&Healthy { shards: shards.len() })?)
}

fn is_silent() -> Fault {
    Fault::new(Kind::TimedOut, "a shard of the broker does not answer")
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
        }
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warn,
            LogLevel::Info => Self::Info,
            LogLevel::Debug => Self::Debug,
        }
    }
}
