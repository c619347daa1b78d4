//! smol, as the testbed sees it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mqtt_smol::session::{Instant, ServerConnection, ServerEvent};
use mqtt_smol::{Client, ClientOptions, Connection, Listener, ServerLayers, Step};
use mqtt_testbed::{Adapter, Boxed, Hub, Served};
use smol::net::TcpStream;

pub(crate) struct Smol;

impl Adapter for Smol {
    fn start(options: ClientOptions) -> Client {
        mqtt_smol::start(options)
    }

    fn sleep(time: Duration) -> Boxed<()> {
        Box::pin(async move {
            smol::Timer::after(time).await;
        })
    }

    fn serve_with(hub: Arc<Hub>, port: u16, layers: ServerLayers) -> Boxed<SocketAddr> {
        Box::pin(async move {
            let listener = Listener::bind(("127.0.0.1", port), hub.config())
                .await
                .unwrap()
                .layers(layers);
            let address = listener.local_addr().unwrap();
            let accepting = async move {
                while let Some(accepted) = mqtt_testbed::unless_shut(&hub, listener.accept()).await {
                    let accepted = accepted.unwrap();
                    let hub = Arc::clone(&hub);
                    let serving = async move {
                        mqtt_testbed::serve(hub, Server(accepted.connection)).await;
                        drop(accepted.place);
                    };
                    smol::spawn(serving).detach();
                }
            };
            smol::spawn(accepting).detach();
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
