-- Each retried call of the range: its model, a number for its root task, and the two moments that are known of it. A call
-- whose task is not known is a task of its own.
SELECT provider, model,
       hash(tenant, coalesce(nullif(coalesce(root_task_id, task_id), '__overflow__'), trace_id)) AS task,
       epoch_us(started_at) AS began, epoch_us(ended_at) AS came_back
FROM calls
WHERE kind = 'llm' AND attempts > 1 AND started_at >= $start AND started_at < $stop
