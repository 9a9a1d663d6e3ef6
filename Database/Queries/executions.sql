-- The executions of one counterexample, the easiest to understand first: fewest injected
-- interrupts, then fewest instructions.
SELECT e.id, e.scenario, e.image, e.schedule, e.injected, e.title, e.holders, e.waiters,
  s.definition, i.digest, i.arch, i.origin, c.rule, c.identity_version, c.lock_classes, c.functions
FROM execution e
JOIN scenario s ON s.id = e.scenario
JOIN image i ON i.id = e.image
JOIN counterexample c ON c.id = e.counterexample
WHERE e.counterexample = :counterexample
ORDER BY e.interrupts, e.steps, e.id;
