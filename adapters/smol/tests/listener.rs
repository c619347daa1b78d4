//! The accept side: places.

use std::time::Duration;

use mqtt_smol::Listener;
use mqtt_smol::session::ServerConfig;
use smol::future::FutureExt;
use smol::net::TcpStream;

const SOON: Duration = Duration::from_secs(10);

async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    let late = async {
        smol::Timer::after(time).await;
        None
    };
    async { Some(future.await) }.or(late).await
}

#[test]
fn no_more_connections_are_accepted_than_there_are_places() {
    smol::block_on(async {
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
        let first = within(SOON, listener.accept()).await.unwrap().unwrap();
        let _second = within(SOON, listener.accept()).await.unwrap().unwrap();
        assert!(within(Duration::from_millis(100), listener.accept()).await.is_none());
        drop(first.place);
        within(SOON, listener.accept()).await.unwrap().unwrap();
    });
}
