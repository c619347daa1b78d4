//! The command `mqtt passwd`.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use clap::Args;

use super::file::{UsersFile, with_line};
use super::secret::{Cost, hash_at};
use crate::Ending;
use crate::screen::note;

/// The longest user name and password that fit into CONNECT.
const TEXT_BYTES_MAX: usize = 65_535;

/// What `mqtt passwd` is called with.
#[derive(Clone, Debug, Args)]
pub struct PasswdArguments {
    /// The file; it is made if it is not there
    pub file: PathBuf,
    /// The user. With --delete any number of them. With --batch any number of USER:PASSWORD, which every process of this
    /// machine can see, or none: then they are lines of standard input
    #[arg(value_name = "USER", required_unless_present = "batch")]
    pub users: Vec<String>,
    /// Take the users out
    #[arg(short = 'D', long, conflicts_with = "batch")]
    pub delete: bool,
    /// Many users at once, with their passwords
    #[arg(short, long)]
    pub batch: bool,
    /// How much memory the check of a password takes; attackers who get the file need it too
    #[arg(long, value_name = "KIB", default_value_t = Cost::default().memory_kib, conflicts_with = "delete")]
    pub memory: u32,
    /// How often a check goes over this memory
    #[arg(long, value_name = "N", default_value_t = Cost::default().passes, conflicts_with = "delete")]
    pub passes: u32,
}

impl PasswdArguments {
    fn cost(&self) -> Result<Cost, Ending> {
        let cost = Cost {
            memory_kib: self.memory,
            passes: self.passes,
        };
        if cost.is_bearable() {
            return Ok(cost);
        }
        let ending = Ending::misused("no broker takes a password at this cost");
        Err(ending.advice("8 to 262144 KiB, and passes so that both multiplied are 1048576 at the most"))
    }
}

/// Changes a file of users.
///
/// # Errors
/// If a name or password cannot be used, the user to be taken out is not there, or the file cannot be read or written. The
/// file is as it was then.
pub fn passwd(arguments: &PasswdArguments) -> Result<(), Ending> {
    let about = |error: io::Error| Ending::failed(format_args!("{}: {error}", arguments.file.display()));
    let cost = arguments.cost()?;
    let file = UsersFile::open(&arguments.file).map_err(about)?;
    if arguments.delete && !file.is_there() {
        let message = format!("{}: there is no such file", arguments.file.display());
        return Err(Ending::failed(message).advice("look at the path: users are taken out of a file that is there"));
    }
    let text = match &arguments.users[..] {
        users if arguments.batch => set_all(cost, &file.text, users)?,
        users if arguments.delete => users
            .iter()
            .try_fold(file.text.clone(), |text, user| take_out(arguments, &text, user))?,
        [user] => {
            check_name(user)?;
            set(cost, &file.text, user, &ask(user)?)?
        }
        _ => {
            let ending = Ending::misused("a password is asked for one user at a time");
            return Err(ending.advice("name one user, or give each a password with --batch"));
        }
    };
    file.replace(&text).map_err(about)?;
    if !file.is_there() {
        note(format_args!(
            "mqtt: {} is made, for its owner alone",
            arguments.file.display()
        ));
    }
    Ok(())
}

fn take_out(arguments: &PasswdArguments, text: &str, user: &str) -> Result<String, Ending> {
    with_line(text, user, None).ok_or_else(|| {
        let message = format_args!("{}: there is no user {user}", arguments.file.display());
        Ending::failed(message).advice("names are compared letter by letter")
    })
}

fn set_all(cost: Cost, text: &str, entries: &[String]) -> Result<String, Ending> {
    let mut text = text.to_owned();
    if !entries.is_empty() {
        for (number, entry) in (1..).zip(entries) {
            text = set_entry(cost, &text, entry, format_args!("user {number}"))?;
        }
        return Ok(text);
    }
    for (number, line) in (1..).zip(io::stdin().lock().lines()) {
        let line = line?;
        if !line.trim().is_empty() {
            text = set_entry(cost, &text, &line, format_args!("standard input, line {number}"))?;
        }
    }
    Ok(text)
}

/// The entry is not part of a message: there is a password in it.
fn set_entry(cost: Cost, text: &str, entry: &str, place: std::fmt::Arguments<'_>) -> Result<String, Ending> {
    let Some((user, password)) = entry.split_once(':') else {
        return Err(Ending::misused(format_args!("{place}: there is no colon")).advice("write USER:PASSWORD"));
    };
    check_name(user)?;
    set(cost, text, user, password)
}

fn set(cost: Cost, text: &str, user: &str, password: &str) -> Result<String, Ending> {
    if password.is_empty() {
        let ending = Ending::misused(format_args!("the password of {user} is empty"));
        return Err(ending.advice("a user without a password is an anonymous client: see `anonymous` of a listener"));
    }
    if password.len() > TEXT_BYTES_MAX {
        let message = format_args!("the password of {user} has {} bytes", password.len());
        return Err(Ending::misused(message).advice(format_args!("CONNECT takes {TEXT_BYTES_MAX}")));
    }
    let hash = hash_at(cost, password.as_bytes()).map_err(|error| Ending::failed(format_args!("no hash: {error}")))?;
    Ok(with_line(text, user, Some(&format!("{user}:{hash}"))).unwrap_or_default())
}

fn check_name(user: &str) -> Result<(), Ending> {
    let shown = user.escape_debug();
    let refuse = |why: &str| {
        let ending = Ending::misused(format_args!("\"{shown}\" cannot be a user: {why}"));
        Err(ending.advice("take a name without colons, control characters and spaces at its ends"))
    };
    match user {
        "" => refuse("a name has a letter at least"),
        _ if user.contains(':') => refuse("a colon ends the name in the file"),
        _ if user.starts_with('#') => refuse("# begins a comment in the file"),
        _ if user.contains(char::is_control) => refuse("it holds a control character"),
        _ if user.trim() != user => refuse("it begins or ends with a space"),
        _ if user.len() > TEXT_BYTES_MAX => refuse("CONNECT takes 65535 bytes"),
        _ => Ok(()),
    }
}

/// On a terminal the password is asked for twice, without an echo; otherwise it is the first line.
fn ask(user: &str) -> Result<String, Ending> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        let line = line.strip_suffix('\n').unwrap_or(&line);
        return Ok(line.strip_suffix('\r').unwrap_or(line).to_owned());
    }
    let password = rpassword::prompt_password(format!("Password for {user}: "))?;
    if rpassword::prompt_password("Again: ")? != password {
        return Err(Ending::failed("these are two different passwords"));
    }
    Ok(password)
}
