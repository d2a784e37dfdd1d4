package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/tapir-ml/tapir"

// root is the top of the repository, seen from this package's folder.
const root = "../.."

// A pkg is what these tests read of `go list -json`.
type pkg struct {
	ImportPath   string
	Name         string
	Export       string // file of compiled type information, under -export
	Standard     bool
	Module       *struct{ Path string }
	Imports      []string
	TestImports  []string // of the package's own _test files
	XTestImports []string // of package foo_test
}

// inside is p's path below the module, and whether it lies there.
func inside(importPath string) (string, bool) { return strings.CutPrefix(importPath, module+"/") }

// goList runs `go list -json` in dir. A package that does not compile fails the test with the compiler's words.
func goList(t *testing.T, dir string, args ...string) []pkg {
	t.Helper()
	args = append([]string{"list", "-buildvcs=false", "-json=ImportPath,Name,Export,Standard,Module,Imports,TestImports,XTestImports"}, args...)
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
}

// loadTypes compiles what the patterns name and returns the types of those packages that keep says, read from the
// compiler's export data: the very form in which a notebook's wrapper generator meets them.
func loadTypes(t *testing.T, dir string, keep func(pkg) bool, patterns ...string) []*types.Package {
	t.Helper()
	export := map[string]string{}
	var paths []string
	for _, p := range goList(t, dir, append([]string{"-export", "-deps"}, patterns...)...) {
		export[p.ImportPath] = p.Export
		if keep(p) {
			paths = append(paths, p.ImportPath)
		}
	}
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(export[path])
	})
	var pkgs []*types.Package
	for _, path := range paths {
		p, err := imp.Import(path)
		if err != nil {
			t.Fatalf("types of %s: %v", path, err)
		}
		pkgs = append(pkgs, p)
	}
	return pkgs
}

// The go command reuses a test's result while the files that the test opened are as they were, but it does not see what a
// child process reads. Opening every folder and source file here makes a changed or new file run the rules again.
func TestMain(m *testing.M) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".go", ".mod", ".sum", ".s":
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			return f.Close()
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
