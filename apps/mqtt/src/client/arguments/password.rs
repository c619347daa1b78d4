//! A password, which is shown nowhere.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A password.
#[derive(Clone)]
pub struct Password(pub(crate) String);

impl FromStr for Password {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}
