// Package nn holds layers: small structs that build nodes, and give their parameters stable dotted names.
//
// The one idea: a layer is a struct with the method Build(scope, x). The scope names its parameters after the layer's place in the
// model ("encoder.0.weight"); a layer that is used twice within one scope, as the same pointer, keeps its first name and so
// shares its weights. To apply a model to several inputs, see Root.
//
//	model := nn.Sequential{&nn.Linear{Out: 128}, nn.ReLU, &nn.Linear{Out: 10}}
//	logits := nn.Build(g, model, x)
package nn

import (
	"reflect"
	"strconv"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/ops"
)

// Layer builds the nodes that map x to the layer's result. It executes nothing, and reports what does not fit by an invalid node.
type Layer interface {
	Build(s *Scope, x *graph.Node) *graph.Node
}

// Func is a layer without parameters.
type Func func(x *graph.Node) *graph.Node

// Build calls f.
func (f Func) Build(_ *Scope, x *graph.Node) *graph.Node { return f(x) }

// The activations, as layers.
var (
	ReLU     = Func(ops.ReLU)
	Sigmoid  = Func(ops.Sigmoid)
	Tanh     = Func(ops.Tanh)
	Softplus = Func(ops.Softplus)
)

// Softmax is the softmax along the last axis, as a layer. Losses take logits, so a model that is trained ends without it.
var Softmax = Func(func(x *graph.Node) *graph.Node { return ops.Softmax(x, -1) })

// Scope is a place in a model: it names the parameters that are built in it.
type Scope struct {
	graph *graph.Graph
	path  string
	owner Layer // the layer that is built here, if it is a pointer
	model *model
}

// model is what the scopes of one model share.
type model struct {
	built  map[Layer]*Scope // where each layer was built first
	leaves map[string]leaf  // the parameters and variables of this model by name
}

// leaf is a parameter or variable and the layer it was made for.
type leaf struct {
	node  *graph.Node
	owner Layer
}

// Build builds a model in g, applied to x. A second model in the same graph needs a path of its own, and a model that is applied
// to several inputs a scope that is kept: see Root.
func Build(g *graph.Graph, model Layer, x *graph.Node) *graph.Node {
	return build(model, Root(g, ""), x)
}

// build builds a layer, if there is one.
func build(l Layer, at *Scope, x *graph.Node) *graph.Node {
	v := reflect.ValueOf(l)
	if !v.IsValid() || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil() {
		return graph.Invalid(graph.Errorf(graph.ErrValue, "the layer is nil"), "layer("+at.path+")", x)
	}
	return l.Build(at, x)
}

// Root returns the scope at the top of a model; path, which may be empty, is put before all names. Building with one scope
// several times applies the same parameters to several inputs:
//
//	scope := nn.Root(g, "encoder")
//	a, b := model.Build(scope, x), model.Build(scope, y)
func Root(g *graph.Graph, path string) *Scope {
	return &Scope{graph: g, path: path, model: &model{built: map[Layer]*Scope{}, leaves: map[string]leaf{}}}
}

// Child returns the scope called name within s.
func (s *Scope) Child(name string) *Scope {
	return &Scope{graph: s.graph, path: s.join(name), owner: s.owner, model: s.model}
}

func (s *Scope) join(name string) string {
	switch {
	case s.path == "":
		return name
	case name == "":
		return s.path
	}
	return s.path + "." + name
}

// Apply builds layer l in the scope called name within s. A layer that is a pointer and was applied before is built in its
// first scope again: it shares its parameters. A pointer to a struct without fields is a layer of its own each time.
func (s *Scope) Apply(name string, l Layer, x *graph.Node) *graph.Node {
	at := s.Child(name)
	if v := reflect.ValueOf(l); v.Kind() == reflect.Pointer && v.Type().Elem().Size() > 0 { // all of size 0 may have one address
		if first, ok := s.model.built[l]; ok {
			at = first
		} else {
			at.owner = l
			s.model.built[l] = at
		}
	}
	return build(l, at, x)
}

// Param returns the parameter called name in this scope: a new one, or when a layer is built again the one it has. That another
// layer has the name is an error.
func (s *Scope) Param(name string, dtype graph.DType, init graph.Init, dims ...graph.Dim) *graph.Node {
	return s.leaf(name, graph.Param, graph.TypeOf(dtype, dims...), func(path string) *graph.Node {
		return s.graph.Param(path, dtype, init, dims...)
	})
}

// Variable returns the variable called name in this scope, as Param does.
func (s *Scope) Variable(name string, dtype graph.DType, init graph.Init, dims ...graph.Dim) *graph.Node {
	return s.leaf(name, graph.Variable, graph.TypeOf(dtype, dims...), func(path string) *graph.Node {
		return s.graph.Variable(path, dtype, init, dims...)
	})
}

func (s *Scope) leaf(name string, kind graph.Kind, typ graph.Type, add func(path string) *graph.Node) *graph.Node {
	path := s.join(name)
	if known, ok := s.model.leaves[path]; ok && known.owner == s.owner && known.node.Kind() == kind && known.node.Type().Identical(typ) {
		return known.node
	}
	n := add(path) // another layer's name is taken, which the graph says
	s.model.leaves[path] = leaf{n, s.owner}
	return n
}

// Sequential applies its layers one after the other; their scopes are "0", "1", ….
type Sequential []Layer

// Build chains the layers.
func (m Sequential) Build(s *Scope, x *graph.Node) *graph.Node {
	for i, l := range m {
		x = s.Apply(strconv.Itoa(i), l, x)
	}
	return x
}

// Linear is x·weight + bias for x: (…, in), weight: (in, Out) and bias: (Out): a batch of rows, of sequences of rows, or one row.
// in is taken from x. Parameters have x's element type.
type Linear struct {
	Out    int
	NoBias bool
	Weight graph.Init // zero value: initializers.He()
	Bias   graph.Init // zero value: zeros
}

// Build adds the parameters "weight" and "bias" and returns the affine map of x.
func (l *Linear) Build(s *Scope, x *graph.Node) *graph.Node {
	if x.Err() != nil {
		return x
	}
	if l.Out <= 0 {
		return graph.Invalid(graph.Errorf(graph.ErrValue, "a linear layer to Out = %d features; Out is 1 or more", l.Out), "linear("+s.path+")", x)
	}
	last := x.Shape().Rank() - 1
	if last < 0 || !x.Shape()[last].IsStatic() {
		return graph.Invalid(graph.Errorf(graph.ErrShape, "a linear layer to Out = %d features takes (…, in) with a fixed size of in, not %v", l.Out, x.Shape()), "linear("+s.path+")", x)
	}
	init := l.Weight
	if init.Fill == nil {
		init = initializers.He()
	}
	if !x.DType().IsFloat() {
		return graph.Invalid(graph.Errorf(graph.ErrDType, "a linear layer takes float32 or float64, not %v; convert with ops.Cast", x.Type()), "linear("+s.path+")", x)
	}
	out := graph.Dim(l.Out)
	w := s.Param("weight", x.DType(), init, x.Shape()[last], out)
	if l.NoBias {
		return ops.Affine(x, w, nil)
	}
	return ops.Affine(x, w, s.Param("bias", x.DType(), l.Bias, out))
}
