package region

import "github.com/penstock-cloud/penstock/internal/cloud"

// Caller is who calls a region, admitted.
type Caller struct {
	cloud.Principal
	OrganizationID cloud.ID // "" where the action needs none
	ProjectID      cloud.ID // of that organization; "" where none was named
	Grant          Grant
}

// NewProject is what a project is to be.
type NewProject struct {
	Name string
	Tags cloud.Tags
}

// NewInstance is what an instance is to be.
type NewInstance struct {
	Name        string
	Type        string // the name of an instance type
	Image       string
	Preemptible bool
	Ephemeral   bool
	UserData    *string // base64; nil for none
	Filesystems []cloud.ID
	Tags        cloud.Tags
}

// NewFilesystem is what a filesystem is to be.
type NewFilesystem struct {
	Name string
	Size string // a quantity
}

// Capacity is how many more instances of a type there is room for.
type Capacity struct {
	Type  string
	Count int
}
