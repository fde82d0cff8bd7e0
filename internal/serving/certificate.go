package serving

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is the least time between two looks at the files.
const certificateCheck = time.Second

// certificate is a key pair in two files that are replaced now and then.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	stamps  [2]stamp // of the files as they were looked at last, good or bad
	checked time.Time
}

// stamp tells one version of a file from another.
type stamp struct{ modified, size int64 }

func loadCertificate(certFile, keyFile string, now func() time.Time, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, now: now, log: log, checked: now()}
	var err error
	if c.stamps, err = c.stat(); err == nil {
		err = c.load()
	}
	if err != nil {
		return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	return c, nil
}

// get is for tls.Config.GetCertificate. The files are looked at when somebody
// connects, and a replacement that cannot be used leaves the old one in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if age := now.Sub(c.checked); 0 <= age && age < certificateCheck {
		return c.pair, nil
	}
	c.checked = now
	stamps, err := c.stat()
	if stamps == c.stamps {
		return c.pair, nil
	}
	c.stamps = stamps // a bad version is noted too, to be complained of only once
	if err == nil {
		err = c.load()
	}
	if err != nil {
		c.log.Warn("the new TLS certificate cannot be used; the old one stays", "error", err)
	} else {
		c.log.Info("TLS certificate reloaded", "file", c.certFile)
	}
	return c.pair, nil
}

// stat comes before load: if the files change in between, the next stat tells.
// Where one is missing both stamps are zero.
func (c *certificate) stat() ([2]stamp, error) {
	var stamps [2]stamp
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return [2]stamp{}, err
		}
		stamps[i] = stamp{info.ModTime().UnixNano(), info.Size()}
	}
	return stamps, nil
}

func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair = &pair
	return nil
}
