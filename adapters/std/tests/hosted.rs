//! A broker on threads goes through the scenarios of all adapters.

mod adapter;

use adapter::Std;
use mqtt_testbed::hosted;

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                mqtt_std::block_on(hosted::$name::<Std>());
            }
        )*
    };
}

mqtt_testbed::every_hosted_scenario!(scenarios);

impl hosted::Hosts for Std {
    fn host(host: mqtt_std::broker::Host) -> Result<mqtt_std::broker::Running, mqtt_std::broker::StartError> {
        mqtt_std::broker::start(host)
    }
}
