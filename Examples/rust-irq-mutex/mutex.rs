//! A spinlock that keeps interrupts off while its guard lives.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

pub struct Mutex<T> {
    taken: AtomicU32,
    data: UnsafeCell<T>,
}

unsafe impl<T: Send> Sync for Mutex<T> {}

pub struct Guard<'a, T> {
    mutex: &'a Mutex<T>,
    flags: u64,
}

impl<T> Mutex<T> {
    pub const fn new(data: T) -> Self {
        Mutex { taken: AtomicU32::new(0), data: UnsafeCell::new(data) }
    }

    pub fn lock(&self) -> Guard<'_, T> {
        let flags = lock_acquire(&self.taken);
        Guard { mutex: self, flags }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        lock_release(&self.mutex.taken, self.flags);
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        unsafe { &*self.mutex.data.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        unsafe { &mut *self.mutex.data.get() }
    }
}

// Not inlined, so that LockLab can be told their names.

#[no_mangle]
#[inline(never)]
extern "C" fn lock_acquire(taken: &AtomicU32) -> u64 {
    let flags: u64;
    unsafe { asm!("pushfq", "pop {}", "cli", out(reg) flags) }
    while taken.swap(1, Ordering::Acquire) != 0 {
        core::hint::spin_loop();
    }
    flags
}

#[no_mangle]
#[inline(never)]
extern "C" fn lock_release(taken: &AtomicU32, flags: u64) {
    taken.store(0, Ordering::Release);
    unsafe { asm!("push {}", "popfq", in(reg) flags) }
}
