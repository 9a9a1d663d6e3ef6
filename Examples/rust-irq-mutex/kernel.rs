//! A kernel of two threads for one x86-64 processor. The timer takes the CPU away from whoever has it; what
//! threads and handlers share lies in a `Mutex` whose guard keeps interrupts off.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use core::panic::PanicInfo;

mod mutex;
use mutex::Mutex;

global_asm!(include_str!("boot.S"), options(att_syntax));

// MARK: What is shared

/// Keys that nobody has read yet, oldest first.
struct Keys {
    codes: [u8; 2],
    count: usize,
}

static KEYS: Mutex<Keys> = Mutex::new(Keys { codes: [0; 2], count: 0 });

/// The last two bytes that were written; they belong together.
static LOG: Mutex<(u8, u8)> = Mutex::new((0, 0));

impl Keys {
    /// A key that finds no room is dropped.
    fn put(&mut self, code: u8) {
        if let Some(place) = self.codes.get_mut(self.count) {
            *place = code;
            self.count += 1;
        }
    }

    fn take(&mut self) -> Option<u8> {
        if self.count == 0 {
            return None;
        }
        self.count -= 1;
        let first = self.codes[0];
        self.codes[0] = self.codes[1];
        self.codes[1] = 0;
        Some(first)
    }
}

/// Writes a byte, first to the log, then out.
fn write(byte: u8) {
    let mut log = LOG.lock();
    *log = (byte, byte);
    outb(0x3F8, byte);
}

// MARK: Threads

/// Echoes keys.
extern "C" fn echo() -> ! {
    loop {
        let key = KEYS.lock().take();
        match key {
            Some(key) => write(key),
            // Nothing happens until the next interrupt.
            None => halt(),
        }
    }
}

/// Writes dots, and looks whether the log is whole.
extern "C" fn dots() -> ! {
    loop {
        write(b'.');
        let log = LOG.lock();
        if log.0 != log.1 {
            panic!();
        }
        drop(log);
        round();
    }
}

extern "C" {
    fn switch_stacks(from: *mut u64, to: u64);
    /// Prepares a stack on which `entry` begins, and returns its stack pointer.
    fn prepare(top: u64, entry: extern "C" fn() -> !) -> u64;
    fn begin(stack: u64) -> !;
    static thread0_stack_top: u8;
    static thread1_stack_top: u8;
}

struct Threads {
    stacks: [u64; 2],
    current: usize,
}

static mut THREADS: Threads = Threads { stacks: [0; 2], current: 0 };

/// To the other thread; returns when it is this one's turn again. Interrupts are off.
unsafe fn switch() {
    let threads = core::ptr::addr_of_mut!(THREADS);
    let old = (*threads).current;
    let new = old ^ 1;
    (*threads).current = new;
    let from = core::ptr::addr_of_mut!((*threads).stacks[old & 1]);
    switch_stacks(from, (*threads).stacks[new & 1]);
}

// MARK: Interrupts

const TIMER: u64 = 0x20;
const KEYBOARD: u64 = 0x21;

#[no_mangle]
extern "C" fn interrupt(vector: u64) {
    match vector {
        TIMER => {
            end_of_interrupt();
            unsafe { switch() };
        }
        KEYBOARD => {
            let code = inb(0x60);
            if code < 0x80 {
                KEYS.lock().put(code);
            }
            end_of_interrupt();
        }
        _ => panic!(),
    }
}

fn end_of_interrupt() {
    outb(0x20, 0x20);
}

// MARK: The machine

fn outb(port: u16, value: u8) {
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags)) }
}

fn inb(port: u16) -> u8 {
    let value: u8;
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags)) }
    value
}

fn halt() {
    unsafe { asm!("hlt", options(nomem, nostack)) }
}

/// Two 8259 controllers, vectors from 20h on, timer and keyboard; a timer of 1 kHz.
fn start_devices() {
    for (port, value) in [
        (0x20, 0x11), (0x21, 0x20), (0x21, 0x04), (0x21, 0x01), (0xA0, 0x11), (0xA1, 0x28), (0xA1, 0x02),
        (0xA1, 0x01), (0x21, 0xFC), (0xA1, 0xFF), (0x43, 0x34), (0x40, 0xA9), (0x40, 0x04),
    ] {
        outb(port, value);
    }
    while inb(0x64) & 1 != 0 {
        inb(0x60);
    }
}

/// For boots that shall end: QEMU is left after so many dots. 0: never.
#[no_mangle]
static mut ROUNDS: u32 = 0;

fn round() {
    unsafe {
        let rounds = core::ptr::addr_of_mut!(ROUNDS);
        if *rounds != 0 {
            *rounds -= 1;
            if *rounds == 0 {
                outb(0xF4, 0);
            }
        }
    }
}

/// The number behind the first `=` of a command line, as in "rounds=100"; 0 if there is none.
unsafe fn number(mut line: *const u8) -> u32 {
    let mut value = 0;
    let mut seen = false;
    while *line != 0 {
        match *line {
            b'=' => seen = true,
            digit @ b'0'..=b'9' if seen => value = value * 10 + (digit - b'0') as u32,
            _ => {}
        }
        line = line.add(1);
    }
    value
}

#[no_mangle]
extern "C" fn kernel_main(boot: *const u32) -> ! {
    start_devices();
    unsafe {
        if *boot & 4 != 0 {
            ROUNDS = number(*boot.add(4) as *const u8);
        }
        let threads = core::ptr::addr_of_mut!(THREADS);
        (*threads).stacks[0] = prepare(core::ptr::addr_of!(thread0_stack_top) as u64, echo);
        (*threads).stacks[1] = prepare(core::ptr::addr_of!(thread1_stack_top) as u64, dots);
        begin((*threads).stacks[0])
    }
}

#[no_mangle]
#[inline(never)]
extern "C" fn kernel_panic() -> ! {
    outb(0xF4, 1); // leaves QEMU
    loop {
        unsafe { asm!("cli", "hlt") }
    }
}

#[panic_handler]
fn panicked(_: &PanicInfo) -> ! {
    kernel_panic()
}
