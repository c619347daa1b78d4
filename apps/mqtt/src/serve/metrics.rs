//! Metrics and health over HTTP.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use mqtt_adapter::host::ShardHandle;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::figures::{self, Kind, Sums};

/// A request is short, and comes at once.
const REQUEST_BYTES: u64 = 8 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers `/metrics` and `/health`, on a thread of its own, one request after the other: a scraper that is slow keeps no
/// client waiting.
pub(super) fn serve(address: SocketAddr, shards: Vec<ShardHandle>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    thread::Builder::new().name("mqtt-metrics".to_owned()).spawn(move || {
        for stream in listener.incoming() {
            match stream.and_then(|stream| answer(&stream, &shards)) {
                Ok(()) => {}
                Err(error) => {
                    tracing::debug!(%error, "a request for metrics failed");
                    // Without files to open, accepting fails again and again.
                    thread::sleep(Duration::from_millis(50));
                }
            }
        }
    })?;
    Ok(address)
}

fn answer(mut stream: &TcpStream, shards: &[ShardHandle]) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = BufReader::new(stream.take(REQUEST_BYTES));
    let mut first = String::new();
    request.read_line(&mut first)?;
    // What was not read would reset the connection.
    let mut line = String::new();
    while request.read_line(&mut line)? > 2 {
        line.clear();
    }
    let mut words = first.split(' ');
    let response = match (words.next(), words.next()) {
        (Some("GET" | "HEAD"), Some(path)) => respond(path, shards),
        _ => Response::plain("405 Method Not Allowed", "GET is all there is\n"),
    };
    let body = if first.starts_with("HEAD") { "" } else { &response.body };
    write!(
        stream,
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        response.status,
        response.kind,
        response.body.len(),
    )
}

struct Response {
    status: &'static str,
    kind: &'static str,
    body: String,
}

impl Response {
    fn plain(status: &'static str, body: &str) -> Self {
        Self {
            status,
            kind: "text/plain; charset=utf-8",
            body: body.to_owned(),
        }
    }
}

fn respond(path: &str, shards: &[ShardHandle]) -> Response {
    let sums = || figures::ask(shards);
    match path.split('?').next() {
        Some("/metrics") => match sums() {
            Some(sums) => Response {
                status: "200 OK",
                kind: "application/openmetrics-text; version=1.0.0; charset=utf-8",
                body: exposition(sums),
            },
            None => Response::plain("503 Service Unavailable", "a shard does not answer\n"),
        },
        Some("/health") => match sums() {
            Some(_) => Response::plain("200 OK", "healthy\n"),
            None => Response::plain("503 Service Unavailable", "a shard does not answer\n"),
        },
        _ => Response::plain("404 Not Found", "there are /metrics and /health\n"),
    }
}

fn exposition(sums: Sums) -> String {
    let mut registry = Registry::with_prefix("mqtt");
    registry.register_collector(Box::new(sums));
    let mut body = String::new();
    // Text takes whatever is written to it.
    let _ = text::encode(&mut body, &registry);
    body
}

impl Collector for Sums {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for figure in figures::ALL {
            let value = figure.of(self);
            match figure.kind {
                Kind::Counter => {
                    let counter = ConstCounter::new(value);
                    let kind = counter.metric_type();
                    counter.encode(encoder.encode_descriptor(figure.name, figure.help, None, kind)?)?;
                }
                Kind::Gauge => {
                    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
                    let kind = gauge.metric_type();
                    gauge.encode(encoder.encode_descriptor(figure.name, figure.help, None, kind)?)?;
                }
            }
        }
        Ok(())
    }
}
