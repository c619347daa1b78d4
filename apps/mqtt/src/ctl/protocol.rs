//! What is said on a control socket: one request in a line of JSON, and its answer in lines of JSON.
//!
//! `CONTROL.md` is for those who speak it without this program.

use serde::{Deserialize, Serialize};

/// No request is longer. A topic of the longest kind fits, however it is escaped.
pub(crate) const REQUEST_BYTES: u64 = 512 * 1024;

/// What a broker can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// The clients that are connected, as [`Session`]s.
    Clients {
        #[serde(default)]
        client: Option<String>,
        #[serde(default)]
        limit: Option<u64>,
    },
    /// All sessions, as [`Session`]s.
    Sessions {
        #[serde(default)]
        client: Option<String>,
        #[serde(default)]
        limit: Option<u64>,
    },
    /// [`Subscription`]s: of some clients, or those that a topic matches.
    Subscriptions {
        #[serde(default)]
        client: Option<String>,
        #[serde(default)]
        topic: Option<String>,
        #[serde(default)]
        limit: Option<u64>,
    },
    /// One session, as [`Shown`].
    Show {
        client: String,
        /// No more messages than so many.
        #[serde(default)]
        messages: Option<u64>,
    },
    /// Ends the connection of a client, and its session if that is said. Told as [`Kicked`].
    Kick {
        client: String,
        #[serde(default)]
        reason: Option<String>,
        #[serde(default)]
        end_session: bool,
    },
    /// [`Retained`] messages.
    Retained {
        #[serde(default)]
        filter: Option<String>,
        #[serde(default)]
        limit: Option<u64>,
    },
    /// Deletes what is retained for a topic. Told as [`Deleted`].
    DeleteRetained { topic: String },
    /// Deletes all that is retained for a filter. Each is told as [`Deleted`].
    DeleteAllRetained { filter: String },
    /// What is logged, as [`Logged`]; with a level, from now on.
    Log {
        #[serde(default)]
        level: Option<Level>,
    },
    /// Copies the store to a path of the broker's machine. Told as [`Copied`], now and then and at the end.
    Backup {
        path: String,
        /// A file that is there is replaced.
        #[serde(default)]
        force: bool,
    },
    /// [`Stat`]s.
    Stats {},
    /// [`Healthy`], or a fault that says what is wrong.
    Health {},
}

impl Request {
    /// Whether it changes something, so that it is not ended before its end.
    pub(crate) const fn is_change(&self) -> bool {
        match self {
            Self::Kick { .. } | Self::DeleteRetained { .. } | Self::DeleteAllRetained { .. } | Self::Backup { .. } => {
                true
            }
            Self::Log { level } => level.is_some(),
            Self::Clients { .. }
            | Self::Sessions { .. }
            | Self::Subscriptions { .. }
            | Self::Show { .. }
            | Self::Retained { .. }
            | Self::Stats {}
            | Self::Health {} => false,
        }
    }
}

/// How important a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// The broker cannot do its work
    Error,
    /// It can, and somebody should look
    Warn,
    /// What an operator wants to know: also who comes and goes
    Info,
    /// Also ends of sessions, and streams that break
    Debug,
}

impl Level {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// The broker serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Healthy {
    /// Each of them has answered.
    pub(crate) shards: usize,
}

/// A session, with the connection of its client. Times are seconds of Unix time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) client: String,
    /// Whose it is. Absent: nobody's who has proved a name.
    pub(crate) user: Option<String>,
    /// Absent if the client is away.
    pub(crate) connection: Option<Connection>,
    /// When the client came, or went. Absent: it went before the broker started.
    pub(crate) since: Option<u64>,
    /// For how long the session outlives the connection. Absent: it has no end.
    pub(crate) expiry_seconds: Option<u32>,
    /// When it ends if its client stays away.
    pub(crate) ends_at: Option<u64>,
    /// When its will is published if its client stays away.
    pub(crate) will_at: Option<u64>,
    pub(crate) stored: bool,
    pub(crate) subscriptions: u64,
    /// Messages for the client that have not been acknowledged, or not been sent.
    pub(crate) messages: u64,
    pub(crate) message_bytes: u64,
    /// Those of them that are on their way.
    pub(crate) in_flight: u64,
    /// Messages of QoS 2 from the client that it has not released.
    pub(crate) incoming: u64,
}

/// The connection of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Connection {
    pub(crate) number: u64,
    pub(crate) version: String,
    /// Absent for a unix socket.
    pub(crate) peer: Option<String>,
    pub(crate) listener: Option<String>,
    pub(crate) tls: bool,
    pub(crate) keep_alive_seconds: u16,
}

/// A session in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) session: Session,
    /// The first of its subscriptions: `subscriptions` of the session says how many there are.
    pub(crate) subscriptions: Vec<Subscription>,
    /// The first of the messages for its client: `messages` of the session says how many there are. Those of QoS 0 that are
    /// encoded already are not among them.
    pub(crate) messages: Vec<Held>,
}

/// A message for a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// Absent if the client has the message, and only the end of its exchange is left.
    pub(crate) topic: Option<String>,
    pub(crate) qos: u8,
    /// Of its payload.
    pub(crate) bytes: u64,
    /// Whether it is on its way to the client.
    pub(crate) in_flight: bool,
    pub(crate) expires_at: Option<u64>,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) client: String,
    pub(crate) filter: String,
    /// The name of its group, if it is a shared one.
    pub(crate) group: Option<String>,
    pub(crate) qos: u8,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: u8,
    pub(crate) identifier: Option<u32>,
}

/// A retained message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retained {
    pub(crate) topic: String,
    pub(crate) qos: u8,
    /// Of its payload.
    pub(crate) bytes: u64,
    pub(crate) expires_at: Option<u64>,
    /// The client that published it. Absent: the broker did, or nobody knows.
    pub(crate) publisher: Option<String>,
    /// And its user.
    pub(crate) publisher_user: Option<String>,
}

/// What became of a client that was kicked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kicked {
    pub(crate) client: String,
    /// Whether it was connected.
    pub(crate) was_connected: bool,
    /// Whether its session was ended too.
    pub(crate) session_ended: bool,
}

/// What is not retained any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deleted {
    pub(crate) topic: String,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logged {
    pub(crate) level: Level,
    /// What it was before.
    pub(crate) before: Level,
}

/// How far a copy of the store has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub(crate) path: String,
    /// How many records are written.
    pub(crate) records: u64,
    /// How many there are.
    pub(crate) of: u64,
    /// Of the copy, when it is there. Absent: it is being made.
    pub(crate) bytes: Option<u64>,
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stat {
    pub(crate) name: String,
    /// `counter` or `gauge`.
    pub(crate) kind: String,
    pub(crate) value: u64,
    pub(crate) help: String,
}

/// The last line of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    /// How many lines were before.
    pub(crate) items: u64,
    /// Whether there are more, and the limit of the request is why they are not here.
    pub(crate) more: bool,
}

/// Why there is no answer, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

/// What kind of fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The request makes no sense.
    BadRequest,
    /// There is no such client or topic.
    NotFound,
    /// As many connections are open as there may be.
    Busy,
    /// The answer took too long.
    TimedOut,
    /// The broker ends.
    Ending,
    /// The store has failed: nobody is served.
    StoreFailed,
    /// It could not be done.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_is_written_and_what_is_unknown_is_refused() {
        let kick = Request::Kick {
            client: "a\nb".to_owned(),
            reason: None,
            end_session: true,
        };
        let line = serde_json::to_string(&kick).unwrap();
        assert!(!line.contains('\n'), "it is one line: {line}");
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), kick);
        assert_eq!(
            serde_json::from_str::<Request>(r#"{"ask":"stats"}"#).unwrap(),
            Request::Stats {}
        );
        for wrong in [
            r#"{"ask":"reboot"}"#,
            r#"{"ask":"kick"}"#,
            r#"{"ask":"sessions","limt":1}"#,
            r#"{"ask":"log","level":"loud"}"#,
            "[]",
            "",
        ] {
            assert!(serde_json::from_str::<Request>(wrong).is_err(), "{wrong}");
        }
    }
}
