-- What the newest tuning of each function finds cheaper, surely, and is not deployed.
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
    row_number() OVER (
      PARTITION BY store_env, is_embedded, account_id, region, branch, function_name
      ORDER BY started_at DESC, record_id DESC
    ) AS newest,
    count(*) OVER (
      PARTITION BY
        store_env, is_embedded, account_id, region, branch, function_name,
        memory_mb, recommended_mb
    ) AS times_said,
    min(started_at) OVER (
      PARTITION BY
        store_env, is_embedded, account_id, region, branch, function_name,
        memory_mb, recommended_mb
    ) AS first_said_at
  FROM counted
  WHERE recommended_mb IS NOT NULL
)

SELECT
  tuned.store_env,
  tuned.is_embedded,
  tuned.account_id,
  tuned.region,
  tuned.branch,
  tuned.function_name,
  tuned.run_id,
  tuned.started_at,
  deployed.memory_mb AS deployed_mb,
  best.memory_mb AS recommended_mb,
  best.architecture AS recommended_architecture,
  round((deployed.cost_usd - best.cost_usd) * 1e6, 3) AS saved_per_million,
  round((deployed.cost_low_usd - best.cost_high_usd) * 1e6, 3) AS saved_at_least_per_million,
  best.currency,
  round(deployed.duration_ms, 3) AS deployed_duration_ms,
  round(best.duration_ms, 3) AS recommended_duration_ms,
  tuned.times_said,
  tuned.first_said_at
FROM tuned
INNER JOIN tunings AS deployed
  ON deployed.store_env = tuned.store_env AND deployed.record_id = tuned.record_id AND deployed.is_deployed
INNER JOIN tunings AS best
  ON best.store_env = tuned.store_env AND best.record_id = tuned.record_id AND best.is_recommended
WHERE tuned.newest = 1 AND best.cost_high_usd < deployed.cost_low_usd
ORDER BY 1, 2, 3, 4, 5, 6
