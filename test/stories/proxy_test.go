package stories

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// proxy is the network between a process and a server, with its faults.
type proxy struct {
	net.Listener
	target string

	mu    sync.Mutex
	isCut bool
	delay time.Duration // of everything that passes
	open  map[net.Conn]bool
	ended chan struct{}
}

func newProxy(target string) (*proxy, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{Listener: l, target: target, open: map[net.Conn]bool{}, ended: make(chan struct{})}
	go p.serve()
	return p, nil
}

func (p *proxy) serve() {
	for {
		client, err := p.Accept()
		if err != nil {
			return // it was closed
		}
		go p.connect(client)
	}
}

// connect joins a client with the server until either hangs up, or the line is
// cut.
func (p *proxy) connect(client net.Conn) {
	defer client.Close()
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.add(client, server) {
		return
	}
	var ways sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		ways.Go(func() {
			defer p.hangUp(client, server)
			_, _ = io.Copy(slowly{to, p}, from) // whatever ends it ends both ways
		})
	}
	ways.Wait()
}

func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.open[c] = true
	}
	return !p.isCut
}

func (p *proxy) hangUp(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.open, c)
	}
}

// cut ends all that is open, in the midst of what it carries, and what comes.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isCut = true
	for c := range p.open {
		_ = c.Close()
	}
}

// mend lets everything pass again, after that delay.
func (p *proxy) mend(delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isCut, p.delay = false, delay
}

func (p *proxy) end() {
	_ = p.Close()
	p.cut()
	close(p.ended)
}

// slowly writes after the proxy's delay.
type slowly struct {
	io.Writer
	p *proxy
}

func (s slowly) Write(b []byte) (int, error) {
	s.p.mu.Lock()
	delay := s.p.delay
	s.p.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-s.p.ended:
		}
	}
	return s.Writer.Write(b)
}

func cmdProxy(ts *testscript.TestScript, args []string) {
	need(ts, len(args) == 2, "proxy NAME ADDRESS")
	p, err := newProxy(args[1])
	ts.Check(err)
	storyOf(ts).proxies[args[0]] = p
	ts.Setenv(args[0], p.Addr().String())
}

func cmdCut(ts *testscript.TestScript, args []string) { proxyOf(ts, args, 1).cut() }

func cmdMend(ts *testscript.TestScript, args []string) { proxyOf(ts, args, 1).mend(0) }

func cmdSlow(ts *testscript.TestScript, args []string) {
	p := proxyOf(ts, args, 2)
	delay, err := time.ParseDuration(args[1])
	ts.Check(err)
	p.mend(delay)
}

func proxyOf(ts *testscript.TestScript, args []string, count int) *proxy {
	need(ts, len(args) == count && storyOf(ts).proxies[args[0]] != nil, "COMMAND NAME…, of a proxy that there is")
	return storyOf(ts).proxies[args[0]]
}
