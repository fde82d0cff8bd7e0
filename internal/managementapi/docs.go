package managementapi

import (
	"net/http"

	"github.com/penstock-cloud/penstock/api"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// Docs serves the API's document at /openapi.yaml and a page to read it at
// /docs/; neither needs a token.
func Docs() http.Handler { return rest.Docs("Penstock Management API", api.Management) }
