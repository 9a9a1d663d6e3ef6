//! Markers for LockLab: what a kernel's code tells the checker. No library, no_std.
//!
//! A marker is a NOP of seven bytes (0F 1F 80 nn 00 4C 4B) with up to two arguments in EDX/RDX and
//! ECX/RCX. It does nothing on a processor (from the Pentium Pro on), in any ring.

#![allow(dead_code)]

use core::arch::asm;

/// How a lock keeps the interrupt flag.
#[derive(Clone, Copy)]
#[repr(usize)]
pub enum Kind {
    Plain = 0,
    Value = 1,
    Count = 2,
    Field = 3,
    Sleeping = 4,
}

macro_rules! mark {
    ($number:literal, $first:expr, $second:expr) => {{
        let value: usize;
        // Safety: a NOP.
        unsafe {
            asm!(
                concat!(".byte 0x0f, 0x1f, 0x80, ", $number, ", 0x00, 0x4c, 0x4b"),
                inout("eax") 0usize => value,
                in("edx") $first,
                in("ecx") $second,
                options(nostack, preserves_flags)
            );
        }
        value
    }};
}

/// Rule `assertion` when the condition is false. `text` ends with a zero: `c"a < b"`.
#[inline(always)]
pub fn assert(condition: bool, text: &core::ffi::CStr) {
    if !condition {
        mark!(1, text.as_ptr() as usize, 0usize);
    }
}

/// Before the first try for a lock.
#[inline(always)]
pub fn acquiring<T: ?Sized>(lock: &T, kind: Kind) {
    mark!(2, lock as *const T as *const u8 as usize, kind as usize);
}

/// The lock is owned. `flags`: the EFLAGS that the caller keeps; 0 for other kinds than `Value`.
#[inline(always)]
pub fn acquired<T: ?Sized>(lock: &T, kind: Kind, flags: usize) {
    mark!(3, lock as *const T as *const u8 as usize, kind as usize | flags & 0x200);
}

/// The lock was not had after all.
#[inline(always)]
pub fn gave_up<T: ?Sized>(lock: &T, kind: Kind) {
    mark!(4, lock as *const T as *const u8 as usize, kind as usize);
}

/// Before the lock is given up.
#[inline(always)]
pub fn releasing<T: ?Sized>(lock: &T, kind: Kind, flags: usize) {
    mark!(5, lock as *const T as *const u8 as usize, kind as usize | flags & 0x200);
}

/// The interrupt flag is as the caller will find it.
#[inline(always)]
pub fn released<T: ?Sized>(lock: &T, kind: Kind) {
    mark!(6, lock as *const T as *const u8 as usize, kind as usize);
}

/// One of 0 to n - 1: LockLab explores all of them. 0 on hardware.
#[inline(always)]
pub fn choose(n: usize) -> usize {
    mark!(7, n, 0usize)
}

/// Interrupts are explored from here on, until `interest_ends`.
#[inline(always)]
pub fn interest_begins() {
    mark!(8, 0usize, 0usize);
}

#[inline(always)]
pub fn interest_ends() {
    mark!(9, 0usize, 0usize);
}

/// Executions in which the condition is false are left out.
#[inline(always)]
pub fn assume(condition: bool) {
    if !condition {
        mark!(10, 0usize, 0usize);
    }
}
