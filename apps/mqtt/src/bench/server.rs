//! Which broker is loaded.

use std::str::FromStr;

use mqtt_tokio::{Endpoint, Scheme, UrlError};

use crate::client::TLS_PORT;

/// The broker, as the command line names it.
#[derive(Clone, Debug)]
pub struct Server {
    endpoint: Endpoint,
    /// The same with TLS, where no URL has said that there is none.
    with_tls: Option<Endpoint>,
}

impl Server {
    /// Where it is. TLS is on its own port, and wherever else an option asks for it.
    pub(super) fn endpoint(&self, wants_tls: bool) -> &Endpoint {
        match &self.with_tls {
            Some(with_tls) if wants_tls || self.endpoint.port() == TLS_PORT => with_tls,
            _ => &self.endpoint,
        }
    }
}

/// A host and a port, or a URL that says no more.
impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = |url: &str| {
            url.parse()
                .map_err(|error: UrlError| format!("{error}: {}", error.fault.advice()))
        };
        if !text.contains("://") {
            return Ok(Self {
                endpoint: parsed(&format!("mqtt://{text}"))?,
                with_tls: Some(parsed(&format!("mqtts://{text}"))?),
            });
        }
        let endpoint: Endpoint = parsed(text)?;
        match endpoint.scheme() {
            Scheme::Mqtt | Scheme::Mqtts => Ok(Self {
                endpoint,
                with_tls: None,
            }),
            _ => Err("it is TCP that is loaded, with TLS or without: write HOST:PORT or mqtts://HOST:PORT".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_where_a_url_an_option_or_the_port_says_so() {
        for (text, asked, url) in [
            ("h", false, "mqtt://h:1883"),
            ("h", true, "mqtts://h:8883"),
            ("h:1884", true, "mqtts://h:1884"),
            ("h:8883", false, "mqtts://h:8883"),
            ("mqtt://h:8883", true, "mqtt://h:8883"),
            ("mqtts://h", false, "mqtts://h:8883"),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!(server.endpoint(asked).to_string(), url, "{text} {asked}");
        }
        assert!("ws://h".parse::<Server>().is_err());
    }
}
