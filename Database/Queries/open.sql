-- Counterexamples that are there and that nobody has decided about, newest sighting first.
SELECT id, rule, machine_status AS machine, person_status AS person, occurrences, last_seen, title
FROM counterexample
WHERE machine_status IN ('new', 'present', 'reappeared')
  AND (person_status = 'unreviewed' OR machine_status = 'reappeared')
ORDER BY last_seen DESC, id DESC;
