//! Where a server is, as a URL says it.

mod fault;

pub use fault::{UrlError, UrlFault};

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a server is and how to get there.
///
/// ```
/// use mqtt_adapter::{Endpoint, Scheme};
/// let endpoint: Endpoint = "mqtt://broker.example".parse()?;
/// assert_eq!((endpoint.scheme(), endpoint.host(), endpoint.port()), (Scheme::Mqtt, "broker.example", 1883));
/// assert_eq!("wss://[::1]/mqtt".parse::<Endpoint>()?.to_string(), "wss://[::1]:443/mqtt");
/// # Ok::<(), mqtt_adapter::UrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
    /// The path of a socket, or that of a WebSocket with its query.
    path: String,
}

/// How a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// `mqtt:` over TCP, port 1883.
    Mqtt,
    /// `mqtts:` over TLS, port 8883.
    Mqtts,
    /// `ws:` over WebSocket, port 80.
    Ws,
    /// `wss:` over WebSocket and TLS, port 443.
    Wss,
    /// `unix:` over a socket of this machine.
    Unix,
}

impl Scheme {
    /// As a URL has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Mqtts => "mqtts",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Unix => "unix",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Mqtt => 1883,
            Self::Mqtts => 8883,
            Self::Ws => 80,
            Self::Wss => 443,
            Self::Unix => 0,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        Some(match name.as_str() {
            "mqtt" | "tcp" => Self::Mqtt,
            "mqtts" | "ssl" | "tls" => Self::Mqtts,
            "ws" => Self::Ws,
            "wss" => Self::Wss,
            "unix" => Self::Unix,
            _ => return None,
        })
    }
}

impl Endpoint {
    /// A server on a port of a host, over TCP without TLS.
    ///
    /// ```
    /// use mqtt_adapter::Endpoint;
    /// assert_eq!(Endpoint::tcp("::1", 1884).to_string(), "mqtt://[::1]:1884");
    /// ```
    #[must_use]
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self {
            scheme: Scheme::Mqtt,
            host: host.into(),
            port,
            path: String::new(),
        }
    }

    /// A server on a socket of this machine.
    #[must_use]
    pub fn unix(path: impl Into<String>) -> Self {
        Self {
            scheme: Scheme::Unix,
            host: String::new(),
            port: 0,
            path: path.into(),
        }
    }

    /// How it is reached.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The name or address of the host; an IPv6 address without its brackets. Empty for [`Scheme::Unix`].
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port. 0 for [`Scheme::Unix`].
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path of the socket for [`Scheme::Unix`]; for a WebSocket the path and query to ask for, `/mqtt` if the URL has none.
    /// Else empty.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Host and port, as a URL has them.
    #[must_use]
    pub fn authority(&self) -> String {
        let (host, port) = (&self.host, self.port);
        match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        }
    }

    /// The path of the socket, for [`Scheme::Unix`].
    #[must_use]
    pub fn socket(&self) -> Option<PathBuf> {
        (self.scheme == Scheme::Unix).then(|| PathBuf::from(&self.path))
    }
}

/// As a URL, without a user name or password.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, path) = (self.scheme.name(), &self.path);
        match self.scheme {
            Scheme::Unix => write!(f, "{scheme}:{path}"),
            _ => write!(f, "{scheme}://{}{path}", self.authority()),
        }
    }
}

impl FromStr for Endpoint {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        Parsed::new(url).map(|parsed| parsed.endpoint)
    }
}

/// What a URL says: where the server is, and perhaps who asks.
#[derive(PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) endpoint: Endpoint,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Vec<u8>>,
}

impl Parsed {
    pub(crate) fn new(url: &str) -> Result<Self, UrlError> {
        let fail = |fault, at: usize| UrlError { fault, at };
        let (name, rest) = url.split_once(':').ok_or(fail(UrlFault::NoScheme, 0))?;
        let scheme = Scheme::from_name(name).ok_or(fail(UrlFault::UnknownScheme, 0))?;
        if let Some(control) = url.find(|character: char| character.is_control() || character == ' ') {
            return Err(fail(UrlFault::NotPrintable, control));
        }
        let after_scheme = name.len() + 1;
        if scheme == Scheme::Unix {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() {
                return Err(fail(UrlFault::NoPath, after_scheme));
            }
            let path =
                percent_decoded(path).map_err(|at| fail(UrlFault::PercentEncoding, url.len() - path.len() + at))?;
            let path = String::from_utf8(path).map_err(|_| fail(UrlFault::PercentEncoding, after_scheme))?;
            return Ok(Self::anonymous(Endpoint::unix(path)));
        }
        let rest = rest.strip_prefix("//").ok_or(fail(UrlFault::NoSlashes, after_scheme))?;
        Self::of_host(scheme, rest, after_scheme + 2)
    }

    fn anonymous(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            username: None,
            password: None,
        }
    }

    /// `[user[:password]@]host[:port][/path]`, which begins at byte `at`.
    fn of_host(scheme: Scheme, rest: &str, at: usize) -> Result<Self, UrlError> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let host_at = at + authority.len() - host.len();
        let (host, port) = host_and_port(host, host_at)?;
        let path = match scheme {
            Scheme::Ws | Scheme::Wss if path.is_empty() => "/mqtt",
            Scheme::Ws | Scheme::Wss => asked_path(path, at + end)?,
            _ if path.is_empty() || path == "/" => "",
            _ => {
                return Err(UrlError {
                    fault: UrlFault::PathNotUsed,
                    at: at + end,
                });
            }
        };
        let mut parsed = Self::anonymous(Endpoint {
            scheme,
            host: host.to_owned(),
            port: port.unwrap_or(scheme.default_port()),
            path: path.to_owned(),
        });
        if let Some(user) = user {
            let (name, password) = user
                .split_once(':')
                .map_or((user, None), |(name, password)| (name, Some(password)));
            let wrong = |offset| UrlError {
                fault: UrlFault::PercentEncoding,
                at: offset,
            };
            let name = percent_decoded(name).map_err(|offset| wrong(at + offset))?;
            parsed.username = Some(String::from_utf8(name).map_err(|_| wrong(at))?);
            parsed.password = match password {
                Some(password) => {
                    let password_at = at + user.len() - password.len();
                    Some(percent_decoded(password).map_err(|offset| wrong(password_at + offset))?)
                }
                None => None,
            };
        }
        Ok(parsed)
    }
}

/// What a server of WebSocket is asked for: a path, and perhaps a query, which begin at byte `at`.
fn asked_path(path: &str, at: usize) -> Result<&str, UrlError> {
    match (path.find('#'), path.starts_with('/')) {
        (Some(fragment), _) => Err(UrlError {
            fault: UrlFault::Fragment,
            at: at + fragment,
        }),
        (None, true) => Ok(path),
        (None, false) => Err(UrlError {
            fault: UrlFault::QueryWithoutPath,
            at,
        }),
    }
}

/// Takes `host`, `host:port`, `[address]` or `[address]:port` apart, which begins at byte `at`.
fn host_and_port(text: &str, at: usize) -> Result<(&str, Option<u16>), UrlError> {
    let fail = |fault, offset: usize| Err(UrlError { fault, at: at + offset });
    let (host, port) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let Some((address, port)) = bracketed.split_once(']') else {
                return fail(UrlFault::NoBracket, 0);
            };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return fail(UrlFault::NotAnAddress, 1);
            }
            match (port, port.strip_prefix(':')) {
                ("", _) => (address, None),
                (_, Some(port)) => (address, Some(port)),
                _ => return fail(UrlFault::NoBracket, text.len() - port.len()),
            }
        }
        None => match text.split_once(':') {
            Some((_, port)) if port.contains(':') => return fail(UrlFault::AddressWithoutBrackets, 0),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return fail(UrlFault::NoHost, 0);
    }
    // `parse` would take a sign.
    let number = |port: &str| port.parse::<u16>().ok().filter(|_| !port.starts_with('+'));
    match port.map(number) {
        None => Ok((host, None)),
        Some(Some(port)) if port > 0 => Ok((host, Some(port))),
        Some(_) => fail(UrlFault::Port, text.len() - port.map_or(0, str::len)),
    }
}

/// The bytes that a text stands for; or where a `%` is not followed by two hexadecimal digits.
fn percent_decoded(text: &str) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let at = text.len() - tail.len() - 1;
        let (digits, tail) = rest.split_at_checked(2).ok_or(at)?;
        let digits = std::str::from_utf8(digits).map_err(|_| at)?;
        // `from_str_radix` would take a sign.
        if digits.starts_with('+') {
            return Err(at);
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| at)?);
        rest = tail;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        url.parse::<Endpoint>().unwrap().to_string()
    }

    fn fault(url: &str) -> (UrlFault, usize) {
        let error = url.parse::<Endpoint>().unwrap_err();
        (error.fault, error.at)
    }

    #[test]
    fn each_scheme_has_its_port() {
        assert_eq!(shown("mqtt://a.example"), "mqtt://a.example:1883");
        assert_eq!(shown("MQTTS://a.example/"), "mqtts://a.example:8883");
        assert_eq!(shown("ws://a.example"), "ws://a.example:80/mqtt");
        assert_eq!(shown("ws://a.example/"), "ws://a.example:80/");
        assert_eq!(shown("wss://a.example/mqtt?a=b"), "wss://a.example:443/mqtt?a=b");
        assert_eq!(shown("tcp://10.0.0.1:77"), "mqtt://10.0.0.1:77");
        assert_eq!(shown("unix:/run/mqtt.sock"), "unix:/run/mqtt.sock");
        assert_eq!(shown("unix:///run/mqtt.sock"), "unix:/run/mqtt.sock");
    }

    #[test]
    fn addresses_of_ipv6_stand_in_brackets() {
        let endpoint: Endpoint = "mqtt://[fe80::1]:1884".parse().unwrap();
        assert_eq!((endpoint.host(), endpoint.port()), ("fe80::1", 1884));
        assert_eq!(endpoint.to_string(), "mqtt://[fe80::1]:1884");
        assert_eq!(fault("mqtt://fe80::1"), (UrlFault::AddressWithoutBrackets, 7));
        assert_eq!(fault("mqtt://[fe80::1"), (UrlFault::NoBracket, 7));
        assert_eq!(fault("mqtt://[fe80::1]1"), (UrlFault::NoBracket, 16));
        assert_eq!(fault("mqtt://[localhost]"), (UrlFault::NotAnAddress, 8));
    }

    #[test]
    fn user_name_and_password_are_decoded_and_never_shown() {
        let parsed = Parsed::new("mqtt://a%40b:p%3Aq@c@host").map(|parsed| parsed.username);
        assert_eq!(parsed, Ok(Some("a@b".to_owned())));
        let parsed = Parsed::new("mqtt://user:p%3A%ff@host:99").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(parsed.password.as_deref(), Some(&b"p:\xFF"[..]));
        assert_eq!(parsed.endpoint.to_string(), "mqtt://host:99");
        let error = Parsed::new("mqtt://user:secret%4@host").map(|_| ()).unwrap_err();
        assert_eq!((error.fault, error.at), (UrlFault::PercentEncoding, 18));
        assert!(!error.to_string().contains("secret"));
        assert_eq!(fault("mqtt://%+1@host"), (UrlFault::PercentEncoding, 7));
    }

    #[test]
    fn every_other_fault_says_where_it_is() {
        assert_eq!(fault("localhost"), (UrlFault::NoScheme, 0));
        assert_eq!(fault("localhost:1883"), (UrlFault::UnknownScheme, 0));
        assert_eq!(fault("http://localhost"), (UrlFault::UnknownScheme, 0));
        assert_eq!(fault("mqtt:localhost"), (UrlFault::NoSlashes, 5));
        assert_eq!(fault("mqtt://"), (UrlFault::NoHost, 7));
        assert_eq!(fault("mqtt://:1883"), (UrlFault::NoHost, 7));
        assert_eq!(fault("mqtt://host:"), (UrlFault::Port, 12));
        assert_eq!(fault("mqtt://host:0"), (UrlFault::Port, 12));
        assert_eq!(fault("mqtt://host:65536"), (UrlFault::Port, 12));
        assert_eq!(fault("mqtt://host:-1"), (UrlFault::Port, 12));
        assert_eq!(fault("mqtt://host:+1"), (UrlFault::Port, 12));
        assert_eq!(fault("mqtt://user@:1883"), (UrlFault::NoHost, 12));
        assert_eq!(fault("mqtt://host/topic"), (UrlFault::PathNotUsed, 11));
        assert_eq!(fault("mqtt://host?qos=1"), (UrlFault::PathNotUsed, 11));
        assert_eq!(fault("mqtts://host:8883/#"), (UrlFault::PathNotUsed, 17));
        assert_eq!(fault("ws://host?a=b"), (UrlFault::QueryWithoutPath, 9));
        assert_eq!(fault("wss://host/mqtt?a=b#c"), (UrlFault::Fragment, 19));
        assert_eq!(fault("ws://host#c"), (UrlFault::Fragment, 9));
        assert_eq!(fault("mqtt://a%4@host"), (UrlFault::PercentEncoding, 8));
        assert_eq!(fault("mqtt://a:b%zz@host"), (UrlFault::PercentEncoding, 10));
        assert_eq!(fault("mqtt://%ff@host"), (UrlFault::PercentEncoding, 7));
        assert_eq!(fault("unix:/run/%"), (UrlFault::PercentEncoding, 10));
        assert_eq!(fault("mqtt://a\nb"), (UrlFault::NotPrintable, 8));
        assert_eq!(fault("mqtt://a b"), (UrlFault::NotPrintable, 8));
        assert_eq!(fault("unix:"), (UrlFault::NoPath, 5));
    }

    #[test]
    fn an_error_says_what_where_and_what_to_try() {
        let error = "mqtt://host:x".parse::<Endpoint>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the URL is wrong at byte 12: the port is no number from 1 to 65535; leave it out for the port that the scheme has by default"
        );
    }
}
