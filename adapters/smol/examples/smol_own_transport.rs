//! A stream of one's own, in place of a socket: anything that is `AsyncRead` and `AsyncWrite`. Here it is two pipes in memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mqtt_smol::session::{Accept, ServerConfig, ServerConnection, ServerEvent};
use mqtt_smol::{ClientOptions, Clock, Connection, Message, QoS, Step, dial_by};
use piper::{Reader, Writer, pipe};
use smol::io::{AsyncRead, AsyncWrite};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// One end: it reads from one pipe, and writes to the other.
struct End {
    reads: Reader,
    writes: Writer,
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reads).poll_read(cx, buffer)
    }
}

impl AsyncWrite for End {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writes).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writes).poll_flush(cx)
    }

    /// This end has said everything; it goes on reading.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writes).poll_close(cx)
    }
}

/// The server's end of the connection.
async fn serve(end: End) -> Result<(), Error> {
    let clock = Clock::new();
    let machine = ServerConnection::new(ServerConfig::default(), clock.now());
    let mut connection = Connection::accepted(machine, end, clock);
    while let Some(step) = connection.next().await {
        let now = connection.now();
        match step {
            Step::Event(ServerEvent::Connect(_)) => connection.machine_mut().accept(now, Accept::new())?,
            Step::Event(ServerEvent::Message(received)) => println!("server: {:?}", received.message),
            Step::Event(ServerEvent::Closed { reason, .. }) => println!("server: {reason}"),
            _ => {}
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    smol::block_on(run())
}

async fn run() -> Result<(), Error> {
    // Whenever the client wants a stream, it gets one end of a pipe, and a server the other.
    let dialer = dial_by(|_| async {
        let ((away, there), (here, back)) = (pipe(1024), pipe(1024));
        smol::spawn(serve(End {
            reads: away,
            writes: back,
        }))
        .detach();
        Ok(End {
            reads: here,
            writes: there,
        })
    });
    // The URL says what is on the stream, and who is meant; nothing is resolved.
    let client = mqtt_smol::connect_with(ClientOptions::from_url("mqtt://pipe")?.client_id("near")?, dialer).await?;
    let message = Message::new("greeting", "hello")?.qos(QoS::ExactlyOnce);
    println!("client: {:?}", client.publish(message).await?);
    Ok(client.disconnect(Duration::from_secs(5)).await?)
}
