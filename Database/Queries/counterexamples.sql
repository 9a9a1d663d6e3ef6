-- Every counterexample with how often and where it was seen; newest sighting first.
-- Arguments that are NULL do not filter: rule and scenario are GLOB patterns, image is the start
-- of a digest or a GLOB over its origin, since is a time.
SELECT c.id, c.rule, c.machine_status AS machine, c.person_status AS person,
  count(*) AS occurrences, min(e.interrupts) AS interrupts, group_concat(DISTINCT s.name) AS scenarios,
  max(o.found) AS last_seen, c.title
FROM counterexample c
JOIN execution e ON e.counterexample = c.id
JOIN occurrence o ON o.execution = e.id
JOIN scenario s ON s.id = e.scenario
JOIN image i ON i.id = e.image
WHERE (:rule IS NULL OR c.rule GLOB :rule)
  AND (:scenario IS NULL OR s.name GLOB :scenario)
  AND (:image IS NULL OR substr(i.digest, 1, length(:image)) = lower(:image)
    OR i.origin GLOB '*' || :image)
  AND (:since IS NULL OR o.found >= :since)
GROUP BY c.id
ORDER BY last_seen DESC, c.id DESC
LIMIT :limit;
