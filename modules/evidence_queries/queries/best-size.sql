-- The recommended memory size over time: each run at which it changed.
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
),

tuned AS (
  SELECT
    *,
    lag(recommended_mb) OVER (
      PARTITION BY store_env, is_embedded, account_id, region, branch, function_name
      ORDER BY started_at, record_id
    ) AS before_mb
  FROM counted
  WHERE recommended_mb IS NOT NULL
)

SELECT
  store_env,
  is_embedded,
  account_id,
  region,
  branch,
  function_name,
  started_at,
  run_id,
  git_sha,
  architecture,
  memory_mb AS deployed_mb,
  before_mb,
  recommended_mb,
  round(recommended_duration_ms, 3) AS recommended_duration_ms,
  round(recommended_cost_usd * 1e6, 3) AS recommended_cost_per_million
FROM tuned
WHERE before_mb IS NULL OR before_mb <> recommended_mb
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
