//! Answers, as JSON and for people.

use std::io::{self, Write};
use std::ops::ControlFlow;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::asking::Asking;
use super::protocol::{
    Copied, Deleted, Healthy, Kicked, Logged, Request, Retained, Session, Shown, Stat, Subscription,
};
use super::table::Table;
use super::text::{ago, now, shown, span, until};
use crate::Ending;
use crate::progress::Progress;
use crate::screen::{Screen, note};

/// Prints the items as they come, an object a line; of figures, one object with all of them.
pub(super) fn json(asking: &mut Asking, request: &Request, screen: &mut Screen) -> Result<(), Ending> {
    if matches!(request, Request::Stats {}) {
        let mut object = Map::new();
        for stat in items::<Stat>(asking, request)? {
            object.insert(stat.name, Value::from(stat.value));
        }
        return Ok(writeln!(screen, "{}", Value::Object(object))?);
    }
    let end = asking.ask(request, |item| {
        writeln!(screen, "{item}")?;
        Ok(match screen.is_closed() && !request.is_change() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    })?;
    say_more(end.more);
    Ok(())
}

/// Gives each item of an answer to `take` when it comes. How many there were.
fn each<T: DeserializeOwned>(
    asking: &mut Asking,
    request: &Request,
    mut take: impl FnMut(T) -> io::Result<()>,
) -> Result<u64, Ending> {
    let end = asking.ask(request, |item| {
        let item = serde_json::from_str(item).map_err(|error| {
            Ending::failed(format_args!("the broker speaks another language: {error}"))
                .advice("it may be of another version than this program")
        })?;
        take(item)?;
        Ok(ControlFlow::Continue(()))
    })?;
    say_more(end.more);
    Ok(end.items)
}

/// All items of an answer.
fn items<T: DeserializeOwned>(asking: &mut Asking, request: &Request) -> Result<Vec<T>, Ending> {
    let mut items = Vec::new();
    each(asking, request, |item| {
        items.push(item);
        Ok(())
    })?;
    Ok(items)
}

fn say_more(more: bool) {
    if more {
        note("mqtt: there are more: --limit ends here");
    }
}

/// Prints the answer as a table, or in words.
pub(super) fn people(asking: &mut Asking, request: &Request, screen: &mut Screen) -> Result<(), Ending> {
    let table = match request {
        Request::Clients { .. } => clients(&items(asking, request)?),
        Request::Sessions { .. } => sessions(&items(asking, request)?),
        Request::Subscriptions { .. } => subscriptions(&items(asking, request)?),
        Request::Retained { .. } => retained(&items(asking, request)?),
        Request::Stats {} => stats(items(asking, request)?),
        Request::Show { .. } => return each(asking, request, |whole| show(&whole, screen)).map(drop),
        Request::Kick { .. } => {
            let told = |kicked: Kicked| writeln!(screen, "{}", what_became_of(&kicked));
            return each(asking, request, told).map(drop);
        }
        Request::DeleteRetained { .. } | Request::DeleteAllRetained { .. } => {
            let told = |deleted: Deleted| writeln!(screen, "{}: deleted", shown(&deleted.topic));
            if each(asking, request, told)? == 0 {
                say_none();
            }
            return Ok(());
        }
        Request::Health {} => {
            let told = |_: Healthy| writeln!(screen, "healthy");
            return each(asking, request, told).map(drop);
        }
        Request::Backup { .. } => return backup(asking, request, screen),
        Request::Log { .. } => {
            let told = |logged: Logged| writeln!(screen, "{}", logged.level.name());
            return each(asking, request, told).map(drop);
        }
    };
    if table.is_empty() {
        say_none();
        return Ok(());
    }
    Ok(table.print(screen)?)
}

/// A copy takes its time.
fn backup(asking: &mut Asking, request: &Request, screen: &mut Screen) -> Result<(), Ending> {
    let progress = Progress::counting("records");
    let told = |copied: Copied| {
        let Some(bytes) = copied.bytes else {
            progress.tell(copied.records, copied.of);
            return Ok(());
        };
        progress.end();
        writeln!(screen, "{}: {bytes} bytes, a copy of the store", shown(&copied.path))
    };
    let ended = each(asking, request, told).map(drop);
    progress.end();
    ended
}

/// An answer without items is one too.
fn say_none() {
    note("mqtt: there are none");
}

fn clients(all: &[Session]) -> Table {
    const HEAD: &[&str] = &[
        "CLIENT",
        "USER",
        "ADDRESS",
        "LISTENER",
        "VERSION",
        "FOR",
        "SUBS",
        "MESSAGES",
        "IN FLIGHT",
    ];
    let mut table = Table::new(HEAD, &["SUBS", "MESSAGES", "IN FLIGHT"]);
    let now = now();
    for session in all {
        let Some(connection) = &session.connection else {
            continue;
        };
        table.row(vec![
            shown(&session.client),
            or_dash(session.user.as_deref()),
            or_dash(connection.peer.as_deref()),
            or_dash(connection.listener.as_deref()),
            shown(&connection.version),
            ago(session.since, now),
            session.subscriptions.to_string(),
            session.messages.to_string(),
            session.in_flight.to_string(),
        ]);
    }
    table.sort();
    table
}

fn sessions(all: &[Session]) -> Table {
    const HEAD: &[&str] = &[
        "CLIENT",
        "USER",
        "STATE",
        "FOR",
        "ENDS IN",
        "SUBS",
        "MESSAGES",
        "BYTES",
        "IN FLIGHT",
    ];
    let mut table = Table::new(HEAD, &["SUBS", "MESSAGES", "BYTES", "IN FLIGHT"]);
    let now = now();
    for session in all {
        table.row(vec![
            shown(&session.client),
            or_dash(session.user.as_deref()),
            state(session).to_owned(),
            ago(session.since, now),
            until(session.ends_at, now),
            session.subscriptions.to_string(),
            session.messages.to_string(),
            session.message_bytes.to_string(),
            session.in_flight.to_string(),
        ]);
    }
    table.sort();
    table
}

/// Text of others, if there is some.
fn or_dash(text: Option<&str>) -> String {
    text.map_or_else(|| "-".to_owned(), shown)
}

const fn state(session: &Session) -> &'static str {
    match session.connection {
        Some(_) => "connected",
        None => "away",
    }
}

fn subscriptions(all: &[Subscription]) -> Table {
    let mut table = Table::new(&["CLIENT", "FILTER", "QOS", "OPTIONS"], &["QOS"]);
    for subscription in all {
        table.row(vec![
            shown(&subscription.client),
            shown(&subscription.filter),
            subscription.qos.to_string(),
            options(subscription),
        ]);
    }
    table.sort();
    table
}

/// What is not as it is by default.
fn options(subscription: &Subscription) -> String {
    let mut words = Vec::new();
    if subscription.no_local {
        words.push("no-local".to_owned());
    }
    if subscription.retain_as_published {
        words.push("retain-as-published".to_owned());
    }
    match subscription.retain_handling {
        0 => {}
        1 => words.push("retained-if-new".to_owned()),
        _ => words.push("no-retained".to_owned()),
    }
    words.extend(subscription.identifier.map(|identifier| format!("id={identifier}")));
    words.join(" ")
}

fn retained(all: &[Retained]) -> Table {
    const HEAD: &[&str] = &["TOPIC", "QOS", "BYTES", "EXPIRES IN", "PUBLISHER"];
    let mut table = Table::new(HEAD, &["QOS", "BYTES"]);
    let now = now();
    for message in all {
        table.row(vec![
            shown(&message.topic),
            message.qos.to_string(),
            message.bytes.to_string(),
            until(message.expires_at, now),
            or_dash(message.publisher.as_deref()),
        ]);
    }
    table.sort();
    table
}

fn stats(all: Vec<Stat>) -> Table {
    let mut table = Table::new(&["FIGURE", "VALUE", "WHAT IT IS"], &["VALUE"]);
    for stat in all {
        table.row(vec![shown(&stat.name), stat.value.to_string(), shown(&stat.help)]);
    }
    table
}

fn what_became_of(kicked: &Kicked) -> String {
    let client = shown(&kicked.client);
    match (kicked.was_connected, kicked.session_ended) {
        (true, true) => format!("{client}: disconnected, and its session ended"),
        (true, false) => format!("{client}: disconnected"),
        (false, _) => format!("{client}: its session ended"),
    }
}

/// One session, a line for each thing.
fn show(whole: &Shown, screen: &mut impl Write) -> io::Result<()> {
    let (session, now) = (&whole.session, now());
    let mut line = |name: &str, value: &str| writeln!(screen, "{name:<16}{value}");
    line("client", &shown(&session.client))?;
    line("user", &or_dash(session.user.as_deref()))?;
    let since = session.since.map_or_else(
        || "since before the broker started".to_owned(),
        |since| format!("for {}", span(now.saturating_sub(since))),
    );
    line("state", &format!("{} {since}", state(session)))?;
    if let Some(connection) = &session.connection {
        line(
            "address",
            connection.peer.as_deref().map(shown).as_deref().unwrap_or("-"),
        )?;
        let tls = if connection.tls { ", with TLS" } else { "" };
        let listener = connection.listener.as_deref().map(shown).unwrap_or_default();
        line("listener", &format!("{listener}{tls}"))?;
        line("version", &shown(&connection.version))?;
        let keep_alive = match connection.keep_alive_seconds {
            0 => "none".to_owned(),
            seconds => span(u64::from(seconds)),
        };
        line("keep-alive", &keep_alive)?;
    }
    line("session ends", &end(session, now))?;
    if let Some(at) = session.will_at {
        line(
            "will",
            &format!("in {}, if the client stays away", until(Some(at), now)),
        )?;
    }
    line("stored", if session.stored { "yes" } else { "no" })?;
    let messages = format!(
        "{} with {} bytes, {} of them in flight",
        session.messages, session.message_bytes, session.in_flight
    );
    line("messages to it", &messages)?;
    line("not released", &session.incoming.to_string())?;
    line("subscriptions", &session.subscriptions.to_string())?;
    show_subscriptions(whole, screen)?;
    show_messages(whole, screen)
}

fn show_subscriptions(whole: &Shown, screen: &mut impl Write) -> io::Result<()> {
    if whole.subscriptions.is_empty() {
        return Ok(());
    }
    writeln!(screen)?;
    let mut table = Table::new(&["FILTER", "QOS", "OPTIONS"], &["QOS"]);
    for subscription in &whole.subscriptions {
        let filter = shown(&subscription.filter);
        table.row(vec![filter, subscription.qos.to_string(), options(subscription)]);
    }
    table.sort();
    table.print(screen)?;
    match more(whole.session.subscriptions, whole.subscriptions.len()) {
        0 => Ok(()),
        more => writeln!(screen, "and {more} more: mqtt ctl subscriptions --client CLIENT"),
    }
}

fn show_messages(whole: &Shown, screen: &mut impl Write) -> io::Result<()> {
    if whole.messages.is_empty() {
        return Ok(());
    }
    writeln!(screen)?;
    let now = now();
    let mut table = Table::new(&["TOPIC", "QOS", "BYTES", "STATE", "EXPIRES IN"], &["QOS", "BYTES"]);
    for message in &whole.messages {
        let state = match (&message.topic, message.in_flight) {
            (None, _) => "received",
            (_, true) => "in flight",
            (_, false) => "waiting",
        };
        table.row(vec![
            or_dash(message.topic.as_deref()),
            message.qos.to_string(),
            message.bytes.to_string(),
            state.to_owned(),
            until(message.expires_at, now),
        ]);
    }
    table.print(screen)?;
    match more(whole.session.messages, whole.messages.len()) {
        0 => Ok(()),
        more => writeln!(
            screen,
            "and {more} more: --messages shows up to 1000, with 256 KiB of topics"
        ),
    }
}

/// How many there are beside those that are shown.
const fn more(all: u64, shown: usize) -> u64 {
    all.saturating_sub(shown as u64)
}

/// When a session ends.
fn end(session: &Session, now: u64) -> String {
    match (session.ends_at, session.expiry_seconds) {
        (Some(at), _) => format!("in {}, if the client stays away", until(Some(at), now)),
        (None, None) => "never".to_owned(),
        (None, Some(0)) => "with its connection".to_owned(),
        (None, Some(seconds)) => format!("{} after its connection", span(u64::from(seconds))),
    }
}
