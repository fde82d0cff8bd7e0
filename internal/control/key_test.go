package control_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

// accepted are the types of keys that may be registered.
var accepted = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
	ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoRSA,
}

// FuzzParsePublicKey proves that whatever is accepted is one line with one
// public key, the one that was sent, which OpenSSH reads the same; and that
// whatever is refused is refused in words that fit into a message.
func FuzzParsePublicKey(f *testing.F) {
	for _, seed := range keySeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, fingerprint, err := control.ParsePublicKey(text)
		if err != nil {
			if message := err.Error(); cloud.CodeOf(err) != cloud.CodeInvalid || len(message) > 300 || !utf8.ValidString(message) {
				t.Errorf("refused with %s: %q", cloud.CodeOf(err), message)
			}
			return
		}
		key, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil || len(options) > 0 || len(rest) > 0 {
			t.Fatalf("%q: options %q, rest %q, %v", line, options, rest, err)
		}
		algorithm, after, _ := strings.Cut(line, " ")
		blob, said, _ := strings.Cut(after, " ")
		bits, err := base64.StdEncoding.DecodeString(blob)
		switch {
		case err != nil || !bytes.Equal(bits, key.Marshal()) || said != comment:
			t.Errorf("%q is not the key and its comment %q: %v", line, comment, err)
		case algorithm != key.Type() || !slices.Contains(accepted, algorithm):
			t.Errorf("%q is a %s", line, key.Type())
		case fingerprint != ssh.FingerprintSHA256(key):
			t.Errorf("%q has the fingerprint %s", line, fingerprint)
		case strings.ContainsAny(line, "\r\n\x00") || !utf8.ValidString(line) || strings.Contains(line, "PRIVATE KEY"):
			t.Errorf("%q is no line to keep", line)
		}
		if _, err := ssh.ParseRawPrivateKey([]byte(text)); err == nil {
			t.Errorf("%q is a private key", text)
		}
		if again, print, err := control.ParsePublicKey(line); again != line || print != fingerprint || err != nil {
			t.Errorf("%q is kept as %q when it is sent again: %v", line, again, err)
		}
	})
}

// keySeeds are keys of every kind, and what people send in their place.
func keySeeds(f *testing.F) []string {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	block, err := ssh.MarshalPrivateKey(private, "ada@laptop")
	if err != nil {
		f.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		f.Fatal(err)
	}
	secret := string(pem.EncodeToMemory(block))
	certificate := ssh.Certificate{Key: signer.PublicKey(), SignatureKey: signer.PublicKey(), Signature: &ssh.Signature{}}
	marshal := func(key ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) }
	good := marshal(signer.PublicKey())
	algorithm, blob, _ := strings.Cut(good, " ")

	seeds := []string{
		"", " ", "hunter2", good, good + " ada@laptop", " \t" + algorithm + "\t " + blob + "  a  b \r\n",
		secret, strings.ReplaceAll(secret, "\n", " "), secret + good, good + " " + secret, good + "\n" + good, "PuTTY-User-Key-File-3: " + good,
		`command="sh" ` + good, `environment="A=\"b" ` + good, "no-pty,cert-authority " + good, algorithm + " " + good, "# " + good,
		"ssh-dss " + blob, "ssh-rsa " + blob, blob, algorithm, good[:len(good)-4], good + "=", good + "\x00", good + " \u202e", good + " \xff",
		certificate.Type() + " " + base64.StdEncoding.EncodeToString(certificate.Marshal()),
	}
	for _, size := range []uint{1024, 2048, 4096} {
		modulus := new(big.Int).Lsh(big.NewInt(1), size-1)
		key, err := ssh.NewPublicKey(&rsa.PublicKey{N: modulus.SetBit(modulus, 0, 1), E: 65537})
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, marshal(key))
	}
	curve := elliptic.P256().Params()
	point := slices.Concat([]byte{4}, curve.Gx.Bytes(), curve.Gy.Bytes())
	for _, fields := range [][][]byte{
		{[]byte(ssh.KeyAlgoECDSA256), []byte("nistp256"), point},
		{[]byte(ssh.KeyAlgoSKECDSA256), []byte("nistp256"), point, []byte("ssh:")},
		{[]byte(ssh.KeyAlgoSKED25519), signer.PublicKey().Marshal()[19:], []byte("ssh:")},
		{[]byte("ssh-dss"), {1}, {2}, {3}, {4}},
	} {
		var wire []byte
		for _, field := range fields {
			wire = append(wire, ssh.Marshal(struct{ Field []byte }{field})...)
		}
		seeds = append(seeds, string(fields[0])+" "+base64.StdEncoding.EncodeToString(wire))
	}
	return seeds
}
