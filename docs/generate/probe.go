package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

// facts are what the probe finds out.
type facts struct {
	Defs   map[string]fact  // by variable
	Orphan []string         // operators of the catalogue that no exported variable holds
	Curves map[string]curve // by function
	Rules  []rule           // ops.Rules
}

// fact is what a definition says.
type fact struct {
	Name                                                      string
	Pointwise, Gradient, Composed                             bool   // has a Pointwise, a VJP, an Expand
	View, InPlace, Commutative, Discrete, Impure, Transparent bool   // its traits
	Example                                                   string // the types of a sample
}

type rule struct{ Name, Why, Root string }

// curve is a function of one variable and its derivative, at steps of equal size from Lo to Hi.
type curve struct {
	Call   string
	Lo, Hi float64
	Y, DY  []number
}

// number is a float64 that may be NaN or infinite, which JSON has no form for: those are nil.
type number = *float64

// pictured are the files whose functions of one variable get a picture, and the range it shows.
var pictured = map[string][2]float64{"activation": {-4, 4}, "exponential": {-4, 4}, "trigonometric": {-4, 4}}

// arguments are the values of further parameters in pictures: such that something is to be seen.
var arguments = map[string]string{
	"LeakyReLU.alpha": "0.1", "PReLU.alpha": "0.25", "alpha": "1.5", "beta": "2", "lo": "-1", "hi": "1", "theta": "0.5", "value": "-0.5", "lambda": "0.5", "slope": "0.1",
}

// call is an expression of f applied to x, and how it is titled; ok is false if f is no function of one variable.
func (f *function) call() (expr, title string, ok bool) {
	family, _, _ := strings.Cut(f.file, "_")
	if _, ok := pictured[family]; !ok || len(f.results) != 1 || len(f.params) == 0 || f.params[0].typ != "*graph.Node" {
		return "", "", false
	}
	args, titles := []string{"x"}, []string{"x"}
	for _, p := range f.params[1:] {
		value, known := arguments[f.name+"."+p.name]
		if !known {
			value, known = arguments[p.name]
		}
		if !known {
			value = "1"
		}
		switch {
		case p.typ == "float64":
			args, titles = append(args, value), append(titles, strings.Replace(value, "-", "−", 1))
		case p.typ == "*graph.Node" && known: // a parameter that is learnt
			args, titles = append(args, "x.Graph().Full(graph.Float64, "+value+")"), append(titles, strings.Replace(value, "-", "−", 1))
		case p.typ == "int" && p.name == "axis" && len(f.params) > 2: // the axis of that parameter
			args = append(args, "0")
		default:
			return "", "", false
		}
	}
	return "ops." + f.name + "(" + strings.Join(args, ", ") + ")", f.name + "(" + strings.Join(titles, ", ") + ")", true
}

// probe writes a program that knows all functions and definitions by name, runs it, and reads what it says.
func (c *catalogue) probe(root string) (*facts, error) {
	type picture struct {
		Name, Call, Title string
		Range             [2]float64
	}
	var pictures []picture
	for _, f := range c.functions {
		if expr, title, ok := f.call(); ok {
			family, _, _ := strings.Cut(f.file, "_")
			pictures = append(pictures, picture{f.name, expr, title, pictured[family]})
		}
	}
	var source bytes.Buffer
	if err := program.Execute(&source, map[string]any{"Defs": c.defs, "Pictures": pictures}); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "tapir-docs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "main.go")
	if err := os.WriteFile(file, source.Bytes(), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "run", file)
	cmd.Dir = root
	answer, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w:\n%s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("the probe: %w", err)
	}
	var f facts
	return &f, json.Unmarshal(answer, &f)
}

var program = template.Must(template.New("probe").Parse(`package main

import (
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"strings"

	"github.com/tapir-ml/tapir/autodiff"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
)

func main() {
	defs := map[string]*graph.Def{ {{range .Defs}}"{{.}}": ops.{{.}}, {{end}} }
	facts := map[string]any{}
	held := map[*graph.Def]bool{}
	for name, d := range defs {
		held[d] = true
		facts[name] = map[string]any{
			"Name": d.Name, "Pointwise": d.Pointwise != nil, "Gradient": d.VJP != nil, "Composed": d.Expand != nil,
			"View": d.Traits.Has(graph.View), "InPlace": d.Traits.Has(graph.InPlace), "Commutative": d.Traits.Has(graph.Commutative),
			"Discrete": d.Traits.Has(graph.Discrete), "Impure": d.Traits.Has(graph.Impure), "Transparent": d.Traits.Has(graph.Identity),
			"Example": example(d),
		}
	}
	var orphan []string
	for _, d := range ops.Catalogue() {
		if !held[d] {
			orphan = append(orphan, d.Name)
		}
	}
	curves := map[string]any{}
	curve := func(name, title string, lo, hi float64, f func(x *graph.Node) *graph.Node) {
		const steps = 400
		g := graph.New()
		x := g.Input("x", graph.Float64, steps+1)
		at := make([]float64, steps+1)
		for i := range at {
			at[i] = lo + (hi-lo)*float64(i)/steps
		}
		y := f(x)
		if y.Err() != nil || !y.Type().Identical(x.Type()) {
			return // no function of one variable
		}
		values, err := vm.Eval(nil, y, vm.Feeds{x: at})
		if err != nil {
			log.Fatal(name, ": ", err)
		}
		dy := autodiff.Options{AllowUnused: true}.Grad(ops.Sum(y), x)[0]
		if dy.Err() != nil { // one that varies in steps
			dy = ops.ZerosLike(x)
		}
		slopes, err := vm.Eval(nil, ops.Add(dy, ops.Scale(x, 0)), vm.Feeds{x: at})
		if err != nil {
			log.Fatal(name, ": ", err)
		}
		curves[name] = map[string]any{"Call": title, "Lo": lo, "Hi": hi, "Y": numbers(values.Float64s()), "DY": numbers(slopes.Float64s())}
	}
	{{range .Pictures}}curve("{{.Name}}", "{{.Title}}", {{index .Range 0}}, {{index .Range 1}}, func(x *graph.Node) *graph.Node { return {{.Call}} })
	{{end}}
	var rules []any
	for _, r := range ops.Rules() {
		rules = append(rules, map[string]any{"Name": r.Name, "Why": r.Why, "Root": r.Root.Name})
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"Defs": facts, "Orphan": orphan, "Curves": curves, "Rules": rules}); err != nil {
		log.Fatal(err)
	}
}

func numbers(values []float64) (list []*float64) {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			list = append(list, nil)
		} else {
			list = append(list, &v)
		}
	}
	return list
}

// example shows the shapes of operands and result of one sample: the first without scalars and zeros, if there is one.
func example(d *graph.Def) (text string) {
	if d.Samples == nil {
		return ""
	}
	for _, s := range d.Samples() {
		g := graph.New()
		var in []*graph.Node
		telling := true
		for i, o := range s.In {
			if o.Type.IsTuple() {
				return ""
			}
			in = append(in, g.Input(fmt.Sprint("x", i), o.Type.DType, o.Type.Shape...))
			telling = telling && len(o.Type.Shape) > 0 && o.Type.Shape.Size() > 0
		}
		n := g.Apply(d, s.Attr, in...)
		if n.Err() != nil || n.Type().IsTuple() && len(n.Type().Tuple) == 0 {
			continue
		}
		telling = telling && (n.Type().IsTuple() || n.Shape().Size() > 0)
		if text != "" && !telling {
			continue
		}
		var parts []string
		for _, x := range in {
			parts = append(parts, x.Shape().String())
		}
		if a := n.AttrString(); a != "" {
			parts = append(parts, "{"+a+"}")
		}
		results := []graph.Type{n.Type()}
		if n.Type().IsTuple() {
			results = n.Type().Tuple
		}
		var shapes []string
		for _, t := range results {
			shapes = append(shapes, t.Shape.String())
		}
		text = strings.Join(parts, " ") + " → " + strings.Join(shapes, ", ")
		if telling {
			break
		}
	}
	return text
}
`))
