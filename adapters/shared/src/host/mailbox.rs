//! What other threads send to a shard.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use mqtt_session::proto::DisconnectReason;
use mqtt_session::{Instant, PeerMessage, ShardId};

use super::bells::Bell;
use super::policy::Desk;

/// Something that is done on the thread of a shard.
type Errand = Box<dyn FnOnce(&mut Desk<'_>) + Send>;

/// What is sent to a shard.
pub(super) enum Mail {
    Errand(Errand),
    /// Another shard says something.
    Peer(ShardId, Vec<PeerMessage>),
    /// A stream whose client belongs to the shard, in the form that the network of all shards gives it.
    Arrival(Box<dyn Any + Send>),
    Shutdown(DisconnectReason, Instant),
    /// Another shard that ends has done everything.
    Quiet,
}

/// A handle of a shard, for other threads: a policy that answers later, or whoever runs the broker.
#[derive(Clone)]
pub struct ShardHandle {
    shard: ShardId,
    mailbox: Arc<Mailbox>,
}

pub(super) struct Mailbox {
    waiting: Mutex<Waiting>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct Waiting {
    mails: Vec<Mail>,
    is_closed: bool,
}

impl Mailbox {
    pub(super) fn new(bell: Arc<Bell>) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
            bell,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that waits.
    pub(super) fn take(&self) -> Vec<Mail> {
        self.bell.answer();
        std::mem::take(&mut self.lock().mails)
    }

    /// Nothing is taken any more, and what waits is dropped.
    pub(super) fn close(&self) {
        let mails = {
            let mut waiting = self.lock();
            waiting.is_closed = true;
            std::mem::take(&mut waiting.mails)
        };
        // What an errand has captured may be anything: it is dropped without the lock.
        drop(mails);
    }

    fn send(&self, mail: Mail) -> bool {
        {
            let mut waiting = self.lock();
            if waiting.is_closed {
                return false;
            }
            waiting.mails.push(mail);
        }
        self.bell.wake_by_ref();
        true
    }
}

impl ShardHandle {
    pub(super) const fn new(shard: ShardId, mailbox: Arc<Mailbox>) -> Self {
        Self { shard, mailbox }
    }

    /// Which of the shards it is.
    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.shard
    }

    /// Does something on the thread of the shard, soon and in the order of the calls, and never waits for it. Returns whether the shard is
    /// there: what is given to one that ends may be dropped without a call.
    pub fn run(&self, errand: impl FnOnce(&mut Desk<'_>) + Send + 'static) -> bool {
        self.mailbox.send(Mail::Errand(Box::new(errand)))
    }

    /// Ends the shard: nothing is accepted any more, its clients are told why as far as their version can be, what there is to
    /// be written and stored gets its time until then.
    pub fn shutdown(&self, reason: DisconnectReason, until: Instant) -> bool {
        self.mailbox.send(Mail::Shutdown(reason, until))
    }

    pub(super) fn send(&self, mail: Mail) {
        self.mailbox.send(mail);
    }
}

impl fmt::Debug for ShardHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardHandle")
            .field("shard", &self.shard)
            .finish_non_exhaustive()
    }
}
