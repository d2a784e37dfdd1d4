// Package losses holds loss functions, as compositions of operators: each builds a scalar node and executes nothing.
package losses

import (
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/ops"
)

// CrossEntropy returns the mean over the batch of −ln softmax(logits)[label]. logits: (batch, classes), float; labels: (batch),
// int32 or int64, each from 0 to classes−1, which every run checks. It is computed from the log-softmax, so logits of ±10⁴ do no
// harm, and its gradient is (softmax − one-hot)/batch. An empty batch is an error at run time.
func CrossEntropy(logits, labels *graph.Node) *graph.Node {
	if err := wantLogits(logits, labels); err != nil {
		return graph.Invalid(err, "crossentropy("+logits.Expr()+", "+labels.Expr()+")", logits, labels)
	}
	column := ops.Reshape(labels, append(append(graph.Shape(nil), labels.Shape()...), 1)...)
	return ops.Neg(ops.Mean(ops.TakeAlongAxis(ops.LogSoftmax(logits, 1), column, 1)))
}

func wantLogits(logits, labels *graph.Node) error {
	if logits.Err() != nil || labels.Err() != nil {
		return graph.Errorf(graph.ErrGraph, "an operand is invalid")
	}
	if logits.Shape().Rank() != 2 || labels.Shape().Rank() != 1 || !labels.DType().IsInt() || !logits.DType().IsFloat() {
		return graph.Errorf(graph.ErrShape, "takes logits float(batch, classes) and labels int(batch), not %v and %v", logits.Type(), labels.Type())
	}
	return nil
}

// MSE returns the mean over all elements of (prediction − target)². Both have the same type.
func MSE(prediction, target *graph.Node) *graph.Node {
	if prediction.Err() == nil && target.Err() == nil && !prediction.Type().Identical(target.Type()) {
		return graph.Invalid(graph.Errorf(graph.ErrShape, "the prediction is %v, the target %v; they must be alike (ops.Reshape drops or adds dimensions of 1)",
			prediction.Type(), target.Type()), "mse("+prediction.Expr()+", "+target.Expr()+")", prediction, target)
	}
	return ops.Mean(ops.Square(ops.Sub(prediction, target)))
}
