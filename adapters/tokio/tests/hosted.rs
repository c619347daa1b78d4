//! A broker on tokio goes through the scenarios of all adapters.

mod adapter;

use adapter::Tokio;
use mqtt_testbed::hosted;

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                hosted::$name::<Tokio>().await;
            }
        )*
    };
}

mqtt_testbed::every_hosted_scenario!(scenarios);

impl hosted::Hosts for Tokio {
    fn host(host: mqtt_tokio::broker::Host) -> Result<mqtt_tokio::broker::Running, mqtt_tokio::broker::StartError> {
        mqtt_tokio::broker::start(host)
    }
}
