-- p95 under load of each commit, the scatter of its runs, and how many missed the limit.
WITH counted AS (
  -- of a run that was resumed the newest record counts; a row counts where it says it belongs
  SELECT *
  FROM (
    SELECT
      *,
      row_number() OVER (
        PARTITION BY store_env, run_id, mode ORDER BY recorded_at DESC, record_id
      ) AS place
    FROM runs
    WHERE env IN (store_env, '')
  ) AS numbered
  WHERE mode <> 'run' OR place = 1
)

SELECT
  store_env,
  is_embedded,
  account_id,
  region,
  branch,
  function_name,
  git_sha,
  min(started_at) AS first_run_at,
  count(*) AS runs,
  round(avg(p95_ms), 3) AS mean_p95_ms,
  round(min(p95_ms), 3) AS least_p95_ms,
  round(max(p95_ms), 3) AS most_p95_ms,
  max(p95_limit_ms) AS limit_ms,
  count(*) FILTER (WHERE p95_ms > p95_limit_ms) AS runs_over_limit
FROM counted
WHERE p95_ms BETWEEN 0 AND 1e15 AND git_sha <> ''
GROUP BY 1, 2, 3, 4, 5, 6, 7
ORDER BY 1, 2, 3, 4, 5, 6, 8, 7
