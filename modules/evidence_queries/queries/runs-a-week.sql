-- How many runs there were in each week, how many failed, and how long they took.
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
  function_name,
  CAST(date_trunc('week', started_at) AS DATE) AS week,
  mode,
  count(*) AS runs,
  count(*) FILTER (WHERE outcome = 'fail') AS failed,
  count(*) FILTER (WHERE error <> '') AS ended_early,
  round(sum(run_s) / 60e0, 1) AS minutes
FROM counted
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
