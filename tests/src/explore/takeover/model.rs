//! What has to become of a session, its will and its messages, by the table on `Broker` alone.

/// What a client connects with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hello {
    /// It begins a new session.
    pub clean: bool,
    /// Its will.
    pub will: WillKind,
    /// How many seconds its session outlives the connection.
    pub expiry: u64,
}

/// The will of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WillKind {
    /// None.
    Absent,
    /// One without a delay.
    Prompt,
    /// One that waits for `DELAY` seconds.
    Delayed,
}

/// The delay of a will, in seconds.
pub(super) const DELAY: u64 = 5;

/// How long wills wait after a restart at least, in seconds.
pub(super) const GRACE: u64 = 3;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// How long it outlives its connection.
    pub expiry: u64,
    /// It was made to outlive a connection, and is in the store.
    pub is_stored: bool,
    /// The will of its connection: its number and its delay. `None`: nobody is connected.
    pub connected: Option<Option<(u64, u64)>>,
    /// When it ends, if nobody connects.
    pub ends_at: Option<u64>,
    /// The will that waits, and until when.
    pub pending: Option<(u64, u64)>,
    /// It gets the messages.
    pub is_subscribed: bool,
    /// What it has not acknowledged, in order.
    pub queue: Vec<u64>,
}

/// All that the client can know of the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Model {
    /// The session of the client.
    pub session: Option<Session>,
    /// Wills that have been published, and were not looked at.
    pub wills: Vec<u64>,
    /// Events that the search is to have seen.
    pub seen: Seen,
}

/// How often what a search is about has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// A connection was ended by the next.
    pub takeovers: usize,
    /// A session was gone on with.
    pub resumed: usize,
    /// Published when the connection ended.
    pub prompt_wills: usize,
    /// Published after their delay.
    pub delayed_wills: usize,
    /// Published since their session ended before the delay.
    pub wills_of_ended_sessions: usize,
    /// Dropped by DISCONNECT.
    pub dismissed_wills: usize,
    /// Dropped since the client came back.
    pub recalled_wills: usize,
    /// Sessions that ended by time.
    pub expired_sessions: usize,
    /// Sessions that a restart went on with.
    pub restored_sessions: usize,
}

impl Seen {
    /// Adds what another has seen.
    pub fn add(&mut self, other: &Self) {
        self.takeovers += other.takeovers;
        self.resumed += other.resumed;
        self.prompt_wills += other.prompt_wills;
        self.delayed_wills += other.delayed_wills;
        self.wills_of_ended_sessions += other.wills_of_ended_sessions;
        self.dismissed_wills += other.dismissed_wills;
        self.recalled_wills += other.recalled_wills;
        self.expired_sessions += other.expired_sessions;
        self.restored_sessions += other.restored_sessions;
    }
}

impl Model {
    /// Whether somebody is connected.
    pub fn is_connected(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.connected.is_some())
    }

    /// A client connects. Returns whether CONNACK says that a session is present.
    pub fn connect(&mut self, now: u64, hello: Hello, number: u64) -> bool {
        if self.is_connected() {
            self.seen.takeovers += 1;
            self.disconnect(now, true);
        }
        if hello.clean {
            self.end_session();
        }
        let will = match hello.will {
            WillKind::Absent => None,
            WillKind::Prompt => Some((number, 0)),
            WillKind::Delayed => Some((number, DELAY)),
        };
        let is_present = self.session.is_some();
        let mut session = self.session.take().unwrap_or(Session {
            expiry: 0,
            is_stored: hello.expiry > 0,
            connected: None,
            ends_at: None,
            pending: None,
            is_subscribed: false,
            queue: Vec::new(),
        });
        self.seen.resumed += usize::from(is_present);
        // The client is back in time.
        self.seen.recalled_wills += usize::from(session.pending.take().is_some());
        session.expiry = hello.expiry;
        session.ends_at = None;
        session.connected = Some(will);
        self.session = Some(session);
        is_present
    }

    /// The connection ends. With DISCONNECT and reason 0 it does so without its will.
    pub fn disconnect(&mut self, now: u64, with_will: bool) {
        let Some(session) = &mut self.session else { return };
        let Some(will) = session.connected.take() else { return };
        let delay = |delay: u64| delay.min(session.expiry);
        match will {
            Some(_) if !with_will => self.seen.dismissed_wills += 1,
            Some((number, wanted)) if delay(wanted) == 0 => {
                self.seen.prompt_wills += 1;
                self.wills.push(number);
            }
            Some((number, wanted)) => session.pending = Some((number, now + delay(wanted))),
            None => {}
        }
        session.ends_at = Some(now + session.expiry);
        if session.expiry == 0 {
            self.end_session();
        }
    }

    /// The session ends, and its will does not wait any longer.
    pub fn end_session(&mut self) {
        if let Some((number, _)) = self.session.take().and_then(|session| session.pending) {
            self.seen.wills_of_ended_sessions += 1;
            self.wills.push(number);
        }
    }

    /// The next time at which something happens by itself.
    pub fn deadline(&self) -> Option<u64> {
        let session = self.session.as_ref()?;
        let will = session.pending.map(|(_, at)| at);
        [session.ends_at, will].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn pass(&mut self, now: u64) {
        let Some(session) = &mut self.session else { return };
        if let Some((number, at)) = session.pending.filter(|(_, at)| *at <= now) {
            session.pending = None;
            let by_end = session.ends_at == Some(at);
            *(if by_end {
                &mut self.seen.wills_of_ended_sessions
            } else {
                &mut self.seen.delayed_wills
            }) += 1;
            self.wills.push(number);
        }
        if session.ends_at.is_some_and(|at| at <= now) {
            self.seen.expired_sessions += 1;
            self.end_session();
        }
    }

    /// A message comes for all who are subscribed.
    pub fn publish(&mut self, number: u64) {
        if let Some(session) = self.session.as_mut().filter(|session| session.is_subscribed) {
            session.queue.push(number);
        }
    }

    /// The broker's process ends, and another goes on with what is stored of this.
    pub fn restart(&mut self, now: u64) {
        self.wills.clear();
        let Some(mut session) = self.session.take().filter(|session| session.is_stored) else {
            return;
        };
        let earliest = now + GRACE;
        if let Some(will) = session.connected.take() {
            let due = |(number, delay): (u64, u64)| (number, now + delay.min(session.expiry));
            session.pending = will.map(due);
            session.ends_at = Some(now + session.expiry);
        }
        session.pending = session.pending.map(|(number, at)| (number, at.max(earliest)));
        self.seen.restored_sessions += 1;
        self.session = Some(session);
        self.pass(now);
    }
}

impl Model {
    /// A number that is the same for models that go on in the same way: without names, and with times from `now` on.
    pub fn fingerprint(&self, now: u64) -> u64 {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        if let Some(session) = &self.session {
            let from_now = |at: u64| at - now.min(at);
            let connected = session.connected.map(|will| will.map(|(_, delay)| delay));
            let pending = session.pending.map(|(_, at)| from_now(at));
            (session.expiry, session.is_stored, session.is_subscribed, connected).hash(&mut hasher);
            (pending, session.ends_at.map(from_now), session.queue.len()).hash(&mut hasher);
        }
        hasher.finish()
    }
}
