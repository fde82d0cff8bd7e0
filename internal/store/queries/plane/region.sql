-- name: GetRegion :one
SELECT * FROM regions WHERE name = @name;

-- name: ListRegions :many
SELECT * FROM regions WHERE name > @after_name ORDER BY name LIMIT CAST(@max_rows AS BIGINT);

-- name: GetRegionByCredential :one
SELECT r.*
FROM region_credentials c
JOIN regions r ON r.name = c.region
WHERE c.hash = @hash;

-- name: CreateRegion :execrows
INSERT INTO regions (name, url, created_at, closed) VALUES (@name, @url, @created_at, false)
ON CONFLICT DO NOTHING;

-- name: CreateRegionCredential :execrows
INSERT INTO region_credentials (id, region, hash, created_at)
VALUES (@id, @region, @hash, @created_at)
ON CONFLICT DO NOTHING;

-- name: SetRegionURL :execrows
UPDATE regions SET url = @url WHERE name = @name;

-- name: ListRegionCredentials :many
SELECT * FROM region_credentials WHERE region = @region ORDER BY created_at, id;

-- name: DeleteRegionCredential :execrows
DELETE FROM region_credentials WHERE region = @region AND id = @id;

-- name: SetRegionClosed :execrows
UPDATE regions SET closed = @closed WHERE name = @name;

-- name: ListRegionExceptions :many
SELECT organization_id FROM region_exceptions WHERE region = @region ORDER BY organization_id;

-- name: DeleteRegionExceptions :exec
DELETE FROM region_exceptions WHERE region = @region;

-- name: CreateRegionException :exec
INSERT INTO region_exceptions (region, organization_id) VALUES (@region, @organization_id)
ON CONFLICT DO NOTHING;
