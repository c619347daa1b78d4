//! What a broker on any adapter has to do. Each panics if something is not as it should be.

mod ending;
mod serving;
mod storing;
mod streaming;
mod wire;

pub use ending::*;
pub use serving::*;
pub use storing::*;
pub use streaming::*;
pub use wire::Wire;

use std::net::SocketAddr;
use std::time::Duration;

use mqtt_adapter::host::{Desk, Host, Listen, Running, StartError};
use mqtt_session::{BrokerConfig, Limits};

use crate::Adapter;

/// An adapter that hosts brokers.
pub trait Hosts: Adapter {
    /// Starts one.
    ///
    /// # Errors
    /// As the adapter's own.
    fn host(host: Host) -> Result<Running, StartError>;
}

/// Gives the names of all scenarios to a macro of the adapter, which makes a test of each.
#[macro_export]
macro_rules! every_hosted_scenario {
    ($tests:ident) => {
        $tests! {
            a_host_delivers_every_qos_and_size
            a_host_keeps_retained_messages
            a_long_replay_arrives_in_whole
            a_hosted_client_is_taken_over
            a_cut_client_leaves_a_will_to_the_host
            a_farewell_is_heard_before_a_broken_stream
            two_hundred_clients_hear_of_everything
            who_does_not_read_keeps_nobody_waiting
            many_messages_move_with_one_call
            a_silent_client_loses_its_place_in_time
            answers_may_come_from_other_threads
            a_host_that_ends_tells_its_clients
            an_address_in_use_is_told
            a_policy_that_panics_ends_the_host
            a_policy_that_cannot_be_made_is_told
            a_host_takes_streams_with_layers
            a_host_listens_at_paths
            a_host_believes_its_proxy
            a_host_goes_on_with_what_is_stored
            several_shards_are_one_broker
            every_qos_crosses_shards
        }
    };
}

/// A broker, ended with this value.
struct Hosted {
    broker: Running,
    address: SocketAddr,
}

impl Hosted {
    fn new<H: Hosts>(config: BrokerConfig) -> Self {
        Self::by::<H>(Host::new(config).listen(listener()))
    }

    fn by<H: Hosts>(host: Host) -> Self {
        let broker = H::host(host).expect("it starts");
        let address = broker.local_addr().expect("it listens");
        Self { broker, address }
    }

    /// What is found on the first shard.
    fn look<R: Send + 'static>(&self, look: impl FnOnce(&mut Desk<'_>) -> R + Send + 'static) -> R {
        self.look_at(0, look)
    }

    fn look_at<R: Send + 'static>(&self, shard: usize, look: impl FnOnce(&mut Desk<'_>) -> R + Send + 'static) -> R {
        let (send, receive) = std::sync::mpsc::channel();
        self.broker.handles()[shard].run(move |desk| {
            let _ = send.send(look(desk));
        });
        receive.recv().expect("the shard is there")
    }

    fn wire(&self) -> Wire {
        Wire::open(self.address)
    }
}

fn listener() -> Listen {
    Listen::tcp("127.0.0.1:0").name("plain")
}

fn config(limits: Limits) -> BrokerConfig {
    let mut config = BrokerConfig::new(7);
    config.client.session.limits = limits;
    config
}

/// What is long for anything here.
const LONG: Duration = Duration::from_secs(20);
