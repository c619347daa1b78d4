//! What is wrong with a URL, where, and what to try.

use std::fmt;

/// What is wrong with a URL, and at which byte of it. The URL itself is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlError {
    /// What is wrong.
    pub fault: UrlFault,
    /// At which byte.
    pub at: usize,
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident => $what:literal, $advice:literal;)*) => {
        /// What is wrong with a URL.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum UrlFault {
            $($(#[$doc])* $name,)*
        }

        impl UrlFault {
            /// What to try.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
        }

        impl fmt::Display for UrlFault {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $what,)* })
            }
        }
    };
}

faults! {
    /// There is no `:`.
    NoScheme => "there is no scheme", "write mqtt://HOST:PORT";
    /// It is none of `mqtt`, `mqtts`, `ws`, `wss` and `unix`.
    UnknownScheme => "the scheme is not known", "use mqtt, mqtts, ws, wss or unix";
    /// A space or a control character.
    NotPrintable => "a space or control character", "write it as %20 or leave it out";
    /// `unix:` and nothing behind it.
    NoPath => "there is no path of a socket", "write unix:/path/to/the/socket";
    /// No `//` behind the scheme.
    NoSlashes => "there is no // behind the scheme", "write mqtt://HOST:PORT";
    /// A `%` without two hexadecimal digits, or what is to be text is not UTF-8.
    PercentEncoding => "a wrong percent encoding", "write a percent sign itself as %25";
    /// A path that nobody asks for.
    PathNotUsed => "a path, which only ws, wss and unix have", "leave it out: topics are no part of the URL";
    /// A query directly behind the host.
    QueryWithoutPath => "a query without a path", "write ws://HOST:PORT/PATH?QUERY";
    /// A `#` and what follows it, which is meant for browsers.
    Fragment => "a fragment, which no server is told", "leave out the # and what follows it";
    /// An opening bracket without its closing one, or text behind that.
    NoBracket => "brackets that do not enclose an IPv6 address", "write [ADDRESS]:PORT";
    /// What stands in brackets is no IPv6 address.
    NotAnAddress => "no IPv6 address in the brackets", "write names and IPv4 addresses without brackets";
    /// More than one colon.
    AddressWithoutBrackets => "an IPv6 address without brackets", "write [ADDRESS]:PORT";
    /// Nothing where the host should be.
    NoHost => "there is no host", "write mqtt://HOST:PORT";
    /// No number from 1 to 65535.
    Port => "the port is no number from 1 to 65535", "leave it out for the port that the scheme has by default";
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the URL is wrong at byte {}: {}; {}",
            self.at,
            self.fault,
            self.fault.advice()
        )
    }
}

impl std::error::Error for UrlError {}
