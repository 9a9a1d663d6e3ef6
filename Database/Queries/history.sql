-- What is on record about one counterexample, oldest first: what scenarios saw, what people decided.
SELECT o.observed AS time, 'machine' AS axis, o.status, o.scenario AS who, o.run,
  substr(i.digest, 1, 12) AS image, o.reason
FROM observation o LEFT JOIN image i ON i.id = o.image
WHERE o.counterexample = :counterexample
UNION ALL
SELECT decided, 'person',
  decision || CASE WHEN duplicate_of IS NULL THEN '' ELSE ' of ' || duplicate_of END, author, NULL,
  NULL, reason
FROM triage WHERE counterexample = :counterexample
ORDER BY 1, 2;
