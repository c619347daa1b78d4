//! What rumqttc does with a server: `rumqttc-walk PORT VERSION [shared] [ws] [ca=FILE]`.

#![allow(clippy::duplicate_mod, reason = "the same walk, in the types of each version")]

use rumqttc::Transport;

type Error = Box<dyn std::error::Error>;

const MEBIBYTE: usize = 1 << 20;

mod v3_1_1;
mod v5;

/// Where to walk, and what is there.
struct Place {
    port: u16,
    has_shared: bool,
    is_websocket: bool,
    authority: Option<Vec<u8>>,
}

impl Place {
    /// What stands for the host: over WebSocket, an address of the web.
    fn host(&self) -> String {
        match (self.is_websocket, &self.authority) {
            (false, _) => "127.0.0.1".into(),
            (true, None) => format!("ws://127.0.0.1:{}/mqtt", self.port),
            (true, Some(_)) => format!("wss://127.0.0.1:{}/mqtt", self.port),
        }
    }

    fn transport(&self) -> Transport {
        match (self.is_websocket, &self.authority) {
            (false, None) => Transport::tcp(),
            (false, Some(pem)) => Transport::tls(pem.clone(), None, None),
            (true, None) => Transport::ws(),
            (true, Some(pem)) => Transport::wss(pem.clone(), None, None),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().ok_or("a port is missing")?.parse()?;
    let version = arguments.next();
    let mut place = Place {
        port,
        has_shared: false,
        is_websocket: false,
        authority: None,
    };
    for word in arguments {
        match word.strip_prefix("ca=") {
            Some(file) => place.authority = Some(std::fs::read(file)?),
            None => {
                place.has_shared |= word == "shared";
                place.is_websocket |= word == "ws";
            }
        }
    }
    match version.as_deref() {
        Some("3.1.1") => v3_1_1::walk::everything(&place).await?,
        Some("5.0") => v5::walk::everything(&place).await?,
        _ => return Err("the version is 3.1.1 or 5.0".into()),
    }
    println!("done");
    Ok(())
}
