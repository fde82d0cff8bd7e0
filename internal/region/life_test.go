package region_test

import (
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/region"
)

func TestLifeOfAnInstance(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		c := s.project("research")
		id := s.launch(c, small)
		var states []cloud.InstanceState
		follow := func(until cloud.InstanceState) {
			for range 600 {
				got := s.state(c, id)
				if len(states) == 0 || states[len(states)-1] != got {
					states = append(states, got)
				}
				if got == until {
					return
				}
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
			}
			t.Fatalf("it went through %v and did not get %s", states, until)
		}
		follow(cloud.InstanceRunning)
		m, err := s.Instance(t.Context(), c, id)
		s.must(err)
		if m.IP != "10.64.0.2" || m.Image != "image://tiny" || len(m.SSHKeys) != 1 {
			t.Errorf("it runs with the address %q, image %q and keys %q", m.IP, m.Image, m.SSHKeys)
		}
		s.must(s.StopInstance(t.Context(), c, id))
		follow(cloud.InstanceStopped)
		s.must(s.StartInstance(t.Context(), c, id))
		follow(cloud.InstanceRunning)
		s.must(s.DeleteInstance(t.Context(), c, id))
		follow(gone)
		if d := cmp.Diff([]cloud.InstanceState{
			cloud.InstanceCreating, cloud.InstanceStarting, cloud.InstanceRunning, cloud.InstanceStopping, cloud.InstanceStopped,
			cloud.InstanceStarting, cloud.InstanceRunning, cloud.InstanceDeleting, gone,
		}, states); d != "" {
			t.Errorf("its states (-want +got):\n%s", d)
		}
		s.clean()

		var spans []cloud.Span
		s.must(s.store.Read(t.Context(), func(r cloud.RegionReader) (err error) {
			spans, err = r.Spans(id)
			return err
		}))
		var kinds []bool
		for i, span := range spans {
			kinds = append(kinds, span.Started)
			if !span.To.After(span.From) || i > 0 && span.From.Before(spans[i-1].To) || span.Type != small.Name {
				t.Errorf("usage %d is %+v", i, span)
			}
		}
		if d := cmp.Diff([]bool{true, false, true}, kinds); d != "" {
			t.Errorf("started and stopped spans (-want +got):\n%s", d)
		}
	})
}

func TestOrdersInEveryState(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		c := s.project("research")
		id := s.launch(c, small)
		s.must(s.StartInstance(t.Context(), c, id)) // it is being started anyway
		s.settle()
		s.must(s.StartInstance(t.Context(), c, id))
		s.is(c, id, cloud.InstanceRunning)

		s.must(s.StopInstance(t.Context(), c, id))
		s.must(s.StopInstance(t.Context(), c, id))
		refused(t, "start of a stopping one", s.StartInstance(t.Context(), c, id), cloud.CodeConflict, "stopping")
		s.settle()
		s.must(s.StopInstance(t.Context(), c, id))
		s.is(c, id, cloud.InstanceStopped)

		s.must(s.DeleteInstance(t.Context(), c, id))
		s.must(s.DeleteInstance(t.Context(), c, id))
		refused(t, "start of a deleting one", s.StartInstance(t.Context(), c, id), cloud.CodeConflict, "deleting")
		refused(t, "stop of a deleting one", s.StopInstance(t.Context(), c, id), cloud.CodeConflict, "deleting")
		s.settle()
		refused(t, "delete of a deleted one", s.DeleteInstance(t.Context(), c, id), cloud.CodeNotFound, string(id))

		early := s.launch(c, small)
		s.must(s.StopInstance(t.Context(), c, early))
		s.settle()
		s.is(c, early, cloud.InstanceStopped)
		s.must(s.StartInstance(t.Context(), c, early))
		s.settle()
		s.is(c, early, cloud.InstanceRunning)
		s.clean()
	})
}

func refused(t *testing.T, what string, err error, code cloud.Code, says string) {
	t.Helper()
	if cloud.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: got %v, want %s that says %q", what, err, code, says)
	}
}

// Whoever is deleted does not wait for a guest that does not turn itself off.
func TestDeleteDoesNotWaitForAStop(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		c := s.project("research")
		id := s.launch(c, small)
		s.settle()
		s.must(s.StopInstance(t.Context(), c, id))
		s.soon()
		s.is(c, id, cloud.InstanceStopping)
		s.must(s.DeleteInstance(t.Context(), c, id))
		s.soon()
		s.is(c, id, gone)
		s.clean()
	}, deaf)
}

func TestOutOfStockUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	on(t, 2, func(t *testing.T, s *site) {
		c := s.project("research")
		first, second := s.launch(c, large), s.launch(c, large)
		s.settle()
		third, fourth := s.launch(c, large), s.launch(c, large)
		s.settle()
		s.is(c, third, cloud.InstanceOutOfStock)
		s.is(c, fourth, cloud.InstanceOutOfStock)
		capacity, err := s.Capacity(t.Context(), c)
		s.must(err)
		if d := cmp.Diff([]region.Capacity{{Type: small.Name}, {Type: large.Name}}, capacity); d != "" {
			t.Errorf("capacity (-want +got):\n%s", d)
		}
		s.must(s.StopInstance(t.Context(), c, first))
		s.settle()
		s.is(c, third, cloud.InstanceRunning) // who waited for longest
		s.is(c, fourth, cloud.InstanceOutOfStock)
		s.must(s.DeleteInstance(t.Context(), c, second))
		s.settle()
		s.is(c, fourth, cloud.InstanceRunning)
		s.must(s.StartInstance(t.Context(), c, first)) // its disk is on a host that is full
		s.settle()
		s.is(c, first, cloud.InstanceOutOfStock)
		s.must(s.DeleteInstance(t.Context(), c, third))
		s.settle()
		s.is(c, first, cloud.InstanceRunning)
		s.clean()
	})
}

func TestPreemptibleOnesMakeRoom(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		c := s.project("research")
		var spot []cloud.ID
		for range 4 {
			spot = append(spot, s.launch(c, small, preemptible))
			s.settle()
		}
		another := s.launch(c, small, preemptible)
		s.settle()
		s.is(c, another, cloud.InstanceOutOfStock) // it displaces nobody
		s.must(s.DeleteInstance(t.Context(), c, another))

		normal := s.launch(c, small)
		s.settle()
		s.is(c, normal, cloud.InstanceRunning)
		s.is(c, spot[3], cloud.InstanceStopped) // the newest
		for _, older := range spot[:3] {
			s.is(c, older, cloud.InstanceRunning)
		}
		m, err := s.Instance(t.Context(), c, spot[3])
		s.must(err)
		if !strings.Contains(m.Reason, "preempted") {
			t.Errorf("it was stopped because %q", m.Reason)
		}

		hopeless := s.launch(c, large) // a normal one stays in its way
		s.settle()
		s.is(c, hopeless, cloud.InstanceOutOfStock)
		for _, older := range spot[:3] {
			s.is(c, older, cloud.InstanceRunning)
		}
		s.must(s.DeleteInstance(t.Context(), c, normal))
		s.settle()
		s.is(c, hopeless, cloud.InstanceRunning) // nobody is in its way who may stay
		for _, older := range spot[:3] {
			s.is(c, older, cloud.InstanceStopped)
		}
		s.clean()
	})
}

func TestEphemeralOnesGoWhenTheyStop(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		c := s.project("ci")
		ordered, inside := s.launch(c, small, ephemeral), s.launch(c, small, ephemeral)
		s.settle()
		s.must(s.StopInstance(t.Context(), c, ordered))
		s.must(s.hosts.PowerOffInside(inside))
		s.settle()
		s.is(c, ordered, gone)
		s.is(c, inside, gone)
		s.clean()
	})
}

func TestWhatHappensBehindTheRegionsBack(t *testing.T) {
	t.Parallel()
	on(t, 2, func(t *testing.T, s *site) {
		c := s.project("research")
		killed, off, vanished, on := s.launch(c, small), s.launch(c, small), s.launch(c, small), s.launch(c, small)
		s.settle()
		s.must(s.StopInstance(t.Context(), c, on))
		s.settle()
		s.must(s.hosts.Kill(killed))
		s.must(s.hosts.PowerOffInside(off))
		s.must(s.hosts.Vanish(vanished))
		s.must(s.hosts.TurnOn(on))
		s.soon()
		s.is(c, killed, cloud.InstanceError)
		s.is(c, off, cloud.InstanceStopped)
		s.is(c, vanished, cloud.InstanceError)
		s.settle()
		s.is(c, on, cloud.InstanceStopped)
		for _, id := range []cloud.ID{killed, off, vanished} {
			s.must(s.StartInstance(t.Context(), c, id))
		}
		s.settle()
		for _, id := range []cloud.ID{killed, off, vanished} {
			s.is(c, id, cloud.InstanceRunning)
		}
		s.clean()
	})
}

// A host that does not answer is no reason to believe that its machines ended.
func TestSilentHost(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		c := s.project("research")
		runs, stops := s.launch(c, small), s.launch(c, small)
		s.settle()
		s.must(s.hosts.Silence("host-01"))
		s.must(s.StopInstance(t.Context(), c, stops))
		s.settle()
		s.is(c, runs, cloud.InstanceRunning)
		s.is(c, stops, cloud.InstanceStopping)
		if age := s.region.Sources()["host-01"]; age < time.Minute {
			t.Errorf("the host was heard %v ago", age)
		}
		s.must(s.hosts.Hear("host-01"))
		s.settle()
		s.is(c, runs, cloud.InstanceRunning)
		s.is(c, stops, cloud.InstanceStopped)
		s.clean()
	})
}

func TestQuota(t *testing.T) {
	t.Parallel()
	on(t, 4, func(t *testing.T, s *site) {
		s.quotas = region.Quotas{{Type: small.Name, Most: 3}, {OrganizationID: numbered(7), Type: small.Name, Most: 100}}
		s.stop()
		s.begin()
		c := s.project("research")
		var mu sync.Mutex
		var made []cloud.ID
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				m, err := s.CreateInstance(t.Context(), c, region.NewInstance{Name: "x", Type: small.Name, Image: "image://tiny"})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					made = append(made, m.ID)
					return
				}
				refused(t, "one too many", err, cloud.CodeForbidden, "3 instances of type cpu.1x")
			})
		}
		all.Wait()
		if len(made) != 3 {
			t.Fatalf("%d were made, want 3", len(made))
		}
		s.must(s.DeleteInstance(t.Context(), c, made[0]))
		s.settle()
		s.launch(c, small)
		s.launch(c, large) // of which there is no bound
		s.settle()
		s.clean()
	})
}

func TestNobodyIsSoldWhatThereIsNot(t *testing.T) {
	t.Parallel()
	on(t, 3, func(t *testing.T, s *site) {
		c := s.project("research")
		var all sync.WaitGroup
		for n := range 30 {
			all.Go(func() { s.launch(c, []cloud.InstanceType{small, large}[n%2]) })
		}
		all.Wait()
		s.settle()
		s.clean()
		machines, err := s.Instances(t.Context(), c)
		s.must(err)
		states, addresses := map[cloud.InstanceState]int{}, map[string]bool{}
		for _, m := range machines {
			states[m.State]++
			if m.IP != "" && addresses[m.IP] {
				t.Errorf("the address %s is there twice", m.IP)
			}
			addresses[m.IP] = true
		}
		if states[cloud.InstanceRunning] < 3 || states[cloud.InstanceRunning]+states[cloud.InstanceOutOfStock] != 30 {
			t.Errorf("their states are %v", states)
		}
	})
}

func TestWrongInputLeavesNothing(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		c, other := s.project("research"), s.project("other")
		theirs, err := s.CreateFilesystem(t.Context(), other, region.NewFilesystem{Name: "data", Size: "1Gi"})
		s.must(err)
		text := func(s string) *string { return &s }
		for name, tt := range map[string]struct {
			change func(*region.NewInstance)
			says   string
		}{
			"no name":       {func(in *region.NewInstance) { in.Name = " " }, "name"},
			"long name":     {func(in *region.NewInstance) { in.Name = strings.Repeat("x", 64) }, "name"},
			"unknown type":  {func(in *region.NewInstance) { in.Type = "gpu.b200.8x" }, "type"},
			"unknown image": {func(in *region.NewInstance) { in.Image = "image://../secret" }, "image"},
			"tag key":       {func(in *region.NewInstance) { in.Tags = cloud.Tags{"-x": "1"} }, "tags"},
			"tag value":     {func(in *region.NewInstance) { in.Tags = cloud.Tags{"x": "a\nb"} }, "tags"},
			"no base64":     {func(in *region.NewInstance) { in.UserData = text("#cloud-config") }, "userData"},
			"user data too long": {func(in *region.NewInstance) {
				in.UserData = text(base64.StdEncoding.EncodeToString(make([]byte, region.MaxUserData+1)))
			}, "userData"},
			"unknown filesystem": {func(in *region.NewInstance) { in.Filesystems = []cloud.ID{numbered(5)} }, "filesystems"},
			"theirs":             {func(in *region.NewInstance) { in.Filesystems = []cloud.ID{theirs.ID} }, "filesystems"},
		} {
			in := region.NewInstance{Name: "trainer", Type: small.Name, Image: "image://tiny"}
			tt.change(&in)
			_, err := s.CreateInstance(t.Context(), c, in)
			refused(t, name, err, cloud.CodeInvalid, tt.says)
		}
		for _, size := range []string{"", "0", "-1Gi", "1.5Gi", "10GB", "99999999Ti"} {
			_, err := s.CreateFilesystem(t.Context(), c, region.NewFilesystem{Name: "data", Size: size})
			refused(t, "size "+size, err, cloud.CodeInvalid, "size")
		}
		_, err = s.CreateProject(t.Context(), s.admit(""), region.NewProject{Name: "x", Tags: cloud.Tags{"x-": ""}})
		refused(t, "tag of a project", err, cloud.CodeInvalid, "tags")
		if machines, _ := s.Instances(t.Context(), c); len(machines) != 0 {
			t.Errorf("%d instances are there", len(machines))
		}
		if got := s.hosts.Filesystems(); len(got) != 1 {
			t.Errorf("%d filesystems are there, want the one of the other project", len(got))
		}
		s.launch(c, small, func(in *region.NewInstance) {
			in.UserData = text(base64.StdEncoding.EncodeToString(make([]byte, region.MaxUserData)))
		})
		s.clean()
	})
}

func TestProjectsAndFilesystems(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		c := s.project("research")
		f, err := s.CreateFilesystem(t.Context(), c, region.NewFilesystem{Name: "data", Size: "512Gi"})
		s.must(err)
		id := s.launch(c, small, func(in *region.NewInstance) { in.Filesystems = []cloud.ID{f.ID} })
		s.settle()
		refused(t, "delete a filesystem in use", s.DeleteFilesystem(t.Context(), c, f.ID), cloud.CodeConflict, "1 instances")
		refused(t, "delete a project in use", s.DeleteProject(t.Context(), c, c.ProjectID), cloud.CodeConflict, "1 instances and 1 filesystems")
		s.must(s.DeleteInstance(t.Context(), c, id))
		s.settle()
		s.must(s.DeleteFilesystem(t.Context(), c, f.ID))
		refused(t, "delete it again", s.DeleteFilesystem(t.Context(), c, f.ID), cloud.CodeNotFound, string(f.ID))
		s.must(s.DeleteProject(t.Context(), c, c.ProjectID))
		_, err = s.CreateInstance(t.Context(), c, region.NewInstance{Name: "x", Type: small.Name, Image: "image://tiny"})
		refused(t, "launch in a project that is gone", err, cloud.CodeNotFound, string(c.ProjectID))
		if len(s.hosts.Filesystems()) != 0 {
			t.Error("the filesystem is still there")
		}
		s.clean()
	})
}

// What is reported is what is there, in the same transaction.
func TestReportsAreWhatIsThere(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		c := s.project("research")
		running := s.launch(c, small)
		s.settle()
		waits := s.launch(c, large)
		s.settle()
		got := map[cloud.ID]cloud.InstanceReport{}
		s.must(s.store.Read(t.Context(), func(r cloud.RegionReader) error {
			objects, err := r.Objects(cloud.ObjectKey{}, 10)
			for _, o := range objects {
				report, err := cloud.ParseInstanceReport(o.Body)
				s.must(err)
				got[o.ID] = report
			}
			return err
		}))
		want := map[cloud.ID]cloud.InstanceReport{}
		for _, id := range []cloud.ID{running, waits} {
			m, err := s.Instance(t.Context(), c, id)
			s.must(err)
			want[id] = m.Report()
		}
		if d := cmp.Diff(want, got); d != "" || want[running].Source != "host-01" || want[waits].Source != cloud.SourceRegion {
			t.Errorf("reports, from %s and %s (-want +got):\n%s", want[running].Source, want[waits].Source, d)
		}
	})
}

func TestAddressesRunOut(t *testing.T) {
	t.Parallel()
	on(t, 4, func(t *testing.T, s *site) {
		s.addresses = "10.64.0.0/29" // of which 2 to 6 are to be had
		s.stop()
		s.begin()
		c := s.project("research")
		var ids []cloud.ID
		for range 5 {
			ids = append(ids, s.launch(c, small))
		}
		s.settle()
		last := s.launch(c, small)
		s.settle()
		s.is(c, last, cloud.InstanceOutOfStock)
		s.must(s.StopInstance(t.Context(), c, ids[0])) // it keeps its address
		s.settle()
		s.is(c, last, cloud.InstanceOutOfStock)
		s.must(s.DeleteInstance(t.Context(), c, ids[0]))
		s.settle()
		s.is(c, last, cloud.InstanceRunning)
		s.clean()
	})
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		c := s.project("research")
		viewer, stranger := numbered(31), numbered(32)
		s.roles[viewer] = cloud.RoleViewer
		for name, tt := range map[string]struct {
			who                   cloud.Principal
			action                cloud.Action
			organization, project cloud.ID
			code                  cloud.Code
		}{
			"editor in their project":          {cloud.Principal{UserID: ada.Subject}, cloud.ActionChangeFleet, "", c.ProjectID, ""},
			"editor in their organization":     {cloud.Principal{UserID: ada.Subject}, cloud.ActionChangeFleet, organization, "", ""},
			"editor in their only one":         {cloud.Principal{UserID: ada.Subject}, cloud.ActionReadFleet, "", "", ""},
			"editor in another organization":   {cloud.Principal{UserID: ada.Subject}, cloud.ActionReadFleet, numbered(7), "", cloud.CodeForbidden},
			"the project of another one":       {cloud.Principal{UserID: ada.Subject}, cloud.ActionReadFleet, numbered(7), c.ProjectID, cloud.CodeNotFound},
			"a project that is not there":      {cloud.Principal{UserID: ada.Subject}, cloud.ActionReadFleet, "", numbered(8), cloud.CodeNotFound},
			"outside of the token":             {cloud.Principal{UserID: ada.Subject, OrganizationID: numbered(7)}, cloud.ActionReadFleet, "", c.ProjectID, cloud.CodeNotFound},
			"organization not the token's":     {cloud.Principal{UserID: ada.Subject, OrganizationID: numbered(7)}, cloud.ActionReadFleet, organization, "", cloud.CodeForbidden},
			"viewer reads":                     {cloud.Principal{UserID: viewer}, cloud.ActionReadFleet, "", c.ProjectID, ""},
			"viewer changes":                   {cloud.Principal{UserID: viewer}, cloud.ActionChangeFleet, "", c.ProjectID, cloud.CodeForbidden},
			"viewer stops":                     {cloud.Principal{UserID: viewer}, cloud.ActionStopFleet, "", c.ProjectID, cloud.CodeForbidden},
			"stranger in the project":          {cloud.Principal{UserID: stranger}, cloud.ActionReadFleet, "", c.ProjectID, cloud.CodeNotFound},
			"stranger in the organization":     {cloud.Principal{UserID: stranger}, cloud.ActionReadFleet, organization, "", cloud.CodeForbidden},
			"stranger anywhere":                {cloud.Principal{UserID: stranger}, cloud.ActionReadFleet, "", "", cloud.CodeForbidden},
			"stranger reads the types":         {cloud.Principal{UserID: stranger}, cloud.ActionReadCloud, "", "", ""},
			"a token for viewers, to read":     {cloud.Principal{UserID: ada.Subject, MaxRole: cloud.RoleViewer}, cloud.ActionReadFleet, "", c.ProjectID, ""},
			"a token for viewers, to change":   {cloud.Principal{UserID: ada.Subject, MaxRole: cloud.RoleViewer}, cloud.ActionStopFleet, "", c.ProjectID, cloud.CodeForbidden},
			"a token that was revoked":         {cloud.Principal{UserID: ada.Subject, TokenID: "revoked"}, cloud.ActionReadFleet, "", c.ProjectID, cloud.CodeUnauthenticated},
			"one, for what everybody may read": {cloud.Principal{UserID: ada.Subject, TokenID: "revoked"}, cloud.ActionReadCloud, "", "", ""},
		} {
			got, err := s.Admit(t.Context(), tt.who, tt.action, tt.organization, tt.project)
			if cloud.CodeOf(err) != tt.code || (err == nil) != (tt.code == "") {
				t.Errorf("%s: got %v, want %q", name, err, tt.code)
			}
			if err == nil && tt.action.NeedsOrganization() && got.OrganizationID != organization {
				t.Errorf("%s: admitted for %q", name, got.OrganizationID)
			}
		}
	})
}

// Whoever changes something is written down with it; who changes nothing is not.
func TestChangesAreAudited(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		c := s.project("research")
		c.Origin = cloud.Origin{RequestID: "r-1", Address: "192.0.2.1"}
		f, err := s.CreateFilesystem(t.Context(), c, region.NewFilesystem{Name: "data", Size: "1Gi"})
		s.must(err)
		id := s.launch(c, small)
		s.settle()
		s.must(s.StartInstance(t.Context(), c, id)) // it runs
		s.must(s.StopInstance(t.Context(), c, id))
		s.must(s.StopInstance(t.Context(), c, id))
		refused(t, "start", s.StartInstance(t.Context(), c, id), cloud.CodeConflict, "stopping")
		s.settle()
		s.must(s.StartInstance(t.Context(), c, id))
		s.must(s.DeleteInstance(t.Context(), c, id))
		s.must(s.DeleteInstance(t.Context(), c, id))
		s.settle()
		s.must(s.DeleteFilesystem(t.Context(), c, f.ID))
		s.must(s.DeleteProject(t.Context(), c, c.ProjectID))
		var entries []cloud.AuditEntry
		s.must(s.store.Read(t.Context(), func(r cloud.RegionReader) (err error) {
			entries, err = r.AuditEntries(organization, cloud.Page{Limit: 100})
			return err
		}))
		var got []string
		for _, e := range entries {
			got = append(got, e.Action+" "+e.Target)
			if e.Actor.ID != string(ada.Subject) || e.Action != "project.create" && e.Origin != c.Origin {
				t.Errorf("%s was by %+v from %+v", e.Action, e.Actor, e.Origin)
			}
		}
		if d := cmp.Diff([]string{
			"project.create " + string(c.ProjectID), "filesystem.create " + string(f.ID), "instance.create " + string(id),
			"instance.stop " + string(id), "instance.start " + string(id), "instance.delete " + string(id),
			"filesystem.delete " + string(f.ID), "project.delete " + string(c.ProjectID),
		}, got); d != "" {
			t.Errorf("the audit (-want +got):\n%s", d)
		}
		if stop := entries[3]; stop.Before != `{"state":"running","goal":"running"}` || stop.After != `{"state":"stopping","goal":"stopped"}` {
			t.Errorf("the stop was from %s to %s", stop.Before, stop.After)
		}
	})
}
