//! The connection to a broker's control socket.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::protocol::{End, Fault, Kind, REQUEST_BYTES, Request};
use super::text;
use crate::Ending;

/// Where the socket is if nothing else is said.
const SOCKET: &str = "/run/mqtt/control.sock";
/// The variable that says something else.
const VARIABLE: &str = "MQTT_CONTROL";
/// The broker ends an answer before this by itself.
const PATIENCE: Duration = Duration::from_secs(90);
/// What the broker is refused with ends with this code.
pub(super) const REFUSED: u8 = 3;

/// A connection to a broker.
pub(super) struct Asking {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

/// A line of an answer, whose item is taken as it is.
#[derive(Deserialize)]
struct Line<'l> {
    #[serde(borrow)]
    item: Option<&'l RawValue>,
    end: Option<End>,
    error: Option<Fault>,
}

impl Asking {
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, Ending> {
        let path = path
            .or_else(|| env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from(SOCKET));
        let stream = UnixStream::connect(&path).map_err(|error| cannot_open(&path, &error))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            path,
            stream: BufReader::new(stream),
        })
    }

    /// Asks something, and gives each item to `take`, as JSON, when it comes. Returns what the end says; if `take` has enough,
    /// the rest of the answer is not read, and nothing more can be asked.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        mut take: impl FnMut(&str) -> Result<ControlFlow<()>, Ending>,
    ) -> Result<End, Ending> {
        let mut line = serde_json::to_vec(request).map_err(Ending::failed)?;
        line.push(b'\n');
        if line.len() as u64 > REQUEST_BYTES {
            return Err(Ending::misused("what is asked for is too long"));
        }
        // A broker that refuses the connection has said why, and reads nothing.
        let written = self.stream.get_mut().write_all(&line);
        let mut answer = String::new();
        loop {
            answer.clear();
            match self.stream.read_line(&mut answer) {
                Ok(0) => {
                    return Err(written
                        .err()
                        .map_or_else(|| self.broken("it has ended"), |e| self.broken(&e.to_string())));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(self.broken("it does not answer in time"));
                }
                Err(error) => return Err(self.broken(&error.to_string())),
            }
            let read: Line<'_> = serde_json::from_str(&answer)
                .map_err(|error| self.broken(&format!("it speaks another language: {error}")))?;
            match read {
                Line { item: Some(item), .. } => {
                    if take(item.get())?.is_break() {
                        return Ok(End::default());
                    }
                }
                Line { end: Some(end), .. } => return Ok(end),
                Line { error: Some(fault), .. } => return Err(refused(&fault)),
                _ => return Err(self.broken("it speaks another language")),
            }
        }
    }

    fn broken(&self, why: &str) -> Ending {
        Ending::failed(format_args!("the broker at {}: {why}", self.path.display()))
    }
}

fn cannot_open(path: &std::path::Path, error: &io::Error) -> Ending {
    let path = path.display();
    let where_it_is = format!("name its socket with --socket or in {VARIABLE}");
    match error.kind() {
        io::ErrorKind::NotFound => Ending::failed(format_args!("there is no control socket at {path}")).advice(
            format_args!("{where_it_is}; a broker has one if its configuration says `control = \"PATH\"`"),
        ),
        io::ErrorKind::ConnectionRefused => Ending::failed(format_args!(
            "the broker that had the control socket {path} does not run any more"
        ))
        .advice(format_args!("start it, or {where_it_is}")),
        io::ErrorKind::PermissionDenied => Ending::failed(format_args!("the control socket {path} is another user's"))
            .advice("be the user that the broker runs as, or root"),
        _ => Ending::failed(format_args!("the control socket {path} cannot be opened: {error}")).advice(where_it_is),
    }
}

fn refused(fault: &Fault) -> Ending {
    let ending = Ending::failed(text::shown(&fault.message));
    match fault.kind {
        Kind::NotFound | Kind::BadRequest | Kind::StoreFailed => ending.code(REFUSED),
        Kind::Busy => ending.advice("try again"),
        Kind::TimedOut | Kind::Ending | Kind::Failed => ending,
    }
}
