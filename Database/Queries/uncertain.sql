-- Counterexamples that were not found again though nothing excludes them, and why not.
SELECT c.id, c.rule, c.person_status AS person, o.scenario, o.observed, o.reason, c.title
FROM counterexample c
JOIN observation o ON o.id = (SELECT id FROM observation WHERE counterexample = c.id
  AND outcome = 'unknown' ORDER BY observed DESC, id DESC LIMIT 1)
WHERE c.machine_status = 'not-reachable-in-these-bounds'
ORDER BY o.observed DESC, c.id DESC;
