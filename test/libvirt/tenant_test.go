package libvirt

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/ssh"

	"github.com/penstock-cloud/penstock/client/infrastructure"
	"github.com/penstock-cloud/penstock/client/management"
)

// userData is what every machine of the tests is given.
const userData = "#cloud-config\nssh_authorized_keys: []\n"

// wants returns an error unless an answer has a status.
func wants(what string, status int, got *http.Response, body []byte, err error) error {
	if err == nil && got.StatusCode != status {
		err = fmt.Errorf("got %s; want %d: %s", got.Status, status, body)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// newKey makes a key to log in with.
func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	must(t, err)
	return signer
}

// register registers a key at the plane, and expects a status.
func (p *penstock) register(name string, key ssh.Signer, status int) {
	p.Helper()
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
	got, err := p.management.RegisterKeyWithResponse(p.Context(), nil, management.SSHKey{Name: name, Key: line})
	must(p.T, err)
	must(p.T, wants("POST /user/keys", status, got.HTTPResponse, got.Body, nil))
}

func (p *penstock) newProject(name string) uuid.UUID {
	p.Helper()
	got, err := p.infrastructure.CreateProjectWithResponse(p.Context(), nil, infrastructure.CreateProjectRequest{Name: name})
	must(p.T, err)
	must(p.T, wants("POST /projects", http.StatusCreated, got.HTTPResponse, got.Body, nil))
	return got.JSON201.ID
}

func (p *penstock) deleteProject(id uuid.UUID, status int) string {
	p.Helper()
	got, err := p.infrastructure.DeleteProjectWithResponse(p.Context(), id, nil)
	must(p.T, err)
	must(p.T, wants("DELETE /projects", status, got.HTTPResponse, got.Body, nil))
	return string(got.Body)
}

// machine is an instance, as its tenant knows it.
type machine struct {
	*penstock
	project, id uuid.UUID
	ip          string // once it has run
}

// create asks for an instance. An error says that it was not answered, and then
// there may be one or not.
func (p *penstock) create(project uuid.UUID, name string) (*machine, error) {
	image, data := "image://tiny", base64.StdEncoding.EncodeToString([]byte(userData))
	got, err := p.infrastructure.CreateInstanceWithResponse(p.Context(), &infrastructure.CreateInstanceParams{ProjectID: project},
		infrastructure.CreateInstanceRequest{Name: name, Type: "cpu.tiny", Image: &image, UserData: &data})
	if err != nil {
		return nil, err
	}
	if err := wants("POST /instances", http.StatusCreated, got.HTTPResponse, got.Body, nil); err != nil {
		p.Fatal(err)
	}
	if got.JSON201.State != infrastructure.InstanceStateCreating {
		p.Errorf("a new instance is %s", got.JSON201.State)
	}
	return &machine{penstock: p, project: project, id: got.JSON201.ID}, nil
}

func (p *penstock) launch(project uuid.UUID, name string) *machine {
	p.Helper()
	m, err := p.create(project, name)
	must(p.T, err)
	return m
}

// all lists the instances of a project.
func (p *penstock) all(project uuid.UUID) []infrastructure.Instance {
	p.Helper()
	got, err := p.infrastructure.ListInstancesWithResponse(p.Context(), &infrastructure.ListInstancesParams{ProjectID: project})
	must(p.T, err)
	must(p.T, wants("GET /instances", http.StatusOK, got.HTTPResponse, got.Body, nil))
	return *got.JSON200
}

// order is a request of which nothing comes back. An error says that it was not
// answered.
type order func(*machine) error

func start(m *machine) error {
	got, err := m.infrastructure.StartInstanceWithResponse(m.Context(), m.id, &infrastructure.StartInstanceParams{ProjectID: m.project})
	if err != nil {
		return err
	}
	m.accepted("start", http.StatusAccepted, got.HTTPResponse, got.Body)
	return nil
}

func stop(m *machine) error {
	got, err := m.infrastructure.StopInstanceWithResponse(m.Context(), m.id, &infrastructure.StopInstanceParams{ProjectID: m.project})
	if err != nil {
		return err
	}
	m.accepted("stop", http.StatusAccepted, got.HTTPResponse, got.Body)
	return nil
}

func remove(m *machine) error {
	got, err := m.infrastructure.DeleteInstanceWithResponse(m.Context(), m.id, &infrastructure.DeleteInstanceParams{ProjectID: m.project})
	if err != nil {
		return err
	}
	if got.StatusCode() != http.StatusNotFound { // one that was deleted already, when it is asked again
		m.accepted("delete", http.StatusNoContent, got.HTTPResponse, got.Body)
	}
	return nil
}

func (m *machine) accepted(what string, status int, got *http.Response, body []byte) {
	m.Helper()
	if err := wants(what, status, got, body, nil); err != nil {
		m.Error(err) // not Fatal: it may be called beside the test
	}
}

// gone is the state of what is 404.
const gone infrastructure.InstanceState = ""

// state is what the region says of a machine now.
func (m *machine) state() (infrastructure.InstanceState, error) {
	got, err := m.infrastructure.GetInstanceWithResponse(m.Context(), m.id, &infrastructure.GetInstanceParams{ProjectID: m.project})
	if err != nil {
		return "", err
	}
	if got.StatusCode() == http.StatusNotFound {
		return gone, nil
	}
	if err := wants("GET /instances/{id}", http.StatusOK, got.HTTPResponse, got.Body, nil); err != nil {
		return "", err
	}
	if ip := got.JSON200.IP; ip != nil {
		if m.ip != "" && m.ip != *ip {
			m.Errorf("the address changed from %s to %s", m.ip, *ip)
		}
		m.ip = *ip
	}
	return got.JSON200.State, nil
}

// becomes polls, as clients do.
func (m *machine) becomes(want infrastructure.InstanceState) {
	m.Helper()
	eventually(m.T, patience, func() error {
		got, err := m.state()
		if err == nil && got != want {
			err = fmt.Errorf("the instance %s is %q; want %q", m.id, got, want)
		}
		return err
	})
}

// planeShows waits until the plane shows a machine so.
func (m *machine) planeShows(state management.InstanceState, health management.InstanceHealth) {
	m.Helper()
	eventually(m.T, promised, func() error {
		got, err := m.management.ListInstancesWithResponse(m.Context(), nil)
		if err := wants("GET /instances of the plane", http.StatusOK, got.HTTPResponse, got.Body, err); err != nil {
			return err
		}
		for _, i := range *got.JSON200 {
			if i.ID == m.id && i.State == state && i.Health != nil && *i.Health == health {
				return nil
			}
		}
		return fmt.Errorf("the plane does not show %s as %s and %s: %s", m.id, state, health, got.Body)
	})
}

// inside runs a command in a machine.
func (m *machine) inside(key ssh.Signer, command string) (string, error) {
	client, err := ssh.Dial("tcp", net.JoinHostPort(m.ip, "22"), &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 2 * time.Second,
	})
	if err != nil {
		return "", err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return "", err
	}
	out, err := session.CombinedOutput(command)
	return string(out), err
}

// logsIn waits until a machine has booted, and runs a command in it.
func (m *machine) logsIn(key ssh.Signer, command string) (out string) {
	m.Helper()
	eventually(m.T, patience, func() (err error) {
		out, err = m.inside(key, command)
		return err
	})
	return out
}

// reaches reports whether one machine hears another, by a ping and by what its
// SSH server says first.
func (m *machine) reaches(key ssh.Signer, other *machine) (pings, speaks bool) {
	m.Helper()
	_, err := m.inside(key, "ping -c 1 -W 2 "+other.ip)
	pings = err == nil
	_, err = m.inside(key, "nc -w 2 "+other.ip+" 22 </dev/null | grep -q SSH")
	return pings, err == nil
}
