package api

import _ "embed"

// Management is the document of the Management API: OpenAPI 3.0, YAML. It is
// shared by all readers and must not be written to.
//
//go:embed management.yaml
var Management []byte

// Infrastructure is the document of the Infrastructure API, which every region
// serves: OpenAPI 3.0, YAML. It is shared by all readers and must not be
// written to.
//
//go:embed infrastructure.yaml
var Infrastructure []byte

// Federation is the document of the protocol in which regions report to the
// plane: OpenAPI 3.0, YAML. It is shared by all readers and must not be
// written to.
//
//go:embed federation.yaml
var Federation []byte
