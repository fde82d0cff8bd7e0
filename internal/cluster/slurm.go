package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Slurm asks a cluster's login nodes for SSH, by which its users reach it: it is
// up if one of them greets, and down if every one refuses.
type Slurm struct {
	Cluster cloud.SlurmCluster
	Dial    Dial
}

// Dial connects, as net.Dialer's DialContext.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

const (
	sshPort     = "22"
	sshGreeting = "SSH-" // RFC 4253, 4.2
)

// Ask implements Asker.
func (s Slurm) Ask(ctx context.Context) (Verdict, error) {
	asked, refused := 0, 0
	cause := errors.New("none of its login nodes has a public_ip")
	for _, node := range s.Cluster.LoginNodes {
		if node.PublicIP == "" {
			continue
		}
		err := s.greet(ctx, node.PublicIP)
		if err == nil {
			return Up, nil
		}
		cause = fmt.Errorf("login node %s: %w", node.Name, err)
		asked++
		if errors.Is(err, syscall.ECONNREFUSED) {
			refused++
		}
	}
	if asked > 0 && refused == asked {
		return Down, cause
	}
	return Silent, cause
}

// greet waits until an SSH server says that it is one.
func (s Slurm) greet(ctx context.Context, ip string) error {
	conn, err := s.Dial(ctx, "tcp", net.JoinHostPort(ip, sshPort))
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	greeting := make([]byte, len(sshGreeting))
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return err
	}
	if string(greeting) != sshGreeting {
		return errors.New("what answers is no SSH server")
	}
	return nil
}
