package house

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A room is a row of the plan of the house. An import never runs upwards: a package imports its own row's packages, and those
// of the rows it names, which lie on its floor or below.
type room struct {
	path    string   // below the module; a trailing "/..." takes in every folder underneath
	floor   int      //
	imports []string // rows of ours that it may import
	outside []string // modules besides the standard library that it may import; nil: no limit
}

var (
	below     = []string{"graph", "graph/draw", "ops", "autodiff", "vm"} // the public floors 1 to 3
	machinery = []string{"internal/kernel/...", "internal/parallel", "internal/columns"}
	public    = with(below, "vm/reference", "autodiff/gradcheck", "autodiff/jacobian", "losses",
		"nn", "nn/initializers", "nn/optim", "nn/data", "nn/data/download", "nn/train", "nn/train/plot", "nn/train/tensorboard", "nn/checkpoint")

	house = []room{
		{"internal/kernel/...", 0, nil, []string{"golang.org/x/sys"}},
		{"internal/parallel", 0, nil, []string{}},
		{"internal/columns", 0, nil, []string{}},
		{"internal/house", 0, nil, []string{}},
		{"graph", 1, []string{"internal/columns"}, []string{"gorgonia.org/tensor", "github.com/pkg/errors", "go4.org/unsafe/assume-no-moving-gc"}},
		{"graph/draw", 2, []string{"graph"}, nil},
		{"ops", 2, []string{"graph", "internal/kernel/..."}, nil},
		{"autodiff", 3, []string{"graph", "ops"}, nil},
		{"vm/reference", 3, []string{"graph", "ops"}, nil},
		{"vm", 3, with(machinery, "graph", "ops", "vm/reference"), nil},
		{"autodiff/gradcheck", 4, []string{"graph", "ops", "autodiff", "vm", "vm/reference"}, nil},
		{"autodiff/jacobian", 4, []string{"graph", "autodiff", "vm"}, nil},
		{"losses", 4, []string{"graph", "ops"}, nil},
		{"nn/initializers", 4, with(below, machinery...), nil},
		{"nn/optim", 4, with(below, machinery...), nil},
		{"nn/data", 4, with(below, machinery...), nil},
		{"nn/data/download", 4, []string{"graph"}, nil},
		{"nn/checkpoint", 4, with(below, machinery...), nil},
		{"nn", 4, with(below, "nn/initializers"), nil},
		// The loop is the example of how to write one's own: the public API only.
		{"nn/train", 4, with(below, "losses", "nn", "nn/initializers", "nn/optim", "nn/data", "nn/checkpoint"), nil},
		{"nn/train/plot", 4, with(below, "nn/train"), nil},
		{"nn/train/tensorboard", 4, with(below, "nn/train"), []string{"google.golang.org/protobuf"}},
		{"interop/...", 5, public, nil},
		{"interop/gorgonia", 5, []string{"graph", "ops", "vm", "vm/reference"}, []string{"gorgonia.org/gorgonia", "gorgonia.org/tensor"}},
		{"examples/...", 6, with(public, "interop/..."), nil},
		{"docs/...", 6, with(public, "interop/..."), nil},
	}

	// Modules that a notebook kernel links itself. A second version of one of them in a plugin does not load.
	kernelLinks = []string{"golang.org/x/text", "golang.org/x/sync", "golang.org/x/mod", "golang.org/x/tools", "github.com/gofrs/uuid"}
)

func with(rows []string, more ...string) []string { return append(slices.Clip(rows), more...) }

// roomOf finds the row of a path below the module: the longest that fits, or nil.
func roomOf(path string) (found *room) {
	for i := range house {
		r := &house[i]
		base, deep := strings.CutSuffix(r.path, "/...")
		if path != base && !(deep && strings.HasPrefix(path, base+"/")) {
			continue
		}
		if found == nil || len(r.path) > len(found.path) {
			found = r
		}
	}
	return found
}

func isInternal(path string) bool { return slices.Contains(strings.Split(path, "/"), "internal") }

// forNotebooks says whether a notebook may import the package: all that is public but the programs and the leaves.
func forNotebooks(p pkg) bool {
	path, ours := inside(p.ImportPath)
	if !ours || p.Name == "main" || isInternal(path) || path == "nn/train/plot" {
		return false
	}
	first, _, _ := strings.Cut(path, "/")
	return first != "interop" && first != "examples" && first != "docs"
}

// upward lists every import that the plan does not allow. moduleOf names the module of a package from elsewhere.
func upward(pkgs []pkg, moduleOf map[string]string) (faults []string) {
	faultf := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for _, p := range pkgs {
		path, ours := inside(p.ImportPath)
		if !ours {
			faultf("%s: a package at the top of the module has no floor; give it a folder", p.ImportPath)
			continue
		}
		from := roomOf(path)
		if from == nil {
			faultf("%s: no row for this package in the plan of the house; add one to the table in internal/house/imports_test.go, with its floor and what it may import", path)
			continue
		}
		may := func(imported string) bool {
			to := roomOf(imported)
			return to == nil || to == from || slices.Contains(from.imports, to.path) // nil: reported at its own turn
		}
		for _, imported := range p.Imports {
			if at, ours := inside(imported); ours {
				if !may(at) {
					faultf("%s imports %s: its row on floor %d allows %s", path, at, from.floor, orNothing(from.imports))
				}
			} else if mod := moduleOf[imported]; mod != "" && from.outside != nil && !slices.Contains(from.outside, mod) {
				faultf("%s imports %s: its row allows, of other modules, %s", path, imported, orNothing(from.outside))
			}
		}
		for _, imported := range p.TestImports { // a test may stand beside what it tests against, not below it
			if at, ours := inside(imported); ours && !may(at) && roomOf(at).floor > from.floor {
				faultf("%s imports %s in its own tests, upwards from floor %d to %d: that belongs into a test of package %s_test", path, at, from.floor, roomOf(at).floor, p.Name)
			}
		}
		for _, imported := range p.XTestImports { // a test from outside sees what users see, and what the package itself may
			if at, ours := inside(imported); ours && isInternal(at) && !may(at) {
				faultf("%s imports %s in its tests from outside: these may use all that is public, but of internal/ only what the row allows", path, at)
			}
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

// linksForbidden lists the packages for notebooks that link a module of kernelLinks, each with the shortest way there.
func linksForbidden(deps []pkg) (faults []string) {
	byPath := map[string]pkg{}
	for _, p := range deps {
		byPath[p.ImportPath] = p
	}
	for _, p := range deps {
		if !forNotebooks(p) {
			continue
		}
		cameFrom := map[string]string{p.ImportPath: ""}
		for queue := []string{p.ImportPath}; len(queue) > 0; queue = queue[1:] {
			at := byPath[queue[0]]
			if at.Module != nil && slices.Contains(kernelLinks, at.Module.Path) {
				way := at.ImportPath
				for from := cameFrom[at.ImportPath]; from != ""; from = cameFrom[from] {
					way = from + " → " + way
				}
				faults = append(faults, way+": a notebook cannot load this, because its kernel links "+at.Module.Path+" itself")
				break
			}
			for _, next := range at.Imports {
				if _, seen := cameFrom[next]; !seen {
					cameFrom[next] = at.ImportPath
					queue = append(queue, next)
				}
			}
		}
	}
	return faults
}

func TestImportsRunDown(t *testing.T) {
	moduleOf := map[string]string{}
	for _, p := range goList(t, root, "-deps", "./...") {
		if p.Module != nil {
			moduleOf[p.ImportPath] = p.Module.Path
		}
	}
	for _, build := range []struct{ arch, tags string }{{"amd64", ""}, {"arm64", ""}, {"amd64", "long,noasm"}} {
		t.Run(build.arch+" "+build.tags, func(t *testing.T) {
			t.Setenv("GOARCH", build.arch)
			for _, f := range upward(goList(t, root, "-tags="+build.tags, "./..."), moduleOf) {
				t.Error(f)
			}
		})
	}
}

func TestNotebookPackagesLoadBesideTheKernel(t *testing.T) {
	for _, f := range linksForbidden(goList(t, root, "-deps", "./...")) {
		t.Error(f)
	}
}

// The plan itself must run down.
func TestPlanRunsDown(t *testing.T) {
	floor := map[string]int{}
	for _, r := range house {
		floor[r.path] = r.floor
	}
	for _, r := range house {
		for _, to := range r.imports {
			if f, ok := floor[to]; !ok {
				t.Errorf("%s names %s, which is no row", r.path, to)
			} else if f > r.floor {
				t.Errorf("%s on floor %d names %s on floor %d", r.path, r.floor, to, f)
			}
		}
	}
}

func TestPlanCatches(t *testing.T) {
	ours := func(path string, imports ...string) pkg {
		for i, imp := range imports {
			if roomOf(imp) != nil {
				imports[i] = module + "/" + imp
			}
		}
		return pkg{ImportPath: module + "/" + path, Name: path[strings.LastIndexByte(path, '/')+1:], Imports: imports}
	}
	inTests := func(p pkg) pkg { p.Imports, p.TestImports = nil, p.Imports; return p }
	fromOutside := func(p pkg) pkg { p.Imports, p.XTestImports = nil, p.Imports; return p }
	for _, c := range []struct {
		name string
		pkg  pkg
		want string // "": allowed
	}{
		{"down", ours("vm", "graph", "ops", "internal/parallel", "internal/kernel"), ""},
		{"down into a folder of the row", ours("ops", "internal/kernel/portable"), ""},
		{"within a row", ours("internal/kernel/asm", "internal/kernel"), ""},
		{"up", ours("graph", "ops"), "graph imports ops"},
		{"across", ours("autodiff", "vm"), "autodiff imports vm"},
		{"kernels know nothing of graphs", ours("internal/kernel", "graph"), "allows nothing"},
		{"a leaf from below", ours("nn/checkpoint", "interop/safetensors"), "imports interop/safetensors"},
		{"the public API only", ours("nn/train", "internal/kernel"), "nn/train imports internal/kernel"},
		{"a program past the public API", ours("examples/digits", "internal/kernel"), "examples/digits imports internal/kernel"},
		{"a new package", ours("graph/rewrite"), "add one to the table"},
		{"the top", pkg{ImportPath: module, Name: "tapir"}, "has no floor"},
		{"another module", ours("graph", "golang.org/x/text/width"), "graph imports golang.org/x/text/width"},
		{"another module where it may", ours("graph", "gorgonia.org/tensor"), ""},
		{"across in own tests", inTests(ours("internal/kernel", "internal/parallel")), ""},
		{"up in own tests", inTests(ours("autodiff", "losses")), "package autodiff_test"},
		{"up in tests from outside", fromOutside(ours("autodiff", "vm", "nn")), ""},
		{"internal in tests from outside", fromOutside(ours("losses", "internal/kernel")), "of internal/ only what the row allows"},
	} {
		got := strings.Join(upward([]pkg{c.pkg}, map[string]string{
			"golang.org/x/text/width": "golang.org/x/text", "gorgonia.org/tensor": "gorgonia.org/tensor"}), "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: faults %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLinkRuleCatches(t *testing.T) {
	from := func(mod, path string, imports ...string) pkg {
		return pkg{ImportPath: path, Name: "x", Imports: imports, Module: &struct{ Path string }{mod}}
	}
	for _, mod := range kernelLinks {
		deps := []pkg{
			from(mod, mod+"/deep"),
			from("gonum.org/v1/plot", "gonum.org/v1/plot/text", mod+"/deep"),
			from(module, module+"/nn/train/plot", "gonum.org/v1/plot/text"), // a leaf may
			from(module, module+"/nn/data", "fmt"),
		}
		if faults := linksForbidden(deps); len(faults) != 0 {
			t.Errorf("%s in a leaf: faults %q, want none", mod, faults)
		}
		deps[3].Imports = append(deps[3].Imports, "gonum.org/v1/plot/text")
		want := module + "/nn/data → gonum.org/v1/plot/text → " + mod + "/deep: "
		if faults := linksForbidden(deps); len(faults) != 1 || !strings.HasPrefix(faults[0], want) {
			t.Errorf("%s: faults %q, want one that begins with %q", mod, faults, want)
		}
	}
}
