-- How many counterexamples each rule has, by what a person decided.
SELECT rule, count(*) AS counterexamples,
  sum(person_status = 'unreviewed') AS unreviewed, sum(person_status = 'confirmed') AS confirmed,
  sum(person_status = 'fixed') AS fixed
FROM counterexample
GROUP BY rule
ORDER BY counterexamples DESC, rule;
