package stories

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unit is a systemd unit of deploy/, as far as it says what to run.
type unit struct {
	file      string
	execStart []string
	variables map[string]string // of its environment file
	offered   []string          // that are commented out there
}

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	u := unit{file: filepath.Join("../../deploy", "penstock-"+name+".service"), variables: map[string]string{}}
	line := func(file, pattern string) []string {
		t.Helper()
		found := regexp.MustCompile("(?m)" + pattern).FindStringSubmatch(content(t, file))
		if found == nil {
			t.Fatalf("%s has no line like %s", file, pattern)
		}
		return found
	}
	u.execStart = strings.Fields(line(u.file, `^ExecStart=/usr/local/bin/penstock (.+)$`)[1])
	env := filepath.Join("../../deploy", line(u.file, `^EnvironmentFile=/etc/penstock/(.+)$`)[1])
	for _, setting := range regexp.MustCompile(`(?m)^(#?)([A-Z_]+)=(.*)$`).FindAllStringSubmatch(content(t, env), -1) {
		if setting[1] == "#" {
			u.offered = append(u.offered, setting[2])
		} else {
			u.variables[setting[2]] = setting[3]
		}
	}
	return u
}

func content(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// start starts what the unit does, in a folder in the place of the system's,
// with other values for some variables.
func (u unit) start(t *testing.T, dir string, values map[string]string) {
	t.Helper()
	args := slices.Clone(u.execStart)
	for i, arg := range args {
		for specifier, folder := range map[string]string{"%S": "state", "%d": "credentials"} {
			args[i] = strings.ReplaceAll(args[i], specifier, filepath.Join(dir, folder))
		}
		if strings.Contains(args[i], "%") {
			t.Fatalf("%s: this test does not know the specifier in %s", u.file, arg)
		}
	}
	env := []string{"HOME=" + dir}
	for name, value := range u.variables {
		if other, ok := values[name]; ok {
			value = other
		}
		env = append(env, name+"="+value)
	}
	p, err := serve(dir, filepath.Base(u.file), env, args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
}

// TestUnits starts what the units start, with the settings that come with them:
// a plane, and a region that reports to it.
func TestUnits(t *testing.T) {
	t.Parallel()
	in := install(t)
	for _, dir := range []string{"state", "credentials"} {
		if err := os.Mkdir(filepath.Join(in.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	planeURL := strings.TrimSuffix(in.api, "/api/v1alpha1")
	readUnit(t, "plane").start(t, in.dir, map[string]string{"PENSTOCK_LISTEN": in.listen, "PENSTOCK_OPS_LISTEN": ""})
	data := filepath.Join("state", "penstock-plane")
	credential := in.admin(t, "--data-dir", data, "region", "create", "west-1", "--url", "http://127.0.0.1:8081")
	if err := os.WriteFile(filepath.Join(in.dir, "credentials", "region"), []byte(credential), 0o600); err != nil {
		t.Fatal(err)
	}
	readUnit(t, "region").start(t, in.dir, map[string]string{
		"PENSTOCK_LISTEN": "127.0.0.1:0", "PENSTOCK_OPS_LISTEN": "", "PENSTOCK_PLANE": planeURL,
	})
	err := wait(func() error {
		list := in.admin(t, "--data-dir", data, "region", "list")
		if !regexp.MustCompile(`(?m)^west-1 +synced `).MatchString(list) {
			return errors.New("the plane has not heard of the region, but says\n" + list)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What the environment files offer, the commands know.
func TestUnitsOfferSettings(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plane", "region"} {
		u := readUnit(t, name)
		help, err := exec.Command(binary(), append(u.execStart[:2:2], "--help")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if len(u.offered) == 0 {
			t.Errorf("%s: found no setting that is offered", u.file)
		}
		for _, variable := range u.offered {
			if !strings.Contains(string(help), "$"+variable+")") {
				t.Errorf("%s: its environment file offers %s, which the command does not know", u.file, variable)
			}
		}
	}
}

// exposure is the most that `systemd-analyze security` may say, times ten: what
// remains is that they use the network.
const exposure = "15"

// TestUnitsAreHardened asks systemd itself, where it is installed.
func TestUnitsAreHardened(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("skipped: systemd-analyze is not installed")
	}
	for _, name := range []string{"plane", "region"} {
		u := readUnit(t, name)
		installed := filepath.Join(t.TempDir(), filepath.Base(u.file))
		text := strings.ReplaceAll(content(t, u.file), "/usr/local/bin/penstock", binary())
		if err := os.WriteFile(installed, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if name == "region" {
			verifyDropIn(t, analyze, installed, "../../deploy/penstock-region-libvirt.conf")
		}
		for _, args := range [][]string{
			{"verify", "--man=false", installed},
			{"security", "--no-pager", "--offline=true", "--threshold=" + exposure, installed},
		} {
			out, err := exec.Command(analyze, args...).CombinedOutput()
			if err != nil || args[0] == "verify" && len(out) > 0 {
				t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		}
	}
}

// verifyDropIn asks whether what goes beside a unit is understood.
func verifyDropIn(t *testing.T, analyze, unit, dropIn string) {
	t.Helper()
	beside := filepath.Join(t.TempDir(), filepath.Base(unit))
	if err := os.Mkdir(beside+".d", 0o700); err != nil {
		t.Fatal(err)
	}
	for to, from := range map[string]string{beside: unit, filepath.Join(beside+".d", "libvirt.conf"): dropIn} {
		if err := os.WriteFile(to, []byte(content(t, from)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(analyze, "verify", "--man=false", "--recursive-errors=no", beside).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify %s: %v\n%s", dropIn, err, out)
	}
}
