package nn

import (
	"strconv"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Func is a layer without parameters.
type Func func(x *graph.Node) *graph.Node

// Build calls f.
func (f Func) Build(_ *Scope, x *graph.Node) *graph.Node { return f(x) }

// Sequential applies its layers one after the other; their scopes are "0", "1", …. Without any it returns x.
type Sequential []Layer

// Build chains the layers.
func (m Sequential) Build(s *Scope, x *graph.Node) *graph.Node {
	for i, l := range m {
		x = s.apply(strconv.Itoa(i), l, x, &sequel{m[i+1:], s.next, s.next == nil})
	}
	return x
}

// Chain is a Sequential whose scopes have names, which stay when a layer is put between others: "encoder.weight" instead of "0.weight".
type Chain []Link

// Link is a layer of a Chain and the name of its scope; names differ.
type Link struct {
	Name  string
	Layer Layer
}

// Build chains the layers.
func (m Chain) Build(s *Scope, x *graph.Node) *graph.Node {
	layers := m.layers()
	for i, l := range m {
		x = s.apply(l.Name, l.Layer, x, &sequel{layers[i+1:], s.next, s.next == nil})
	}
	return x
}

func (m Chain) layers() []Layer {
	list := make([]Layer, len(m))
	for i, l := range m {
		list[i] = l.Layer
	}
	return list
}

// Residual is Shortcut(x) + Body(x) (He et al. 2015); the scopes are "body" and "shortcut". Without a Shortcut that is x + Body(x), and both
// have one type. Where they differ the shortcut is a projection: &Linear{Out: n, NoBias: true}, or &Conv2D with a kernel of 1
// and the stride of the body.
type Residual struct {
	Body     Layer
	Shortcut Layer // left out: x itself
}

// Build adds the shortcut to the body.
func (l *Residual) Build(s *Scope, x *graph.Node) *graph.Node {
	y := s.Apply("body", l.Body, x)
	if l.Shortcut != nil {
		x = s.Apply("shortcut", l.Shortcut, x)
	}
	if y.Err() == nil && x.Err() == nil && !x.Type().Identical(y.Type()) {
		return s.invalid(l, x, graph.Errorf(graph.ErrShape,
			"the shortcut is %v, the body %v; a Shortcut such as &nn.Linear{Out: n, NoBias: true} makes x fit", x.Type(), y.Type()))
	}
	return ops.Add(x, y)
}

// Parallel applies each of its branches to x and joins what they return; their scopes are "0", "1", ….
type Parallel struct {
	Branches []Layer
	Join     func(parts []*graph.Node) *graph.Node // left out: their sum, of equal types
}

// Build builds the branches and joins them.
func (l *Parallel) Build(s *Scope, x *graph.Node) *graph.Node {
	join := l.Join
	if join == nil {
		join = func(parts []*graph.Node) *graph.Node { return ops.AddN(parts...) }
	}
	return branch(s, l, l.Branches, x, join)
}

// Concat applies each of its branches to x and joins what they return along an axis; their scopes are "0", "1", ….
type Concat struct {
	Branches []Layer
	Axis     int // 0 means 1: the features of (batch, features), the channels of images; negative ones count from the last
}

// Build builds the branches and concatenates them.
func (l *Concat) Build(s *Scope, x *graph.Node) *graph.Node {
	axis := l.Axis
	if axis == 0 {
		axis = 1
	}
	return branch(s, l, l.Branches, x, func(parts []*graph.Node) *graph.Node { return ops.Concat(axis, parts...) })
}

func branch(s *Scope, l Layer, branches []Layer, x *graph.Node, join func(parts []*graph.Node) *graph.Node) *graph.Node {
	if len(branches) == 0 {
		return s.invalid(l, x, graph.Errorf(graph.ErrValue, "it has no branches; give it one or more"))
	}
	parts := make([]*graph.Node, len(branches))
	for i, b := range branches {
		parts[i] = s.Apply(strconv.Itoa(i), b, x)
	}
	return join(parts)
}

// Flatten makes one dimension of those from axis From on: (batch, channels, height, width) becomes (batch, channels·height·width).
type Flatten struct {
	From int // 0 means 1
}

// Build reshapes x.
func (l Flatten) Build(s *Scope, x *graph.Node) *graph.Node {
	from := l.From
	if from == 0 {
		from = 1
	}
	return ops.Flatten(x, from)
}

// Dropout zeroes each element with probability P in training and scales the others by 1/(1−P); in evaluation it is x. See ops.Dropout.
type Dropout struct {
	P      float64
	Shared []int       // axes along which elements stay or go together: {2, 3} drops whole channels of images
	Key    *graph.Node // left out: Scope.Key, with which each training step drops others
}

// Build drops elements of x.
func (l Dropout) Build(s *Scope, x *graph.Node) *graph.Node {
	key := l.Key
	if key == nil {
		key = s.Key()
	}
	return ops.Dropout(x, l.P, key, l.Shared...)
}
