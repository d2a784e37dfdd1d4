package draw

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tapir-ml/tapir/graph"
)

var pictures = flag.String("pictures", "", "a folder to write pictures of the test graphs to, for looking at them")

func TestWritePictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("no -pictures folder given")
	}
	if err := os.MkdirAll(*pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	loss, params := mlp(3)
	updates := adam(params, gradient(loss, params))
	for name, p := range map[string]*Picture{
		"mlp":                 Graph(loss),
		"mlp-horizontal":      Options{Horizontal: true}.Graph(loss),
		"gradient":            Graph(append(gradient(loss, params), loss)...),
		"step":                Graph(updates...),
		"gradient-horizontal": Options{Horizontal: true}.Graph(gradient(loss, params)...),
		"deep":                Graph(deep(40)),
		"deeper":              Graph(deep(400)),
		"summary":             Options{MaxNodes: 40}.Graph(updates...),
		"invalid":             Graph(apply(relu, mistake())),
		"empty":               Graph(),
	} {
		if err := p.WriteFile(filepath.Join(*pictures, name+".svg")); err != nil {
			t.Error(err)
		}
	}
}

// The operators of the test graphs: just names with a shape rule.
var (
	add     = operator("add", graph.Commutative, widest)
	sub     = operator("sub", 0, widest)
	mul     = operator("mul", graph.Commutative, widest)
	div     = operator("div", 0, widest)
	relu    = operator("relu", 0, widest)
	mask    = operator("step", 0, widest)
	sqrt    = operator("sqrt", 0, widest)
	softmax = operator("log_softmax", 0, widest)
	matmul  = operator("matmul", 0, func(attr any, in []graph.Type) (graph.Type, error) {
		a, b := in[0].Shape, in[1].Shape
		f, _ := attr.(flags)
		if f.TransA {
			a = graph.Shape{a[1], a[0]}
		}
		if f.TransB {
			b = graph.Shape{b[1], b[0]}
		}
		if a[1] != b[0] {
			return graph.Type{}, graph.Errorf(graph.ErrShape, "inner dimensions differ: %v · %v; transpose one of them", a, b)
		}
		return graph.TypeOf(in[0].DType, a[0], b[1]), nil
	})
	pick = operator("pick", 0, func(_ any, in []graph.Type) (graph.Type, error) {
		return graph.TypeOf(in[0].DType, in[0].Shape[0]), nil
	})
	spread = operator("spread", 0, func(_ any, in []graph.Type) (graph.Type, error) { return in[2], nil })
	like   = operator("like", 0, func(_ any, in []graph.Type) (graph.Type, error) { return in[1], nil })
	mean   = operator("mean", 0, func(_ any, in []graph.Type) (graph.Type, error) { return graph.TypeOf(in[0].DType), nil })
	sum    = operator("sum", 0, func(attr any, in []graph.Type) (graph.Type, error) {
		return graph.TypeOf(in[0].DType, in[0].Shape[1:]...), nil
	})
)

type flags struct{ TransA, TransB bool }

type axes struct{ Axes []int }

func operator(name string, traits graph.Trait, infer func(any, []graph.Type) (graph.Type, error)) *graph.Def {
	return &graph.Def{Name: name, Traits: traits, Infer: infer}
}

// widest is the shape rule of elementwise operators: that of the operand with the highest rank.
func widest(_ any, in []graph.Type) (graph.Type, error) {
	widest := in[0]
	for _, t := range in {
		if t.Shape.Rank() > widest.Shape.Rank() {
			widest = t
		}
	}
	return widest, nil
}

func apply(d *graph.Def, in ...*graph.Node) *graph.Node { return graph.Apply(d, nil, in...) }

// mlp is the loss of a multilayer perceptron.
func mlp(layers int) (loss *graph.Node, params []*graph.Node) {
	g := graph.New()
	batch := graph.Symbol("batch")
	h := g.Input("x", graph.Float32, batch, 784)
	y := g.Input("y", graph.Int64, batch)
	width := graph.Dim(784)
	for i := 0; i < layers; i++ {
		next := graph.Dim(128)
		if i == layers-1 {
			next = 10
		}
		w := g.Param(fmt.Sprintf("encoder.%d.weight", i), graph.Float32, graph.Zeros(), width, next)
		b := g.Param(fmt.Sprintf("encoder.%d.bias", i), graph.Float32, graph.Zeros(), next)
		params = append(params, w, b)
		h = apply(add, apply(matmul, h, w), b)
		if i < layers-1 {
			h = apply(relu, h)
		}
		width = next
	}
	h.Named("logits")
	nll := apply(mul, apply(pick, apply(softmax, h), y), g.Full(graph.Float32, -1))
	return apply(mean, nll).Named("loss"), params
}

// gradient writes the reverse pass of mlp by hand, with the lines of the forward nodes as autodiff gives them.
func gradient(loss *graph.Node, params []*graph.Node) []*graph.Node {
	g := loss.Graph()
	grads := map[*graph.Node]*graph.Node{}
	var n *graph.Node
	derive := func(build func() *graph.Node) (d *graph.Node) {
		g.Derive(func(rule func(*graph.Node)) {
			rule(n)
			d = build()
		})
		return d
	}
	n = loss.In(0)
	picked := n.In(0)
	dy := derive(func() *graph.Node {
		return apply(div, apply(like, g.Full(graph.Float32, -1), picked), apply(mean, picked))
	})
	n = picked.In(0)
	dy = derive(func() *graph.Node {
		d := graph.Apply(spread, nil, dy, picked.In(1), n)
		return apply(sub, d, apply(mul, apply(softmax, n), d))
	})
	for n = n.In(0); ; {
		x, b := n.In(0), n.In(1)
		grads[b] = derive(func() *graph.Node { return graph.Apply(sum, axes{[]int{0}}, dy) })
		n = x
		h, w := n.In(0), n.In(1)
		grads[w] = derive(func() *graph.Node { return graph.Apply(matmul, flags{TransA: true}, h, dy) })
		if h.Kind() == graph.Input {
			break
		}
		dy = derive(func() *graph.Node { return graph.Apply(matmul, flags{TransB: true}, dy, w) })
		n = h
		dy = derive(func() *graph.Node { return apply(mul, dy, apply(mask, n.In(0))) })
		n = n.In(0)
	}
	list := make([]*graph.Node, len(params))
	for i, p := range params {
		list[i] = grads[p]
	}
	return list
}

// adam is an optimiser's step: many nodes side by side.
func adam(params, grads []*graph.Node) (updates []*graph.Node) {
	g := params[0].Graph()
	lr := g.Variable("lr", graph.Float32, graph.Full(1e-3))
	for i, p := range params {
		moment := func(name string, decay float64, x *graph.Node) *graph.Node {
			m := g.Variable(p.Name()+name, graph.Float32, graph.Zeros(), p.Shape()...)
			return apply(add, apply(mul, m, g.Full(graph.Float32, decay)), apply(mul, x, g.Full(graph.Float32, 1-decay)))
		}
		m := moment(".m", 0.9, grads[i])
		v := moment(".v", 0.999, apply(mul, grads[i], grads[i]))
		step := apply(div, apply(mul, m, lr), apply(add, apply(sqrt, v), g.Full(graph.Float32, 1e-8)))
		updates = append(updates, apply(sub, p, step))
	}
	return updates
}

// deep is a residual chain.
func deep(blocks int) *graph.Node {
	g := graph.New()
	h := g.Input("x", graph.Float32, 8, 8)
	for i := 0; i < blocks; i++ {
		w := g.Param(fmt.Sprintf("block.%d", i), graph.Float32, graph.Zeros(), 8, 8)
		h = apply(add, h, apply(relu, apply(matmul, h, w)))
	}
	return h
}

func mistake() *graph.Node {
	g := graph.New()
	x := g.Input("x", graph.Float32, graph.Symbol("batch"), 784)
	w := g.Param("encoder.0.weight", graph.Float32, graph.Zeros(), 512, 128)
	return apply(matmul, apply(relu, x), w)
}
