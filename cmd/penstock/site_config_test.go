package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/region"
)

// TestRegionsPageKnowsTheConfiguration holds docs/region.md to the code: every
// field of a region's configuration is named there.
func TestRegionsPageKnowsTheConfiguration(t *testing.T) {
	t.Parallel()
	page := regionsPage(t)
	fields := fieldsOf(reflect.TypeFor[siteFile]())
	if len(fields) < 40 {
		t.Fatalf("found only the fields %q; this test looks at the wrong place", fields)
	}
	for _, field := range fields {
		// As `field`, `section.field`, `list[].field` or `.field`.
		if !regexp.MustCompile("`([a-z_.\\[\\]]*\\.)?" + field + "[`.\\[]|\\{[^}`]*\\b" + field + "\\b[^}`]*\\}").MatchString(page) {
			t.Errorf("docs/region.md says nothing of %s", field)
		}
	}
}

// TestRegionsPageIsRight reads the configurations that docs/region.md gives.
func TestRegionsPageIsRight(t *testing.T) {
	t.Parallel()
	page := regionsPage(t)
	read := func(text string) siteFile {
		t.Helper()
		name := filepath.Join(t.TempDir(), "region.yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := readSiteFile(name)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		return file
	}
	here := regexp.MustCompile(`(?s)<<END\n(addresses: .*?)END\n`).FindStringSubmatch(page)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page, -1)
	if here == nil || len(examples) != 2 {
		t.Fatalf("found %q and %d more examples", here, len(examples))
	}
	if read(here[1]).Libvirt == nil {
		t.Error("the page's first configuration has no section libvirt")
	}
	failing := read(examples[0][1])
	if _, closing, err := openEngine("simulated", engineConfig{folder: t.TempDir(), file: failing}); err != nil {
		t.Error(err)
	} else if err := closing(); err != nil {
		t.Error(err)
	}
	declared := read(examples[0][1] + examples[1][1])
	if _, err := region.NewDeclaredClusters(region.DeclaredConfig{Kubernetes: declared.Kubernetes, Slurm: declared.Slurm}); err != nil {
		t.Error(err)
	}
	if len(declared.Kubernetes) != 1 || len(declared.Slurm) != 1 {
		t.Errorf("got %d and %d clusters", len(declared.Kubernetes), len(declared.Slurm))
	}
}

func regionsPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/region.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// fieldsOf lists the names that a file may have in it for a type.
func fieldsOf(t reflect.Type) (names []string) {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		return fieldsOf(t.Elem())
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" {
			names = append(append(names, name), fieldsOf(t.Field(i).Type)...)
		}
	}
	return names
}
