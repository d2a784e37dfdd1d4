package vm

import (
	"slices"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// Mode says what a program is for: ops.ByMode is resolved by it.
type Mode uint8

// The modes. The zero value is Infer.
const (
	Infer Mode = iota // evaluation and prediction
	Train
)

// String returns "inference" or "training".
func (m Mode) String() string {
	if m == Train {
		return "training"
	}
	return "inference"
}

// Spec says what a program shall compute.
type Spec struct {
	// Outputs are the nodes whose values can be read after a run.
	Outputs []*graph.Node

	// Watch are nodes whose values can be read after a run too, to look into a program without changing what it is for. A watched
	// node is computed, and fusing leaves it out, even if nothing else needs it.
	Watch []*graph.Node

	// Updates say what the state becomes when a step commits. All values are computed from the state before the step. Programs
	// for training also commit what Graph.Assign recorded for the variables they depend on.
	Updates []graph.Update

	// Mode resolves ops.ByMode.
	Mode Mode

	// Without names optional passes to leave out, to find out what one does. The names are those of Passes.
	Without []string

	// Explain, if it is not nil, is told what each pass does, for a page that shows it: see Explanation.
	Explain *Explanation
}

// Compile makes a program of the graph's nodes. The graph is not changed, and can grow afterwards. Compiling the same graph for
// the same Spec twice gives the same tape.
//
// It fails with the first error that one of the nodes carries, if the nodes belong to several graphs, if an update's target is
// no parameter or variable or its type differs from the value's, and if a dimension's size cannot be had from any input.
func Compile(spec Spec) (*Program, error) {
	u, err := begin(spec)
	if err != nil {
		return nil, err
	}
	if spec.Explain != nil {
		*spec.Explain = Explanation{}
	}
	for i := range passes {
		p := &passes[i]
		if p.optional && slices.Contains(spec.Without, p.name) {
			u.record(p, true)
			continue
		}
		if err := protect(func() error { return p.run(u) }); err != nil {
			return nil, graph.Locate(err, u.at)
		}
		if verifyPasses {
			if err := u.verify(); err != nil {
				return nil, graph.Errorf(graph.ErrOperator, "pass %s broke the program: %v", p.name, err)
			}
		}
		u.record(p, false)
	}
	program, err := u.program()
	if spec.Explain != nil {
		spec.Explain.program = program
	}
	return program, err
}

// verifyPasses makes Compile check the program after every pass; the tests set it.
var verifyPasses = false

// unit is a program under construction: first a private graph, then a tape.
type unit struct {
	spec    Spec
	user    *graph.Graph
	updates []graph.Update // the user's, Assign's included

	// Roots of the private graph: images of Spec.Outputs, then of the updates' values.
	roots []*graph.Node

	tape *tape
	at   *graph.Node // whose operator a pass asks something, for panics
}

// begin checks the Spec.
func begin(spec Spec) (*unit, error) {
	spec.Outputs = slices.Concat(spec.Outputs, spec.Watch)
	u := &unit{spec: spec}
	for _, without := range spec.Without {
		if !slices.ContainsFunc(passes, func(p pass) bool { return p.optional && p.name == without }) {
			return nil, graph.Errorf(graph.ErrName, "Spec.Without: there is no optional pass %q", without)
		}
	}
	check := func(n *graph.Node, what string) error {
		if err := n.Err(); err != nil {
			return err
		}
		if u.user == nil {
			u.user = n.Graph()
		}
		if n.Graph() != u.user {
			return graph.Locate(graph.Errorf(graph.ErrGraph, "%s belongs to another graph than the rest of the Spec", what), n)
		}
		if n.Type().IsTuple() {
			return graph.Locate(graph.Errorf(graph.ErrOperator, "%s is a tuple; ask for its parts with ops.Get", what), n)
		}
		return nil
	}
	for _, n := range spec.Outputs {
		if err := check(n, "an output"); err != nil {
			return nil, err
		}
	}
	target := map[*graph.Node]bool{}
	add := func(up graph.Update) error {
		if err := check(up.Target, "an update's target"); err != nil {
			return err
		}
		if err := check(up.Value, "an update's value"); err != nil {
			return err
		}
		if k := up.Target.Kind(); k != graph.Param && k != graph.Variable {
			return graph.Locate(graph.Errorf(graph.ErrGraph, "an update's target must be a parameter or a variable, not the kind %v", k), up.Target)
		}
		if !up.Target.Type().Identical(up.Value.Type()) {
			return graph.Locate(graph.Errorf(graph.ErrShape, "the update of %s is %v, but %s is %v", up.Target.Name(), up.Value.Type(), up.Target.Name(), up.Target.Type()), up.Value)
		}
		if target[up.Target] {
			return graph.Locate(graph.Errorf(graph.ErrName, "%s is updated twice in one program", up.Target.Name()), up.Target)
		}
		target[up.Target] = true
		u.updates = append(u.updates, up)
		return nil
	}
	for _, up := range spec.Updates {
		if err := add(up); err != nil {
			return nil, err
		}
	}
	if u.user == nil {
		return nil, graph.Errorf(graph.ErrGraph, "nothing to compile: Spec has no outputs and no updates")
	}
	if spec.Mode == Train {
		// An assignment belongs to the program if the program, in either mode, reads its variable; its value may read others.
		for found := true; found; {
			found = false
			needed := map[*graph.Node]bool{}
			for _, n := range graph.Reachable(append(u.wanted(), targets(u.updates)...)...) {
				needed[n] = true
			}
			for _, up := range u.user.Assigned() {
				if needed[up.Target] && !target[up.Target] {
					if err := add(up); err != nil {
						return nil, err
					}
					found = true
				}
			}
		}
	}
	return u, nil
}

// wanted lists the user's nodes that the roots stand for.
func (u *unit) wanted() []*graph.Node {
	nodes := append([]*graph.Node(nil), u.spec.Outputs...)
	for _, up := range u.updates {
		nodes = append(nodes, up.Value)
	}
	return nodes
}

func targets(updates []graph.Update) []*graph.Node {
	var list []*graph.Node
	for _, up := range updates {
		list = append(list, up.Target)
	}
	return list
}

// rules are the rewrites of the catalogue.
var rules = ops.Rules()
