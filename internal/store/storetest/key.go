package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testSSHKeys(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	laptop := cloud.SSHKey{UserID: ada.ID, Name: "laptop", Line: "ssh-ed25519 AAAA1", Fingerprint: "SHA256:one", CreatedAt: now}
	tower := cloud.SSHKey{UserID: ada.ID, Name: "Tower", Line: "ssh-ed25519 AAAA2", Fingerprint: "SHA256:two", CreatedAt: now.Add(time.Hour)}
	others := cloud.SSHKey{UserID: ben.ID, Name: "laptop", Line: laptop.Line, Fingerprint: laptop.Fingerprint, CreatedAt: now}
	write(t, s, func(w cloud.Writer) error {
		return first(w.CreateSSHKey(laptop), w.CreateSSHKey(tower), w.CreateSSHKey(others))
	})

	get := func(user cloud.ID, name string) func(cloud.Reader) (cloud.SSHKey, error) {
		return func(r cloud.Reader) (cloud.SSHKey, error) { return r.SSHKey(user, name) }
	}
	equal(t, "the key", read(t, s, get(ada.ID, "laptop")), laptop)
	missing(t, s, "a key of another user", get(ben.ID, "Tower"))
	missing(t, s, "a name in other letters", get(ada.ID, "Laptop"))
	pagedIn(t, s, "the keys, by the bytes of their names", []cloud.SSHKey{tower, laptop}, func(k cloud.SSHKey) string { return k.Name },
		func(r cloud.Reader, p cloud.Page) ([]cloud.SSHKey, error) { return r.SSHKeys(ada.ID, p) })
	equal(t, "how many there are", read(t, s, func(r cloud.Reader) (int64, error) { return r.CountSSHKeys(ada.ID) }), int64(2))

	for _, c := range []struct {
		what, name, fingerprint, says string
	}{
		{"the same again", "laptop", "SHA256:one", `named "laptop"`},
		{"a taken name", "laptop", "SHA256:three", `named "laptop"`},
		{"a known key", "desk", "SHA256:two", `under the name "Tower"`},
		{"a taken name and another's key", "laptop", "SHA256:two", `under the name "Tower"`},
	} {
		t.Run(c.what, func(t *testing.T) {
			refused(t, s, cloud.CodeConflict, c.says, func(w cloud.Writer) error {
				return w.CreateSSHKey(cloud.SSHKey{UserID: ada.ID, Name: c.name, Fingerprint: c.fingerprint, CreatedAt: now})
			})
		})
	}
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error {
		return w.CreateSSHKey(cloud.SSHKey{UserID: id(1), Name: "laptop", Fingerprint: "SHA256:one", CreatedAt: now})
	})

	write(t, s, func(w cloud.Writer) error { return w.DeleteSSHKey(ada.ID, "laptop") })
	missing(t, s, "a deleted key", get(ada.ID, "laptop"))
	refused(t, s, cloud.CodeNotFound, "laptop", func(w cloud.Writer) error { return w.DeleteSSHKey(ada.ID, "laptop") })
	equal(t, "the other user's key", read(t, s, get(ben.ID, "laptop")), others)
}

func testSSHKeysInParallel(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	const tries = 100
	errs := make([]error, tries)
	var creations sync.WaitGroup
	for i := range tries {
		creations.Go(func() {
			errs[i] = s.Write(t.Context(), func(w cloud.Writer) error {
				return w.CreateSSHKey(cloud.SSHKey{UserID: ada.ID, Name: "laptop", Fingerprint: "SHA256:one", CreatedAt: now})
			})
		})
	}
	creations.Wait()
	codes := map[cloud.Code]int{}
	for _, err := range errs {
		codes[cloud.CodeOf(err)]++
		if err != nil && cloud.CodeOf(err) == "" {
			t.Error(err)
		}
	}
	equal(t, "the outcomes", codes, map[cloud.Code]int{"": 1, cloud.CodeConflict: tries - 1})
}
