//! Certificates of clients that are connected, when other ones have come into force.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use mqtt_adapter::ServerLayers;
use mqtt_adapter::host::{Desk, ShardHandle};
use mqtt_proto::{Disconnect, DisconnectReason};
use mqtt_session::ConnectionId;

use super::rules::{Rules, SharedRules};

/// Sends away those whose certificates their listeners would not take any more.
pub(super) struct Recheck {
    pub(super) shards: Vec<ShardHandle>,
    /// What is on the streams of listeners now, by their names.
    pub(super) layers: HashMap<String, ServerLayers>,
    pub(super) in_force: SharedRules,
    /// Those that came into force with these layers.
    pub(super) rules: Arc<Rules>,
    /// A client that has come to a listener is connected after this, or gone.
    pub(super) coming: Duration,
}

/// A client, and what it has shown.
struct Shown {
    connection: ConnectionId,
    listener: Arc<str>,
    certificates: Vec<Bytes>,
}

impl Recheck {
    /// On a thread of its own, since each certificate takes a while. Those who were about to come in by the old rules are looked
    /// at when they have.
    pub(super) fn start(self) {
        let thread = thread::Builder::new().name("certificates".to_owned()).spawn(move || {
            self.look();
            thread::sleep(self.coming);
            self.look();
        });
        if let Err(error) = thread {
            tracing::error!(%error, "the certificates of clients that are connected cannot be looked at again");
        }
    }

    fn look(&self) {
        for shard in &self.shards {
            let (tell, shown) = channel();
            shard.run(move |desk| {
                let _ = tell.send(shown_at(desk));
            });
            // A shard that has ended has no clients.
            let Ok(shown) = shown.recv() else { continue };
            let gone: Vec<_> = shown.into_iter().filter(|shown| !self.admits(shown)).collect();
            // What came into force after these is looked at by itself.
            if gone.is_empty() || !self.in_force.are(&self.rules) {
                continue;
            }
            shard.run(move |desk| {
                for client in gone {
                    send_away(desk, &client);
                }
            });
        }
    }

    fn admits(&self, shown: &Shown) -> bool {
        let layers = self.layers.get(&*shown.listener);
        layers.is_none_or(|layers| layers.admits(&shown.certificates))
    }
}

fn shown_at(desk: &Desk<'_>) -> Vec<Shown> {
    let shown = desk.connections().filter_map(|(connection, origin)| {
        let tls = origin.tls.as_ref()?;
        Some(Shown {
            connection,
            listener: Arc::clone(&origin.listener),
            certificates: tls.peer_certificates.clone(),
        })
    });
    shown.collect()
}

fn send_away(desk: &mut Desk<'_>, client: &Shown) {
    let peer = desk.origin(client.connection).and_then(|origin| origin.peer);
    tracing::info!(
        peer = peer.map(tracing::field::display),
        listener = %client.listener,
        "a client is sent away: its certificate counts no more"
    );
    let farewell = Disconnect::new(DisconnectReason::NotAuthorized);
    desk.broker.disconnect(desk.now, client.connection, farewell);
}
