-- Scenarios whose last result left something open, with the notes that say what.
SELECT name AS scenario, run, verdict, states, notes
FROM (SELECT s.name, r.run, r.verdict, r.states, r.notes,
    row_number() OVER (PARTITION BY s.name ORDER BY r.run DESC) AS age
  FROM result r JOIN scenario s ON s.id = r.scenario)
WHERE age = 1 AND verdict IN ('inconclusive', 'error')
ORDER BY name;
