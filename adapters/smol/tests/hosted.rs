//! A broker on smol goes through the scenarios of all adapters.

mod adapter;

use adapter::Smol;
use mqtt_testbed::hosted;

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                smol::block_on(hosted::$name::<Smol>());
            }
        )*
    };
}

mqtt_testbed::every_hosted_scenario!(scenarios);

impl hosted::Hosts for Smol {
    fn host(host: mqtt_smol::broker::Host) -> Result<mqtt_smol::broker::Running, mqtt_smol::broker::StartError> {
        mqtt_smol::broker::start(host)
    }
}
