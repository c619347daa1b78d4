//! Metrics and health over HTTP.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mqtt_adapter::host::ShardHandle;

use super::exposition::{self, Vitals};
use super::figures;

/// A request is shorter. Of a longer one the rest is not read.
const REQUEST_BYTES: usize = 8 * 1024;
/// How long a request and its answer may take together.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many are answered at once. One more is closed.
const REQUESTS: usize = 32;

/// Answers `/metrics` and `/health`, on threads of their own: a scraper that is slow keeps nobody waiting.
pub(super) fn serve(address: SocketAddr, shards: Vec<ShardHandle>, vitals: Vitals) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    thread::Builder::new().name("mqtt-metrics".to_owned()).spawn(move || {
        let requests = Arc::new(());
        for stream in listener.incoming() {
            let request = Arc::clone(&requests);
            let (shards, vitals) = (shards.clone(), vitals.clone());
            let taken = stream.and_then(|stream| {
                // The one that is here counts too, and this loop's own.
                if Arc::strong_count(&requests) > REQUESTS + 1 {
                    return Ok(());
                }
                let thread = thread::Builder::new().name("mqtt-request".to_owned());
                thread.spawn(move || {
                    if let Err(error) = answer(&stream, &shards, &vitals) {
                        tracing::debug!(%error, "a request for metrics failed");
                    }
                    drop(request);
                })?;
                Ok(())
            });
            if let Err(error) = taken {
                tracing::debug!(%error, "a request for metrics was not taken");
                // Without files to open, accepting fails again and again.
                thread::sleep(Duration::from_millis(50));
            }
        }
    })?;
    Ok(address)
}

fn answer(stream: &TcpStream, shards: &[ShardHandle], vitals: &Vitals) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    let request = read_request(stream, until)?;
    let mut words = request.split(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    let method = words.next().unwrap_or_default();
    let path = words.next().and_then(|path| std::str::from_utf8(path).ok());
    let response = match (method, path) {
        (b"GET" | b"HEAD", Some(path)) => respond(path, shards, vitals),
        _ => Response::plain("405 Method Not Allowed", "GET is all there is\n"),
    };
    let body = if method == b"HEAD" { "" } else { &response.body };
    let response = format!(
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        response.status,
        response.kind,
        response.body.len(),
    );
    write_until(stream, response.as_bytes(), until)
}

/// The request, up to its empty line: what was not read would reset the connection.
fn read_request(mut stream: &TcpStream, until: Instant) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while request.len() < REQUEST_BYTES && !is_whole(&request) {
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(len) => request.extend_from_slice(part.get(..len).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(request)
}

fn is_whole(request: &[u8]) -> bool {
    request.windows(4).any(|end| end == b"\r\n\r\n") || request.windows(2).any(|end| end == b"\n\n")
}

fn write_until(mut stream: &TcpStream, mut bytes: &[u8], until: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(until)?))?;
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How long there is still. One that takes a byte now and then does not get more.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
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

fn respond(path: &str, shards: &[ShardHandle], vitals: &Vitals) -> Response {
    let sums = || figures::ask(shards);
    match path.split('?').next() {
        Some("/metrics") => match sums() {
            Some(sums) => Response {
                status: "200 OK",
                kind: "application/openmetrics-text; version=1.0.0; charset=utf-8",
                body: exposition::page(sums, vitals),
            },
            None => Response::plain("503 Service Unavailable", "a shard does not answer\n"),
        },
        Some("/health") => match (vitals.health.store_failure(), sums()) {
            (Some(why), _) => Response::plain("503 Service Unavailable", &format!("the store has failed: {why}\n")),
            (None, Some(_)) => Response::plain("200 OK", "healthy\n"),
            (None, None) => Response::plain("503 Service Unavailable", "a shard does not answer\n"),
        },
        _ => Response::plain("404 Not Found", "there are /metrics and /health\n"),
    }
}
