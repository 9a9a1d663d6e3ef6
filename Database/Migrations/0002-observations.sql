-- What the machine saw, and when it changed its mind; names for runs that hold in any database;
-- bytes of images that came from elsewhere.

-- The same run in two databases has the same uid: `merge` knows it again.
ALTER TABLE run ADD COLUMN uid TEXT;
-- (What an earlier version wrote has no random one: two copies of it still know each other's runs.)
UPDATE run SET uid = 'v1 ' || started || ' ' || id || ' ' || command;
CREATE UNIQUE INDEX run_by_uid ON run (uid);

-- Why a counterexample that was not found could still be there (a list; empty: every state was
-- examined). NULL: nothing was explored, or an earlier version wrote this.
ALTER TABLE result ADD COLUMN open_ends TEXT CHECK (open_ends IS NULL OR json_valid(open_ends));

CREATE INDEX result_by_scenario ON result (scenario);
CREATE INDEX scenario_by_name ON scenario (name);

-- Images that must be at hand though their file is not: those that were imported.
CREATE TABLE image_content (
  image INTEGER PRIMARY KEY REFERENCES image ON DELETE CASCADE,
  bytes BLOB NOT NULL
) STRICT;

-- What a scenario had to say about a counterexample, append-only; a row only where it is not what
-- the scenario said before.
CREATE TABLE observation (
  id INTEGER PRIMARY KEY,
  counterexample INTEGER NOT NULL REFERENCES counterexample,
  observed TEXT NOT NULL,
  run INTEGER,                        -- NULL: no run, but a replay. `prune` may have removed it since
  scenario TEXT NOT NULL,             -- its name
  image INTEGER REFERENCES image,
  outcome TEXT NOT NULL CHECK (outcome IN ('found', 'not-found', 'unknown')),
  -- The counterexample's status from then on: what all its scenarios together say.
  status TEXT NOT NULL CHECK (status IN
    ('new', 'present', 'gone', 'reappeared', 'not-reachable-in-these-bounds')),
  reason TEXT NOT NULL
) STRICT;

CREATE INDEX observation_by_counterexample ON observation (counterexample, scenario);

INSERT INTO observation (counterexample, observed, run, scenario, image, outcome, status, reason)
SELECT c.id, max(o.found), o.run, s.name, e.image, 'found', c.machine_status,
  'Found; stored by a version that kept no observations.'
FROM occurrence o
JOIN execution e ON e.id = o.execution
JOIN counterexample c ON c.id = e.counterexample
JOIN scenario s ON s.id = e.scenario
GROUP BY c.id, s.name
ORDER BY max(o.found), c.id;

-- Histories can only grow, but for what `prune` removes as a whole: it names it here first.
CREATE TABLE pruned (counterexample INTEGER PRIMARY KEY) STRICT;

CREATE TRIGGER observation_is_never_changed BEFORE UPDATE ON observation
BEGIN SELECT RAISE(ABORT, 'the history of observations is append-only'); END;

CREATE TRIGGER observation_is_never_deleted BEFORE DELETE ON observation
WHEN NOT EXISTS (SELECT 1 FROM pruned WHERE counterexample = OLD.counterexample)
BEGIN SELECT RAISE(ABORT, 'the history of observations is append-only'); END;

DROP TRIGGER triage_is_never_deleted;
CREATE TRIGGER triage_is_never_deleted BEFORE DELETE ON triage
WHEN NOT EXISTS (SELECT 1 FROM pruned WHERE counterexample = OLD.counterexample)
BEGIN SELECT RAISE(ABORT, 'the triage history is append-only'); END;

-- The latest decision counts, which is not the one inserted last where databases are merged.
DROP TRIGGER triage_decides;
CREATE TRIGGER triage_decides AFTER INSERT ON triage
BEGIN
  UPDATE counterexample SET person_status =
    (SELECT decision FROM triage WHERE counterexample = NEW.counterexample
      ORDER BY decided DESC, author DESC, id DESC LIMIT 1)
  WHERE id = NEW.counterexample;
END;

CREATE INDEX triage_by_duplicate ON triage (duplicate_of) WHERE duplicate_of IS NOT NULL;

-- A sighting names its counterexample too, so that two runs are compared by an index alone.
ALTER TABLE occurrence ADD COLUMN counterexample INTEGER
  REFERENCES counterexample ON DELETE CASCADE;
UPDATE occurrence SET counterexample = (SELECT counterexample FROM execution WHERE id = execution);
DROP INDEX occurrence_by_run;
CREATE INDEX occurrence_by_run ON occurrence (run, counterexample);
CREATE INDEX occurrence_by_counterexample ON occurrence (counterexample, found);

-- What a list shows of a counterexample's sightings, kept up to date, so that a page of the list
-- costs a page and not the whole database.
ALTER TABLE counterexample ADD COLUMN occurrences INTEGER NOT NULL DEFAULT 0;
ALTER TABLE counterexample ADD COLUMN last_seen TEXT NOT NULL DEFAULT '';
ALTER TABLE counterexample ADD COLUMN interrupts INTEGER;  -- the fewest of its executions

UPDATE counterexample SET (occurrences, last_seen, interrupts) =
  (SELECT count(*), coalesce(max(o.found), ''), min(e.interrupts)
   FROM occurrence o JOIN execution e ON e.id = o.execution
   WHERE o.counterexample = counterexample.id);

-- Whoever filters by these reads the index alone.
CREATE INDEX counterexample_by_last_seen
  ON counterexample (last_seen, id, rule, machine_status, person_status);
DROP INDEX counterexample_by_rule;
CREATE INDEX counterexample_by_rule ON counterexample (rule, person_status);

-- The functions of each counterexample, to find it by one.
CREATE TABLE counterexample_function (
  function TEXT NOT NULL,
  counterexample INTEGER NOT NULL REFERENCES counterexample ON DELETE CASCADE,
  PRIMARY KEY (function, counterexample)
) STRICT, WITHOUT ROWID;

CREATE INDEX counterexample_function_by_counterexample
  ON counterexample_function (counterexample);

INSERT OR IGNORE INTO counterexample_function
  SELECT f.value, c.id FROM counterexample c, json_each(c.functions) f;

CREATE TRIGGER counterexample_has_functions AFTER INSERT ON counterexample
BEGIN
  INSERT OR IGNORE INTO counterexample_function
    SELECT value, NEW.id FROM json_each(NEW.functions);
END;

CREATE TRIGGER counterexample_has_other_functions AFTER UPDATE OF functions ON counterexample
BEGIN
  DELETE FROM counterexample_function WHERE counterexample = NEW.id;
  INSERT OR IGNORE INTO counterexample_function
    SELECT value, NEW.id FROM json_each(NEW.functions);
END;

CREATE TRIGGER execution_is_compared AFTER INSERT ON execution
BEGIN
  UPDATE counterexample SET interrupts = min(coalesce(interrupts, NEW.interrupts), NEW.interrupts)
  WHERE id = NEW.counterexample;
END;

CREATE TRIGGER occurrence_is_counted AFTER INSERT ON occurrence
BEGIN
  UPDATE counterexample SET occurrences = occurrences + 1, last_seen = max(last_seen, NEW.found)
  WHERE id = NEW.counterexample;
END;

CREATE TRIGGER occurrence_is_discounted AFTER DELETE ON occurrence
BEGIN
  UPDATE counterexample SET occurrences = occurrences - 1 WHERE id = OLD.counterexample;
END;
