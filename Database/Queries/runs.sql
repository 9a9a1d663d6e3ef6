-- Runs, newest first: how many scenarios, what they found.
SELECT r.id, r.started, r.finished, r.version, r.outcome,
  (SELECT count(*) FROM result WHERE run = r.id) AS scenarios,
  (SELECT count(DISTINCT counterexample) FROM occurrence WHERE run = r.id) AS counterexamples,
  r.command
FROM run r
ORDER BY r.id DESC;
