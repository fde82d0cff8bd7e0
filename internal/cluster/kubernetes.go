package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"sigs.k8s.io/yaml"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Kubernetes asks a cluster's API server whether it is ready. A kubeconfig says
// where that is, whom to trust and who is asking; it is read anew each time, as
// it is for tenants. Without one, the endpoint is asked by nobody in particular,
// with the system's roots.
type Kubernetes struct {
	Cluster  cloud.KubernetesCluster
	ReadFile func(name string) ([]byte, error)
}

// readyPath answers 200 when the API server serves (Kubernetes, "API health
// endpoints").
const readyPath = "/readyz"

// Ask implements Asker.
func (k Kubernetes) Ask(ctx context.Context) (Verdict, error) {
	to, err := k.access()
	if err != nil {
		return Silent, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(to.server, "/")+readyPath, http.NoBody)
	if err != nil {
		return Silent, err
	}
	if to.token != "" {
		request.Header.Set("Authorization", "Bearer "+to.token)
	}
	transport := &http.Transport{TLSClientConfig: to.tls, Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return unreached(err)
	}
	defer response.Body.Close()
	switch code := response.StatusCode; {
	case code == http.StatusOK, code == http.StatusUnauthorized, code == http.StatusForbidden:
		return Up, nil // who refuses us, serves
	case code >= http.StatusInternalServerError:
		return Down, fmt.Errorf("its API answers %d", code)
	default:
		return Silent, fmt.Errorf("what is at its endpoint answers %d, as no API server does", code)
	}
}

// unreached tells a cluster that refuses connections from one of which nothing
// is known.
func unreached(err error) (Verdict, error) {
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err // without the URL, which the operator knows
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return Down, err
	}
	return Silent, err
}

// access is how an API server is reached.
type access struct {
	server string
	token  string
	tls    *tls.Config
}

func (k Kubernetes) access() (access, error) {
	if k.Cluster.Kubeconfig == "" {
		return access{server: k.Cluster.Endpoint, tls: &tls.Config{MinVersion: tls.VersionTLS12}}, nil
	}
	text, err := k.ReadFile(k.Cluster.Kubeconfig)
	if err != nil {
		return access{}, err
	}
	return readKubeconfig(text)
}

// kubeconfig is what of one is needed to ask. What it names beside that, such as
// programs that fetch credentials, is not run.
type kubeconfig struct {
	Current  string `json:"current-context"`
	Contexts []struct {
		Name    string `json:"name"`
		Context struct {
			Cluster string `json:"cluster"`
			User    string `json:"user"`
		} `json:"context"`
	} `json:"contexts"`
	Clusters []struct {
		Name    string `json:"name"`
		Cluster struct {
			Server     string `json:"server"`
			Authority  []byte `json:"certificate-authority-data"`
			ServerName string `json:"tls-server-name"`
		} `json:"cluster"`
	} `json:"clusters"`
	Users []struct {
		Name string `json:"name"`
		User struct {
			Token       string `json:"token"`
			Certificate []byte `json:"client-certificate-data"`
			Key         []byte `json:"client-key-data"`
		} `json:"user"`
	} `json:"users"`
}

func readKubeconfig(text []byte) (access, error) {
	var file kubeconfig
	if err := yaml.Unmarshal(text, &file); err != nil {
		return access{}, errors.New("its kubeconfig is no YAML of one") // the cause may repeat secrets
	}
	var cluster, user string
	for _, c := range file.Contexts {
		if c.Name == file.Current {
			cluster, user = c.Context.Cluster, c.Context.User
		}
	}
	to := access{tls: &tls.Config{MinVersion: tls.VersionTLS12}}
	for _, c := range file.Clusters {
		if c.Name != cluster {
			continue
		}
		to.server, to.tls.ServerName = c.Cluster.Server, c.Cluster.ServerName
		if len(c.Cluster.Authority) > 0 {
			to.tls.RootCAs = x509.NewCertPool()
			to.tls.RootCAs.AppendCertsFromPEM(c.Cluster.Authority)
		}
	}
	if !strings.HasPrefix(to.server, "https://") {
		return access{}, errors.New("its kubeconfig's current context names no server at https://")
	}
	for _, u := range file.Users {
		if u.Name != user {
			continue
		}
		to.token = u.User.Token
		if len(u.User.Certificate) > 0 {
			pair, err := tls.X509KeyPair(u.User.Certificate, u.User.Key)
			if err != nil {
				return access{}, errors.New("its kubeconfig's client certificate and key are no pair")
			}
			to.tls.Certificates = []tls.Certificate{pair}
		}
	}
	return to, nil
}
