package vm

import (
	"context"
	"sort"

	"github.com/tapir-ml/tapir/graph"
	"gorgonia.org/tensor"
)

// Feeds gives inputs their values, for the calls that take them all at once.
type Feeds map[*graph.Node]any

// FeedAll feeds several inputs; it stops at the first that does not fit.
func (m *Machine) FeedAll(feeds Feeds) error {
	nodes := make([]*graph.Node, 0, len(feeds))
	for n := range feeds {
		nodes = append(nodes, n)
	}
	sort.Slice(nodes, func(i, j int) bool { return nodes[i].ID() < nodes[j].ID() })
	for _, n := range nodes {
		if err := m.Feed(n, feeds[n]); err != nil {
			return err
		}
	}
	return nil
}

// Eval computes one node, compiled for inference: the way to look at any expression. Nothing is committed. A nil state
// serves expressions without parameters and variables.
func Eval(state *State, n *graph.Node, feeds ...Feeds) (*tensor.Dense, error) {
	p, err := Compile(Spec{Outputs: []*graph.Node{n}, Without: []string{"prologue"}}) // which pays with the second run
	if err != nil {
		return nil, err
	}
	if state == nil && len(p.states) > 0 {
		return nil, graph.Locate(graph.Errorf(graph.ErrValue, "%s is needed, which is held by a State; make one with vm.NewState", p.states[0].Name()), n)
	}
	if state == nil {
		state = &State{graph: n.Graph()}
	}
	m, err := NewMachine(p, state)
	if err != nil {
		return nil, err
	}
	for _, f := range feeds {
		if err := m.FeedAll(f); err != nil {
			return nil, err
		}
	}
	if err := m.Run(context.Background()); err != nil {
		return nil, err
	}
	return m.Value(n)
}
