package managementapi_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

type sshKey struct{ Name, Key, Fingerprint string }

func newKey(name, line string) string {
	body, err := json.Marshal(map[string]string{"name": name, "key": line})
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(body)
}

// rsaLine is an RSA public key whose modulus has so many bits. Whether it has
// two prime factors is nobody's business but its owner's.
func rsaLine(t *testing.T, bits int) string {
	t.Helper()
	modulus := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	modulus.SetBit(modulus, 0, 1)
	return lineOf(t, &rsa.PublicKey{N: modulus, E: 65537})
}

func ecdsaLine(t *testing.T, curve elliptic.Curve) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return lineOf(t, &key.PublicKey)
}

func lineOf(t *testing.T, public any) string {
	t.Helper()
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// wireLine is a line whose key is the given fields in SSH's wire form (RFC
// 4251, 5); the first one is the algorithm.
func wireLine(fields ...[]byte) string {
	var blob []byte
	for _, f := range fields {
		blob = ssh.Marshal(struct {
			Before []byte `ssh:"rest"`
			Length uint32
			Field  []byte `ssh:"rest"`
		}{blob, uint32(len(f)), f})
	}
	return string(fields[0]) + " " + base64.StdEncoding.EncodeToString(blob)
}

// securityKeyLines are keys that live in a token, as OpenSSH's PROTOCOL.u2f
// has them.
func securityKeyLines(t *testing.T) map[string]string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"sk-ed25519": wireLine([]byte(ssh.KeyAlgoSKED25519), public, []byte("ssh:")),
		"sk-ecdsa":   wireLine([]byte(ssh.KeyAlgoSKECDSA256), []byte("nistp256"), point, []byte("ssh:")),
	}
}

func certificateLine(t *testing.T) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &ssh.Certificate{Key: signer.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"root"}, ValidBefore: ssh.CertTimeInfinity}
	if err := certificate.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(certificate)))
}

func TestKeysOfEveryAcceptedType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lines := map[string]string{
		"ed25519":   publicKey("ed25519"),
		"p256":      ecdsaLine(t, elliptic.P256()),
		"p384":      ecdsaLine(t, elliptic.P384()),
		"p521":      ecdsaLine(t, elliptic.P521()),
		"rsa-2048":  rsaLine(t, 2048),
		"rsa-4096":  rsaLine(t, 4096),
		"rsa-16384": rsaLine(t, 16384),
		"comment":   publicKey("comment") + " ada@laptop, the new one #2",
		"umlaut":    publicKey("umlaut") + " Adas Schlüssel 🔑",
	}
	for name, line := range securityKeyLines(t) {
		lines[name] = line
	}
	for name, line := range lines {
		var got sshKey
		w.call(loner, "POST", "/user/keys", newKey(name, line)).want(http.StatusOK).into(&got)
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if want := (sshKey{name, line, ssh.FingerprintSHA256(key)}); got != want {
			t.Errorf("got %+v; want %+v", got, want)
		}
	}
	var names []string
	for _, k := range list[sshKey](w.get(loner, "/user/keys").want(http.StatusOK)) {
		names = append(names, k.Name)
		if k.Name != "laptop" && k.Key != lines[k.Name] {
			t.Errorf("%s is listed as %s; want %s", k.Name, k.Key, lines[k.Name])
		}
	}
	if len(names) != len(lines)+1 || !slices.IsSorted(names) {
		t.Errorf("got the keys %v; want all of them by name", names)
	}
}

// TestKeysAreKeptInOneSpelling proves that white space makes no difference, in
// particular not another key.
func TestKeysAreKeptInOneSpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	line := publicKey("spelling")
	algorithm, blob, _ := strings.Cut(line, " ")
	var got sshKey
	w.call(loner, "POST", "/user/keys", newKey("first", "\r\n\t "+algorithm+" \t  "+blob+"\t\tmy  comment \n")).want(http.StatusOK).into(&got)
	if want := line + " my  comment"; got.Key != want {
		t.Errorf("got %q; want %q", got.Key, want)
	}
	w.call(loner, "POST", "/user/keys", newKey("second", line+" another comment")).want(http.StatusConflict).says(`"first"`)
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := publicKey("good")
	algorithm, blob, _ := strings.Cut(good, " ")
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	openssh := string(pem.EncodeToMemory(block))
	secret := strings.Split(openssh, "\n")[1]
	before := w.dump()
	for _, c := range []struct{ name, line, says string }{
		{"OpenSSH private key", openssh, "private key"},
		{"private key in one line", strings.ReplaceAll(openssh, "\n", " "), "private key"},
		{"PKCS #1 private key", "-----BEGIN RSA PRIVATE KEY-----\n" + secret + "\n-----END RSA PRIVATE KEY-----", "private key"},
		{"PKCS #8 private key", "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----", "private key"},
		{"encrypted private key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + secret + "\n-----END ENCRYPTED PRIVATE KEY-----", "private key"},
		{"huge private key", strings.Repeat(openssh, 100), "private key"},
		{"PuTTY private key", "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n" + secret, "private key"},
		{"PKIX public key", "-----BEGIN PUBLIC KEY-----\n" + blob + "\n-----END PUBLIC KEY-----", "one line"},
		{"SSH2 public key", "---- BEGIN SSH2 PUBLIC KEY ----\n" + blob + "\n---- END SSH2 PUBLIC KEY ----", "one line"},
		{"option", "no-pty " + good, "options"},
		{"options", `command="rm -rf /",no-pty ` + good, "options"},
		{"option with a key in it", `environment="KEY=` + good + `" ` + good, "options"},
		{"option named like an algorithm", algorithm + " " + good, "options"},
		{"CA option", "cert-authority " + good, "options"},
		{"two keys", good + "\n" + publicKey("other"), "one line"},
		{"two keys with CR", good + "\r" + publicKey("other"), "one line"},
		{"key with an option line", good + "\ncommand=\"sh\" " + good, "one line"},
		{"comment line", "# " + good, "not an OpenSSH public key"},
		{"DSA", wireLine([]byte("ssh-dss"), []byte{1}, []byte{2}, []byte{3}, []byte{4}), "DSA"},
		{"RSA of 1024 bits", rsaLine(t, 1024), "2048 to 16384 bits; this one has 1024"},
		{"RSA of 2047 bits", rsaLine(t, 2047), "this one has 2047"},
		{"RSA of 16385 bits", rsaLine(t, 16385), "not an OpenSSH public key"},
		{"certificate", certificateLine(t), "ssh-ed25519-cert-v01@openssh.com are not accepted"},
		{"another algorithm's name", "ssh-rsa " + blob, "not an OpenSSH public key"},
		{"an algorithm nobody knows", "ssh-future " + blob, "not an OpenSSH public key"},
		{"a name that only begins well", algorithm + "x " + blob, "not an OpenSSH public key"},
		{"upper case", strings.ToUpper(algorithm) + " " + blob, "not an OpenSSH public key"},
		{"no algorithm", blob, "not an OpenSSH public key"},
		{"no key", algorithm, "not an OpenSSH public key"},
		{"a key cut short", good[:len(good)-8], "not an OpenSSH public key"},
		{"a key with more after it", wireLine([]byte(ssh.KeyAlgoED25519), make([]byte, 32), []byte("more")), "not an OpenSSH public key"},
		{"base64 for URLs", algorithm + " " + strings.NewReplacer("+", "-", "/", "_").Replace(blob) + "-_", "not an OpenSSH public key"},
		{"short ed25519", wireLine([]byte(ssh.KeyAlgoED25519), make([]byte, 31)), "not an OpenSSH public key"},
		{"empty", "", "key is missing"},
		{"white space", " \t\r\n ", "key is missing"},
		{"garbage", "hunter2", "not an OpenSSH public key"},
		{"NUL", good + " a\x00b", "printable"},
		{"escape", good + " \x1b[31m", "printable"},
		{"next line", good + " a\u0085b", "printable"},
		{"line separator", good + " a\u2028b", "printable"},
		{"change of direction", good + " \u202eadmin", "printable"},
		{"bytes that are no text", good + " \xff", "printable"},
		{"a long comment", good + " " + strings.Repeat("x", 16<<10), "at most 16384 bytes"},
	} {
		r := w.call(loner, "POST", "/user/keys", newKey("desktop", c.line)).want(http.StatusBadRequest)
		if !strings.Contains(r.message(), c.says) {
			t.Errorf("%s: got %q; want it to say %q", c.name, r.message(), c.says)
		}
		if strings.Contains(r.body, secret) {
			t.Errorf("%s: the answer repeats a private key", c.name)
		}
	}
	if strings.Contains(w.logged(), secret) {
		t.Error("the log has a private key in it")
	}
	if w.dump() != before {
		t.Error("a refused key changed the database")
	}
}

func TestKeyNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, name := range []string{"a", "Z", "0", "-", "_", "~", "...", ".ssh", "a.b-c_d~e", strings.Repeat("x", 63)} {
		w.call(loner, "POST", "/user/keys", newKey(name, publicKey(name))).want(http.StatusOK)
		if i%2 == 0 {
			w.call(loner, "DELETE", "/user/keys/"+name, "").want(http.StatusNoContent)
		}
	}
	for _, name := range []string{"", ".", "..", " ", "a b", "a/b", "a%2Fb", "a?b", "a#b", "a:b", "a@b", "ä", "a\x00", "a\n", "a\u200b", strings.Repeat("x", 64)} {
		w.call(loner, "POST", "/user/keys", newKey(name, publicKey("fresh"))).want(http.StatusBadRequest).says("name must be 1 to 63 characters")
	}
	for _, path := range []string{"nothing", "LAPTOP", "%20", "laptop%00", "%FF", "%E2%80%AE", "a%2Fb", strings.Repeat("x", 5000)} {
		w.call(loner, "DELETE", "/user/keys/"+path, "").want(http.StatusNotFound)
	}
}

// TestKeysAreUniquePerUser proves it for names and for fingerprints, and that
// nobody gets in another's way.
func TestKeysAreUniquePerUser(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.call(viewer, "POST", "/user/keys", newKey("laptop", publicKey("new"))).want(http.StatusConflict).says(`named "laptop"`)
		w.call(viewer, "POST", "/user/keys", newKey("desktop", publicKey(viewer)+" comment")).want(http.StatusConflict).says(`under the name "laptop"`)
		w.call(viewer, "POST", "/user/keys", newKey("desktop", publicKey(admin))).want(http.StatusOK)
		w.call(viewer, "POST", "/user/keys", newKey("Laptop", publicKey("new"))).want(http.StatusOK)
		w.call(editor, "POST", "/user/keys", newKey("desktop", publicKey(admin))).want(http.StatusOK)

		w.call(viewer, "DELETE", "/user/keys/laptop", "").want(http.StatusNoContent)
		w.call(viewer, "DELETE", "/user/keys/laptop", "").want(http.StatusNotFound)
		w.call(viewer, "POST", "/user/keys", newKey("laptop", publicKey(viewer))).want(http.StatusOK)

		want := map[string][]string{viewer: {"Laptop", "desktop", "laptop"}, editor: {"desktop", "laptop"}, admin: {"laptop"}}
		for who, names := range want {
			var got []string
			for _, k := range list[sshKey](w.get(who, "/user/keys").want(http.StatusOK)) {
				got = append(got, k.Name)
			}
			if !slices.Equal(got, names) {
				t.Errorf("%s has the keys %v; want %v", who, got, names)
			}
		}
	})
}

// TestParallelRegistrations sends a hundred equal requests at once, and a
// hundred with names of their own for one key.
func TestParallelRegistrations(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		equal := newKey("desktop", publicKey("desktop"))
		oneKey := func(i int) string { return newKey(fmt.Sprintf("key-%d", i), publicKey("one")) }
		for name, body := range map[string]func(int) string{"equal": func(int) string { return equal }, "one key": oneKey} {
			counts := w.inParallel(100, func(i int) reply { return w.call(loner, "POST", "/user/keys", body(i)) })
			if diff := cmp.Diff(map[int]int{http.StatusOK: 1, http.StatusConflict: 99}, counts); diff != "" {
				t.Errorf("%s: (-want +got):\n%s", name, diff)
			}
		}
		if keys := list[sshKey](w.get(loner, "/user/keys")); len(keys) != 3 {
			t.Errorf("got %d keys; want 3", len(keys))
		}
	})
}

// TestFingerprintInARequestIsIgnored proves that it is computed.
func TestFingerprintInARequestIsIgnored(t *testing.T) {
	t.Parallel()
	var got sshKey
	body := strings.Replace(newKey("desktop", publicKey("desktop")), "{", `{"fingerprint":"SHA256:forged",`, 1)
	r := newWorld(t).call(loner, "POST", "/user/keys", body).want(http.StatusOK)
	r.into(&got)
	if got.Fingerprint != fingerprint("desktop") || bytes.Contains([]byte(r.body), []byte("forged")) {
		t.Errorf("got %+v", got)
	}
}
