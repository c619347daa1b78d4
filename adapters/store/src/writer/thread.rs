//! What the thread does.

use std::collections::BTreeSet;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use mqtt_session::BrokerKey;

use super::progress::Progress;
use crate::store::Role;
use crate::{Loaded, SessionName, Snapshot, Store, StoreError, StoreErrorKind, Write};

/// What is asked of the thread, in order.
pub(super) enum Request {
    Write {
        write: Write,
        /// Who hears that it is durable, and by which number.
        number: Option<(Arc<Progress>, u64)>,
    },
    Load(SessionName, SyncSender<Result<Loaded, StoreError>>),
    Sessions(SyncSender<Result<Vec<SessionName>, StoreError>>),
    LoadBroker(SessionName, SyncSender<Result<Loaded<BrokerKey>, StoreError>>),
    Brokers(SyncSender<Result<Vec<SessionName>, StoreError>>),
    Snapshot(SyncSender<Result<Snapshot, StoreError>>),
}

/// What waits for the thread.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    /// Everybody who has to hear of a failure.
    sessions: Vec<Weak<Progress>>,
    /// Those that have one writer only.
    claimed: BTreeSet<(Role, SessionName)>,
    failure: Option<StoreError>,
    is_over: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, request: Request) -> Result<(), StoreError> {
        let mut state = self.lock();
        match &state.failure {
            Some(error) => return Err(error.clone()),
            None if state.is_over => return Err(StoreError::new(StoreErrorKind::Stopped)),
            None => state.requests.push(request),
        }
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    pub(super) fn register(&self, progress: &Arc<Progress>) {
        let mut state = self.lock();
        if state.sessions.len() == state.sessions.capacity() {
            // Once in a doubling, so each registration pays for a constant part of it.
            state.sessions.retain(|session| session.strong_count() > 0);
        }
        state.sessions.push(Arc::downgrade(progress));
        if let Some(error) = &state.failure {
            progress.failed(error);
        }
    }

    /// Whether nobody has claimed the name before.
    pub(super) fn claim(&self, role: Role, name: &SessionName) -> bool {
        self.lock().claimed.insert((role, name.clone()))
    }

    pub(super) fn release(&self, role: Role, name: &SessionName) {
        self.lock().claimed.remove(&(role, name.clone()));
    }

    pub(super) fn end(&self) {
        self.lock().is_over = true;
        self.arrived.notify_one();
    }

    /// Everything that waits, once there is something. None when nothing will come any more.
    fn take(&self, into: &mut Vec<Request>) -> bool {
        let is_quiet = |state: &mut State| state.requests.is_empty() && !state.is_over;
        let waited = self.arrived.wait_while(self.lock(), is_quiet);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.requests, into);
        !into.is_empty()
    }

    /// Nothing is written from here on, and everybody hears of it.
    fn fail(&self, error: &StoreError) {
        let sessions = {
            let mut state = self.lock();
            state.failure.get_or_insert_with(|| error.clone());
            // Whoever waits for an answer hears that none will come.
            state.requests.clear();
            std::mem::take(&mut state.sessions)
        };
        for session in sessions.iter().filter_map(Weak::upgrade) {
            session.failed(error);
        }
    }
}

/// However the thread ends, nobody waits for it any more: a panic of a store is a failure like others.
struct Ending<'i>(&'i Inbox);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.fail(&StoreError::new(StoreErrorKind::Stopped));
    }
}

pub(super) fn run(inbox: &Inbox, mut store: Box<dyn Store>) -> Result<(), StoreError> {
    let _ending = Ending(inbox);
    let mut requests = Vec::new();
    let mut group = Group::default();
    while inbox.take(&mut requests) {
        for request in requests.drain(..) {
            let answered = match request {
                Request::Write { write, number } => {
                    group.add(write, number);
                    Ok(())
                }
                Request::Load(name, answer) => group.commit(&mut *store).map(|()| {
                    // Who does not wait any more needs no answer.
                    let _ = answer.send(store.load(&name));
                }),
                Request::Sessions(answer) => group.commit(&mut *store).map(|()| {
                    let _ = answer.send(store.sessions());
                }),
                Request::LoadBroker(name, answer) => group.commit(&mut *store).map(|()| {
                    let _ = answer.send(store.load_broker(&name));
                }),
                Request::Brokers(answer) => group.commit(&mut *store).map(|()| {
                    let _ = answer.send(store.brokers());
                }),
                Request::Snapshot(answer) => group.commit(&mut *store).map(|()| {
                    let _ = answer.send(store.snapshot());
                }),
            };
            answered.inspect_err(|error| inbox.fail(error))?;
        }
        group.commit(&mut *store).inspect_err(|error| inbox.fail(error))?;
    }
    store.close()
}

/// What one flush covers.
#[derive(Default)]
struct Group {
    writes: Vec<Write>,
    numbers: Vec<(Arc<Progress>, u64)>,
}

impl Group {
    fn add(&mut self, write: Write, number: Option<(Arc<Progress>, u64)>) {
        self.writes.push(write);
        self.numbers.extend(number);
    }

    fn commit(&mut self, store: &mut dyn Store) -> Result<(), StoreError> {
        if self.writes.is_empty() {
            return Ok(());
        }
        store.commit(&self.writes)?;
        self.writes.clear();
        for (progress, number) in self.numbers.drain(..) {
            progress.stored(number);
        }
        Ok(())
    }
}
