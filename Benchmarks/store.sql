-- Fills a database that `locklab` has made with :count counterexamples, as if found by ten runs of
-- fifty scenarios on ten images. The last two runs found all of them but the last thousand, and all
-- but the first thousand.
.bail on
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
PRAGMA temp_store = MEMORY;
BEGIN;

CREATE TEMP TABLE number AS
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) SELECT i FROM n;

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
INSERT INTO image (digest, arch, size, origin)
  SELECT printf('%064x', i * 7919), 'i386', 1000000, 'file:/build/' || i || '/kernel.elf' FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
INSERT INTO run (uid, started, finished, version, command, outcome)
  SELECT 'bench ' || i, printf('2026-01-%02dT00:00:00.000Z', i),
    printf('2026-01-%02dT01:00:00.000Z', i), '0', 'check', 1 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
INSERT INTO scenario (name, digest, definition)
  SELECT 'scenario-' || i, printf('%064x', i), (SELECT definition FROM scenario ORDER BY id LIMIT 1)
  FROM n;

CREATE TEMP TABLE base AS SELECT
  (SELECT min(id) FROM image WHERE origin LIKE 'file:/build/%') AS image,
  (SELECT min(id) FROM run WHERE uid LIKE 'bench %') AS run,
  (SELECT min(id) FROM scenario WHERE name LIKE 'scenario-%') AS scenario;

INSERT INTO counterexample (id, fingerprint, identity_version, rule, title, lock_classes, functions)
  SELECT i, printf('%08x%024x', (i * 2654435761) % 4294967296, i), 2,
    CASE i % 5 WHEN 0 THEN 'deadlock-on-interrupt' WHEN 1 THEN 'lock-release-order'
      WHEN 2 THEN 'stack-reuse' WHEN 3 THEN 'irq-unsafe-lock' ELSE 'lost-wakeup' END,
    'interrupt 44 (mouse), arriving at `function_' || i || '+0x53` (file.c:16), waits for `lock_'
      || (i % 997) || '` at `redraw+0x12`, held by the code it interrupted',
    json_array('lock_' || (i % 997)), json_array('function_' || i, 'handler_' || (i % 31))
  FROM number;

INSERT INTO execution (id, counterexample, scenario, image, schedule, schedule_digest, steps,
    injected, interrupts, title, holders, waiters)
  SELECT i, i, (SELECT scenario FROM base) + i % 50, (SELECT image FROM base) + i % 10,
    '{"steps":[{"cpu":0,"instructions":' || (100 + i % 1000)
      || '},{"cpu":0,"instructions":812,"raise":0}]}',
    printf('%064x', i), 912 + i % 1000, '["mouse"]', 1, 'the mouse waits', '["a holds b"]',
    '["c waits for b"]'
  FROM number;

WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k < 11)
INSERT INTO event (execution, ordinal, kind, step, cpu, context, text, address, function, file, line,
    inlined, disassembly, interrupt_flag, held)
  SELECT i, k, 'access', 100 * k, 0, 'int 0x80 on task0_kernel_stack', 'acquires lock',
    1048576 + k, 'function_' || i, 'file.c', 16 + k, '[]', 'xchg [ecx], eax', k % 2, '["lock"]'
  FROM number, n;

WITH RECURSIVE n(k) AS (SELECT -1 UNION ALL SELECT k + 1 FROM n WHERE k < 2)
INSERT INTO stack_frame (execution, stack, ordinal, context, address, function, file, line, inlined)
  SELECT i, 0, k, 'int 0x80', 1048576 + k, 'function_' || i || '+0x1c', 'file.c', 16, '[]'
  FROM number, n;

INSERT INTO occurrence (execution, counterexample, run, found)
  SELECT i, i, (SELECT run FROM base) + i % 8, printf('2026-01-%02dT00:30:00.000Z', 1 + i % 8)
  FROM number;
INSERT INTO occurrence (execution, counterexample, run, found)
  SELECT i, i, (SELECT run FROM base) + 8, '2026-01-09T00:30:00.000Z'
  FROM number WHERE i <= :count - 1000;
INSERT INTO occurrence (execution, counterexample, run, found)
  SELECT i, i, (SELECT run FROM base) + 9, '2026-01-10T00:30:00.000Z' FROM number WHERE i > 1000;

INSERT INTO observation (counterexample, observed, run, scenario, image, outcome, status, reason)
  SELECT i, printf('2026-01-%02dT00:30:00.000Z', 1 + i % 8), (SELECT run FROM base) + i % 8,
    'scenario-' || (1 + i % 50), (SELECT image FROM base) + i % 10, 'found', 'new', 'Found.'
  FROM number;
INSERT INTO result (run, scenario, image, verdict, met, states, instructions, seconds,
    peak_memory_bytes, notes, open_ends)
  SELECT r.id, s.id, (SELECT image FROM base), 'violated', 0, 1000, 1000, 1, 1000, '[]', '[]'
  FROM run r, scenario s WHERE r.uid LIKE 'bench %' AND s.name LIKE 'scenario-%';
COMMIT;
