//! The controller: a serial line, a clock, and how deep the stack was.
//!
//! The registers are those of ARM's CMSDK UART, where the MPS2 boards have it.

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use mqtt_session::Instant;

use crate::Port;

const UART: *mut u32 = 0x4000_4000 as *mut u32;
const TICKS_PER_MICROSECOND: u64 = 25;
/// The clock counts down from here, again and again: every 0.67 s.
const RELOAD: u32 = 0x00FF_FFFF;

#[derive(Clone, Copy)]
enum Register {
    Data = 0,
    State = 1,
    Control = 2,
    BaudDivisor = 4,
}

const TRANSMITTER_FULL: u32 = 1;
const RECEIVER_FULL: u32 = 2;
const BOTH_ENABLED: u32 = 3;
const SHORTEST_BAUD_DIVISOR: u32 = 16;

/// The stack is painted with this before the program starts.
const PAINT: u32 = 0xCCCC_CCCC;

fn get(register: Register) -> u32 {
    // SAFETY: on this board a register of the UART stands at this address.
    unsafe { UART.add(register as usize).read_volatile() }
}

fn set(register: Register, value: u32) {
    // SAFETY: as above; no register of the UART reaches into memory.
    unsafe { UART.add(register as usize).write_volatile(value) }
}

/// The serial line and the clock.
pub struct Board {
    clock: SYST,
    last: u32,
    ticks: u64,
}

impl Board {
    /// Takes the serial line and the clock, which are there once.
    #[must_use]
    pub fn take() -> Option<Self> {
        let mut clock = cortex_m::Peripherals::take()?.SYST;
        clock.set_clock_source(SystClkSource::Core);
        clock.set_reload(RELOAD);
        clock.clear_current();
        clock.enable_counter();
        set(Register::BaudDivisor, SHORTEST_BAUD_DIVISOR);
        set(Register::Control, BOTH_ENABLED);
        Some(Self {
            clock,
            last: RELOAD,
            ticks: 0,
        })
    }

    /// A byte that has arrived.
    pub fn receive(&mut self) -> Option<u8> {
        (get(Register::State) & RECEIVER_FULL != 0).then(|| get(Register::Data) as u8)
    }

    /// Sends a byte, if there is room for it.
    pub fn transmit(&mut self, byte: u8) -> bool {
        let has_room = get(Register::State) & TRANSMITTER_FULL == 0;
        if has_room {
            set(Register::Data, u32::from(byte));
        }
        has_room
    }

    /// Microseconds since the start; to be asked more often than the clock begins anew.
    pub fn micros(&mut self) -> u64 {
        let current = self.clock.cvr.read();
        self.ticks += u64::from(self.last.wrapping_sub(current) & RELOAD);
        self.last = current;
        self.ticks / TICKS_PER_MICROSECOND
    }
}

/// A serial line is always open.
impl Port for &mut Board {
    fn now(&mut self) -> Instant {
        Instant::from_micros(self.micros())
    }

    fn open(&mut self) -> bool {
        true
    }

    fn read(&mut self, into: &mut [u8]) -> Option<usize> {
        let mut count = 0;
        for (place, byte) in into.iter_mut().zip(core::iter::from_fn(|| self.receive())) {
            *place = byte;
            count += 1;
        }
        Some(count)
    }

    fn write(&mut self, bytes: &[u8]) -> Option<usize> {
        Some(bytes.iter().take_while(|byte| self.transmit(**byte)).count())
    }
}

/// How many bytes of the stack were ever used.
#[must_use]
pub fn stack_depth() -> u32 {
    unsafe extern "C" {
        static _stack_end: u32;
        static _stack_start: u32;
    }
    let (mut lowest, highest) = (&raw const _stack_end, &raw const _stack_start);
    // SAFETY: the linker script puts the stack between these two, and the paint was written there before the start. What
    // is read lies below what is in use.
    unsafe {
        while lowest < highest && lowest.read_volatile() == PAINT {
            lowest = lowest.add(1);
        }
    }
    (highest as usize - lowest as usize) as u32
}
