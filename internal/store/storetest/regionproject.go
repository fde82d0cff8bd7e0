package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// The projects of the cast.
var (
	north = cloud.Project{
		ID: id(401), OrganizationID: acme.ID, Name: "north", State: cloud.ProjectActive,
		Tags: cloud.Tags{"team": "☂ \"research\""}, CreatedAt: now,
	}
	south = cloud.Project{ID: id(402), OrganizationID: acme.ID, Name: "south", State: cloud.ProjectActive, CreatedAt: now.Add(-time.Hour)}
	other = cloud.Project{ID: id(403), OrganizationID: beta.ID, Name: "north", State: cloud.ProjectActive, Tags: cloud.Tags{}, CreatedAt: now}
)

// denied runs fn in a transaction, which must fail with the code and a message
// that has the words.
func denied(t *testing.T, s cloud.RegionStore, code cloud.Code, words string, fn func(cloud.RegionWriter) error) {
	t.Helper()
	wantCode(t, s.Write(t.Context(), fn), code, words)
}

// absent checks that fn reads nothing.
func absent[T any](t *testing.T, s cloud.RegionStore, what string, fn func(cloud.RegionReader, cloud.ID) (T, error)) {
	t.Helper()
	err := s.Read(t.Context(), func(r cloud.RegionReader) error {
		_, err := fn(r, id(999))
		return err
	})
	wantCode(t, err, cloud.CodeNotFound, what)
}

// of is a list of a RegionReader for one owner, as see takes it.
func of[T any](list func(cloud.RegionReader, cloud.ID) (T, error), owner cloud.ID) func(cloud.RegionReader) (T, error) {
	return func(r cloud.RegionReader) (T, error) { return list(r, owner) }
}

func testRegionProjects(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	projects := func(organization cloud.ID) []cloud.Project {
		return see(t, s, of(cloud.RegionReader.Projects, organization))
	}
	equal(t, "the projects of a new database", len(projects(acme.ID)), 0)
	change(t, s, func(w cloud.RegionWriter) error {
		return first(w.PutProject(south), w.PutProject(other), w.PutProject(north))
	})
	equal(t, "a project", see(t, s, of(cloud.RegionReader.Project, north.ID)), north)
	equal(t, "acme's projects", projects(acme.ID), []cloud.Project{north, south})
	equal(t, "beta's projects", projects(beta.ID), []cloud.Project{other})
	absent(t, s, "project", cloud.RegionReader.Project)

	going := north
	going.State, going.Tags = cloud.ProjectDeleting, cloud.Tags{"a": ""}
	change(t, s, func(w cloud.RegionWriter) error { return w.PutProject(going) })
	equal(t, "acme's projects after a change", projects(acme.ID), []cloud.Project{going, south})

	change(t, s, func(w cloud.RegionWriter) error { return w.DeleteProject(north.ID) })
	equal(t, "acme's projects without one", projects(acme.ID), []cloud.Project{south})
	denied(t, s, cloud.CodeNotFound, "project", func(w cloud.RegionWriter) error { return w.DeleteProject(north.ID) })
}

// A project goes after what is in it, and who asks too early is told how much
// that is.
func testRegionProjectsInUse(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	m := cloud.Machine{ID: id(501), ProjectID: north.ID}
	f := cloud.Filesystem{ID: id(601), ProjectID: north.ID}
	deletion := func(w cloud.RegionWriter) error { return w.DeleteProject(north.ID) }
	change(t, s, func(w cloud.RegionWriter) error {
		return first(w.PutProject(north), w.PutProject(south), w.PutMachine(m), w.PutFilesystem(f))
	})
	change(t, s, func(w cloud.RegionWriter) error {
		wantCode(t, w.DeleteProject(north.ID), cloud.CodeConflict, "instances (1) or filesystems (1)")
		return w.DeleteProject(south.ID)
	})
	equal(t, "the projects after a refusal", see(t, s, of(cloud.RegionReader.Projects, acme.ID)), []cloud.Project{north})
	change(t, s, func(w cloud.RegionWriter) error { return w.DeleteMachine(m.ID) })
	denied(t, s, cloud.CodeConflict, "instances (0) or filesystems (1)", deletion)
	change(t, s, func(w cloud.RegionWriter) error {
		return first(w.DeleteFilesystem(f.ID), w.PutMachine(m))
	})
	denied(t, s, cloud.CodeConflict, "instances (1) or filesystems (0)", deletion)
	change(t, s, func(w cloud.RegionWriter) error { return first(w.DeleteMachine(m.ID), deletion(w)) })
	denied(t, s, cloud.CodeNotFound, "project", func(w cloud.RegionWriter) error { return w.PutMachine(m) })
	denied(t, s, cloud.CodeNotFound, "project", func(w cloud.RegionWriter) error { return w.PutFilesystem(f) })
}

func testRegionFilesystems(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	f1 := cloud.Filesystem{ID: id(601), ProjectID: north.ID, Name: "☂", Size: cloud.MaxBytes, State: cloud.FilesystemActive, CreatedAt: now}
	f2 := cloud.Filesystem{ID: id(602), ProjectID: other.ID, Name: "data", Size: 1, State: cloud.FilesystemActive}
	f3 := cloud.Filesystem{ID: id(603), ProjectID: north.ID, Name: "data", Size: 1 << 30, State: cloud.FilesystemActive, CreatedAt: now}
	all := func() []cloud.Filesystem { return see(t, s, cloud.RegionReader.AllFilesystems) }
	equal(t, "the filesystems of a new database", len(all()), 0)
	change(t, s, func(w cloud.RegionWriter) error {
		return first(w.PutProject(north), w.PutProject(other), w.PutFilesystem(f3), w.PutFilesystem(f2), w.PutFilesystem(f1))
	})
	equal(t, "a filesystem", see(t, s, of(cloud.RegionReader.Filesystem, f1.ID)), f1)
	equal(t, "all filesystems", all(), []cloud.Filesystem{f1, f2, f3})
	equal(t, "north's filesystems", see(t, s, of(cloud.RegionReader.Filesystems, north.ID)), []cloud.Filesystem{f1, f3})
	absent(t, s, "filesystem", cloud.RegionReader.Filesystem)

	f1.State = cloud.FilesystemDeleting
	change(t, s, func(w cloud.RegionWriter) error { return w.PutFilesystem(f1) })
	equal(t, "the filesystems after a change", all(), []cloud.Filesystem{f1, f2, f3})
	change(t, s, func(w cloud.RegionWriter) error { return w.DeleteFilesystem(f1.ID) })
	equal(t, "the filesystems without one", all(), []cloud.Filesystem{f2, f3})
	denied(t, s, cloud.CodeNotFound, "filesystem", func(w cloud.RegionWriter) error { return w.DeleteFilesystem(f1.ID) })
}

func testRegionSpans(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	span := func(n int, machine cloud.ID, started bool, from time.Time) cloud.Span {
		return cloud.Span{
			ID: id(n), MachineID: machine, OrganizationID: acme.ID, ProjectID: north.ID,
			Type: "small", Started: started, From: from,
		}
	}
	m := cloud.Machine{ID: id(501), ProjectID: north.ID}
	s1 := span(702, m.ID, false, now)
	s2 := span(703, m.ID, true, now.Add(time.Minute)) // at one time, which ids order
	s3 := span(704, m.ID, false, now.Add(time.Minute))
	s4 := span(701, m.ID, true, now.Add(time.Hour))
	foreign := span(705, id(502), true, now)
	change(t, s, func(w cloud.RegionWriter) error {
		return first(
			w.PutProject(north), w.PutMachine(m),
			w.PutSpan(s4), w.PutSpan(s3), w.PutSpan(s1), w.PutSpan(foreign), w.PutSpan(s2),
		)
	})
	spans := func() []cloud.Span { return see(t, s, of(cloud.RegionReader.Spans, m.ID)) }
	equal(t, "the usage", spans(), []cloud.Span{s1, s2, s3, s4})
	s1.To = s2.From
	change(t, s, func(w cloud.RegionWriter) error { return first(w.PutSpan(s1), w.DeleteMachine(m.ID)) })
	equal(t, "the usage after the machine's end", spans(), []cloud.Span{s1, s2, s3, s4})
	equal(t, "the usage of none", len(see(t, s, of(cloud.RegionReader.Spans, id(999)))), 0)
}
