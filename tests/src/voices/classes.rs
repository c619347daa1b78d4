//! The classes of differences to mosquitto: how each is recognised. What they mean stands in `tests/data/voices.tsv`.

use mqtt_proto::SubscriptionOptions;

use super::compare::{Item, Side};
use super::facts::{Known, matches};
use super::heard::{Heard, Message};
use super::judge::Scene;
use super::play::Transcript;
use super::script::{self, Action};

/// A class of differences.
#[derive(Debug)]
pub struct Class {
    /// Its name in the table.
    pub id: &'static str,
    /// Whether sessions are in different states after it.
    pub ends: bool,
    /// Removes what it explains.
    pub explains: fn(&Scene<'_>, &mut Vec<Item>),
}

const fn class(id: &'static str, explains: fn(&Scene<'_>, &mut Vec<Item>)) -> Class {
    Class {
        id,
        ends: false,
        explains,
    }
}

const fn ending(id: &'static str, explains: fn(&Scene<'_>, &mut Vec<Item>)) -> Class {
    Class {
        id,
        ends: true,
        explains,
    }
}

/// Every class, those first that explain most exactly.
pub static CLASSES: &[Class] = &[
    class("overlapping-copies", overlapping_copies),
    class("no-matching-subscribers", no_matching_subscribers),
    class("takeover-untold", takeover_untold),
    ending("will-at-takeover", will_at_takeover),
    ending("will-at-session-end", will_at_session_end),
    ending("will-after-a-bad-disconnect", will_after_a_bad_disconnect),
    ending("forwarded-when-released", forwarded_when_released),
    class("retained-for-a-group", retained_for_a_group),
    class("retained-once", retained_once),
    class("member-of-a-group", member_of_a_group),
    class("options-not-replaced", options_not_replaced),
];

/// One copy at the highest QoS with all identifiers, or a copy for each subscription.
fn overlapping_copies(scene: &Scene<'_>, items: &mut Vec<Item>) {
    let is_resumed = matches!(scene.step().action, Action::Connect(_) | Action::Release);
    for client in 0..scene.script.clients.len() {
        for one in messages(scene.ours, scene.step, client) {
            let is_same = |other: &Message| other.topic == one.topic && other.payload == one.payload;
            let copies = |transcript| -> Vec<&Message> {
                let all = messages(transcript, scene.step, client).into_iter();
                all.filter(|other| is_same(other)).collect()
            };
            if are_together(&copies(scene.ours), &copies(scene.theirs), is_resumed) {
                items.retain(|item| item.client != client || !item.heard.message().is_some_and(is_same));
            }
        }
    }
}

fn messages(transcript: &Transcript, step: usize, client: usize) -> Vec<&Message> {
    transcript[step][client].iter().filter_map(Heard::message).collect()
}

/// Whether few copies are together what more are. Those of QoS 0 may be missing of a session that goes on.
fn are_together(few: &[&Message], more: &[&Message], is_resumed: bool) -> bool {
    let mut missing: Vec<u32> = few.iter().flat_map(|copy| copy.identifiers.clone()).collect();
    let known = more.iter().flat_map(|copy| &copy.identifiers).all(|identifier| {
        let place = missing.iter().position(|other| other == identifier);
        place.map(|place| missing.remove(place)).is_some()
    });
    let highest = |copies: &[&Message]| copies.iter().map(|copy| copy.qos).max();
    let is_retained = |copies: &[&Message]| copies.iter().any(|copy| copy.retain);
    let rest = |copy: &Message| (copy.expiry, copy.properties.clone());
    known
        && (missing.is_empty() || is_resumed)
        && (few.len() < more.len() || !missing.is_empty())
        && highest(few) == highest(more)
        && is_retained(few) == is_retained(more)
        && few.iter().all(|one| more.iter().all(|other| rest(one) == rest(other)))
}

/// 0x10 may be said where nobody is subscribed, and 0x00 too.
fn no_matching_subscribers(_: &Scene<'_>, items: &mut Vec<Item>) {
    let kind = |heard: &Heard| match heard {
        Heard::PubAck(0x00 | 0x10) => 1,
        Heard::PubRec(0x00 | 0x10) => 2,
        _ => 0,
    };
    while let Some((one, other)) = pair(items, |ours, theirs| kind(ours) > 0 && kind(ours) == kind(theirs)) {
        items.remove(one.max(other));
        items.remove(one.min(other));
    }
}

/// The places of what both say to the same client, one in place of the other.
fn pair(items: &[Item], is_one: impl Fn(&Heard, &Heard) -> bool) -> Option<(usize, usize)> {
    items
        .iter()
        .enumerate()
        .filter(|(_, ours)| ours.side == Side::Ours)
        .find_map(|(place, ours)| {
            let theirs = items.iter().position(|theirs| {
                theirs.side == Side::Theirs && ours.client == theirs.client && is_one(&ours.heard, &theirs.heard)
            });
            Some((place, theirs?))
        })
}

/// Ours tells a connection that is taken over.
fn takeover_untold(scene: &Scene<'_>, items: &mut Vec<Item>) {
    let taken_over = match &scene.step().action {
        Action::Connect(_) => scene.facts.clients[scene.step().client].connection.is_some(),
        _ => false,
    };
    if taken_over {
        items.retain(|item| item.side == Side::Theirs || item.heard != Heard::Disconnect(0x8E));
    }
}

/// The connection ends by the takeover, so its will is published.
fn will_at_takeover(scene: &Scene<'_>, items: &mut Vec<Item>) {
    let step = scene.step();
    // Theirs sends it to the session that begins, by the subscriptions of the one that has ended.
    let takes_over = |item: &Item| item.client == step.client && matches!(step.action, Action::Connect(_));
    will_of_ours(items, &scene.facts.wills_taken_over, takes_over);
}

/// A delayed will is published at the end of the session, if that comes first.
fn will_at_session_end(scene: &Scene<'_>, items: &mut Vec<Item>) {
    let waits = matches!(scene.step().action, Action::Wait);
    will_of_ours(items, &scene.facts.wills_of_ended_sessions, |_| waits);
}

/// DISCONNECT that asks for a session to be kept which was not to be kept is none, and the will is published.
fn will_after_a_bad_disconnect(scene: &Scene<'_>, items: &mut Vec<Item>) {
    will_of_ours(items, &scene.facts.wills_of_bad_disconnects, |_| false);
}

/// Wills that ours has published, and theirs has not, or only where `theirs` says so.
fn will_of_ours(items: &mut Vec<Item>, wills: &[&script::Message], theirs: impl Fn(&Item) -> bool) {
    let is_will = |item: &Item| {
        let will = item
            .heard
            .message()
            .is_some_and(|message| wills.iter().any(|will| is(will, message)));
        will && (item.side == Side::Ours || theirs(item))
    };
    if !items.iter().any(is_will) {
        return;
    }
    // What a retained will has replaced is still retained where it was not published.
    let is_replaced =
        |message: &Message| wills.iter().any(|will| will.retain && will.topic == message.topic) && message.retain;
    items.retain(|item| !is_will(item) && (item.side == Side::Ours || !item.heard.message().is_some_and(is_replaced)));
}

fn is(published: &script::Message, message: &Message) -> bool {
    published.topic == message.topic && published.payload() == message.payload
}

/// A message of QoS 2 goes to its subscribers when it comes, or when it is released.
fn forwarded_when_released(scene: &Scene<'_>, items: &mut Vec<Item>) {
    let step = scene.step();
    let held = match &step.action {
        Action::Publish(message) if scene.facts.clients[step.client].holds => Some(message),
        _ => None,
    };
    let unreleased = scene.facts.unreleased.iter().copied().chain(held);
    items.retain(|item| {
        let Some(message) = item.heard.message() else {
            return true;
        };
        !unreleased
            .clone()
            .any(|held| is(held, message) || held.retain && held.topic == message.topic && message.retain)
    });
}

/// Retained messages are not sent for a shared subscription.
fn retained_for_a_group(scene: &Scene<'_>, items: &mut Vec<Item>) {
    let step = scene.step();
    let Action::Subscribe { filters, .. } = &step.action else {
        return;
    };
    items.retain(|item| {
        let is_one = |message: &Message| {
            let is_shared = |filter: &str| filter.starts_with("$share/") && matches(filter, &message.topic);
            message.retain && filters.iter().any(|(filter, _)| is_shared(filter))
        };
        item.side == Side::Ours || item.client != step.client || !item.heard.message().is_some_and(is_one)
    });
}

/// A SUBSCRIBE with one filter twice gets what is retained once.
fn retained_once(scene: &Scene<'_>, items: &mut Vec<Item>) {
    let step = scene.step();
    let Action::Subscribe { filters, .. } = &step.action else {
        return;
    };
    let is_twice = |topic: &str| {
        let mut places = filters
            .iter()
            .enumerate()
            .filter(|(_, (filter, _))| matches(filter, topic));
        places.any(|(place, (filter, _))| filters[..place].iter().any(|(other, _)| other == filter))
    };
    let ours = messages(scene.ours, scene.step, step.client);
    let is_there = |message: &Message| {
        ours.iter()
            .any(|one| one.topic == message.topic && one.payload == message.payload)
    };
    items.retain(|item| {
        let is_one = |message: &Message| message.retain && is_twice(&message.topic) && is_there(message);
        item.client != step.client || !item.heard.message().is_some_and(is_one)
    });
}

/// Which member of a group gets a message is the server's choice.
fn member_of_a_group(scene: &Scene<'_>, items: &mut Vec<Item>) {
    let clients = &scene.facts.clients;
    let is_shared = |item: &Item| {
        let Some(message) = item.heard.message() else {
            return false;
        };
        let members = |filter: &str| {
            let is_member = |known: &&Known<'_>| known.subscriptions.iter().any(|(other, _)| *other == filter);
            clients.iter().filter(is_member).count()
        };
        let mut own = clients[item.client].subscriptions.iter().map(|(filter, _)| *filter);
        own.any(|filter| filter.starts_with("$share/") && matches(filter, &message.topic) && members(filter) > 1)
    };
    items.retain(|item| !is_shared(item));
}

/// A SUBSCRIBE to the same filter replaces all options, No Local and Retain As Published too.
fn options_not_replaced(scene: &Scene<'_>, items: &mut Vec<Item>) {
    let is_one = |item: &Item| {
        let Some(message) = item.heard.message() else {
            return false;
        };
        let step = scene.step();
        let known = scene.facts.clients[item.client].subscriptions.iter().copied();
        let new = match &step.action {
            Action::Subscribe { filters, .. } if step.client == item.client => &filters[..],
            _ => &[],
        };
        let all: Vec<_> = known
            .chain(new.iter().copied())
            .filter(|(filter, _)| matches(filter, &message.topic))
            .collect();
        let differ = |one: SubscriptionOptions, other: SubscriptionOptions| {
            one.no_local != other.no_local || one.retain_as_published != other.retain_as_published
        };
        all.iter().any(|(filter, options)| {
            all.iter()
                .any(|(other, others)| filter == other && differ(*options, *others))
        })
    };
    items.retain(|item| !is_one(item));
}
