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
INSERT INTO regions (name, url, created_at) VALUES (@name, @url, @created_at)
ON CONFLICT DO NOTHING;

-- name: CreateRegionCredential :execrows
INSERT INTO region_credentials (id, region, hash, created_at)
VALUES (@id, @region, @hash, @created_at)
ON CONFLICT DO NOTHING;

-- name: SetRegionURL :execrows
UPDATE regions SET url = @url WHERE name = @name;
