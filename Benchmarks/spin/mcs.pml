/* Peers/mcs.S: each of CPUS processors takes an MCS lock once, counts, and gives it back. */
#ifndef CPUS
#define CPUS 4
#endif
#define NOBODY 255

byte tail = NOBODY;
byte after[CPUS] = NOBODY;    /* who waits behind the processor */
bool waits[CPUS];
byte count;

proctype processor(byte me) {
  byte before, seen;
  after[me] = NOBODY;
  waits[me] = true;
  atomic { before = tail; tail = me }
  if
  :: before == NOBODY
  :: else -> after[before] = me; !waits[me]
  fi;
  seen = count;
  count = seen + 1;
  if
  :: after[me] != NOBODY
  :: else ->
     if
     :: atomic { tail == me -> tail = NOBODY; goto done }
     :: atomic { tail != me -> skip }
     fi;
     after[me] != NOBODY
  fi;
  waits[after[me]] = false;
done: skip
}

init {
  byte c;
  atomic { for (c : 0 .. CPUS - 1) { run processor(c) } }
  _nr_pr == 1 -> assert(count == CPUS && tail == NOBODY)
}
