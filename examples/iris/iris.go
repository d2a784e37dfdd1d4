// Command iris tells three species of iris apart by four measures, and compares two ways to learn it. It shows that a model is any
// expression, not only a stack of layers: iris.go has a network, and a model of how the measures come about, whose parameters
// are found by the same gradient. main.go has the flags, the cross-validation and the picture.
//
//	go run ./examples/iris
package main

import (
	"context"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/initializers"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/nn/train"
	"github.com/tapir-ml/tapir/ops"
)

// model is a way to learn: from x: (batch, features) and y: (batch), the species, to logits: (batch, species) and a loss.
type model struct {
	name  string
	build func(x, y *graph.Node, species int) (logits, loss *graph.Node)
	rate  float64 // of Adam
}

var models = []model{
	{"network", network, 0.01},
	{"gaussians", gaussians, 0.05},
}

// network asks only for the species, given the measures: with few flowers to learn from, its borders go where chance has it.
func network(x, y *graph.Node, species int) (logits, loss *graph.Node) {
	logits = nn.Build(x.Graph(), nn.Sequential{&nn.Linear{Out: 16}, nn.Tanh, &nn.Linear{Out: species}}, x)
	return logits, losses.CrossEntropy(logits, y)
}

// gaussians asks for the measures too. The flowers of a species k lie around a mean μₖ, and in all species they spread alike:
//
//	log p(x, k) = log πₖ + log N(x; μₖ, Σ),   Σ⁻¹ = A·Aᵀ,   log N = log|det A| − ½‖(x − μₖ)·A‖² + const
//
// The loss is the mean of −log p(x, y). Its minimum is known (Fisher's linear discriminant, 1936, found for these very flowers), so
// the gradient must lead there; iris_test.go holds it to that.
func gaussians(x, y *graph.Node, species int) (logits, loss *graph.Node) {
	g, features := x.Graph(), x.Shape()[1]
	zeros := initializers.Zeros()
	mean := g.Param("mean", x.DType(), zeros, graph.Dim(species), features)
	below := g.Param("below", x.DType(), zeros, features, features) // A below its diagonal
	diagonal := g.Param("diagonal", x.DType(), zeros, features)     // log of A's diagonal: so A has an inverse
	prior := g.Param("prior", x.DType(), zeros, graph.Dim(species))

	timesA := func(v *graph.Node) *graph.Node {
		return ops.Add(ops.MatMul(v, ops.Tril(below, -1)), ops.Mul(v, ops.Exp(diagonal)))
	}
	xA, meanA := timesA(x), timesA(mean)
	// ‖xA − μA‖² = ‖xA‖² − 2 xA·μA + ‖μA‖²: (batch, species)
	distance := ops.Add(ops.Sub(ops.SumKeep(ops.Square(xA), 1), ops.Scale(ops.MatMul(xA, ops.Transpose(meanA)), 2)), ops.Sum(ops.Square(meanA), 1))

	logits = ops.Add(ops.Sub(ops.LogSoftmax(prior, 0), ops.Scale(distance, 0.5)), ops.Sum(diagonal))
	// −log p(x, y) = −log p(y | x) − log p(x), and p(x) = Σₖ p(x, k).
	return logits, ops.Sub(losses.CrossEntropy(logits, y), ops.Mean(ops.LogSumExp(logits, 1)))
}

// learner is a model that has learnt from a set of flowers; it scales what it is asked as it scaled those.
type learner struct {
	*train.Trainer
	scale  *data.Standard
	result *train.Result
}

// learn scales the flowers and fits the model to them.
func (m model) learn(ctx context.Context, flowers *data.Set, epochs int, seed uint64) (*learner, error) {
	g, batch := graph.New(), graph.Symbol("batch")
	x := g.Input("measures", graph.Float32, batch, graph.Dim(flowers.X.Shape()[1]))
	y := g.Input("species", graph.Int64, batch)
	logits, loss := m.build(x, y, flowers.Classes)
	trainer, err := train.New(train.Task{
		X: x, Y: y, Output: logits, Loss: loss, Metrics: []train.Metric{train.Accuracy()}, Optimizer: optim.Adam{LR: m.rate},
	}, seed)
	if err != nil {
		return nil, err
	}
	l := &learner{Trainer: trainer}
	if l.scale, err = data.FitStandard(flowers.X); err != nil {
		return nil, err
	}
	scaled, err := l.scaled(flowers)
	if err != nil {
		return nil, err
	}
	batches, err := data.NewBatches(scaled, 16, seed)
	if err != nil {
		return nil, err
	}
	l.result, err = l.Fit(ctx, batches, train.Options{Epochs: epochs})
	return l, err
}

// scaled is the set with its measures scaled; the set itself stays as it is.
func (l *learner) scaled(s *data.Set) (*data.Set, error) {
	scaled := *s
	return &scaled, l.scale.ApplyTo(&scaled)
}

// species is what each flower of a set is taken for.
func (l *learner) species(ctx context.Context, s *data.Set) ([]int64, error) {
	scaled, err := l.scaled(s)
	if err != nil {
		return nil, err
	}
	logits, err := l.Predict(ctx, scaled.X)
	if err != nil {
		return nil, err
	}
	answers, err := data.FromOneHot(logits)
	if err != nil {
		return nil, err
	}
	return answers.Int64s(), nil
}

// crossValidate deals the flowers out in folds, and asks for each a learner that has never seen it.
func (m model) crossValidate(ctx context.Context, s *data.Set, folds, epochs int, seed uint64) (answers []int64, err error) {
	rounds, err := s.KFoldStratified(seed, folds)
	if err != nil {
		return nil, err
	}
	answers = make([]int64, s.Len())
	for _, round := range rounds {
		training, test, err := round.Sets(s)
		if err != nil {
			return nil, err
		}
		l, err := m.learn(ctx, training, epochs, seed)
		if err != nil {
			return nil, err
		}
		of, err := l.species(ctx, test)
		if err != nil {
			return nil, err
		}
		for i, row := range round.Test {
			answers[row] = of[i]
		}
	}
	return answers, nil
}

// accuracy is the share of flowers that are taken for what they are.
func accuracy(s *data.Set, answers []int64) float64 {
	right := 0
	for i, y := range s.Y.Int64s() {
		if answers[i] == y {
			right++
		}
	}
	return float64(right) / float64(s.Len())
}
