//! Streams to a server: TCP, and sockets of this machine.

use std::io;
use std::net::SocketAddr;

use mqtt_adapter::{AnyStream, Dial, DialError, Dialing, Endpoint, Scheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::stream::Io;

/// Opens what a URL names: TCP and, for `unix:`, sockets of this machine. What the URL asks for above that, the client does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dialer;

/// A dialer that opens streams by an asynchronous function: through a proxy, in memory, or whatever else is a stream.
///
/// ```no_run
/// use mqtt_tokio::{ClientOptions, DialError, dial_by};
/// use tokio::net::TcpStream;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let dialer = dial_by(|endpoint| async move {
///     // What the URL asks for above the stream, such as TLS, the client does.
///     println!("to {endpoint}, by way of another machine");
///     TcpStream::connect("10.0.0.1:9000").await.map_err(DialError::connect)
/// });
/// let client = mqtt_tokio::connect_with(ClientOptions::from_url("mqtt://broker.example")?, dialer).await?;
/// # Ok(())
/// # }
/// ```
pub fn dial_by<S, F>(mut dial: impl FnMut(Endpoint) -> F + Send + 'static) -> impl Dial + 'static
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Result<S, DialError>> + Send + 'static,
{
    move |endpoint: &Endpoint| -> Dialing {
        let dialing = dial(endpoint.clone());
        Box::pin(async move {
            let stream: AnyStream = Box::new(Io(dialing.await?));
            Ok(stream)
        })
    }
}

impl Dial for Dialer {
    fn dial(&mut self, endpoint: &Endpoint) -> Dialing {
        let endpoint = endpoint.clone();
        Box::pin(async move {
            match endpoint.scheme() {
                Scheme::Mqtt | Scheme::Mqtts | Scheme::Ws | Scheme::Wss => tcp(endpoint.host(), endpoint.port()).await,
                #[cfg(unix)]
                Scheme::Unix => unix(&endpoint).await,
                _ => Err(DialError::NotSupported(
                    "open the stream yourself, and give it to `start_with` or `Connection`",
                )),
            }
        })
    }
}

/// All addresses of the host, one after the other.
async fn tcp(host: &str, port: u16) -> Result<AnyStream, DialError> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(DialError::resolve)?;
    let mut last = None;
    for address in addresses {
        match tcp_to(address).await {
            Ok(stream) => return Ok(Box::new(Io(stream))),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) => DialError::connect(error),
        None => DialError::resolve(io::ErrorKind::NotFound.into()),
    })
}

async fn tcp_to(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Packets are gathered before they are written; small ones should not wait for acknowledgements of TCP.
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(unix)]
async fn unix(endpoint: &Endpoint) -> Result<AnyStream, DialError> {
    let stream = tokio::net::UnixStream::connect(endpoint.path()).await;
    Ok(Box::new(Io(stream.map_err(DialError::connect)?)))
}
