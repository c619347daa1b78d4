//! What is there is asked about again since the policy has changed: subscriptions, and then retained messages.
//!
//! ```text
//!  policy_changed ──> all sessions stand under an old epoch: what was not sent waits in their queues
//!                        │
//!                        │  sessions that are connected first, then all others, some with each call
//!                        ▼
//!                     a session ──> its subscriptions, each once ──> MaySubscribe ──> authorize
//!                                     the cursor is their own list:      at most           │ no: it ends
//!                                     who was asked goes to its end      `reviews`         │
//!                                                                                          ▼
//!                     the session stands under the new epoch  <────────────── all of its answers are there
//!                     what no subscription stands for is dropped, the rest is sent
//!
//!                        │  when all subscriptions have been asked about
//!                        ▼
//!                     retained messages, in the order of their topics ──> MayPublish ──> authorize ──> no: it is dropped
//! ```

mod retained;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;
use mqtt_proto::{QoS, TopicFilter};

use super::event::Verdict;
use super::party::Party;
use super::sessions::{Entry, Place, SessionId};
use super::{Broker, BrokerEvent, QuestionId};
use retained::KeptReview;
pub(super) use retained::Waiter;

use crate::qos::{Withdrawable, Withdrawn};

/// How far the review has come.
#[derive(Debug, Default)]
pub(super) struct Review {
    stage: Stage,
    /// The session whose subscriptions are being asked about.
    current: Option<(u32, SessionId)>,
    questions: BTreeMap<u64, Question>,
    kept: KeptReview,
}

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    #[default]
    Over,
    Connections(u32),
    Sessions(u32),
    Retained,
}

impl Review {
    /// How many questions wait for answers.
    pub(super) fn asked(&self) -> usize {
        self.questions.len().saturating_add(self.kept.asked())
    }
}

/// A question to the host.
#[derive(Debug)]
struct Question {
    session: u32,
    id: SessionId,
    epoch: u64,
    filter: TopicFilter<Bytes>,
    /// Its subscription has ended or been made anew, and nothing follows from the answer.
    is_void: bool,
}

/// How far the review of one session has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    /// The policy that all of its subscriptions have been allowed by.
    pub(super) epoch: u64,
    /// The policy that they were begun to be asked about by.
    begun: u64,
    unasked: u32,
    unanswered: u32,
}

impl Broker {
    /// All subscriptions are to be asked about again.
    pub(super) fn begin_review(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
        self.review.current = None;
        self.review.kept.begin();
        self.review.stage = if self.config.ask.subscribe {
            Stage::Connections(0)
        } else {
            self.after_subscriptions()
        };
    }

    const fn after_subscriptions(&self) -> Stage {
        if self.config.ask.publish {
            Stage::Retained
        } else {
            Stage::Over
        }
    }

    /// Whether the host has still to say whether this session may have what it is subscribed to.
    pub(super) fn is_held(&self, session: u32) -> bool {
        let is_old = |entry: &Entry| entry.standing.epoch != self.epoch && !matches!(entry.place, Place::Host);
        self.config.ask.subscribe && self.sessions.get(session).is_some_and(is_old)
    }

    /// Whether the review goes on with the next call.
    pub(super) fn has_to_review(&self) -> bool {
        let most = crate::flow::size(self.config.limits.reviews.max(1));
        let is_over = matches!(self.review.stage, Stage::Over) && !self.review.kept.has_late();
        !is_over && self.review.asked() < most
    }

    /// Goes on with the review, as far as one call does.
    pub(super) fn review(&mut self) {
        for _ in 0..self.config.limits.steps_per_call.max(1) {
            if !self.has_to_review() {
                return;
            }
            match (self.review.current, self.review.stage) {
                (Some((session, id)), _) => self.ask_next(session, id),
                (None, Stage::Retained) => self.review_next_kept(),
                (None, Stage::Over) => self.review_late(),
                (None, Stage::Connections(_) | Stage::Sessions(_)) => self.next_session(),
            }
        }
    }

    fn next_session(&mut self) {
        let (session, next) = match self.review.stage {
            Stage::Over | Stage::Retained => return,
            Stage::Connections(slot) if slot >= self.connections.bound() => (None, Stage::Sessions(0)),
            Stage::Connections(slot) => {
                let connection = self.connections.get(slot);
                let session = connection.map(|connection| connection.session);
                (session, Stage::Connections(slot.saturating_add(1)))
            }
            Stage::Sessions(slot) if slot >= self.sessions.bound() => (None, self.after_subscriptions()),
            Stage::Sessions(slot) => (Some(slot), Stage::Sessions(slot.saturating_add(1))),
        };
        self.review.stage = next;
        let Some(session) = session.filter(|session| self.is_held(*session)) else {
            return;
        };
        let unasked = u32::try_from(self.routes.subscriptions_of(session)).unwrap_or(u32::MAX);
        if let Some(entry) = self.sessions.get_mut(session) {
            let has_client = matches!(entry.place, Place::Connected(_) | Place::Parked(_));
            if has_client && entry.standing.begun != self.epoch {
                entry.standing.begun = self.epoch;
                entry.standing.unasked = unasked;
                entry.standing.unanswered = 0;
                self.review.current = Some((session, entry.id));
            }
        }
    }

    fn ask_next(&mut self, session: u32, id: SessionId) {
        let entry = self.sessions.get_mut(session).filter(|entry| entry.id == id);
        let entry = entry.filter(|entry| !matches!(entry.place, Place::Leaving));
        let Some(entry) = entry.filter(|entry| entry.standing.unasked > 0) else {
            self.review.current = None;
            return self.finish_review(session, id);
        };
        entry.standing.unasked = entry.standing.unasked.saturating_sub(1);
        let connected = match entry.place {
            Place::Connected(slot) => Some(slot),
            _ => None,
        };
        let who = entry.who.clone();
        let Some((filter, wanted)) = self.routes.take_turn(session) else {
            return;
        };
        let epoch = self.epoch;
        let connection = connected.and_then(|slot| self.connections.get_mut(slot));
        let known = connection.map(|connection| (connection.id, connection.verdicts.of_subscribe(epoch)));
        match known {
            Some((_, Some(true))) => {}
            Some((_, Some(false))) => self.revoke(session, &filter),
            _ => {
                let connection = known.map(|(connection, _)| connection);
                let asked = self.ask_to_keep(connection, &who, filter.clone(), wanted.options.qos);
                let question = Question {
                    session,
                    id,
                    epoch,
                    filter,
                    is_void: false,
                };
                self.review.questions.insert(asked, question);
                if let Some(entry) = self.sessions.get_mut(session) {
                    entry.standing.unanswered = entry.standing.unanswered.saturating_add(1);
                }
            }
        }
    }

    /// Asks the host about a subscription that is there. Returns the number of the question.
    fn ask_to_keep(
        &mut self,
        connection: Option<super::ConnectionId>,
        who: &Party,
        filter: TopicFilter<Bytes>,
        qos: QoS,
    ) -> u64 {
        self.asked = self.asked.saturating_add(1);
        self.told.push_back(BrokerEvent::MaySubscribe {
            // The question is about the session: it outlives the connection.
            question: QuestionId {
                number: self.asked,
                connection: None,
            },
            connection,
            client_id: who.shared_client_id(),
            owner: who.shared_owner(),
            filter,
            qos,
        });
        self.asked
    }

    /// The host has said whether a subscription may stay. Whether there was such a question.
    pub(super) fn review_answered(&mut self, question: QuestionId, verdict: Verdict) -> bool {
        let Some(asked) = self.review.questions.remove(&question.number) else {
            return false;
        };
        let Question { session, id, .. } = asked;
        let epoch = self.epoch;
        let entry = self.sessions.get_mut(session).filter(|entry| entry.id == id);
        let Some(entry) = entry.filter(|_| asked.epoch == epoch && !asked.is_void) else {
            return true;
        };
        entry.standing.unanswered = entry.standing.unanswered.saturating_sub(1);
        if let Place::Connected(slot) = entry.place {
            if let Some(connection) = self.connections.get_mut(slot) {
                connection.verdicts.remember_subscribe(epoch, verdict);
            }
        }
        if !verdict.is_allowed {
            self.revoke(session, &asked.filter);
        }
        self.finish_review(session, id);
        true
    }

    /// A subscription of a session is made anew or ends by its client: what is asked about it is asked for nothing.
    pub(super) fn forget_review(&mut self, session: u32, filter: &TopicFilter<Bytes>) {
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        let standing = &mut entry.standing;
        if standing.epoch == self.epoch || standing.unanswered == 0 {
            return;
        }
        let id = entry.id;
        let epoch = self.epoch;
        let is_it = |question: &&mut Question| {
            question.id == id && question.epoch == epoch && !question.is_void && question.filter == *filter
        };
        if let Some(question) = self.review.questions.values_mut().find(is_it) {
            question.is_void = true;
            standing.unanswered = standing.unanswered.saturating_sub(1);
            self.finish_review(session, id);
        }
    }

    /// A subscription is not allowed any more: it ends as by UNSUBSCRIBE.
    fn revoke(&mut self, session: u32, filter: &TopicFilter<Bytes>) {
        if !self.routes.is_subscribed(session, filter) {
            return;
        }
        self.member_goes(session, filter);
        self.routes.unsubscribe(session, filter);
        self.forget_subscription(session, filter);
        self.figures.subscriptions_revoked = self.figures.subscriptions_revoked.saturating_add(1);
        let client_id = self.name_of(session);
        let filter = filter.clone();
        self.inform(|| BrokerEvent::Revoked { client_id, filter });
    }

    /// If the host has said all about a session, what waits in its queue may go.
    fn finish_review(&mut self, session: u32, id: SessionId) {
        let epoch = self.epoch;
        let Some(entry) = self.sessions.get_mut(session).filter(|entry| entry.id == id) else {
            return;
        };
        if entry.standing.unasked > 0 || entry.standing.unanswered > 0 {
            return;
        }
        entry.standing.epoch = epoch;
        self.drop_uncovered(session);
        if let Some(slot) = self.sessions.connection_of(session) {
            self.settle(slot);
        }
    }

    /// What was not sent and has no subscription any more that it stands on is dropped, or goes to another member of its
    /// group.
    fn drop_uncovered(&mut self, session: u32) {
        let (routes, matches) = (&self.routes, &mut self.matches);
        let is_covered = |found: Withdrawable<'_>| routes.covers(session, &found.message.topic, found.tag, matches);
        let withdrawn = match self.sessions.get_mut(session).map(|entry| &mut entry.place) {
            Some(Place::Connected(slot)) => match self.connections.get_mut(*slot) {
                Some(connection) => {
                    connection.machine.tell_time(self.now);
                    let withdrawn = connection.machine.withdraw_unsent(is_covered);
                    let held = connection.machine.queued_bytes();
                    self.queued.count(&mut connection.queued_bytes, held);
                    withdrawn
                }
                None => return,
            },
            Some(Place::Parked(state)) => {
                state.tell_time(self.now);
                state.withdraw_unsent(is_covered)
            }
            _ => return,
        };
        if withdrawn.is_empty() {
            return;
        }
        self.with_parked(session, |_| ());
        let (of_groups, own): (Vec<Withdrawn>, Vec<Withdrawn>) =
            withdrawn.into_iter().partition(|withdrawn| withdrawn.tag != 0);
        for _ in own {
            self.count_drop(session);
        }
        self.hand_on(of_groups);
    }
}
