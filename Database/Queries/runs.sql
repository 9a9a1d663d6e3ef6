-- Runs, newest first: how many scenarios, what they found.
SELECT r.id, r.started, r.finished, r.version, r.outcome,
  (SELECT count(*) FROM result WHERE run = r.id) AS scenarios,
  (SELECT count(DISTINCT e.counterexample) FROM occurrence o JOIN execution e ON e.id = o.execution
    WHERE o.run = r.id) AS counterexamples,
  r.command
FROM run r
ORDER BY r.id DESC;
