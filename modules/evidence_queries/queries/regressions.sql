-- Runs that are slower or more expensive than the ten before them by more than these scatter.
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

figures AS (
  SELECT
    store_env, is_embedded, account_id, region, branch, function_name,
    started_at, record_id, run_id, git_sha, 'duration_ms' AS metric, duration_ms AS figure
  FROM counted
  UNION ALL
  SELECT
    store_env, is_embedded, account_id, region, branch, function_name,
    started_at, record_id, run_id, git_sha, 'cost_usd' AS metric, cost_usd AS figure
  FROM counted
  UNION ALL
  SELECT
    store_env, is_embedded, account_id, region, branch, function_name,
    started_at, record_id, run_id, git_sha, 'p95_ms' AS metric, p95_ms AS figure
  FROM counted
),

compared AS (
  SELECT
    *,
    count(*) OVER (
      PARTITION BY
        store_env, is_embedded, account_id, region, branch, function_name, metric
      ORDER BY started_at, record_id
      ROWS BETWEEN 10 PRECEDING AND 1 PRECEDING
    ) AS runs_before,
    avg(figure) OVER (
      PARTITION BY
        store_env, is_embedded, account_id, region, branch, function_name, metric
      ORDER BY started_at, record_id
      ROWS BETWEEN 10 PRECEDING AND 1 PRECEDING
    ) AS usual,
    stddev_samp(figure) OVER (
      PARTITION BY
        store_env, is_embedded, account_id, region, branch, function_name, metric
      ORDER BY started_at, record_id
      ROWS BETWEEN 10 PRECEDING AND 1 PRECEDING
    ) AS scatter
  FROM figures
  WHERE figure > 0 AND figure <= 1e15
)

SELECT
  store_env,
  is_embedded,
  account_id,
  region,
  branch,
  function_name,
  metric,
  started_at,
  run_id,
  git_sha,
  figure,
  usual,
  round(figure / usual, 4) AS ratio,
  round(1e0 + 2 * scatter / usual, 4) AS ratio_of_scatter,
  runs_before
FROM compared
WHERE runs_before >= 5 AND figure > usual * 1.05e0 AND figure > usual + 3 * scatter
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9
