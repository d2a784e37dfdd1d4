package vm

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm/reference"
)

// checkFinite fails if the run that has just computed, and not yet committed, made a number that is not finite. The commit
// phase computes into memory of its own for that.
func (m *Machine) checkFinite() error {
	for i := m.computed; i < len(m.steps) && m.suspect < 0; i++ {
		m.tryCommit(i)
	}
	if m.suspect < 0 {
		return nil
	}
	m.at = m.suspect
	err := m.replay()
	var found *nonFinite
	switch {
	case errors.As(err, &found):
		return m.failed(graph.Locate(found.err, found.node))
	case err != nil && m.brought() != nil:
		return m.failed(m.brought())
	case err != nil: // the replay itself failed, which it must not
		return m.failed(graph.Errorf(graph.ErrValue, "computed a number that is not finite; looking for its origin failed: %v", err))
	}
	if err := m.brought(); err != nil {
		return m.failed(err)
	}
	return nil // all are marked as meant
}

// roots are the user's nodes that the program computes.
func (p *Program) roots() []*graph.Node {
	roots := append([]*graph.Node(nil), p.outputs...)
	for _, up := range p.updates {
		roots = append(roots, up.Value)
	}
	return roots
}

// mayBeNonFinite are the nodes that ops.AllowNonFinite marks.
func (p *Program) mayBeNonFinite() map[*graph.Node]bool {
	allowed := map[*graph.Node]bool{}
	for _, n := range graph.Reachable(p.roots()...) {
		if n.Is(ops.AllowNonFiniteDef) {
			allowed[n], allowed[n.In(0)] = true, true
		}
	}
	return allowed
}

// brought finds what was not finite before anything was computed: a feed or a state.
func (m *Machine) brought() error {
	allowed := m.program.mayBeNonFinite()
	for i, n := range m.program.feeds {
		if a := m.feeds[i].array; firstNonFinite(a) >= 0 && !allowed[n] {
			k := firstNonFinite(a)
			return graph.Locate(graph.Errorf(graph.ErrFeed, "was fed %v at element %d of %v", a.At(k), k, a.Shape), n)
		}
	}
	m.state.mu.RLock()
	defer m.state.mu.RUnlock()
	for _, n := range m.program.states {
		if a := m.state.values[n.Name()]; firstNonFinite(a) >= 0 && !allowed[n] {
			k := firstNonFinite(a)
			return graph.Locate(graph.Errorf(graph.ErrValue, "the state %s is %v at element %d of %v already; an earlier step, without CheckFinite, made it so", n.Name(), a.At(k), k, a.Shape), n)
		}
	}
	return nil
}

// lookAt remembers the first instruction that has a result that is not finite.
func (m *Machine) lookAt(at int) {
	if m.suspect >= 0 {
		return
	}
	for _, a := range m.steps[at].call.Out {
		if firstNonFinite(a) >= 0 {
			m.suspect = at
		}
	}
}

// tryCommit runs an instruction of the commit phase and looks at what it would write.
func (m *Machine) tryCommit(at int) {
	m.state.mu.RLock()
	defer m.state.mu.RUnlock()
	s := &m.steps[at]
	states := slices.Clone(s.call.Out)
	for k, a := range states {
		s.call.Out[k] = graph.NewArray(a.DType, a.Shape...)
	}
	s.bind()
	_ = m.execute(s)
	m.lookAt(at)
	copy(s.call.Out, states)
	s.bind()
}

// firstNonFinite returns the index of the first NaN or infinity, or −1.
func firstNonFinite(a graph.Array) int {
	if !a.DType.IsFloat() {
		return -1
	}
	for i := range a.Len() {
		if v := a.At(i); math.IsNaN(v) || math.IsInf(v, 0) {
			return i
		}
	}
	return -1
}

// nonFinite is what a replay finds.
type nonFinite struct {
	node *graph.Node
	err  error
}

func (n *nonFinite) Error() string { return n.err.Error() }

// replay evaluates what the program computes node by node, in its own element types, until a node makes a number that is not
// finite of operands that are.
func (m *Machine) replay() error {
	p := m.program
	env := reference.Env{Feeds: map[*graph.Node]any{}, State: map[string]any{}, Train: p.mode == Train, Own: true}
	for i, n := range p.feeds {
		env.Feeds[n] = m.feeds[i].array
	}
	m.state.mu.RLock()
	for _, n := range p.states {
		env.State[n.Name()] = clone(m.state.values[n.Name()])
	}
	m.state.mu.RUnlock()
	roots, allowed := p.roots(), p.mayBeNonFinite()
	env.Visit = func(n *graph.Node, in, out []graph.Array) error {
		for _, a := range in {
			if firstNonFinite(a) >= 0 {
				return nil
			}
		}
		for _, a := range out {
			if i := firstNonFinite(a); i >= 0 && !allowed[n] {
				return &nonFinite{n, graph.Errorf(graph.ErrValue, "is %v at element %d of %v, although its operands are finite%s; ops.AllowNonFinite says where that is meant",
					a.At(i), i, a.Shape, operandsAt(in, i, a.Len()))}
			}
		}
		return nil
	}
	_, err := reference.Eval(env, roots...)
	return err
}

// operandsAt shows the operands that have an element i beside a result of n elements, and scalars.
func operandsAt(in []graph.Array, i, n int) string {
	text := ""
	for _, a := range in {
		switch {
		case a.Len() == n:
			text += fmt.Sprintf(", %v", a.At(i))
		case a.Len() == 1:
			text += fmt.Sprintf(", %v", a.At(0))
		}
	}
	if text == "" {
		return ""
	}
	return " (" + text[2:] + ")"
}
