package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestOperationsKnowsTheLog holds docs/operations.md to the code: each warning
// and error that is logged, and each metric, has a row there, and each row is
// of one that there is. A row that ends in … is the beginning of a line.
func TestOperationsKnowsTheLog(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for _, tree := range []string{".", "../cmd"} {
		eachFile(t, tree, func(file *ast.File) {
			ast.Inspect(file, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if message := warning(call); message != "" {
						said[message] = true
					}
				}
				if literal, ok := n.(*ast.BasicLit); ok && regexp.MustCompile(`^"penstock_[a-z_]+"$`).MatchString(literal.Value) {
					said[constant(literal)] = true
				}
				return true
			})
		})
	}
	documented := map[string]bool{}
	_, watching, _ := strings.Cut(string(text), "\n## Watching it\n")
	watching, _, _ = strings.Cut(watching, "\n## ")
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`{]+)[^`]*` \\|").FindAllStringSubmatch(watching, -1) {
		documented[row[1]] = true
	}
	if len(said) < 10 || len(documented) < 10 {
		t.Fatalf("found %d in the code and %d in the document; this test looks at the wrong places", len(said), len(documented))
	}
	for message := range said {
		if !covered(message, documented) {
			t.Errorf("docs/operations.md says nothing of %q", message)
		}
		delete(documented, message)
	}
	for row := range documented {
		if beginning, ok := strings.CutSuffix(row, "…"); !ok || !begins(beginning, said) {
			t.Errorf("docs/operations.md speaks of %q, which there is not", row)
		}
	}
}

// eachFile parses the code of a tree that is neither a test nor generated.
func eachFile(t *testing.T, tree string, visit func(*ast.File)) {
	t.Helper()
	err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err == nil && !ast.IsGenerated(file) {
			visit(file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// warning returns the message of a call that logs a warning or an error.
func warning(call *ast.CallExpr) string {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	at := map[string]int{"Warn": 0, "WarnContext": 1, "ErrorContext": 1, "LogAttrs": 2, "insist": 1}
	// What a region insists on is logged as an error each time that it fails.
	if receiver, ok := method.X.(*ast.SelectorExpr); ok && strings.EqualFold(receiver.Sel.Name, "log") {
		at["Error"] = 0
	}
	n, ok := at[method.Sel.Name]
	if !ok || len(call.Args) <= n {
		return ""
	}
	if level, ok := call.Args[max(n-1, 0)].(*ast.SelectorExpr); method.Sel.Name == "LogAttrs" && ok && level.Sel.Name != "LevelWarn" && level.Sel.Name != "LevelError" {
		return ""
	}
	return constant(call.Args[n])
}

// constant is the value of a text that may be written in several pieces.
func constant(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text
	case *ast.BinaryExpr:
		return constant(e.X) + constant(e.Y)
	default:
		return ""
	}
}

func covered(message string, documented map[string]bool) bool {
	if documented[message] {
		return true
	}
	for row := range documented {
		if beginning, ok := strings.CutSuffix(row, "…"); ok && strings.HasPrefix(message, beginning) {
			return true
		}
	}
	return false
}

func begins(beginning string, said map[string]bool) bool {
	for message := range said {
		if strings.HasPrefix(message, beginning) {
			return true
		}
	}
	return false
}
