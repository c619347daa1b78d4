//! Where the server is, as a URL.

use mqtt_tokio::Scheme;

use crate::Ending;
use crate::client::ConnectionArguments;

/// A server, and the topic that its URL ends with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) topic: Option<String>,
}

/// The port at which mosquitto's clients speak TLS without being told to.
pub(crate) const TLS_PORT: u16 = 8883;

/// What the arguments name.
pub(super) fn target(arguments: &ConnectionArguments) -> Result<Target, Ending> {
    if let Some(url) = &arguments.url {
        let Target { url, topic } = split(url);
        let url = replaced(url, arguments)?;
        return Ok(Target { url, topic });
    }
    if let Some(path) = &arguments.unix {
        let Some(path) = path.to_str() else {
            return Err(Ending::misused("--unix: the path is not text"));
        };
        let url = format!("unix:{}", path.replace('%', "%25").replace(' ', "%20"));
        return Ok(Target { url, topic: None });
    }
    let has_tls = arguments.tls.ask_for_it() || arguments.port == Some(TLS_PORT);
    let (scheme, path) = match (arguments.ws, has_tls) {
        (false, false) => (Scheme::Mqtt, ""),
        (false, true) => (Scheme::Mqtts, ""),
        (true, false) => (Scheme::Ws, arguments.ws_path.as_str()),
        (true, true) => (Scheme::Wss, arguments.ws_path.as_str()),
    };
    let host = bracketed(&arguments.host);
    let port = arguments.port.map_or_else(String::new, |port| format!(":{port}"));
    let url = format!("{}://{host}{port}{path}", scheme.name());
    Ok(Target { url, topic: None })
}

/// A host as it stands in a URL.
fn bracketed(host: &str) -> String {
    match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

/// The URL with the host and the port that stand behind it.
fn replaced(url: String, arguments: &ConnectionArguments) -> Result<String, Ending> {
    let host = Some(&arguments.host).filter(|_| arguments.behind_url.host);
    let port = arguments.port.filter(|_| arguments.behind_url.port);
    let option = match (host, port) {
        (None, None) => return Ok(url),
        (Some(_), _) => "-h",
        (None, Some(_)) => "-p",
    };
    if url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("unix:")) {
        let refused = Ending::misused(format_args!(
            "{option}: the URL of -L names a unix socket, which has no host and no port"
        ));
        return Err(refused.advice("leave one of the two out"));
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        // It is no URL, which whoever reads it tells better.
        return Ok(url);
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, place) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    // A colon within brackets belongs to an address.
    let colon = place.rfind(':').filter(|colon| !place[*colon..].contains(']'));
    let (old_host, old_port) = place.split_at(colon.unwrap_or(place.len()));
    let host = host.map_or_else(|| old_host.to_owned(), |host| bracketed(host));
    let port = port.map_or_else(|| old_port.to_owned(), |port| format!(":{port}"));
    Ok(format!("{scheme}://{user}{host}{port}{path}"))
}

/// Takes the topic off a URL; behind WebSocket the path is not a topic.
fn split(url: &str) -> Target {
    let whole = |url: &str| Target {
        url: url.to_owned(),
        topic: None,
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        return whole(url);
    };
    let is_plain = ["mqtt", "mqtts", "tcp", "ssl", "tls"].contains(&scheme.to_ascii_lowercase().as_str());
    match rest.split_once('/') {
        Some((server, topic)) if is_plain => Target {
            url: format!("{scheme}://{server}"),
            topic: Some(topic.to_owned()).filter(|topic| !topic.is_empty()),
        },
        _ => whole(url),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    #[command(disable_help_flag = true, args_override_self = true)]
    struct Line {
        #[command(flatten)]
        connection: ConnectionArguments,
    }

    fn url(words: &[&str]) -> String {
        let line = Line::try_parse_from([&["mqtt"], words].concat()).unwrap_or_else(|error| panic!("{error}"));
        target(&line.connection).unwrap().url
    }

    #[test]
    fn options_name_a_server() {
        assert_eq!(url(&[]), "mqtt://localhost");
        assert_eq!(url(&["-h", "::1", "-p", "1884"]), "mqtt://[::1]:1884");
        assert_eq!(url(&["-p", "8883"]), "mqtts://localhost:8883");
        assert_eq!(url(&["-h", "a", "--cafile", "x"]), "mqtts://a");
        assert_eq!(url(&["--ws"]), "ws://localhost/mqtt");
        assert_eq!(
            url(&["--ws", "--tls-use-os-certs", "--ws-path", "/x"]),
            "wss://localhost/x"
        );
        assert_eq!(url(&["--unix", "/run/a b%"]), "unix:/run/a%20b%25");
    }

    #[test]
    fn the_last_of_url_host_and_port_counts() {
        for (words, expected) in [
            (&["-L", "mqtt://h:1/t", "-p", "2"][..], "mqtt://h:2"),
            (&["-L", "mqtt://h/t", "-p", "2"], "mqtt://h:2"),
            (&["-p", "2", "-L", "mqtt://h:1/t"], "mqtt://h:1"),
            (&["-p", "2", "-L", "mqtt://h/t"], "mqtt://h"),
            (&["-L", "mqtt://h:1/t", "-h", "i"], "mqtt://i:1"),
            (&["-h", "i", "-L", "mqtt://h:1/t"], "mqtt://h:1"),
            (&["-h", "i", "-L", "mqtt://h:1/t", "-p", "2"], "mqtt://h:2"),
            (&["-L", "mqtts://u:p@[::1]:1/t", "-h", "::2"], "mqtts://u:p@[::2]:1"),
            (&["-L", "mqtt://[::1]/t", "-p", "2"], "mqtt://[::1]:2"),
            (&["-L", "wss://h/mqtt?a=b:c", "-p", "2"], "wss://h:2/mqtt?a=b:c"),
            (&["-p", "3", "-L", "mqtt://h:1/t", "-p", "2"], "mqtt://h:2"),
        ] {
            assert_eq!(url(words), expected, "{words:?}");
        }
        for words in [["-L", "unix:/run/x", "-p", "2"], ["-L", "unix:///run/x", "-h", "a"]] {
            let line = Line::try_parse_from([&["mqtt"], &words[..]].concat()).unwrap();
            let told = target(&line.connection).unwrap_err().to_string();
            assert!(told.contains(words[2]) && told.contains("-L"), "{told}");
        }
    }

    #[test]
    fn a_url_ends_with_a_topic_unless_it_has_a_path() {
        let parts = |url: &str| {
            let Target { url, topic } = split(url);
            (url, topic)
        };
        let topic = |topic: &str| Some(topic.to_owned());
        assert_eq!(
            parts("mqtt://u:p@h:1/a/+/b#"),
            ("mqtt://u:p@h:1".into(), topic("a/+/b#"))
        );
        assert_eq!(parts("MQTTS://h/"), ("MQTTS://h".into(), None));
        assert_eq!(parts("mqtt://h"), ("mqtt://h".into(), None));
        assert_eq!(parts("wss://h/mqtt"), ("wss://h/mqtt".into(), None));
        assert_eq!(parts("unix:///run/x"), ("unix:///run/x".into(), None));
        assert_eq!(parts("h"), ("h".into(), None));
    }
}
