-- name: GetPlaneKeys :one
SELECT document FROM plane_keys WHERE id = 1;

-- name: SetPlaneKeys :exec
INSERT INTO plane_keys (id, document) VALUES (1, @document)
ON CONFLICT (id) DO UPDATE SET document = excluded.document;
