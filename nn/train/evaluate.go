package train

import (
	"context"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/vm"
	"gorgonia.org/tensor"
)

// Measures are a loss ("loss") and metrics by name.
type Measures map[string]float64

// EvalOnly returns the loss and the metrics over a set. It trains nothing: the state stays as it is. The loss is the mean over the
// examples. It needs memory for Rows examples, whatever the size of the set.
func (t *Trainer) EvalOnly(ctx context.Context, s *data.Set) (Measures, error) {
	sums := make([][]float64, 1+len(t.task.Metrics))
	err := t.chunks(s, func(part *data.Set) error {
		if err := t.run(ctx, t.evaluate, part.X, part.Y); err != nil {
			return err
		}
		_, err := t.add(t.evaluate, sums, part)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t.measures(sums), nil
}

// Predict returns the model's output for x: (rows, …), one row or a million, as a tensor of its own. Besides the result it needs
// memory for Rows rows. No rows give an output of no rows.
func (t *Trainer) Predict(ctx context.Context, x *tensor.Dense) (*tensor.Dense, error) {
	var all graph.Array
	done := 0
	err := t.chunks(&data.Set{X: x}, func(part *data.Set) error {
		if err := t.run(ctx, t.predictor, part.X, nil); err != nil {
			return err
		}
		value, err := t.predictor.Value(t.task.Output)
		if err != nil {
			return err
		}
		out, err := graph.ArrayOf(value)
		if err != nil {
			return err
		}
		rows := part.X.Shape()[0]
		if len(out.Shape) == 0 || out.Shape[0] != rows {
			return graph.Locate(graph.Errorf(graph.ErrShape, "Predict gave the model %d rows and got %v; its first axis must be the batch", rows, tensor.Shape(out.Shape)), t.task.Output)
		}
		if all.Shape == nil {
			all = graph.NewArray(out.DType, append([]int{x.Shape()[0]}, out.Shape[1:]...)...)
		}
		done += copy(all.Bytes()[done:], out.Bytes())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all.Dense(), nil
}

// chunks calls f for runs of at most Rows rows, as views; once, if there are no rows. Y may be missing.
func (t *Trainer) chunks(s *data.Set, f func(part *data.Set) error) error {
	if s == nil || s.X == nil || s.X.Dims() == 0 {
		return graph.Errorf(graph.ErrValue, "no examples; X has the shape (rows, …)")
	}
	rows, most := s.X.Shape()[0], t.Rows
	if most <= 0 {
		most = 1024
	}
	for at := 0; at < rows || at == 0; at += most {
		part := &data.Set{Classes: s.Classes}
		for _, c := range []struct{ from, to **tensor.Dense }{{&s.X, &part.X}, {&s.Y, &part.Y}} {
			if *c.from == nil {
				continue
			}
			a, err := graph.ArrayOf(*c.from)
			if err != nil {
				return err
			}
			if len(a.Shape) == 0 || a.Shape[0] != rows {
				return graph.Errorf(graph.ErrShape, "%d examples, but Y has shape %v", rows, tensor.Shape(a.Shape))
			}
			width := len(a.Bytes()) / max(rows, 1)
			end := min(at+most, rows)
			*c.to = graph.ArrayAt(a.DType, append([]int{end - at}, a.Shape[1:]...), a.Bytes()[at*width:end*width]).Dense()
		}
		if err := f(part); err != nil {
			return err
		}
	}
	return nil
}

// run feeds a machine and runs it; y may be nil.
func (t *Trainer) run(ctx context.Context, m *vm.Machine, x, y *tensor.Dense) error {
	if err := m.Feed(t.task.X, x); err != nil {
		return err
	}
	if y != nil && t.task.Y != nil {
		if err := m.Feed(t.task.Y, y); err != nil {
			return err
		}
	}
	return m.Run(ctx)
}

// add adds the batch that a machine has just run to the sums of the loss and of each metric, and returns its loss.
func (t *Trainer) add(m *vm.Machine, sums [][]float64, batch *data.Set) (loss float64, err error) {
	if loss, err = m.Scalar(t.task.Loss); err != nil {
		return 0, err
	}
	if sums[0] == nil {
		sums[0] = make([]float64, 2)
	}
	examples := float64(batch.X.Shape()[0])
	sums[0][0] += examples * loss
	sums[0][1] += examples
	if len(t.task.Metrics) == 0 {
		return loss, nil
	}
	output, err := m.Value(t.task.Output)
	if err != nil {
		return loss, err
	}
	target := batch.Y
	if t.task.Y == nil {
		target = batch.X
	}
	for i, metric := range t.task.Metrics {
		if sums[i+1], err = metric.Add(sums[i+1], output, target); err != nil {
			return loss, graph.Locate(err, t.task.Output)
		}
	}
	return loss, nil
}

// measures are what the sums come to.
func (t *Trainer) measures(sums [][]float64) Measures {
	all := Measures{"loss": nan}
	if len(sums[0]) == 2 {
		all["loss"] = sums[0][0] / sums[0][1]
	}
	for i, metric := range t.task.Metrics {
		all[metric.Name] = metric.Value(sums[i+1])
	}
	return all
}
