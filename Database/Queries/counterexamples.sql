-- Every counterexample with how often and where it was seen; newest sighting first.
-- Arguments that are NULL do not filter: rule, scenario and function are GLOB patterns, image is the
-- start of a digest or a GLOB over its origin, since is a time, machine and person are JSON arrays
-- of statuses, pattern is a LIKE pattern (escape: \) for title, rule, locks or functions.
SELECT c.id, c.rule, c.machine_status AS machine, c.person_status AS person, c.occurrences,
  c.interrupts,
  (SELECT group_concat(name, ', ') FROM
    (SELECT DISTINCT s.name FROM execution e JOIN scenario s ON s.id = e.scenario
     WHERE e.counterexample = c.id ORDER BY s.name)) AS scenarios,
  c.last_seen, c.title
FROM counterexample c
WHERE (:rule IS NULL OR c.rule GLOB :rule)
  AND (:machine IS NULL OR c.machine_status IN (SELECT value FROM json_each(:machine)))
  AND (:person IS NULL OR c.person_status IN (SELECT value FROM json_each(:person)))
  AND (:since IS NULL OR c.last_seen >= :since)
  AND (:scenario IS NULL OR EXISTS (SELECT 1 FROM execution e WHERE e.counterexample = c.id
    AND e.scenario IN (SELECT id FROM scenario WHERE name GLOB :scenario)))
  AND (:image IS NULL OR EXISTS (SELECT 1 FROM execution e WHERE e.counterexample = c.id
    AND e.image IN (SELECT id FROM image
      WHERE substr(digest, 1, length(:image)) = lower(:image) OR origin GLOB '*' || :image)))
  AND (:function IS NULL
    OR c.id IN (SELECT counterexample FROM counterexample_function WHERE function GLOB :function))
  AND (:pattern IS NULL OR c.title LIKE :pattern ESCAPE '\' OR c.rule LIKE :pattern ESCAPE '\'
    OR c.lock_classes LIKE :pattern ESCAPE '\' OR c.functions LIKE :pattern ESCAPE '\')
ORDER BY c.last_seen DESC, c.id DESC
LIMIT :limit;
