/* What Peers/kernel.S does, as somebody would model it for SPIN: a step for each operation on locks and
 * on the interrupt flag, and for each register-only instruction of PAD.
 *
 * CPUS processors with TASKS tasks each, a timer and DEVICES devices. A task takes A, then B within it,
 * for ever. The timer takes A and goes on with any task; where there are devices, it lets them
 * interrupt it for a while. A device takes B. Locks save the interrupt flag.
 *
 * WRONG  1  the last task of the last processor turns interrupts on as it gives B back
 *        2  the last task of the last processor takes B, and nothing else, with interrupts on
 *        3  the tasks of the last processor take B first, then A
 * NO_REGIONS: there is not even the one step for each region that PAD=0 leaves.
 * ROUND_ROBIN: the timer goes on with the next task, as the machine code does. */
#ifndef CPUS
#define CPUS 1
#endif
#ifndef TASKS
#define TASKS 1
#endif
#ifndef DEVICES
#define DEVICES 0
#endif
#ifndef PAD
#define PAD 0
#endif
#ifndef WRONG
#define WRONG 0
#endif

#define A 0
#define B 1
/* Contexts of a processor: its tasks, the timer, the devices. */
#define TIMER  TASKS
#define DEVICE (TASKS + 1)
#define WIDTH  (TASKS + 1 + DEVICES)
#define NOBODY 255

byte running[CPUS];           /* the context that the processor executes */
bool irq_on[CPUS];           /* its interrupt flag */
#if TASKS > 1 && defined ROUND_ROBIN
byte preempted[CPUS];         /* the task that the timer interrupted */
#endif
#if DEVICES > 0
byte beneath[CPUS];           /* the context that the device interrupted */
#endif
byte holder[2] = NOBODY;

#define mine       (running[cpu] == me)
#define self       (cpu * WIDTH + me)
#define step(what) atomic { mine -> what }

/* What lies before, between and in the critical sections: PAD steps, and one more that leaves the region.
 * Each comes with its semicolon, so that it can be nothing at all. */
#ifdef NO_REGIONS
#define counter
#define region
#elif PAD > 0
#define counter byte n;
#define region \
  do \
  :: atomic { mine && n < PAD -> n++ } \
  :: atomic { mine && n == PAD -> n = 0; break } \
  od;
#else
#define counter
#define region skip;
#endif

inline acquire(lock, flags) {
  step(flags = irq_on[cpu]);
  step(irq_on[cpu] = false);
  atomic { mine && holder[lock] == NOBODY -> holder[lock] = self }
}
inline release(lock, flags) {
  step(assert(holder[lock] == self); holder[lock] = NOBODY);
  step(irq_on[cpu] = flags)
}
inline release_enabling(lock) {
  step(assert(holder[lock] == self); holder[lock] = NOBODY);
  step(irq_on[cpu] = true)
}

proctype task(byte cpu; byte me) {
  bool outer, inner;
  counter
  do
  :: region
#if WRONG == 1
     acquire(A, outer); region acquire(B, inner); region
     if
     :: cpu == CPUS - 1 && me == TASKS - 1 -> release_enabling(B)
     :: else -> release(B, inner)
     fi;
     region
     step(assert(!irq_on[cpu]));
     release(A, outer)
#elif WRONG == 2
     if
     :: cpu == CPUS - 1 && me == TASKS - 1 ->
        atomic { mine && holder[B] == NOBODY -> holder[B] = self };
        region
        step(holder[B] = NOBODY)
     :: else ->
        acquire(A, outer); region acquire(B, inner); region
        release(B, inner); region release(A, outer)
     fi
#elif WRONG == 3
     if
     :: cpu == CPUS - 1 ->
        acquire(B, outer); region acquire(A, inner); region
        release(A, inner); region release(B, outer)
     :: else ->
        acquire(A, outer); region acquire(B, inner); region
        release(B, inner); region release(A, outer)
     fi
#else
     acquire(A, outer); region acquire(B, inner); region
     release(B, inner); region release(A, outer)
#endif
  od
}

/* Every task that does not run was interrupted, so that its interrupt flag comes back as on. */
#define resume(which) atomic { mine -> running[cpu] = which; irq_on[cpu] = true }

proctype timer(byte cpu) {
  byte me = TIMER;
  bool flags;
  counter
  do
  :: atomic { irq_on[cpu] && running[cpu] < TIMER ->
#if TASKS > 1 && defined ROUND_ROBIN
       preempted[cpu] = running[cpu];
#endif
       irq_on[cpu] = false; running[cpu] = me };
     acquire(A, flags); region release(A, flags);
#if DEVICES > 0
     step(irq_on[cpu] = true);
     region
     step(irq_on[cpu] = false);
#endif
#if TASKS == 1
     resume(0)
#elif defined ROUND_ROBIN
     atomic { mine -> running[cpu] = (preempted[cpu] + 1) % TASKS; preempted[cpu] = 0;
       irq_on[cpu] = true }
#else
     if
     :: resume(0)
     :: resume(1)
#if TASKS > 2
     :: resume(2)
#endif
#if TASKS > 3
     :: resume(3)
#endif
     fi
#endif
  od
}

#if DEVICES > 0
proctype device(byte cpu; byte me) {
  bool flags;
  counter
  do
  :: atomic { irq_on[cpu] && running[cpu] <= TIMER ->
       beneath[cpu] = running[cpu]; irq_on[cpu] = false; running[cpu] = me };
     acquire(B, flags); region release(B, flags);
     atomic { mine -> running[cpu] = beneath[cpu]; beneath[cpu] = 0; irq_on[cpu] = true }
  od
}
#endif

init {
  atomic {
    byte c, t;
    for (c : 0 .. CPUS - 1) {
      irq_on[c] = true;
      for (t : 0 .. TASKS - 1) { run task(c, t) }
      run timer(c);
#if DEVICES > 0
      for (t : 0 .. DEVICES - 1) { run device(c, DEVICE + t) }
#endif
    }
    c = 0; t = 0
  }
}
