package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// profileTime is how long each row is profiled.
const profileTime = 5 * time.Second

// profile loads each row once more while the plane profiles itself. It comes
// after the measurement, which it would spoil.
func profile(ctx context.Context, rows []*row, s settings) error {
	if s.profiles == "" {
		return nil
	}
	if err := os.MkdirAll(s.profiles, 0o750); err != nil {
		return err
	}
	for _, r := range rows {
		progress("profiling %s", r.Name)
		if err := r.profile(ctx, filepath.Join(s.profiles, fileName(r.Name)+".pprof")); err != nil {
			return fmt.Errorf("profile %s: %w", r.Name, err)
		}
	}
	return nil
}

func (r *row) profile(ctx context.Context, file string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		_, err := r.ours.run(ctx, profileTime)
		return err
	})
	group.Go(func() error { return writeProfile(ctx, r.ops, file) })
	return group.Wait()
}

// writeProfile has the server whose metrics are there profile itself.
func writeProfile(ctx context.Context, ops, file string) error {
	recorded, err := get(ctx, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", ops, int(profileTime.Seconds())), http.Header{})
	if err != nil {
		return err
	}
	if recorded.Status != http.StatusOK {
		return fmt.Errorf("the server answers %d: %.200s", recorded.Status, recorded.Body)
	}
	return os.WriteFile(file, recorded.Body, 0o600)
}

var notInFileNames = regexp.MustCompile(`[^a-z0-9]+`)

func fileName(row string) string {
	return strings.Trim(notInFileNames.ReplaceAllString(strings.ToLower(row), "-"), "-")
}
