//! A client in the shape of firmware: no operating system, a fixed arena as the only heap, a serial line to the server.
//!
//! - `program` is what the device does, the same on a microcontroller and on a host;
//! - `device` is its driver: one client, two small buffers, one [`Port`];
//! - `arena` is the heap, which knows its high-water mark;
//! - `board` is the controller, and `host` what stands in for it on a machine with an operating system: a server, a
//!   line that can be cut, and a heap that puts the device alone into the arena.
//!
//! `size.sh` prints what all of it takes.
#![no_std]

#[cfg(not(target_os = "none"))]
extern crate std;

pub mod arena;
pub mod device;
pub mod port;
pub mod program;
pub mod report;

#[cfg(target_os = "none")]
pub mod board;
#[cfg(not(target_os = "none"))]
pub mod host;

pub use arena::Arena;
pub use device::Device;
pub use port::Port;
pub use report::Report;

/// How much memory the heap of the device has.
pub const ARENA_BYTES: usize = 16 * 1024;
