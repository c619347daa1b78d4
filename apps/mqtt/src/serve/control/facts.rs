//! What is seen in a broker, in the words of the protocol.

use mqtt_adapter::host::Desk;
use mqtt_proto::SubscriptionId;
use mqtt_session::{Instant, MessageView, Party, RetainedView, SessionView, SubscriptionView};

use crate::ctl::protocol::{Connection, Held, Retained, Session, Subscription};

/// The name of a client or a user. The machine takes only names that are text.
fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// The clock of the broker is Unix time.
fn unix(at: Instant) -> u64 {
    at.as_micros() / 1_000_000
}

fn count(number: usize) -> u64 {
    number as u64
}

pub(super) fn session(desk: &Desk<'_>, view: &SessionView<'_>) -> Session {
    let connection = view.connection().map(|id| {
        let origin = desk.origin(id);
        Connection {
            number: id.number(),
            version: view.version().map(|version| version.to_string()).unwrap_or_default(),
            peer: origin.and_then(|origin| origin.peer).map(|peer| peer.to_string()),
            listener: origin.map(|origin| origin.listener.to_string()),
            tls: origin.is_some_and(|origin| origin.tls.is_some()),
            keep_alive_seconds: view.keep_alive_seconds().unwrap_or_default(),
        }
    });
    Session {
        client: text(view.client_id()),
        user: view.who().owner().map(text),
        connection,
        since: view.since().map(unix),
        expiry_seconds: Some(view.expiry_seconds()).filter(|seconds| *seconds != u32::MAX),
        ends_at: view.ends_at().map(unix),
        will_at: view.will_at().map(unix),
        stored: view.is_stored(),
        subscriptions: count(view.subscriptions_len()),
        messages: count(view.messages()),
        message_bytes: view.message_bytes(),
        in_flight: count(view.in_flight()),
        incoming: count(view.incoming()),
    }
}

pub(super) fn message(view: &MessageView<'_>) -> Held {
    Held {
        topic: view.message.map(|message| message.topic.to_string()),
        qos: view.message.map_or(2, |message| message.qos.bits()),
        bytes: view.message.map_or(0, |message| count(message.payload.len())),
        in_flight: view.is_in_flight,
        expires_at: view.expires_at.map(unix),
    }
}

pub(super) fn subscription(view: &SubscriptionView<'_>) -> Subscription {
    let group = view.filter.shared();
    Subscription {
        client: text(view.who.client_id()),
        filter: view.filter.to_string(),
        group: group.map(|shared| String::from_utf8_lossy(shared.name.into_inner()).into_owned()),
        qos: view.options.qos.bits(),
        no_local: view.options.no_local,
        retain_as_published: view.options.retain_as_published,
        retain_handling: view.options.retain_handling as u8,
        identifier: view.identifier.map(SubscriptionId::get),
    }
}

pub(super) fn retained(view: &RetainedView<'_>) -> Retained {
    Retained {
        topic: view.message.topic.to_string(),
        qos: view.message.qos.bits(),
        bytes: count(view.message.payload.len()),
        expires_at: view.expires_at.map(unix),
        publisher: view.publisher.map(|who| text(who.client_id())),
        publisher_user: view.publisher.and_then(Party::owner).map(text),
    }
}
