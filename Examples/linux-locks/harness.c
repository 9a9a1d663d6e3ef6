/* Calls Linux's own spinlocks as drivers do. Compiled in Linux's tree, with its headers; no code of Linux's
   is here. */
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <asm/msr.h>

#define CPUS 3

/* What boot would have set up: each CPU's copy of the variables that it has for itself, which GS leads to. The
   first CPU has the originals. They all lie near each other, as they are all there is of data. */
DEFINE_PER_CPU_ALIGNED(char, one_of_them);
DEFINE_PER_CPU_READ_MOSTLY(unsigned long, this_cpu_off);
DEFINE_PER_CPU_READ_MOSTLY(int, cpu_number);
unsigned long __per_cpu_offset[NR_CPUS];
static char copies[CPUS - 1][8192] __aligned(64);

/* Called on each CPU before anything else. */
void enter_cpu(long cpu)
{
	unsigned long offset = cpu ? copies[cpu - 1] + 4096 - (char __force *)&one_of_them : 0;

	__per_cpu_offset[cpu] = offset;
	*(unsigned long *)((char __force *)&this_cpu_off + offset) = offset;
	*(int *)((char __force *)&cpu_number + offset) = cpu;
	native_write_msr(MSR_GS_BASE, (u32)offset, (u32)(offset >> 32));
	local_irq_enable();
}

static DEFINE_RAW_SPINLOCK(lock);
static DEFINE_RAW_SPINLOCK(second);
unsigned int sum;

/* Right in tasks and in handlers. */
void use_irqsave(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	sum++;
	raw_spin_unlock_irqrestore(&lock, flags);
}

/* Two of them, one within the other. */
void use_nested(void)
{
	unsigned long outer, inner;

	raw_spin_lock_irqsave(&lock, outer);
	raw_spin_lock_irqsave(&second, inner);
	sum++;
	raw_spin_unlock_irqrestore(&second, inner);
	raw_spin_unlock_irqrestore(&lock, outer);
}

/* Right only for a lock that no handler takes, or in the handler itself. */
void use_plain(void)
{
	raw_spin_lock(&lock);
	sum++;
	raw_spin_unlock(&lock);
}
