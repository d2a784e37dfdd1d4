package vm

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// State holds the values of a graph's parameters and variables by name. Any number of machines share it, from any goroutines:
// runs read it together; a run that commits updates excludes other such runs from its start to its commit, and readers only
// during the commit itself.
type State struct {
	graph *graph.Graph
	seed  uint64

	writer sync.Mutex   // held by whoever is going to change values: a training run, Set
	mu     sync.RWMutex // guards what follows

	values  map[string]graph.Array
	order   []string
	version uint64

	prologues prologues
}

// NewState gives every parameter and variable of g its initial value. The random numbers of each are derived from seed and its
// name, so adding a leaf changes no other. Leaves added to g later get theirs when a machine first needs them.
//
// It fails if an initialiser panics.
func NewState(g *graph.Graph, seed uint64) (*State, error) {
	if g == nil {
		return nil, graph.Errorf(graph.ErrGraph, "a nil *graph.Graph")
	}
	s := &State{graph: g, seed: seed, values: map[string]graph.Array{}}
	return s, s.ensure(append(g.Params(), g.Variables()...))
}

// ensure initialises those leaves that have no value yet.
func (s *State) ensure(leaves []*graph.Node) error {
	s.writer.Lock()
	defer s.writer.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range leaves {
		if n.Graph() != s.graph {
			return graph.Locate(graph.Errorf(graph.ErrGraph, "%s belongs to another graph than the State", n.Name()), n)
		}
		if _, ok := s.values[n.Name()]; ok {
			continue
		}
		a, err := s.initial(n)
		if err != nil {
			return graph.Locate(err, n)
		}
		s.values[n.Name()] = a
		s.order = append(s.order, n.Name())
	}
	return nil
}

func (s *State) initial(n *graph.Node) (graph.Array, error) {
	shape := make([]int, len(n.Shape()))
	size := 1
	for i, d := range n.Shape() {
		shape[i] = int(d)
		size *= shape[i]
	}
	memory, err := allocate(size * n.DType().Size())
	if err != nil {
		return graph.Array{}, err
	}
	a := graph.ArrayAt(n.DType(), shape, memory)
	if n.Init().Fill == nil {
		return a, nil
	}
	h := fnv.New64a()
	h.Write([]byte(n.Name()))
	var values []float64
	err = protect(func() error {
		values = make([]float64, size)
		n.Init().Fill(rand.New(rand.NewPCG(s.seed, h.Sum64())), slices.Clone(shape), values)
		return nil
	})
	for i, v := range values {
		a.SetAt(i, v)
	}
	return a, err
}

// Names returns the names of all values, in the order the leaves were added.
func (s *State) Names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]string(nil), s.order...)
}

// Version counts the changes of the state: commits and calls of Set and SetAll.
func (s *State) Version() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.version
}

// Get returns a copy of the value called name.
func (s *State) Get(name string) (*tensor.Dense, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a, ok := s.values[name]
	if !ok {
		return nil, s.unknown(name)
	}
	return clone(a).Dense(), nil
}

func clone(a graph.Array) graph.Array {
	c := graph.NewArray(a.DType, append([]int(nil), a.Shape...)...)
	c.CopyFrom(a)
	return c
}

func (s *State) unknown(name string) error {
	known := append([]string(nil), s.order...)
	sort.Strings(known)
	if len(known) > 12 {
		known = append(known[:12], "…")
	}
	return graph.Errorf(graph.ErrName, "the state has no %q; it has %s", name, strings.Join(known, ", "))
}

// Set gives the value called name a new value: a *tensor.Dense, a slice, or a number, of its shape; element types are converted.
func (s *State) Set(name string, value any) error {
	return s.SetAll(map[string]any{name: value})
}

// SetAll gives several values new values, all of them or, if one does not fit, none.
func (s *State) SetAll(values map[string]any) error {
	s.writer.Lock()
	defer s.writer.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	arrays := make([]graph.Array, len(names))
	for i, name := range names {
		to, ok := s.values[name]
		if !ok {
			return s.unknown(name)
		}
		from, err := graph.ArrayOf(values[name])
		if err != nil {
			return err
		}
		if !sameShape(from.Shape, to.Shape) {
			return graph.Errorf(graph.ErrShape, "%s has shape %v, not %v", name, to.Shape, from.Shape)
		}
		arrays[i] = from
	}
	for i, name := range names {
		s.values[name].CopyFrom(arrays[i])
	}
	s.version++
	return nil
}

// Snapshot returns a copy of all values by name, as they are at one moment.
func (s *State) Snapshot() map[string]*tensor.Dense {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make(map[string]*tensor.Dense, len(s.values))
	for name, a := range s.values {
		all[name] = clone(a).Dense()
	}
	return all
}

// Restore gives values back that Snapshot returned, of this state or of another one: all of them or, if one does not fit, none.
func (s *State) Restore(values map[string]*tensor.Dense) error {
	all := make(map[string]any, len(values))
	for name, v := range values {
		all[name] = v
	}
	return s.SetAll(all)
}

func sameShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
