//! What happened in a run, so that green cannot mean that nothing did.

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
    required: "messages that had to arrive, by subscriber",
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
    held: "messages checked against what was denied before they were published",
}
