//! What happened in a run, so that green cannot mean that nothing did.

use mqtt_session::proto::DisconnectReason;
use mqtt_session::{BrokerBound, Closed, Timer};

macro_rules! counts {
    ($($name:ident: $text:literal,)*) => {
        /// What happened in a run.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $(#[doc = $text] pub $name: u64,)*
        }

        impl Counts {
            /// Each with its name.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$(($text, self.$name)),*]
            }

            /// Adds those of another run.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counts! {
    steps: "steps",
    published: "messages published",
    delivered: "messages delivered",
    delivered_once: "of these, such as may come once",
    required: "messages that had to arrive and did, by subscriber",
    excused: "messages that did not, and it was told, by subscriber",
    retained_copies: "retained messages delivered",
    retained_required: "retained messages that had to arrive, by subscription",
    retained_cuts: "replays of retained messages that went on after a cut",
    wills: "wills delivered",
    wills_by_cut: "wills published since a stream was cut",
    wills_by_keep_alive: "wills published since a client was silent",
    wills_by_takeover: "wills published at a takeover",
    wills_by_disconnect: "wills published since DISCONNECT wants it",
    wills_by_host: "wills published since the host ended a connection",
    wills_by_session_end: "wills published since a session ended before the delay",
    wills_by_restart: "wills published that a restart had found",
    wills_dropped: "wills dropped by DISCONNECT",
    wills_cancelled: "wills dropped since the client came back in time",
    wills_unanswered: "wills that the host had not answered when the broker ended",
    storms: "storms of takeovers",
    clients_restarted: "clients that ended and began anew",
    identified: "messages that came with the identifiers of subscriptions",
    too_large: "messages that were too large for a client",
    cuts: "streams cut",
    cuts_inside_a_packet: "of these, inside a packet",
    crashes: "ends of the broker",
    crashes_with_batches: "of these, with batches on their way",
    stores_failed: "flushes that failed",
    torn: "records that were torn",
    quarantined: "records that could not be read",
    resumes: "sessions resumed",
    new_sessions: "sessions begun",
    takeovers: "takeovers",
    sessions_ended: "sessions ended",
    questions: "questions answered",
    refused: "operations refused",
    knocks: "answers to clients that wanted to come in",
    refused_at_the_door: "of these, such as refused them",
    refused_beside_a_session: "of these, beside a session of the same name",
    answered_too_late: "answers to clients that were gone",
    let_in_late: "clients that were let in some time after they came",
    let_in_out_of_order: "clients that were let in after one of their name that had come later",
    challenges: "steps of an authentication that were asked for",
    steps_answered: "of these, such as their clients answered",
    told_to_stay_out: "clients that were told that they are not let in",
    dropped: "messages that were dropped since a queue was full",
    dropped_oldest: "of these, where the oldest give way",
    not_retained: "messages that were not retained for want of room",
    filters_full: "subscriptions that were refused at the bound of all",
    filters_of_one_full: "subscriptions that were refused at the bound of one session",
    filters_told: "of both, such as their clients were told",
    sessions_full: "clients that were refused for want of room for their sessions",
    streams_full: "streams that were not opened for want of room",
    takeovers_full: "takeovers that were refused since they came too fast",
    wills_full: "wills that were given up for want of room",
    parks_full: "connections that had too many packets waiting for the host",
    batches: "batches",
    shared: "shared subscriptions",
    between_shards: "messages between shards",
    handed_on: "messages of groups that went on to another member",
    of_groups: "messages that had to arrive by way of a group",
    policies: "changes of the policy",
    revoked: "subscriptions that ended by that",
    retained_revoked: "retained messages that were dropped by that",
    paused: "times that a client was too fast, and not read for a while",
    held_back: "times that something of it had to wait for that",
    flags_kept: "messages that came with RETAIN as they were published",
    flags_cleared: "messages that were published with RETAIN, and came without it",
    limited: "messages that were sent with the time that was left to them",
    limited_waited: "of these, such as had waited",
    limited_over_restart: "of these, such as were there before the broker ended",
    expired: "messages that ended before they could be sent, by subscriber",
    limited_restored: "messages with time left to them that a restart found",
    retained_expired: "messages that were retained until they ended",
    windows_full: "windows of clients that were full",
    windows_shrunk: "sessions resumed with more on its way than the client takes by then",
    wraps: "identifiers that were lower than the one before",
    closed_by_farewell: "connections that ended by DISCONNECT",
    closed_by_cut: "connections that ended with their stream",
    closed_by_silence: "connections that ended since their client was silent",
    closed_by_stall: "connections that ended since nobody took what was sent",
    closed_by_takeover: "connections that ended since their client came again",
    closed_by_host: "connections that the host ended",
    closed_by_store: "connections that ended since the store had failed",
    closed_by_bytes: "connections that ended by bytes that are no MQTT",
    closed_by_violation: "connections that ended by a packet that may not come",
    late_handshakes: "streams that ended since no CONNECT came in time",
    redelivered: "messages of a group that reached a second member",
    held: "messages checked against what was denied before they were published",
}

impl Counts {
    /// A connection has ended. The other variants are of clients, or of connections that were never accepted.
    pub(super) fn count_closed(&mut self, reason: &Closed) {
        let count = match reason {
            Closed::Disconnected { .. } => &mut self.closed_by_farewell,
            Closed::StreamEnded => &mut self.closed_by_cut,
            Closed::TimedOut(Timer::KeepAlive) => &mut self.closed_by_silence,
            Closed::TimedOut(Timer::Stall) => &mut self.closed_by_stall,
            Closed::ByHost(DisconnectReason::SessionTakenOver) => &mut self.closed_by_takeover,
            Closed::ByHost(_) => &mut self.closed_by_host,
            Closed::StoreFailed => &mut self.closed_by_store,
            Closed::Malformed(_) => &mut self.closed_by_bytes,
            Closed::Violation(..) => &mut self.closed_by_violation,
            other => panic!("the table of ways to end lacks {other:?}"),
        };
        *count += 1;
    }

    /// A bound was met.
    pub(super) fn count_hit(&mut self, bound: BrokerBound, times: u64) {
        let count = match bound {
            BrokerBound::Connections => &mut self.streams_full,
            BrokerBound::Sessions => &mut self.sessions_full,
            BrokerBound::Subscriptions => &mut self.filters_full,
            BrokerBound::SubscriptionsPerSession => &mut self.filters_of_one_full,
            BrokerBound::Retained => &mut self.not_retained,
            BrokerBound::ParkedWills => &mut self.wills_full,
            BrokerBound::TakeoversPerSecond => &mut self.takeovers_full,
            other => panic!("the table of bounds lacks {other:?}"),
        };
        *count += times;
    }
}
