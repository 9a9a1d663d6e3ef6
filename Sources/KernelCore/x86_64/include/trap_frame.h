// How a debugger finds what an entry interrupted: DWARF call-frame information, in a section
// that is not loaded.
//
// TRAP_FRAME(pushed): from here on the CPU's frame, RIP first, lies `pushed` bytes above RSP. The
// interrupted code's RSP is always in it; the CFA is the frame's end.
#define TRAP_FRAME(pushed) \
        .cfi_startproc simple; \
        .cfi_signal_frame; \
        .cfi_def_cfa %rsp, pushed + 40; \
        .cfi_offset %rip, -40; \
        .cfi_offset %rsp, -16
