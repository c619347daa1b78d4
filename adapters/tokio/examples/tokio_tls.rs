//! TLS with a certificate at both ends. The certificates are made here; a real client reads them from files, with
//! `Trust::roots_file` and `Identity::from_pem_files`.

use std::time::Duration;

use mqtt_tokio::session::{Accept, ServerConfig, ServerEvent};
use mqtt_tokio::{
    ClientOptions, ClientTrust, Identity, Listener, Message, QoS, ServerLayers, Step, Tls, TlsServer, Trust,
};

type Error = Box<dyn std::error::Error + Send + Sync>;

async fn serve(listener: Listener) -> Result<(), Error> {
    let mut connection = listener.accept().await?.connection;
    while let Some(step) = connection.next().await {
        match step {
            Step::Event(ServerEvent::Connect(connect)) => {
                let shown = connection.tls().map_or(0, |tls| tls.peer_certificates.len());
                println!("server: {} shows {shown} certificate", connect.client_id);
                let now = connection.now();
                connection.machine_mut().accept(now, Accept::new())?;
            }
            Step::Event(ServerEvent::Message(received)) => println!("server: {:?}", received.message),
            _ => {}
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let server = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let client = rcgen::generate_simple_self_signed(["sensor-7".to_owned()])?;

    // A server whose clients have to show this certificate, or one of this authority.
    let identity = Identity::from_pem(server.cert.pem(), server.signing_key.serialize_pem())?;
    let tls = TlsServer::new(identity).clients(ClientTrust::roots_pem(client.cert.pem())?)?;
    let listener = Listener::bind("127.0.0.1:0", ServerConfig::default()).await?;
    let url = format!("mqtts://localhost:{}", listener.local_addr()?.port());
    let serving = tokio::spawn(serve(listener.layers(ServerLayers::new().tls(tls))));

    // A client that trusts this certificate, or this authority, and shows its own.
    let identity = Identity::from_pem(client.cert.pem(), client.signing_key.serialize_pem())?;
    let tls = Tls::new(Trust::roots_pem(server.cert.pem())?).identity(identity);
    let options = ClientOptions::from_url(&url)?.client_id("sensor-7")?;
    let client = mqtt_tokio::connect(options.tls(tls)).await?;
    let message = Message::new("temperature", "21.5")?.qos(QoS::AtLeastOnce);
    println!("client: {:?}", client.publish(message).await?);
    client.disconnect(Duration::from_secs(5)).await?;
    serving.await??;

    // Without trust there is no connection, and the error says what to try.
    let listener = Listener::bind("127.0.0.1:0", ServerConfig::default()).await?;
    let url = format!("mqtts://localhost:{}", listener.local_addr()?.port());
    let identity = Identity::from_pem(server.cert.pem(), server.signing_key.serialize_pem())?;
    let serving = tokio::spawn(serve(
        listener.layers(ServerLayers::new().tls(TlsServer::new(identity))),
    ));
    let options = ClientOptions::from_url(&url)?.tls(Tls::new(Trust::pinned_sha256([[0; 32]])));
    match mqtt_tokio::connect(options).await {
        Ok(_) => return Err("it trusts a server that it does not know".into()),
        Err(failure) => println!("client: {failure}"),
    }
    serving.await?
}
