// Package internal_test checks the rules that hold between packages and that no
// compiler knows: who may import whom, what packages are called, and that each
// says what it is.
package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/penstock-cloud/penstock"

// importRule limits what the packages of one tree import of this module.
// Patterns are paths from the module's root: "a/b" is that package, "a/b/..."
// is it and all below. Tests are free to bring in their neighbours.
type importRule struct {
	tree    string
	only    []string // if not nil, nothing else of this module, the tree itself excepted
	never   []string
	stdlib  bool // nothing from outside the standard library either
	because string
}

// storesSitOn is what a store may know of.
var storesSitOn = []string{"internal/cloud", "internal/store/migrations", "internal/store/planedb", "internal/store/rows"}

var importRules = []importRule{
	{
		tree: "internal/cloud/...", only: []string{}, stdlib: true,
		because: "the domain depends on nothing",
	},
	{
		tree: "internal/control/...", only: []string{"internal/cloud"},
		because: "use cases know the domain and the contracts in it",
	},
	{
		tree: "internal/region/...", only: []string{"internal/cloud", "internal/engine"},
		because: "a region sits on the engine's contract, not on an engine",
	},
	{
		tree: "internal/auth/...", only: []string{"internal/cloud"},
		because: "who is calling is decided without HTTP APIs and stores",
	},
	{
		tree: "internal/cluster/...", only: []string{"internal/cloud"},
		because: "a probe tells what it found, and knows nobody who wants to know",
	},
	{
		tree: "internal/mail/...", only: []string{"internal/cloud"},
		because: "mail is sent without HTTP APIs and stores",
	},
	{
		tree: "internal/engine", only: []string{"internal/cloud"},
		because: "the contract of the engines knows none of them",
	},
	{
		tree: "internal/store/sqlite/...", only: storesSitOn,
		because: "stores never import each other",
	},
	{
		tree: "internal/store/postgres/...", only: storesSitOn,
		because: "stores never import each other",
	},
	{
		tree: "internal/store/rows", only: []string{"internal/cloud", "internal/store/planedb", "internal/store/regiondb"},
		because: "what all stores share knows none of them",
	},
	{
		tree: "internal/store/migrations", only: []string{},
		because: "what all stores share knows none of them",
	},
	{
		tree: "internal/store/storetest/...", only: []string{"internal/cloud"},
		because: "the suite knows the contract, not who keeps it",
	},
	{
		tree:    "internal/managementapi/...",
		never:   []string{"internal/store/...", "internal/infrastructureapi/..."},
		because: "HTTP packages never import a store, nor the two APIs each other",
	},
	{
		tree:    "internal/infrastructureapi/...",
		never:   []string{"internal/store/...", "internal/managementapi/..."},
		because: "HTTP packages never import a store, nor the two APIs each other",
	},
	{
		tree: "internal/federation/...", never: []string{"internal/store/..."},
		because: "HTTP packages never import a store",
	},
	{
		tree: "internal/console/...", never: []string{"internal/store/..."},
		because: "HTTP packages never import a store",
	},
	{
		tree:    "internal/signin/...",
		never:   []string{"internal/store/...", "internal/managementapi/...", "internal/infrastructureapi/..."},
		because: "HTTP packages never import a store, and the pages are beside the APIs",
	},
	{
		tree:    "internal/rest/...",
		never:   []string{"internal/store/...", "internal/managementapi/...", "internal/infrastructureapi/..."},
		because: "what HTTP packages share knows none of them",
	},
	{
		tree: "api/...", never: []string{"internal/..."},
		because: "public packages do not lean on internal ones",
	},
	{
		tree: "client/...", never: []string{"internal/..."},
		because: "public packages do not lean on internal ones",
	},
	{
		tree: "...", never: []string{"cmd/..."},
		because: "nobody imports a command",
	},
}

// engineRule is importRules' rule for one engine: engines are many, and none
// knows another.
func engineRule(dir string) (importRule, bool) {
	rest, found := strings.CutPrefix(dir, "internal/engine/")
	if !found {
		return importRule{}, false
	}
	name, _, _ := strings.Cut(rest, "/")
	return importRule{
		tree:    "internal/engine/" + name + "/...",
		only:    []string{"internal/cloud", "internal/engine"},
		because: "an engine knows the domain and the contract, and no other engine",
	}, true
}

// goPackage is what the tests need to know of one package's non-test files.
type goPackage struct {
	dir     string // from the module's root, with slashes
	name    string
	imports []string
	docs    map[string]string // by file name: its package comment
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	for _, pkg := range loadPackages(t) {
		rules := importRules
		if rule, ok := engineRule(pkg.dir); ok {
			rules = append(slices.Clone(rules), rule)
		}
		for _, imported := range pkg.imports {
			for _, rule := range rules {
				if rule.forbids(pkg.dir, imported) {
					t.Errorf("%s imports %s: %s", pkg.dir, imported, rule.because)
				}
			}
		}
	}
}

// TestImportRulesForbid shows that the rules catch what they are there for: a
// misspelt tree would let everything pass.
func TestImportRulesForbid(t *testing.T) {
	t.Parallel()
	tests := []struct {
		dir, imported string
		want          bool
	}{
		{"internal/cloud", "time", false},
		{"internal/cloud", "github.com/google/uuid", true},
		{"internal/cloud", module + "/internal/control", true},
		{"internal/control", module + "/internal/cloud", false},
		{"internal/control", "golang.org/x/crypto/ssh", false},
		{"internal/control", module + "/internal/auth", true},
		{"internal/control", module + "/internal/store/sqlite", true},
		{"internal/region", module + "/internal/engine", false},
		{"internal/region", module + "/internal/engine/simulated", true},
		{"internal/auth/issuer", module + "/internal/auth", false},
		{"internal/auth", module + "/internal/rest", true},
		{"internal/engine/simulated", module + "/internal/engine", false},
		{"internal/engine/simulated", module + "/internal/engine/other", true},
		{"internal/engine", module + "/internal/engine/simulated", true},
		{"internal/mail", module + "/internal/cloud", false},
		{"internal/mail", module + "/internal/control", true},
		{"internal/store/sqlite", module + "/internal/store/rows", false},
		{"internal/store/rows", module + "/internal/store/planedb", false},
		{"internal/store/rows", module + "/internal/store/postgres", true},
		{"internal/store/sqlite", module + "/internal/store/migrations", false},
		{"internal/store/sqlite", module + "/internal/store/postgres", true},
		{"internal/store/postgres", module + "/internal/store/sqlite", true},
		{"internal/managementapi", module + "/internal/control", false},
		{"internal/managementapi", module + "/internal/store/sqlite", true},
		{"internal/managementapi", module + "/internal/infrastructureapi", true},
		{"internal/infrastructureapi", module + "/internal/managementapi", true},
		{"internal/federation", module + "/internal/store/sqlite", true},
		{"internal/signin", module + "/internal/auth/provider", false},
		{"internal/signin", module + "/internal/store/sqlite", true},
		{"client/management", module + "/internal/cloud", true},
		{"internal/region", module + "/cmd/penstock", true},
		{"cmd/penstock", module + "/internal/store/sqlite", false},
	}
	for _, tt := range tests {
		rules := importRules
		if rule, ok := engineRule(tt.dir); ok {
			rules = append(slices.Clone(rules), rule)
		}
		got := slices.ContainsFunc(rules, func(r importRule) bool { return r.forbids(tt.dir, tt.imported) })
		if got != tt.want {
			t.Errorf("%s importing %s: forbidden is %t, want %t", tt.dir, tt.imported, got, tt.want)
		}
	}
}

func TestPackagesAreDocumented(t *testing.T) {
	t.Parallel()
	for _, pkg := range loadPackages(t) {
		if !within(pkg.dir, "internal/...") {
			continue
		}
		if doc := pkg.docs["doc.go"]; !strings.HasPrefix(doc, "Package "+pkg.name+" ") {
			t.Errorf("%s needs a doc.go that begins \"Package %s …\" and says what the package owns and what it does not; got %.60q",
				pkg.dir, pkg.name, doc)
		}
	}
}

func TestPackageNamesSayWhatIsInside(t *testing.T) {
	t.Parallel()
	forbidden := []string{"common", "helper", "helpers", "model", "models", "util", "utils"}
	for _, pkg := range loadPackages(t) {
		if slices.Contains(forbidden, pkg.name) || slices.Contains(forbidden, path.Base(pkg.dir)) {
			t.Errorf("%s: a package is named after what it holds, not %q", pkg.dir, pkg.name)
		}
	}
}

// TestQueriesServeEveryDatabase keeps out sqlc.slice: on SQLite it makes the
// parameters after it bind to the wrong values without any error, and on
// PostgreSQL broken SQL.
func TestQueriesServeEveryDatabase(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir("store", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(file) != ".sql" {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "sqlc.slice") {
			t.Errorf("%s uses sqlc.slice, which binds wrongly", file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// forbids reports whether the package in dir must not import the given path.
func (r importRule) forbids(dir, imported string) bool {
	if !within(dir, r.tree) {
		return false
	}
	target, ours := strings.CutPrefix(imported, module+"/")
	if !ours {
		first, _, _ := strings.Cut(imported, "/")
		return r.stdlib && strings.Contains(first, ".")
	}
	matches := func(pattern string) bool { return within(target, pattern) }
	if slices.ContainsFunc(r.never, matches) {
		return true
	}
	return r.only != nil && !matches(r.tree) && !slices.ContainsFunc(r.only, matches)
}

// within reports whether dir is what pattern names.
func within(dir, pattern string) bool {
	if pattern == "..." {
		return true
	}
	tree, deep := strings.CutSuffix(pattern, "/...")
	return dir == tree || deep && strings.HasPrefix(dir, tree+"/")
}

// loadPackages reads the imports and comments of every package of this module.
// Files of all platforms and build tags count, which go list would leave out.
func loadPackages(t *testing.T) []*goPackage {
	t.Helper()
	byDir := map[string]*goPackage{}
	var dirs []string
	root := ".."
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipForeign(root, file, entry.Name())
		}
		if filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		relative, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(relative)
		if byDir[dir] == nil {
			byDir[dir] = &goPackage{dir: dir, docs: map[string]string{}}
			dirs = append(dirs, dir)
		}
		return byDir[dir].add(file)
	})
	if err != nil {
		t.Fatal(err)
	}
	if byDir["internal/cloud"] == nil {
		t.Fatalf("internal/cloud is not among the packages found: %v", dirs)
	}
	packages := make([]*goPackage, 0, len(dirs))
	for _, dir := range dirs {
		packages = append(packages, byDir[dir])
	}
	return packages
}

// skipForeign leaves out what is not source of this module: hidden folders, test
// data, and modules of their own.
func skipForeign(root, dir, name string) error {
	if dir == root {
		return nil
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func (p *goPackage) add(file string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	p.name = parsed.Name.Name
	p.docs[filepath.Base(file)] = parsed.Doc.Text()
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if !slices.Contains(p.imports, imported) {
			p.imports = append(p.imports, imported)
		}
	}
	return nil
}
