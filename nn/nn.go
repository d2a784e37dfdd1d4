// Package nn holds layers: small structs that build nodes, and give their parameters stable dotted names.
//
// The one idea: a layer is a struct with the method Build(scope, x). The scope names its parameters after the layer's place in the
// model ("encoder.0.weight"); a layer that is used twice within one scope, as the same pointer, keeps its first name and so
// shares its weights. To apply a model to several inputs, see Root.
//
//	model := nn.Sequential{&nn.Linear{Out: 128}, nn.ReLU, &nn.Linear{Out: 10}}
//	logits := nn.Build(g, model, x)
//	fmt.Println(nn.Summarize(model, x)) // a table of its layers
//
// A layer of one's own is such a struct too. It asks its scope for parameters, applies other layers under names, and composes the
// rest out of package ops; gradients follow by themselves:
//
//	// Gated multiplies what one layer says by a gate, and by a factor for each feature that is learnt.
//	type Gated struct{ Value, Gate nn.Linear }
//
//	func (l *Gated) Build(s *nn.Scope, x *graph.Node) *graph.Node {
//		value, gate := s.Apply("value", &l.Value, x), s.Apply("gate", &l.Gate, x)
//		scale := s.Param("scale", x.DType(), initializers.Ones(), graph.Dim(l.Value.Out))
//		return ops.Mul(scale, ops.Mul(value, ops.Sigmoid(gate)))
//	}
//
// Names of parameters are PyTorch's where it has the layer: weight, bias, running_mean. Where a layer is given no initialiser for its
// weights they start as suits the activation that follows in the model; see Scope.WeightInit. Biases start at 0.
//
// Layers execute nothing. An option that is left out has the value that its comment names. What does not fit gives a node that carries
// the error, with the user's line and the layer's place.
package nn

import (
	"fmt"
	"reflect"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Layer builds the nodes that map x to the layer's result. It executes nothing, and reports what does not fit by an invalid node.
type Layer interface {
	Build(s *Scope, x *graph.Node) *graph.Node
}

// Scope is a place in a model: it names the parameters that are built in it.
type Scope struct {
	graph *graph.Graph
	path  string
	owner Layer   // the layer that is built here, if it is a pointer
	next  *sequel // what the result goes into; nil: not known
	model *model
}

// model is what the scopes of one model share.
type model struct {
	built  map[Layer]*Scope // where each layer was built first
	leaves map[string]leaf  // the parameters and variables of this model by name
	placed map[error]bool   // errors that name the layer they arose in
	calls  []*call          // in the order in which they ended
	open   *call            // the innermost one under way
}

// leaf is a parameter or variable and the layer it was made for.
type leaf struct {
	node  *graph.Node
	owner Layer
}

// call is one application of a layer.
type call struct {
	path        string
	layer       Layer
	within      *call
	parts       int // layers that were applied directly in it
	out         *graph.Node
	first, next int           // ids of the nodes that were new in it
	leaves      []*graph.Node // that it asked for itself
}

// Build builds a model in g, applied to x. A second model in the same graph needs a path of its own, and a model that is applied
// to several inputs a scope that is kept: see Root.
func Build(g *graph.Graph, model Layer, x *graph.Node) *graph.Node {
	at := Root(g, "")
	at.next = &sequel{}
	return at.build(model, x)
}

// Root returns the scope at the top of a model; path, which may be empty, is put before all names. Building with one scope
// several times applies the same parameters to several inputs:
//
//	scope := nn.Root(g, "encoder")
//	a, b := model.Build(scope, x), model.Build(scope, y)
func Root(g *graph.Graph, path string) *Scope {
	return &Scope{graph: g, path: path, model: &model{built: map[Layer]*Scope{}, leaves: map[string]leaf{}, placed: map[error]bool{}}}
}

// Graph returns the graph that is built in.
func (s *Scope) Graph() *graph.Graph { return s.graph }

// Path returns the name that is put before those of this scope: "encoder.0", "" at the top.
func (s *Scope) Path() string { return s.path }

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
	return s.apply(name, l, x, nil)
}

// apply is Apply of a layer of whose sequel something is known.
func (s *Scope) apply(name string, l Layer, x *graph.Node, next *sequel) *graph.Node {
	at := s.Child(name)
	at.next = next
	if v := reflect.ValueOf(l); v.Kind() == reflect.Pointer && v.Type().Elem().Size() > 0 { // all of size 0 may have one address
		if first, ok := s.model.built[l]; ok {
			at = first
		} else {
			at.owner = l
			s.model.built[l] = at
		}
	}
	return at.build(l, x)
}

// build builds a layer in its scope, if there is one, and keeps a record of it. An error that arises in it gets to name it. What is invalid
// already comes to no layer, which may look at its shape.
func (s *Scope) build(l Layer, x *graph.Node) *graph.Node {
	v := reflect.ValueOf(l)
	if !v.IsValid() || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil() {
		return s.invalid(l, x, graph.Errorf(graph.ErrValue, "the layer is nil"))
	}
	if err := x.Err(); err != nil {
		return graph.Invalid(err, s.title(l), x)
	}
	c := &call{path: s.path, layer: l, within: s.model.open, first: len(s.graph.Nodes())}
	if c.within != nil {
		c.within.parts++
	}
	s.model.open = c
	y := l.Build(s, x)
	c.out, c.next = y, len(s.graph.Nodes())
	s.model.open, s.model.calls = c.within, append(s.model.calls, c)
	if y == nil {
		return s.invalid(l, x, graph.Errorf(graph.ErrGraph, "its Build returned nil; a layer returns a node, if need be x"))
	}
	if e, ok := y.Err().(*graph.Error); ok && !s.model.placed[e] {
		placed := *e
		placed.Expr = s.title(l)
		if e.Expr != "" {
			placed.Expr += ": " + e.Expr
		}
		return s.place(graph.Invalid(&placed, "", x))
	}
	return y
}

// title names a layer and its place: `Linear "encoder.0"`.
func (s *Scope) title(l Layer) string {
	if s.path == "" {
		return kind(l)
	}
	return fmt.Sprintf("%s %q", kind(l), s.path)
}

// kind is what people call a layer: its type, or what it says itself.
func kind(l Layer) string {
	if a, ok := l.(Activation); ok && a.Name != "" {
		return a.Name
	}
	t := reflect.TypeOf(l)
	if t == nil {
		return "layer"
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// invalid is the result of a layer that does not fit.
func (s *Scope) invalid(l Layer, x *graph.Node, err error) *graph.Node {
	return s.place(graph.Invalid(err, s.title(l), x))
}

func (s *Scope) place(n *graph.Node) *graph.Node {
	s.model.placed[n.Err()] = true
	return n
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
	known, ok := s.model.leaves[path]
	if !ok || known.owner != s.owner || known.node.Kind() != kind || !known.node.Type().Identical(typ) {
		known = leaf{add(path), s.owner} // another layer's name is taken, which the graph says
		s.model.leaves[path] = known
	}
	if c := s.model.open; c != nil {
		c.leaves = append(c.leaves, known.node)
	}
	return known.node
}

// keyName is the variable that all random layers of a graph draw with.
const keyName = "random.key"

// Key returns the key that the random layers of a graph draw with, each from a stream of its own: the variable "random.key", an
// ops.StepKey, which each training step advances.
func (s *Scope) Key() *graph.Node {
	if k := s.graph.Leaf(keyName); k != nil && k.Kind() == graph.Variable && k.Init().Name == "key" {
		return k
	}
	return ops.StepKey(s.graph, keyName)
}
