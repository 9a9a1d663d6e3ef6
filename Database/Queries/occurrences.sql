-- Every sighting of one counterexample, oldest first.
SELECT o.run, o.found, s.name AS scenario, i.digest, i.origin, e.interrupts, e.steps
FROM occurrence o
JOIN execution e ON e.id = o.execution
JOIN scenario s ON s.id = e.scenario
JOIN image i ON i.id = e.image
WHERE e.counterexample = :counterexample
ORDER BY o.found, o.id;
