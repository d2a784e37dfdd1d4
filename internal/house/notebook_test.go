package house

import (
	"fmt"
	"go/constant"
	"go/types"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A notebook cell imports a package through a generated wrapper, which is compiled into a plugin together with the wrappers
// of all other packages of that cell. For every exported interface the wrapper holds a proxy, written from the interface's
// method signatures as text. What that generator cannot write makes the import of the whole package fail; each rule below is
// one way in which it does.

// A rule looks at one exported object and says what is wrong, or "".
type rule struct {
	name  string
	check func(obj types.Object) string
}

var notebookRules = []rule{
	{"generic interface with methods", genericInterface},
	{"union and methods", unionAndMethods},
	{"generic alias", genericAlias},
	{"internal type in a method", internalInMethod},
	{"foreign type argument in a method", foreignTypeArgument},
	{"parameter name", parameterName},
	{"method named Object", methodNamedObject},
	{"constant beyond float64", constantBeyondFloat64},
}

// notebookFaults applies every rule to every exported object of a package, and the rule that there be one.
func notebookFaults(p *types.Package) (faults []string) {
	exported := 0
	for _, name := range p.Scope().Names() {
		obj := p.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		exported++
		for _, r := range notebookRules {
			if words := r.check(obj); words != "" {
				faults = append(faults, fmt.Sprintf("%s.%s: %s: %s", p.Path(), name, r.name, words))
			}
		}
	}
	if exported == 0 {
		faults = append(faults, p.Path()+": package exports nothing: a notebook cannot import it")
	}
	return faults
}

// sameName lists the interfaces that two packages both export: imported by one cell, their proxies collide.
// Only packages that ours says are reported; the others are what a cell imports beside them.
func sameName(pkgs []*types.Package, ours func(*types.Package) bool) (faults []string) {
	owner := map[string]*types.Package{}
	for _, p := range slices.SortedFunc(slices.Values(pkgs), func(a, b *types.Package) int {
		if ours(a) != ours(b) { // others first, so that the fault is laid at our door
			if ours(b) {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Path(), b.Path())
	}) {
		for _, name := range p.Scope().Names() {
			if len(proxied(p.Scope().Lookup(name))) == 0 {
				continue
			}
			if first, ok := owner[name]; !ok {
				owner[name] = p
			} else if ours(p) {
				faults = append(faults, fmt.Sprintf("%s.%s: same name: %s exports an interface of this name too, and a cell that imports both fails; rename one",
					p.Path(), name, first.Path()))
			}
		}
	}
	return faults
}

// interfaceOf is the interface that an exported type name (an alias too) stands for, or nil.
func interfaceOf(obj types.Object) *types.Interface {
	if tn, ok := obj.(*types.TypeName); ok && tn.Exported() {
		iface, _ := tn.Type().Underlying().(*types.Interface)
		return iface
	}
	return nil
}

// proxied lists the methods, embedded ones included, that a proxy would have to write. An interface with an unexported
// method gets none.
func proxied(obj types.Object) (methods []*types.Func) {
	iface := interfaceOf(obj)
	if iface == nil {
		return nil
	}
	for i := range iface.NumMethods() {
		m := iface.Method(i)
		if !m.Exported() {
			return nil
		}
		methods = append(methods, m)
	}
	return methods
}

func genericInterface(obj types.Object) string {
	iface := interfaceOf(obj)
	if iface == nil || iface.NumMethods() == 0 {
		return ""
	}
	if named, ok := types.Unalias(obj.Type()).(*types.Named); ok && named.TypeParams().Len() > 0 {
		return "drop the type parameters or the methods"
	}
	return ""
}

func unionAndMethods(obj types.Object) string {
	if iface := interfaceOf(obj); iface != nil && iface.NumMethods() > 0 && !iface.IsMethodSet() {
		return "a constraint with methods is no type a value can have; export one or the other"
	}
	return ""
}

func genericAlias(obj types.Object) string {
	if alias, ok := obj.Type().(*types.Alias); ok && alias.TypeParams().Len() > 0 {
		if _, ok := obj.(*types.TypeName); ok {
			return "declare a type of its own"
		}
	}
	return ""
}

func internalInMethod(obj types.Object) (words string) {
	for _, m := range proxied(obj) {
		mentions(m.Type(), func(tn *types.TypeName, _ []*types.TypeName) {
			if tn.Pkg() != nil && isInternal(tn.Pkg().Path()) {
				words = fmt.Sprintf("method %s mentions %s.%s, which a wrapper cannot import", m.Name(), tn.Pkg().Path(), tn.Name())
			}
		})
	}
	return words
}

func foreignTypeArgument(obj types.Object) (words string) {
	for _, m := range proxied(obj) {
		mentions(m.Type(), func(tn *types.TypeName, generics []*types.TypeName) {
			if len(generics) == 0 || tn.Pkg() == nil || tn.Pkg() == obj.Pkg() {
				return
			}
			if of := generics[len(generics)-1]; tn.Pkg() != of.Pkg() {
				words = fmt.Sprintf("method %s instantiates %s.%s with %s.%s, whose package the wrapper forgets to import; a slice or a callback says the same",
					m.Name(), of.Pkg().Path(), of.Name(), tn.Pkg().Path(), tn.Name())
			}
		})
	}
	return words
}

func parameterName(obj types.Object) string {
	for _, m := range proxied(obj) {
		sig := m.Type().(*types.Signature)
		for i := range sig.Params().Len() {
			if name := sig.Params().At(i).Name(); name == "_" || name == "P" {
				return fmt.Sprintf("method %s has a parameter %s: the proxy passes parameters on by name, and P is its receiver", m.Name(), name)
			}
		}
		for i := range sig.Results().Len() {
			if sig.Results().At(i).Name() == "P" {
				return fmt.Sprintf("method %s has a result P, which is the proxy's receiver", m.Name())
			}
		}
	}
	return ""
}

func methodNamedObject(obj types.Object) string {
	for _, m := range proxied(obj) {
		if m.Name() == "Object" {
			return "the proxy has a field of this name"
		}
	}
	return ""
}

func constantBeyondFloat64(obj types.Object) string {
	c, ok := obj.(*types.Const)
	if !ok {
		return ""
	}
	if basic, ok := c.Type().(*types.Basic); ok && basic.Kind() == types.UntypedFloat {
		if f, _ := constant.Float64Val(c.Val()); math.IsInf(f, 0) {
			return "the wrapper holds it as a float64, which it overflows"
		}
	}
	return ""
}

// mentions calls visit for each type name written in t, with the generic types whose argument lists it stands in, outermost
// first. It does not look into the declarations of the names; of an alias it sees the name and what it stands for.
func mentions(t types.Type, visit func(tn *types.TypeName, generics []*types.TypeName)) {
	var walk func(t types.Type, generics []*types.TypeName)
	args := func(of *types.TypeName, list *types.TypeList, generics []*types.TypeName) {
		for i := range list.Len() {
			walk(list.At(i), append(slices.Clip(generics), of))
		}
	}
	walk = func(t types.Type, generics []*types.TypeName) {
		switch t := t.(type) {
		case *types.Alias:
			visit(t.Obj(), generics)
			args(t.Obj(), t.TypeArgs(), generics)
			walk(types.Unalias(t), generics)
		case *types.Named:
			visit(t.Obj(), generics)
			args(t.Obj(), t.TypeArgs(), generics)
		case *types.Pointer:
			walk(t.Elem(), generics)
		case *types.Slice:
			walk(t.Elem(), generics)
		case *types.Array:
			walk(t.Elem(), generics)
		case *types.Chan:
			walk(t.Elem(), generics)
		case *types.Map:
			walk(t.Key(), generics)
			walk(t.Elem(), generics)
		case *types.Tuple:
			for i := range t.Len() {
				walk(t.At(i).Type(), generics)
			}
		case *types.Signature:
			walk(t.Params(), generics)
			walk(t.Results(), generics)
		case *types.Struct:
			for i := range t.NumFields() {
				walk(t.Field(i).Type(), generics)
			}
		case *types.Interface:
			for i := range t.NumExplicitMethods() {
				walk(t.ExplicitMethod(i).Type(), generics)
			}
			for i := range t.NumEmbeddeds() {
				walk(t.EmbeddedType(i), generics)
			}
		case *types.Union:
			for i := range t.Len() {
				walk(t.Term(i).Type(), generics)
			}
		}
	}
	walk(t, nil)
}

// Packages of others that our pages import in the same cell as ours.
var companions = []string{"gorgonia.org/tensor"}

func TestNotebooksCanImport(t *testing.T) {
	seen := 0
	pkgs := loadTypes(t, root, func(p pkg) bool {
		return forNotebooks(p) || slices.Contains(companions, p.ImportPath)
	}, "./...")
	ours := func(p *types.Package) bool { return !slices.Contains(companions, p.Path()) }
	for _, p := range pkgs {
		if ours(p) {
			seen++
			for _, f := range notebookFaults(p) {
				t.Error(f)
			}
		}
	}
	for _, f := range sameName(pkgs, ours) {
		t.Error(f)
	}
	if seen == 0 {
		t.Skip("no package for notebooks yet")
	}
}

// Each fragment is compiled as a package of its own and read back as the real ones are; it breaks one rule, which must say so,
// or none, which must keep silent.
func TestNotebookRulesCatch(t *testing.T) {
	for i, c := range []struct {
		src  string
		want string // the rule's name; "": silent
	}{
		{`type Layer[T any] interface { Apply(x T) T }`, "generic interface with methods"},
		{`type layer interface { Apply() }; type Layer[T any] interface { layer }`, "generic interface with methods"},
		{`type Box[T any] struct { X T }`, ""},
		{`type Set[T comparable] interface { ~[]T | ~map[T]bool }`, ""},

		{`type Number interface { ~int | ~float64; String() string }`, "union and methods"},
		{`type num interface { ~int | ~float64 }; type Number interface { num; String() string }`, "union and methods"},
		{`type Key interface { comparable; String() string }`, "union and methods"},
		{`type Float interface { float32 | float64 }`, ""},

		{`type Pair[T any] = map[string]T`, "generic alias"},
		{`type Pair = map[string]int`, ""},

		{`import "fragments/internal/secret"; type Executor interface { Run(p *secret.Plan) }`, "internal type in a method"},
		{`import "fragments/internal/secret"; type Executor interface { Run() (map[string][]secret.Plan, error) }`, "internal type in a method"},
		{`import "fragments/internal/secret"; type Executor interface { Each(func(chan secret.Plan)) }`, "internal type in a method"},
		{`import "fragments/internal/secret"; type Plan = secret.Plan; type Executor interface { Run(p Plan) }`, "internal type in a method"},
		{`import "fragments/internal/secret"; type hidden interface { Run(p secret.Plan) }; type Executor interface { hidden }`, "internal type in a method"},
		{`import "fragments/internal/secret"; type Executor = interface { Run(p secret.Plan) }`, "internal type in a method"},
		{`import "fragments/internal/secret"; type Plan struct { secret.Plan }; type Executor interface { Run(p Plan) }`, ""},
		{`import "fragments/internal/secret"; type Executor interface { Run(p secret.Plan); sealed() }`, ""},
		{`import "fragments/internal/secret"; func Run(p secret.Plan) {}`, ""},

		{`import ("bytes"; "iter"); type Source interface { All() iter.Seq2[int, *bytes.Buffer] }`, "foreign type argument in a method"},
		{`import ("bytes"; "iter"); type Source interface { Each(f func(iter.Seq[[]bytes.Buffer])) }`, "foreign type argument in a method"},
		{`import ("bytes"; "iter"); type Rows = iter.Seq[*bytes.Buffer]; type Source interface { All() Rows }`, "foreign type argument in a method"},
		{`import ("bytes"; "iter"); type Source struct{}; func (Source) All() iter.Seq[*bytes.Buffer] { return nil }`, ""},
		{`import "iter"; type Row struct{}; type Source interface { All() iter.Seq2[int, *Row] }`, ""},
		{`import "sync/atomic"; type Source interface { All() *atomic.Pointer[atomic.Int32] }`, ""},
		{`import "bytes"; type Source interface { All() []*bytes.Buffer }`, ""},

		{`type Loss interface { Of(_ int, y float64) float64 }`, "parameter name"},
		{`type Loss interface { Of(P float64) float64 }`, "parameter name"},
		{`type Loss interface { Of(x float64) (P float64) }`, "parameter name"},
		{`type Loss interface { Of(x float64) (_ float64, err error) }`, ""},
		{`type Loss interface { Of(float64) float64 }`, ""},
		{`func Of(_ int, P float64) {}`, ""},

		{`type Holder interface { Object() any }`, "method named Object"},
		{`type Holder struct{}; func (Holder) Object() any { return nil }`, ""},

		{`const Huge = 1e400`, "constant beyond float64"},
		{`const Huge = -1e400`, "constant beyond float64"},
		{`const Max = 0x1p1023 * (1 + (1 - 0x1p-52))`, ""},
		{`const Tiny = 1e-400`, ""},
		{`const huge = 1e400; const Fine = huge / 1e300`, ""},

		{`type hidden struct{}; func hide() {}`, "exports nothing"},
		{`const Shown = 1`, ""},
	} {
		t.Run(fmt.Sprintf("%02d", i), func(t *testing.T) {
			got := notebookFaults(compileFragments(t, "x", c.src)[0])
			switch {
			case c.want == "" && len(got) > 0:
				t.Errorf("%s\n\tfaults %q, want none", c.src, got)
			case c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)):
				t.Errorf("%s\n\tfaults %q, want one of the rule %q", c.src, got, c.want)
			}
		})
	}
}

func TestSameNameCatches(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{`type Engine interface { Run() }`, `type Engine interface { Stop() }`, 1},
		{`type Engine interface { Run() }`, `import "fmt"; type Engine = fmt.Stringer`, 1},
		{`type Engine interface { Run() }`, `type Engine struct{}`, 0},
		{`type Engine interface { Run() }`, `type Engine interface { run() }`, 0},
		{`type Engine interface { Run() }`, `type Motor interface { Run() }`, 0},
		{`type Float interface { float32 }`, `type Float interface { float64 }`, 0},
	} {
		pkgs := compileFragments(t, "a", c.a, "b", c.b)
		all := func(*types.Package) bool { return true }
		if got := sameName(pkgs, all); len(got) != c.want {
			t.Errorf("%s beside %s: faults %q, want %d", c.a, c.b, got, c.want)
		}
		onlyA := func(p *types.Package) bool { return p.Name() == "a" } // b is somebody else's: still a's fault
		if got := sameName(pkgs, onlyA); len(got) != c.want || (c.want == 1 && !strings.HasPrefix(got[0], "fragments/a.")) {
			t.Errorf("%s beside somebody's %s: faults %q, want %d", c.a, c.b, got, c.want)
		}
		none := func(*types.Package) bool { return false }
		if got := sameName(pkgs, none); len(got) != 0 {
			t.Errorf("others among themselves: faults %q, want none", got)
		}
	}
}

// compileFragments writes packages (name, source, name, source, …) into a module of their own and loads their types.
func compileFragments(t *testing.T, nameAndSource ...string) []*types.Package {
	t.Helper()
	dir := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module fragments\n\ngo 1.25\n")
	write("internal/secret/secret.go", "package secret\n\ntype Plan struct{}\n")
	var paths []string
	for i := 0; i < len(nameAndSource); i += 2 {
		name := nameAndSource[i]
		write(name+"/"+name+".go", "package "+name+"\n\n"+nameAndSource[i+1]+"\n")
		paths = append(paths, "fragments/"+name)
	}
	return loadTypes(t, dir, func(p pkg) bool { return slices.Contains(paths, p.ImportPath) }, paths...)
}
