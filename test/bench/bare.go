package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// bareCommand is the argument with which this program starts itself as the
// bare server.
const bareCommand = "bare"

// answer is a response as it was recorded from the plane.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// ServeHTTP is the bare handler: it does what any server would have to do to
// send these bytes, and nothing else.
func (a answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for name, values := range a.Header {
		h[name] = values
	}
	if match := r.Header.Get("If-None-Match"); match != "" && match == a.Header.Get("ETag") {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(a.Body) // the client will notice
}

// get asks once, as an ordinary client.
func get(ctx context.Context, url string, header http.Header) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	request.Header = header
	client := http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	for _, own := range []string{"Date", "Connection"} { // the server's, whichever it is
		response.Header.Del(own)
	}
	return answer{response.StatusCode, response.Header, body}, err
}

// bareProcess is the bare server, with an address for each answer.
type bareProcess struct {
	*child
	addresses []string
	stdin     io.Closer
}

func startBare(ctx context.Context, answers []answer) (*bareProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := newChild(ctx, self, bareCommand)
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stderr = os.Stderr
	if err := c.start(); err != nil {
		return nil, err
	}
	b := &bareProcess{child: c, stdin: stdin}
	err = json.NewEncoder(stdin).Encode(answers)
	if err == nil {
		err = json.NewDecoder(c.stdout).Decode(&b.addresses)
	}
	if err != nil {
		b.stop()
		return nil, fmt.Errorf("start the bare server: %w", err)
	}
	return b, nil
}

// serveBare is the bare server's process: it reads answers, says where each is
// to be had, and ends with its input, which is to say with whoever started it.
func serveBare(in io.Reader, out io.Writer) error {
	input := json.NewDecoder(in)
	var answers []answer
	if err := input.Decode(&answers); err != nil {
		return err
	}
	addresses := make([]string, len(answers))
	for i, a := range answers {
		listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer listener.Close()
		addresses[i] = listener.Addr().String()
		server := &http.Server{Handler: a, ReadHeaderTimeout: time.Minute}
		go server.Serve(listener) //nolint:errcheck // it ends with the process
	}
	if err := json.NewEncoder(out).Encode(addresses); err != nil {
		return err
	}
	if err := input.Decode(new(any)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("wait for the end of the input: %w", err)
	}
	return nil
}
