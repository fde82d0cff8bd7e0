package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// load asks one server the same thing again and again, over connections that
// stay open.
type load struct {
	address string
	pid     int // of the server
	request []byte
	status  int   // what each answer has to have
	length  int64 // of its body
	open    []*connection
	slices  []slice
}

// slice is what a server did while it was under load.
type slice struct {
	requests int64
	took     time.Duration
	cpu      time.Duration // of the server; 0 where that cannot be known
}

func (s slice) perSecond() float64 { return float64(s.requests) / s.took.Seconds() }

func newLoad(address string, pid int, request []byte, recorded answer, connections int) *load {
	return &load{
		address: address, pid: pid, request: request,
		status: recorded.Status, length: int64(len(recorded.Body)), open: make([]*connection, connections),
	}
}

// rawRequest is a GET as it goes over the wire.
func rawRequest(to string, header http.Header) ([]byte, error) {
	u, err := url.Parse(to)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: penstock-bench\r\n", u.RequestURI(), u.Host)
	err = header.Write(&b)
	b.WriteString("\r\n")
	return b.Bytes(), err
}

// run loads the server for so long, and lets what is under way finish.
func (l *load) run(ctx context.Context, d time.Duration) (slice, error) {
	if err := l.connect(ctx); err != nil {
		return slice{}, err
	}
	before := cpuTime(l.pid)
	begin := time.Now()
	counts := make([]int64, len(l.open))
	group, ctx := errgroup.WithContext(ctx)
	for i, c := range l.open {
		group.Go(func() error {
			for time.Since(begin) < d && ctx.Err() == nil {
				if err := l.ask(c); err != nil {
					return err
				}
				counts[i]++
			}
			return ctx.Err()
		})
	}
	err := group.Wait()
	s := slice{took: time.Since(begin), cpu: cpuTime(l.pid) - before}
	for _, n := range counts {
		s.requests += n
	}
	return s, err
}

func (l *load) connect(ctx context.Context) error {
	for i, c := range l.open {
		if c != nil {
			continue
		}
		var err error
		if l.open[i], err = dial(ctx, l.address); err != nil {
			return err
		}
	}
	return nil
}

// ask makes one request. An answer other than the recorded one is an error:
// refusals are quick, and must not count.
func (l *load) ask(c *connection) error {
	status, length, err := c.roundTrip(l.request)
	if err != nil {
		return err
	}
	if status != l.status || length != l.length {
		return fmt.Errorf("answered %d with %d bytes; want %d with %d", status, length, l.status, l.length)
	}
	return nil
}

// sum is all slices as one.
func (l *load) sum() side {
	var total slice
	speeds := make([]float64, len(l.slices))
	for i, s := range l.slices {
		total.requests += s.requests
		total.cpu += s.cpu
		speeds[i] = s.perSecond()
	}
	return side{
		PerSecond: spreadOf(speeds).Median,
		CPUMicros: float64(total.cpu.Microseconds()) / float64(max(total.requests, 1)),
	}
}

// connection speaks just enough HTTP/1.1 to count answers. net/http's client
// would take more of the machine than the servers that are measured.
type connection struct {
	net.Conn
	in *bufio.Reader
}

const (
	readBuffer = 64 << 10
	patience   = 30 * time.Second // for one answer
)

func dial(ctx context.Context, address string) (*connection, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{c, bufio.NewReaderSize(c, readBuffer)}, nil
}

// roundTrip sends a request and reads the answer, of which it returns the
// status and the length of the body.
func (c *connection) roundTrip(request []byte) (status int, length int64, err error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, 0, err
	}
	if _, err := c.Write(request); err != nil {
		return 0, 0, err
	}
	if status, length, err = c.readHeader(); err != nil {
		return 0, 0, fmt.Errorf("read the answer: %w", err)
	}
	_, err = c.in.Discard(int(length))
	return status, length, err
}

var (
	errNotHTTP  = errors.New("it is not HTTP/1.1")
	errNoLength = errors.New("it has no Content-Length")
)

func (c *connection) readHeader() (status int, length int64, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	const version = "HTTP/1.1 "
	if len(line) < len(version)+3 || string(line[:len(version)]) != version {
		return 0, 0, errNotHTTP
	}
	if status, err = strconv.Atoi(string(line[len(version) : len(version)+3])); err != nil {
		return 0, 0, errNotHTTP
	}
	length = -1
	if status == http.StatusNotModified {
		length = 0
	}
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if status != http.StatusNotModified && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return 0, 0, errNotHTTP
			}
		}
	}
	if length < 0 {
		return 0, 0, errNoLength
	}
	return status, length, nil
}
