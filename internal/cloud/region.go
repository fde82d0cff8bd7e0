package cloud

import (
	"net/url"
	"slices"
	"time"
)

// Region is a site that runs machines and reports them.
type Region struct {
	Name      string
	URL       string // of its Infrastructure API
	CreatedAt time.Time
}

// CheckRegionURL holds for the address of a region's Infrastructure API, which
// clients call with their tokens: an absolute http or https URL without
// credentials, query or fragment.
func CheckRegionURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || len(s) > 2048 || u.Host == "":
		return Invalid("url must be an absolute URL such as https://west-1.example.com; got %s", quoted(s))
	case u.Scheme != "https" && u.Scheme != "http":
		return Invalid("url must begin with https:// or http://; got %s", quoted(s))
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return Invalid("url must have no user, query or fragment; got %s", quoted(u.Redacted()))
	}
	return nil
}

// RegionCredential is the stored form of the secret with which a region
// reports. It opens the federation API for its one region and nothing else.
type RegionCredential struct {
	ID        ID
	Region    string
	Hash      SecretHash
	CreatedAt time.Time
}

// MaxCredentials is how many credentials of a region are good at a time: the
// one in use, and the one that replaces it.
const MaxCredentials = 2

// Access says which organizations may use a region. The zero value lets all.
type Access struct {
	Closed bool `json:"closed"` // to all but the exceptions; otherwise open to all but those
	Except []ID `json:"except"`
}

// Admits reports whether an organization may use the region.
func (a Access) Admits(organization ID) bool {
	return slices.Contains(a.Except, organization) == a.Closed
}

// With returns the access where the organization may use the region, or not.
func (a Access) With(organization ID, admitted bool) Access {
	except := slices.DeleteFunc(slices.Clone(a.Except), func(id ID) bool { return id == organization })
	if admitted == a.Closed {
		except = append(except, organization)
		slices.Sort(except)
	}
	return Access{a.Closed, except}
}

// RegionStatus is what an operator sees of a region.
type RegionStatus struct {
	Region
	Link    Link
	Objects map[ObjectKind]int64
	Aside   Aside
}
