package cluster_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/cluster"
)

// apiServer is one that knows who may ask, and the kubeconfig that opens it.
func apiServer(t *testing.T, token string, answer http.HandlerFunc) (at, kubeconfig string) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || r.Header.Get("Authorization") != "Bearer "+token {
			http.NotFound(w, r)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return server.URL, kubeconfigOf(server.URL, base64.StdEncoding.EncodeToString(authority), token)
}

func kubeconfigOf(server, authority, token string) string {
	return fmt.Sprintf(`
current-context: here
contexts: [{name: here, context: {cluster: one, user: prober}}]
clusters: [{name: one, cluster: {server: %q, certificate-authority-data: %q}}]
users: [{name: prober, user: {token: %q}}]
`, server, authority, token)
}

func answers(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// nobody is an address at which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	const token = "hush-hush"
	_, ready := apiServer(t, token, answers(http.StatusOK))
	_, unready := apiServer(t, token, answers(http.StatusInternalServerError))
	_, refusing := apiServer(t, token, answers(http.StatusForbidden))
	_, elsewhere := apiServer(t, token, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://192.0.2.1/", http.StatusFound)
	})
	untrusted, _ := apiServer(t, token, answers(http.StatusOK))
	for name, c := range map[string]struct {
		kubeconfig string
		want       cluster.Verdict
	}{
		"ready":                       {ready, cluster.Up},
		"not ready":                   {unready, cluster.Down},
		"refuses us, so it serves":    {refusing, cluster.Up},
		"sends us elsewhere":          {elsewhere, cluster.Silent},
		"another's certificate":       {kubeconfigOf(untrusted, "", token), cluster.Silent},
		"nothing listens":             {kubeconfigOf("https://"+nobody(t), "", token), cluster.Down},
		"plain HTTP":                  {kubeconfigOf("http://127.0.0.1:1", "", token), cluster.Silent},
		"no kubeconfig":               {"{", cluster.Silent},
		"a context that is not there": {strings.Replace(ready, "current-context: here", "current-context: there", 1), cluster.Silent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asker := cluster.Kubernetes{
				Cluster:  cloud.KubernetesCluster{Kubeconfig: "k.yaml"},
				ReadFile: func(string) ([]byte, error) { return []byte(c.kubeconfig), nil },
			}
			got, err := asker.Ask(t.Context())
			if got != c.want || (err == nil) != (got == cluster.Up) {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
}

func TestKubernetesWithoutAKubeconfig(t *testing.T) {
	t.Parallel()
	asker := cluster.Kubernetes{Cluster: cloud.KubernetesCluster{Endpoint: "https://" + nobody(t) + "/"}}
	if got, err := asker.Ask(t.Context()); got != cluster.Down {
		t.Errorf("got %s, %v; want the endpoint to have been asked", got, err)
	}
	gone := cluster.Kubernetes{Cluster: cloud.KubernetesCluster{Kubeconfig: "gone"}, ReadFile: os.ReadFile}
	if got, err := gone.Ask(t.Context()); got != cluster.Silent || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %s, %v; want silence and the reason", got, err)
	}
}

// greeter listens as a login node does, and says something.
func greeter(t *testing.T, says string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(says))
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

func TestSlurm(t *testing.T) {
	t.Parallel()
	at := map[string]string{
		"192.0.2.1:22": greeter(t, "SSH-2.0-OpenSSH_9.2\r\n"),
		"192.0.2.2:22": greeter(t, "220 mail.example.com ESMTP\r\n"),
		"192.0.2.3:22": nobody(t),
		"192.0.2.4:22": nobody(t),
	}
	for name, c := range map[string]struct {
		nodes []string
		want  cluster.Verdict
	}{
		"greets":                   {[]string{"192.0.2.1"}, cluster.Up},
		"one of them greets":       {[]string{"", "192.0.2.3", "192.0.2.1"}, cluster.Up},
		"all refuse":               {[]string{"192.0.2.3", "192.0.2.4"}, cluster.Down},
		"one refuses, one is mute": {[]string{"192.0.2.3", "192.0.2.2"}, cluster.Silent},
		"something else":           {[]string{"192.0.2.2"}, cluster.Silent},
		"no node":                  {nil, cluster.Silent},
		"no node with an address":  {[]string{""}, cluster.Silent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asker := cluster.Slurm{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, at[address])
			}}
			for _, ip := range c.nodes {
				asker.Cluster.LoginNodes = append(asker.Cluster.LoginNodes, cloud.SlurmLoginNode{Name: "login", PublicIP: ip})
			}
			if got, err := asker.Ask(t.Context()); got != c.want || (err == nil) != (got == cluster.Up) {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}
