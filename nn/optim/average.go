package optim

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

// Average keeps an exponential moving mean of the parameters, which often does better than the parameters of the last step:
//
//	a := β·a + (1−β)·p      a := p at the first step
//
//	updates = average.Updates(optimizer.Updates(params, grads))
//	…
//	trained, err := average.Swap(state, params)     // evaluate with the averages
//	…
//	err = state.Restore(trained)                    // and go on
type Average struct {
	Decay float64 // β; 0 means 0.999
	Name  string  // prefix of its variables; "" means "average"
}

func (a Average) prefix() string {
	if a.Name == "" {
		return "average"
	}
	return a.Name
}

// Updates adds those of the averages to the updates of an optimiser. The averages are of what the parameters become.
func (a Average) Updates(updates []graph.Update) []graph.Update {
	all := append([]graph.Update(nil), updates...)
	if len(updates) == 0 || updates[0].Target.Err() != nil {
		return all
	}
	decay := orDefault(a.Decay, 0.999)
	g := updates[0].Target.Graph()
	if !(decay >= 0 && decay < 1) {
		broken := graph.Invalid(graph.Errorf(graph.ErrValue, "the Decay of an average is %v; it must be from 0 to below 1", decay), a.prefix(), updates[0].Target)
		return []graph.Update{{Target: broken, Value: broken}}
	}
	begun := g.Variable(a.prefix()+".begun", graph.Float64, graph.Zeros())
	keep := ops.Scale(begun, decay) // 0 at the first step
	for _, up := range updates {
		if up.Target.Kind() == graph.Param {
			ops.Cast(keep, up.Target.DType())
		}
	}
	for _, up := range updates {
		p := up.Target
		if p.Kind() != graph.Param {
			continue
		}
		share := ops.Cast(keep, p.DType())
		mean := g.Variable(a.prefix()+"."+p.Name(), p.DType(), graph.Zeros(), p.Shape()...)
		rest := ops.Sub(g.Full(p.DType(), 1), share)
		all = append(all, graph.Update{Target: mean, Value: ops.Add(ops.Mul(mean, share), ops.Mul(up.Value, rest))})
	}
	return append(all, graph.Update{Target: begun, Value: ops.Add(ops.ZerosLike(begun), g.Full(graph.Float64, 1))})
}

// Swap puts the averages in the place of the parameters, and returns what those were, for State.Restore.
func (a Average) Swap(state *vm.State, params []*graph.Node) (before map[string]*tensor.Dense, err error) {
	before, averages := map[string]*tensor.Dense{}, map[string]any{}
	for _, p := range params {
		if before[p.Name()], err = state.Get(p.Name()); err != nil {
			return nil, err
		}
		mean, err := state.Get(a.prefix() + "." + p.Name())
		if err != nil {
			return nil, err
		}
		averages[p.Name()] = mean
	}
	return before, state.SetAll(averages)
}
