//! Hosts with a store, and of several shards.

use std::num::NonZeroU16;
use std::path::Path;

use mqtt_adapter::host::{Host, StartError};
use mqtt_adapter::store::{FileStore, Writer};
use mqtt_session::proto::{DisconnectReason, Version};
use mqtt_session::{BrokerConfig, CleanStart, Message, QoS};

use super::wire::publish;
use super::{Hosted, Hosts, LONG, listener};
use crate::scenarios::{connected, message, number, options};
use crate::soon;

fn stored(path: &Path, shards: u16) -> (Host, Writer) {
    let writer = Writer::start(FileStore::open(path).unwrap()).unwrap();
    let host = Host::new(BrokerConfig::new(7)).listen(listener());
    let host = host.shards(NonZeroU16::new(shards).unwrap());
    (host.store(writer.clone()), writer)
}

/// What was acknowledged before the end is there in the next life, on one shard and on several.
pub async fn a_host_goes_on_with_what_is_stored<H: Hosts>() {
    for shards in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broker.redb");
        for life in 0..3_u32 {
            let (host, writer) = stored(&path, shards);
            let host = Hosted::by::<H>(host);
            let sessions: u64 = host.broker.reports().iter().map(|report| report.sessions).sum();
            assert_eq!(sessions, if life == 0 { 0 } else { 4 }, "{shards} shards, life {life}");
            for name in ["a", "b", "c", "d"] {
                let lasting = options(host.address, Version::V5, name).clean_start(CleanStart::Never);
                let client = connected::<H>(lasting.session_expiry(LONG * 100)).await;
                let mut kept = client.subscribe("kept", QoS::ExactlyOnce).await.unwrap();
                if life > 0 {
                    let incoming = soon::<H, _>("what was kept", kept.next()).await.unwrap();
                    assert_eq!(number(&incoming), life - 1);
                }
                client.disconnect(LONG).await.unwrap();
            }
            let publisher = connected::<H>(options(host.address, Version::V3_1_1, "publisher")).await;
            let kept = publisher.publish(message("kept", life, QoS::ExactlyOnce));
            soon::<H, _>("storing", kept).await.unwrap();
            publisher.disconnect(LONG).await.unwrap();
            host.broker.shutdown(DisconnectReason::ServerShuttingDown, LONG);
            let ended = host.broker.wait().unwrap();
            assert!(ended.iter().all(|ended| ended.is_complete));
            writer.close().unwrap();
        }
        let (host, _writer) = stored(&path, shards + 1);
        let error = H::host(host).unwrap_err();
        assert!(matches!(error, StartError::OtherShards(_)), "{error}");
    }
}

/// Clients on different shards are clients of one broker.
pub async fn several_shards_are_one_broker<H: Hosts>() {
    let host = Host::new(BrokerConfig::new(7)).shards(NonZeroU16::new(2).unwrap());
    let host = Hosted::by::<H>(host.listen(listener()));
    let mut clients: Vec<_> = (0..20)
        .map(|number| host.wire().connected(&format!("c{number}")))
        .collect();
    for client in &mut clients {
        client.subscribe("all");
    }
    // Nameless ones are served where they are.
    for _ in 0..10 {
        drop(host.wire().connected(""));
    }
    for publisher in 0..2 {
        for payload in [b"one", b"two"] {
            clients[publisher].send(&publish("all", payload));
        }
        for client in &mut clients {
            assert_eq!(client.packet(), publish("all", b"one"));
            assert_eq!(client.packet(), publish("all", b"two"));
        }
    }
    // Wherever it is, an earlier connection is taken over.
    for (number, first) in clients.iter_mut().enumerate() {
        let second = host.wire().connected(&format!("c{number}"));
        assert_eq!(first.rest(), [0xE0, 1, 0x8E], "DISCONNECT, session taken over");
        drop(second);
    }
    let figures: Vec<_> = (0..2)
        .map(|shard| host.look_at(shard, |desk| (desk.broker.figures(), desk.traffic())))
        .collect();
    for (figures, traffic) in &figures {
        assert!(figures.clients_maximum > 3, "{figures:?}");
        assert!(traffic.accepted > 0, "{traffic:?}");
    }
    let sent: u64 = figures.iter().map(|(_, traffic)| traffic.sent_to_peers).sum();
    assert!(sent > 0, "some were accepted on the other shard");
}

/// Every QoS goes from each shard to each.
pub async fn every_qos_crosses_shards<H: Hosts>() {
    let host = Host::new(BrokerConfig::new(7)).shards(NonZeroU16::new(2).unwrap());
    let host = Hosted::by::<H>(host.listen(listener()));
    let mut clients = Vec::new();
    for name in ["p", "q", "r", "s", "t", "u"] {
        let client = connected::<H>(options(host.address, Version::V5, name)).await;
        let all = client.subscribe("all", QoS::ExactlyOnce).await.unwrap();
        clients.push((client, all));
    }
    for publisher in 0..clients.len() {
        for qos in crate::scenarios::EVERY_QOS {
            let large = Message::new("all", vec![7; 100_000]).unwrap().qos(qos);
            soon::<H, _>("publishing", clients[publisher].0.publish(large))
                .await
                .unwrap();
            for (_, all) in &mut clients {
                let got = soon::<H, _>("a message", all.next()).await.unwrap().message;
                assert_eq!((got.qos, got.payload.len()), (qos, 100_000));
            }
        }
    }
}
