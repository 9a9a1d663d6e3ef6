-- The executions of one counterexample: those on the image that it was seen on last come first;
-- of these the easiest to understand, with the fewest injected interrupts, then the fewest
-- instructions.
WITH last AS (
  SELECT e.image
  FROM occurrence o
  JOIN execution e ON e.id = o.execution
  WHERE e.counterexample = :counterexample
  ORDER BY o.id DESC
  LIMIT 1
)
SELECT e.id, e.scenario, e.image, e.schedule, e.injected, e.title, e.holders, e.waiters,
  s.definition, i.digest, i.arch, i.origin, c.rule, c.identity_version, c.lock_classes, c.functions
FROM execution e
JOIN scenario s ON s.id = e.scenario
JOIN image i ON i.id = e.image
JOIN counterexample c ON c.id = e.counterexample
WHERE e.counterexample = :counterexample
ORDER BY e.image = (SELECT image FROM last) DESC, e.interrupts, e.steps, e.id;
