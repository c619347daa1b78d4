//! Connections, client and server side, leave nothing behind: no file, no thread, no task, no memory.
//!
//! `MQTT_CONNECTS=10000 cargo test -p mqtt-smol --test leaks -- --nocapture` makes many.
#![cfg(target_os = "linux")]

mod adapter;

use adapter::Smol;

#[global_allocator]
static HEAP: mqtt_testbed::CountingHeap = mqtt_testbed::CountingHeap;

#[test]
fn connections_leave_nothing_behind() {
    mqtt_testbed::in_own_process("connections_leave_nothing_behind", || {
        // smol does not tell how many tasks it has; each has memory, and those of connections have files.
        smol::block_on(mqtt_testbed::connections_leave_nothing::<Smol>(|| 0));
    });
}
