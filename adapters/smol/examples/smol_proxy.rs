//! Through a proxy: HTTP CONNECT and SOCKS5, as a dialer of one's own. What a URL asks for above TCP goes through it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mqtt_smol::session::{Accept, ServerConfig, ServerEvent};
use mqtt_smol::{
    ClientOptions, DialError, Endpoint, Identity, Listener, Message, QoS, ServerLayers, Step, Tls, TlsServer, Trust,
    dial_by,
};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A stream to the endpoint, by HTTP CONNECT.
async fn by_http(proxy: SocketAddr, endpoint: Endpoint) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(proxy).await?;
    let target = endpoint.authority();
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // One byte at a time: what follows the answer belongs to the server.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < 8192 {
        let mut next = [0];
        stream.read_exact(&mut next).await?;
        answer.extend(next);
    }
    match answer.starts_with(b"HTTP/1.1 200 ") {
        true => Ok(stream),
        false => Err(io::Error::other("the proxy refuses")),
    }
}

/// A stream to the endpoint, by SOCKS5; the proxy resolves the name.
async fn by_socks(proxy: SocketAddr, endpoint: Endpoint) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(proxy).await?;
    // Version 5, and one method: no user name.
    stream.write_all(&[5, 1, 0]).await?;
    let mut method = [0; 2];
    stream.read_exact(&mut method).await?;
    let len = u8::try_from(endpoint.host().len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut request = vec![5, 1, 0, 3, len];
    request.extend(endpoint.host().as_bytes());
    request.extend(endpoint.port().to_be_bytes());
    stream.write_all(&request).await?;
    // The answer has an address of IPv4 with a port, which nobody needs.
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).await?;
    match (method, answer) {
        ([5, 0], [5, 0, 0, 1, ..]) => Ok(stream),
        _ => Err(io::Error::other("the proxy refuses")),
    }
}

async fn serve(listener: Listener) -> Result<(), Error> {
    let mut connection = listener.accept().await?.connection;
    while let Some(step) = connection.next().await {
        let now = connection.now();
        match step {
            Step::Event(ServerEvent::Connect(_)) => connection.machine_mut().accept(now, Accept::new())?,
            Step::Event(ServerEvent::Message(received)) => println!("server: {:?}", received.message),
            _ => {}
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    smol::block_on(run())
}

async fn run() -> Result<(), Error> {
    let proxy = mqtt_testbed::tunnel()?;
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let identity = Identity::from_pem(certificate.cert.pem(), certificate.signing_key.serialize_pem())?;
    let tls = Tls::new(Trust::pinned_pem(certificate.cert.pem())?);
    let message = Message::new("temperature", "21.5")?.qos(QoS::AtLeastOnce);

    // TLS to the server, through the proxy.
    let listener = Listener::bind("127.0.0.1:0", ServerConfig::default()).await?;
    let url = format!("mqtts://localhost:{}", listener.local_addr()?.port());
    let layers = ServerLayers::new().tls(TlsServer::new(identity));
    let serving = smol::spawn(serve(listener.layers(layers)));
    let dialer = dial_by(move |endpoint| async move { by_http(proxy, endpoint).await.map_err(DialError::connect) });
    let client =
        mqtt_smol::connect_with(ClientOptions::from_url(&url)?.client_id("sensor-7")?.tls(tls), dialer).await?;
    println!("by HTTP CONNECT: {:?}", client.publish(message.clone()).await?);
    client.disconnect(Duration::from_secs(5)).await?;
    serving.await?;

    let listener = Listener::bind("127.0.0.1:0", ServerConfig::default()).await?;
    let url = format!("mqtt://localhost:{}", listener.local_addr()?.port());
    let serving = smol::spawn(serve(listener));
    let dialer = dial_by(move |endpoint| async move { by_socks(proxy, endpoint).await.map_err(DialError::connect) });
    let client = mqtt_smol::connect_with(ClientOptions::from_url(&url)?.client_id("sensor-7")?, dialer).await?;
    println!("by SOCKS5: {:?}", client.publish(message).await?);
    client.disconnect(Duration::from_secs(5)).await?;
    serving.await
}
