//! The accept side: places, and clients that say nothing.

use std::time::Duration;

use mqtt_tokio::session::proto::{ConnAckProperties, ConnAckReason};
use mqtt_tokio::session::{Closed, Limits, ServerConfig, ServerEvent, SessionConfig, Timer};
use mqtt_tokio::{Listener, Step};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn no_more_connections_are_accepted_than_there_are_places() {
    let listener = Listener::bind("127.0.0.1:0", ServerConfig::default())
        .await
        .unwrap()
        .connections(2);
    let address = listener.local_addr().unwrap();
    let _clients = [
        TcpStream::connect(address).await.unwrap(),
        TcpStream::connect(address).await.unwrap(),
        TcpStream::connect(address).await.unwrap(),
    ];
    let first = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    let _second = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    assert!(timeout(Duration::from_millis(100), listener.accept()).await.is_err());
    drop(first.place);
    timeout(SOON, listener.accept()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_says_nothing_is_closed_at_its_deadline() {
    let limits = Limits::default().handshake_timeout(Duration::from_millis(100));
    let config = ServerConfig::default().session(SessionConfig::default().limits(limits));
    let listener = Listener::bind("127.0.0.1:0", config).await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    // Half a CONNECT is nothing.
    client.write_all(&[0x10, 0x0C, 0x00]).await.unwrap();
    let mut accepted = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    let mut reasons = Vec::new();
    let reading = async {
        let mut nothing = Vec::new();
        client.read_to_end(&mut nothing).await.unwrap();
        nothing
    };
    let serving = async {
        while let Some(step) = accepted.connection.next().await {
            if let Step::Event(ServerEvent::Closed { reason, .. }) = step {
                reasons.push(reason);
            }
        }
    };
    let (read, ()) = timeout(SOON, async { tokio::join!(reading, serving) }).await.unwrap();
    assert_eq!(read, b"");
    assert_eq!(reasons, [Closed::TimedOut(Timer::Handshake)]);
}

/// A socket that is dropped with unread input resets the connection, and some systems then drop what the client has not read
/// yet: the reason of its refusal.
#[tokio::test]
async fn a_refused_client_that_goes_on_talking_sees_no_reset() {
    let listener = Listener::bind("127.0.0.1:0", ServerConfig::default()).await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let connect = [0x10, 0x0E, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 1, b'c'];
    client.write_all(&connect).await.unwrap();
    client.write_all(&[0xC0, 0].repeat(20_000)).await.unwrap();
    let mut accepted = timeout(SOON, listener.accept()).await.unwrap().unwrap();
    let serving = async {
        while let Some(step) = accepted.connection.next().await {
            if let Step::Event(ServerEvent::Connect(_)) = step {
                let now = accepted.connection.now();
                let machine = accepted.connection.machine_mut();
                machine
                    .refuse_client(now, ConnAckReason::Banned, ConnAckProperties::empty())
                    .unwrap();
            }
        }
        drop(accepted);
    };
    let reading = async {
        // What was sent has to stay readable after the other end is done.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut answer = [0; 5];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        drop(client);
        answer
    };
    let ((), answer) = timeout(SOON, async { tokio::join!(serving, reading) }).await.unwrap();
    assert_eq!(answer, [0x20, 3, 0, 0x8A, 0]);
}
