//! tokio, as the testbed sees it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mqtt_testbed::{Adapter, Boxed, Hub, Served};
use mqtt_tokio::session::{Instant, ServerConnection, ServerEvent};
use mqtt_tokio::{Client, ClientOptions, Connection, Listener, ServerLayers, Step};
use tokio::net::TcpStream;

pub(crate) struct Tokio;

impl Adapter for Tokio {
    fn start(options: ClientOptions) -> Client {
        mqtt_tokio::start(options)
    }

    fn sleep(time: Duration) -> Boxed<()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn serve_with(hub: Arc<Hub>, port: u16, layers: ServerLayers) -> Boxed<SocketAddr> {
        Box::pin(async move {
            let listener = Listener::bind(("127.0.0.1", port), hub.config())
                .await
                .unwrap()
                .layers(layers);
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move {
                while let Some(accepted) = mqtt_testbed::unless_shut(&hub, listener.accept()).await {
                    let accepted = accepted.unwrap();
                    let hub = Arc::clone(&hub);
                    tokio::spawn(async move {
                        mqtt_testbed::serve(hub, Server(accepted.connection)).await;
                        drop(accepted.place);
                    });
                }
            });
            address
        })
    }
}

struct Server(Connection<ServerConnection, TcpStream>);

impl Served for Server {
    async fn next(&mut self) -> Option<Step<ServerEvent>> {
        self.0.next().await
    }

    fn machine_mut(&mut self) -> &mut ServerConnection {
        self.0.machine_mut()
    }

    fn now(&self) -> Instant {
        self.0.now()
    }
}
