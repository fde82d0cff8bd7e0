package stories

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// question is one HTTP request, and what its answer is to be.
type question struct {
	method, url string
	header      http.Header
	body        string
	roots       *x509.CertPool
	status      int
	has, lacks  *regexp.Regexp // nil for anything
	count       int            // of the elements of an array; negative for anything
}

// cmdHTTP asks, with the token in TOKEN if there is one, and prints the
// answer's body to stdout and its header to stderr.
//
//	-wait          ask until the answer is as it should be
//	-has REGEXP    the body matches
//	-lacks REGEXP  the body does not match
//	-count N       the body is an array of N elements
//	-header LINE   a header to send; may be repeated
//	-body TEXT     a JSON body to send
//	-anonymous     send no token
//	-roots FILE    PEM certificates to trust
func cmdHTTP(ts *testscript.TestScript, args []string) {
	q := question{header: http.Header{}, count: -1}
	flags := flag.NewFlagSet("http", flag.ContinueOnError)
	flags.SetOutput(ts.Stderr())
	waits := flags.Bool("wait", false, "")
	anonymous := flags.Bool("anonymous", false, "")
	flags.StringVar(&q.body, "body", "", "")
	flags.IntVar(&q.count, "count", q.count, "")
	flags.Func("has", "", func(s string) (err error) { q.has, err = regexp.Compile("(?m)" + s); return err })
	flags.Func("lacks", "", func(s string) (err error) { q.lacks, err = regexp.Compile("(?m)" + s); return err })
	flags.Func("header", "", func(s string) error {
		name, value, ok := strings.Cut(s, ": ")
		if !ok {
			return fmt.Errorf("not a header: %q", s)
		}
		q.header.Set(name, value)
		return nil
	})
	flags.Func("roots", "", func(file string) error {
		q.roots = x509.NewCertPool()
		if !q.roots.AppendCertsFromPEM([]byte(ts.ReadFile(file))) {
			return fmt.Errorf("no certificates in %s", file)
		}
		return nil
	})
	ts.Check(flags.Parse(args))
	need(ts, flags.NArg() == 3, "http [FLAG…] METHOD URL STATUS")
	q.method, q.url = flags.Arg(0), flags.Arg(1)
	_, err := fmt.Sscan(flags.Arg(2), &q.status)
	ts.Check(err)
	if !*anonymous {
		q.authorize(ts.Getenv("TOKEN"))
	}

	var got answer
	ask := func() (err error) {
		got, err = q.ask()
		return err
	}
	if *waits {
		err = wait(ask)
	} else {
		err = ask()
	}
	_, _ = ts.Stdout().Write(got.body)
	_ = got.header.Write(ts.Stderr())
	ts.Check(err)
}

func (q *question) authorize(token string) {
	if token != "" {
		q.header.Set("Authorization", "Bearer "+token)
	}
}

// next matches a Link header to the next page (RFC 8288).
var next = regexp.MustCompile(`^<([^>]+)>; rel="next"$`)

// cmdPages follows the Link headers from a list's first page to its last, and
// says on stderr how many there are.
func cmdPages(ts *testscript.TestScript, args []string) {
	need(ts, len(args) == 1, "pages URL")
	first, err := url.Parse(args[0])
	ts.Check(err)
	number := 0
	for at := first; at != nil; number++ {
		q := question{method: http.MethodGet, url: at.String(), header: http.Header{}, status: http.StatusOK, count: -1}
		q.authorize(ts.Getenv("TOKEN"))
		got, err := q.ask()
		ts.Check(err)
		var elements []json.RawMessage
		ts.Check(json.Unmarshal(got.body, &elements))
		for _, e := range elements {
			fmt.Fprintf(ts.Stdout(), "%s\n", e)
		}
		at = nil
		if link := next.FindStringSubmatch(got.header.Get("Link")); link != nil {
			at, err = first.Parse(link[1])
			ts.Check(err)
		}
	}
	fmt.Fprintln(ts.Stderr(), number)
}

// countIn is how many elements an array has; -1 for what is none.
func countIn(body []byte) int {
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &elements); err != nil || elements == nil {
		return -1
	}
	return len(elements)
}

// answer is an answer that was read to its end.
type answer struct {
	header http.Header
	body   []byte
}

// ask returns an error unless the answer is as it should be.
func (q question) ask() (answer, error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: q.roots}, DisableKeepAlives: true}
	client := &http.Client{
		Transport: transport, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequest(q.method, q.url, strings.NewReader(q.body)) // the client has a time-out
	if err != nil {
		return answer{}, final{err}
	}
	req.Header = q.header
	if q.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	got := answer{resp.Header, body}
	short := bytes.TrimSpace(body[:min(len(body), 2000)])
	switch {
	case resp.StatusCode != q.status:
		return got, fmt.Errorf("%s %s: got %s; want %d\n%s", q.method, q.url, resp.Status, q.status, short)
	case q.has != nil && !q.has.Match(body):
		return got, fmt.Errorf("%s %s: %s is not in\n%s", q.method, q.url, q.has, short)
	case q.count >= 0 && countIn(body) != q.count:
		return got, fmt.Errorf("%s %s: got %d elements; want %d\n%s", q.method, q.url, countIn(body), q.count, short)
	case q.lacks != nil && q.lacks.Match(body):
		return got, fmt.Errorf("%s %s: %s is in\n%s", q.method, q.url, q.lacks, short)
	}
	return got, nil
}

// curl stands in for the program of that name where it is not installed, as
// far as the greeting of `penstock up` needs it.
func curl() {
	q := question{method: http.MethodGet, header: http.Header{}, status: http.StatusOK, count: -1}
	for args := os.Args[1:]; len(args) > 0; args = args[1:] {
		switch {
		case len(args) == 1:
			q.url = args[0]
		case args[0] == "-sH" || args[0] == "-H":
			args = args[1:]
			name, value, _ := strings.Cut(args[0], ": ")
			q.header.Set(name, value)
		case args[0] == "-d":
			args = args[1:]
			q.method, q.body, q.status = http.MethodPost, args[0], http.StatusCreated
		}
	}
	got, err := q.ask()
	_, _ = os.Stdout.Write(got.body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
