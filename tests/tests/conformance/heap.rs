//! Counts what a piece of code allocates, on its own thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATED_BYTES: Cell<usize> = const { Cell::new(0) };
}

/// How many bytes a piece of code asked the heap for, freed or not.
pub(crate) fn bytes_allocated_by(run: impl FnOnce()) -> usize {
    let before = ALLOCATED_BYTES.get();
    run();
    ALLOCATED_BYTES.get() - before
}

struct Counting;

#[global_allocator]
static HEAP: Counting = Counting;

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract; the counter is a plain
// thread-local number without a destructor, so touching it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED_BYTES.set(ALLOCATED_BYTES.get() + layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and all memory is from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}
