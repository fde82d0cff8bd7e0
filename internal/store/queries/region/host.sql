-- name: ListHosts :many
SELECT * FROM hosts ORDER BY name;

-- name: ListGPUs :many
SELECT * FROM gpus ORDER BY host, address;

-- name: WithdrawHosts :exec
UPDATE hosts SET cpu = 0, memory = 0, offered = FALSE;

-- name: WithdrawGPUs :exec
UPDATE gpus SET offered = FALSE;

-- name: OfferHost :exec
INSERT INTO hosts (name, cpu, memory, cpu_used, memory_used, offered)
VALUES (@name, @cpu, @memory, 0, 0, TRUE)
ON CONFLICT (name) DO UPDATE SET cpu = excluded.cpu, memory = excluded.memory, offered = TRUE;

-- name: OfferGPU :exec
INSERT INTO gpus (host, address, model, offered, machine_id) VALUES (@host, @address, @model, TRUE, '')
ON CONFLICT (host, address) DO UPDATE SET model = excluded.model, offered = TRUE;

-- name: TakeRoom :execrows
UPDATE hosts SET cpu_used = cpu_used + @cpu, memory_used = memory_used + @memory
WHERE name = @name AND cpu_used + @cpu <= cpu AND memory_used + @memory <= memory;

-- name: GiveRoom :exec
UPDATE hosts SET cpu_used = cpu_used - @cpu, memory_used = memory_used - @memory WHERE name = @name;

-- name: TakeGPU :execrows
UPDATE gpus SET machine_id = @machine_id
WHERE host = @host AND address = @address AND machine_id = '';

-- name: GiveGPU :exec
UPDATE gpus SET machine_id = '' WHERE host = @host AND address = @address AND machine_id = @machine_id;

-- name: ForgetGPUsOf :exec
DELETE FROM gpus WHERE host = @host AND NOT offered AND machine_id = '';

-- name: ForgetHost :exec
DELETE FROM hosts
WHERE name = @name AND NOT offered AND cpu_used = 0 AND memory_used = 0
AND NOT EXISTS (SELECT 1 FROM gpus WHERE gpus.host = hosts.name);

-- name: ForgetGPUs :exec
DELETE FROM gpus WHERE NOT offered AND machine_id = '';

-- name: ForgetHosts :exec
DELETE FROM hosts
WHERE NOT offered AND cpu_used = 0 AND memory_used = 0
AND NOT EXISTS (SELECT 1 FROM gpus WHERE gpus.host = hosts.name);
