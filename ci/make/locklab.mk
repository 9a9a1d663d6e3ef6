# LockLab in a kernel's own Makefile: `include locklab.mk`. See docs/ci.md.

LOCKLAB ?= locklab
LOCKLAB_JOB ?= locklab.yml
LOCKLAB_BASELINE ?= locklab-baseline.txt
LOCKLAB_FLAGS ?=
# What the job's images are built by.
LOCKLAB_IMAGES ?=

.PHONY: locklab-check locklab-gate locklab-baseline

locklab-check: $(LOCKLAB_IMAGES)
	$(LOCKLAB) check $(LOCKLAB_JOB) $(LOCKLAB_FLAGS)

locklab-gate: $(LOCKLAB_IMAGES)
	$(LOCKLAB) gate $(LOCKLAB_JOB) --baseline $(LOCKLAB_BASELINE) --report ktap=locklab.ktap $(LOCKLAB_FLAGS)

# Accepts what is found now: look at what changes in the file before you commit it.
locklab-baseline: $(LOCKLAB_IMAGES)
	$(LOCKLAB) gate $(LOCKLAB_JOB) --baseline $(LOCKLAB_BASELINE) --write-baseline $(LOCKLAB_FLAGS)
