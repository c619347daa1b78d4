//! The image: the program on the controller, in MQTT 3.1.1 and then in 5.0.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod image {
    use core::panic::PanicInfo;

    use mqtt_firmware::board::{Board, stack_depth};
    use mqtt_firmware::{ARENA_BYTES, Arena, Device, Report, program};
    use mqtt_session::Client;
    use mqtt_session::proto::Version;

    #[global_allocator]
    static ARENA: Arena<ARENA_BYTES> = Arena::new();

    #[cortex_m_rt::entry]
    fn main() -> ! {
        if let Some(mut board) = Board::take() {
            for version in [Version::V3_1_1, Version::V5] {
                // The server sees what went wrong: it gets no report.
                let _ = program::run(version, &mut board, report);
            }
        }
        stop()
    }

    fn report() -> Report {
        let marks = ARENA.marks();
        Report {
            client_bytes: size_of::<Client>() as u32,
            buffer_bytes: (size_of::<Device<&mut Board>>() - size_of::<Client>()) as u32,
            heap_held: marks.held as u32,
            heap_reach: marks.reach as u32,
            stack: stack_depth(),
        }
    }

    fn stop() -> ! {
        loop {
            cortex_m::asm::wfi();
        }
    }

    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        stop()
    }
}

/// On a host there is nothing to start: the program is run there by the test and by `measure`.
#[cfg(not(target_os = "none"))]
fn main() {}
