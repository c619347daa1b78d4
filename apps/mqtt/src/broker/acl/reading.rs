//! Reads the lines of mosquitto's `acl_file`.
//!
//! ```text
//! topic [read|write|readwrite|deny] FILTER      for the user above, or for clients without a name
//! user NAME
//! pattern [read|write|readwrite|deny] FILTER    for everybody, with %c and %u
//! ```

use std::path::Path;

use super::{For, Permissions};
use crate::broker::config::Access;
use crate::broker::problem::{Place, Problem, Report};

pub(super) fn read(permissions: &mut Permissions, file: &Path, bytes: &[u8], report: &mut Report) {
    let mut user = None;
    for (number, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if let Err(fault) = read_line(permissions, &mut user, bytes) {
            let place = Some(Place {
                line: number,
                column: 1,
            });
            report.push(Problem::error(file, place, fault.message, fault.advice));
        }
    }
}

struct LineFault {
    message: String,
    advice: &'static str,
}

impl LineFault {
    fn new(message: impl Into<String>, advice: &'static str) -> Self {
        Self {
            message: message.into(),
            advice,
        }
    }
}

fn read_line<'a>(permissions: &mut Permissions, user: &mut Option<&'a str>, bytes: &'a [u8]) -> Result<(), LineFault> {
    let Ok(line) = str::from_utf8(bytes) else {
        return Err(LineFault::new("this is not UTF-8", "save the file as UTF-8"));
    };
    let line = line.trim_end().trim_start_matches(' ');
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim_start_matches(' ');
    let whose = match keyword {
        "user" if rest.is_empty() => {
            return Err(LineFault::new("the name of the user is missing", "write `user NAME`"));
        }
        "user" => {
            *user = Some(rest);
            return Ok(());
        }
        "topic" => user.map_or(For::Anonymous, For::User),
        "pattern" => For::Everybody,
        _ => {
            let message = format!("\"{}\" is no keyword", keyword.escape_debug());
            let advice = "a line begins with `topic`, `pattern` or `user` and a space, or with # if it is a comment";
            return Err(LineFault::new(message, advice));
        }
    };
    let (access, filter) = access_and_filter(rest)?;
    permissions.add(whose, access, filter).map_err(|fault| {
        let message = format!("\"{}\": {fault}", filter.escape_debug());
        LineFault::new(message, fault.advice())
    })
}

fn access_and_filter(text: &str) -> Result<(Access, &str), LineFault> {
    if text.is_empty() {
        return Err(LineFault::new("the topic is missing", "write `topic read FILTER`"));
    }
    // One word is a topic, whatever it says.
    let Some((access, filter)) = text.split_once(' ') else {
        return Ok((Access::ReadWrite, text));
    };
    let access = match access {
        "read" => Access::Read,
        "write" => Access::Write,
        "readwrite" => Access::ReadWrite,
        "deny" => Access::Deny,
        _ => {
            let message = format!("\"{}\" is no kind of access", access.escape_debug());
            let advice = "write read, write, readwrite or deny before a topic with spaces in it";
            return Err(LineFault::new(message, advice));
        }
    };
    Ok((access, filter.trim_start_matches(' ')))
}
