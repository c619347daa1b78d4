//! How a command ends if it does not do what it was asked to.

use std::fmt::{self, Display};
use std::io;
use std::process::ExitCode;

use crate::screen::note;

/// Why a command could not do what it was asked to: one line for a person, a line of advice, and a code for a script.
#[derive(Debug)]
pub struct Ending {
    message: String,
    advice: Option<String>,
    code: u8,
    is_silent: bool,
}

impl Ending {
    /// It failed: code 1.
    #[must_use]
    pub fn failed(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            advice: None,
            code: 1,
            is_silent: false,
        }
    }

    /// It was called with what cannot be: code 2, as for options that do not exist.
    #[must_use]
    pub fn misused(message: impl Display) -> Self {
        Self {
            code: 2,
            ..Self::failed(message)
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(mut self, advice: impl Display) -> Self {
        self.advice = Some(advice.to_string());
        self
    }

    /// Another code.
    #[must_use]
    pub const fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Nothing is said about it; the code is all there is.
    #[must_use]
    pub const fn silent(mut self) -> Self {
        self.is_silent = true;
        self
    }

    /// The code that the program ends with.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        self.code
    }

    /// What could not be done, and why.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    #[must_use]
    pub fn what_to_do(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// Whether it was called with what cannot be.
    #[must_use]
    pub const fn is_misuse(&self) -> bool {
        self.code == 2
    }

    /// Says so on standard error.
    pub(crate) fn tell(&self) -> ExitCode {
        if !self.is_silent {
            note(self);
        }
        ExitCode::from(self.code)
    }
}

impl Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mqtt: {}", self.message)?;
        match &self.advice {
            Some(advice) => write!(f, "\nmqtt: {advice}"),
            None => Ok(()),
        }
    }
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Self::failed(error)
    }
}
