/* Peers/ticket.S: each of CPUS processors takes a ticket lock once, counts, and gives it back. */
#ifndef CPUS
#define CPUS 8
#endif

byte next_ticket, now_serving, count;

proctype processor() {
  byte ticket, seen;
  atomic { ticket = next_ticket; next_ticket++ }
  now_serving == ticket;
  seen = count;
  count = seen + 1;
  now_serving = ticket + 1
}

init {
  byte c;
  atomic { for (c : 1 .. CPUS) { run processor() } }
  _nr_pr == 1 -> assert(count == CPUS)
}
