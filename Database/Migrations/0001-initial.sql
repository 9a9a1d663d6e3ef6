-- Runs, what they examined, what they found, and what people decided about it.
-- Times are UTC, ISO 8601. Lists are JSON arrays. Addresses are 64-bit patterns in a signed integer.

CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  started TEXT NOT NULL,
  finished TEXT,                      -- NULL: under way, or killed
  version TEXT NOT NULL,              -- of LockLab
  command TEXT NOT NULL,              -- as it was given
  outcome INTEGER                     -- exit status
) STRICT;

CREATE TABLE image (
  id INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,        -- SHA-256, hexadecimal
  arch TEXT NOT NULL,
  size INTEGER NOT NULL,
  origin TEXT NOT NULL                -- where it was last seen: 'builtin:NAME' or 'file:PATH'
) STRICT;

-- A scenario as its job defined it: a change of the definition makes a new row.
CREATE TABLE scenario (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,               -- SHA-256 of definition
  definition TEXT NOT NULL CHECK (json_valid(definition)),
  UNIQUE (name, digest)
) STRICT;

-- What became of a scenario in a run.
CREATE TABLE result (
  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
  scenario INTEGER NOT NULL REFERENCES scenario,
  image INTEGER NOT NULL REFERENCES image,
  verdict TEXT NOT NULL CHECK (verdict IN ('clean', 'violated', 'inconclusive', 'error')),
  met INTEGER NOT NULL CHECK (met IN (0, 1)),
  states INTEGER NOT NULL,
  instructions INTEGER NOT NULL,
  seconds REAL NOT NULL,
  peak_memory_bytes INTEGER NOT NULL,
  notes TEXT NOT NULL CHECK (json_valid(notes)),
  PRIMARY KEY (run, scenario, image)
) STRICT, WITHOUT ROWID;

-- A defect, whatever scenario, build or run it was seen in.
CREATE TABLE counterexample (
  id INTEGER PRIMARY KEY,
  fingerprint TEXT NOT NULL UNIQUE,   -- of the identity
  identity_version INTEGER NOT NULL,  -- of the algorithm that made the fingerprint
  rule TEXT NOT NULL,
  title TEXT NOT NULL,
  lock_classes TEXT NOT NULL CHECK (json_valid(lock_classes)),
  functions TEXT NOT NULL CHECK (json_valid(functions)),
  -- What the machine saw.
  machine_status TEXT NOT NULL DEFAULT 'new' CHECK (machine_status IN
    ('new', 'present', 'gone', 'reappeared', 'not-reachable-in-these-bounds')),
  -- What a person decided last; `triage` holds every decision.
  person_status TEXT NOT NULL DEFAULT 'unreviewed' CHECK (person_status IN
    ('unreviewed', 'confirmed', 'intentional', 'false-positive', 'fixed', 'duplicate'))
) STRICT;

CREATE INDEX counterexample_by_rule ON counterexample (rule);

-- One execution that shows a counterexample, with its evidence.
CREATE TABLE execution (
  id INTEGER PRIMARY KEY,
  counterexample INTEGER NOT NULL REFERENCES counterexample ON DELETE CASCADE,
  scenario INTEGER NOT NULL REFERENCES scenario,
  image INTEGER NOT NULL REFERENCES image,
  schedule TEXT NOT NULL CHECK (json_valid(schedule)),
  schedule_digest TEXT NOT NULL,      -- SHA-256 of schedule
  steps INTEGER NOT NULL,             -- instructions from the start to the violation
  injected TEXT NOT NULL CHECK (json_valid(injected)),
  interrupts INTEGER NOT NULL,        -- how many were injected
  title TEXT NOT NULL,
  holders TEXT NOT NULL CHECK (json_valid(holders)),
  waiters TEXT NOT NULL CHECK (json_valid(waiters)),
  UNIQUE (counterexample, scenario, image, schedule_digest)
) STRICT;

CREATE INDEX execution_by_scenario ON execution (scenario);
CREATE INDEX execution_by_image ON execution (image);

-- A sighting: the run in which an execution was found.
CREATE TABLE occurrence (
  id INTEGER PRIMARY KEY,
  execution INTEGER NOT NULL REFERENCES execution ON DELETE CASCADE,
  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
  found TEXT NOT NULL,
  UNIQUE (execution, run)
) STRICT;

CREATE INDEX occurrence_by_run ON occurrence (run);

-- The interleaving of an execution.
CREATE TABLE event (
  execution INTEGER NOT NULL REFERENCES execution ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  kind TEXT NOT NULL,
  step INTEGER NOT NULL,              -- instructions since the start
  cpu INTEGER NOT NULL,
  context TEXT NOT NULL,              -- the lane
  text TEXT NOT NULL,
  address INTEGER NOT NULL,
  function TEXT NOT NULL,
  file TEXT,
  line INTEGER,
  inlined TEXT NOT NULL CHECK (json_valid(inlined)),
  disassembly TEXT NOT NULL,
  interrupt_flag INTEGER NOT NULL CHECK (interrupt_flag IN (0, 1)),
  held TEXT NOT NULL CHECK (json_valid(held)),
  PRIMARY KEY (execution, ordinal)
) STRICT, WITHOUT ROWID;

-- Every context's stack at the end of an execution, innermost frame first.
CREATE TABLE stack_frame (
  execution INTEGER NOT NULL REFERENCES execution ON DELETE CASCADE,
  stack INTEGER NOT NULL,             -- which context
  ordinal INTEGER NOT NULL,           -- -1: the context alone, with no frame
  context TEXT NOT NULL,
  address INTEGER NOT NULL,
  function TEXT NOT NULL,
  file TEXT,
  line INTEGER,
  inlined TEXT NOT NULL CHECK (json_valid(inlined)),
  PRIMARY KEY (execution, stack, ordinal)
) STRICT, WITHOUT ROWID;

-- Decisions, append-only.
CREATE TABLE triage (
  id INTEGER PRIMARY KEY,
  counterexample INTEGER NOT NULL REFERENCES counterexample,
  decided TEXT NOT NULL,
  author TEXT NOT NULL CHECK (author <> ''),
  decision TEXT NOT NULL CHECK (decision IN
    ('unreviewed', 'confirmed', 'intentional', 'false-positive', 'fixed', 'duplicate')),
  duplicate_of INTEGER REFERENCES counterexample,
  reason TEXT NOT NULL,
  CHECK ((decision = 'duplicate') = (duplicate_of IS NOT NULL)),
  CHECK (duplicate_of IS NOT counterexample)
) STRICT;

CREATE INDEX triage_by_counterexample ON triage (counterexample);

CREATE TRIGGER triage_is_never_changed BEFORE UPDATE ON triage
BEGIN SELECT RAISE(ABORT, 'the triage history is append-only'); END;

CREATE TRIGGER triage_is_never_deleted BEFORE DELETE ON triage
BEGIN SELECT RAISE(ABORT, 'the triage history is append-only'); END;

CREATE TRIGGER triage_decides AFTER INSERT ON triage
BEGIN
  UPDATE counterexample SET person_status = NEW.decision WHERE id = NEW.counterexample;
END;

-- For people who ask by SQL: a line for each sighting, with names instead of numbers.
CREATE VIEW sighting AS
SELECT c.id AS counterexample, c.rule, c.title, c.fingerprint, c.machine_status, c.person_status,
  s.name AS scenario, i.digest AS image, i.arch, i.origin, o.run, o.found, e.steps, e.interrupts
FROM occurrence o
JOIN execution e ON e.id = o.execution
JOIN counterexample c ON c.id = e.counterexample
JOIN scenario s ON s.id = e.scenario
JOIN image i ON i.id = e.image;
