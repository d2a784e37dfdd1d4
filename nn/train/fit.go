package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"gorgonia.org/tensor"
)

// Source deals out the batches of an epoch: *data.Batches and *data.Prefetch are such. What it deals is a function of the epoch's
// number alone, or a run cannot be resumed.
type Source interface {
	Start(epoch int)  // begins an epoch
	Next() bool       // goes to the next batch; false at the end of the epoch, or where it fails
	Batch() *data.Set // the batch, until the next Next
	Len() int         // how many batches an epoch has
	Err() error       // why the epoch ended early; nil if it did not
}

// Options say how long to train, and what happens meanwhile. At least one of Epochs, Steps, Patience and Converged ends the run.
type Options struct {
	Epochs int // passes over the training examples; 0: no limit
	Steps  int // steps of the optimiser; 0: no limit. The last epoch may be cut short by it

	Validation *data.Set // is looked at after each epoch; nil: none

	// Monitor names the measure that says which epoch is the best: "loss" (also for "") or a metric, of the validation if there is
	// one, else of the training. NaN is never the best.
	Monitor  string
	MinDelta float64 // by how much a measure must be better than the best before to count
	Patience int     // stop after so many epochs without a better one, and restore the best; 0: don't
	Best     bool    // restore the best epoch in any case: parameters, variables and the optimiser's memory as they were at its end

	// Converged stops the run when the training losses of the last five epochs lie within this share of the largest; 0: don't.
	Converged float64

	// Rate sets the learning rate before each step, which it is given (from 0), such as an optim.Schedule. Plateau sets it after
	// each epoch by the monitored measure, from its Rate on; the loop works on copies of it. At most one of them; nil: the
	// optimiser's own rate stays.
	Rate    func(step int) float64
	Plateau *optim.Plateau

	Checkpoints Checkpoints // where the run is kept, and resumed from

	Progress io.Writer   // a bar on a terminal, elsewhere a line now and then; nil: nothing
	OnStep   func(Step)  // is called after each batch; nil: nothing is
	OnEpoch  func(Epoch) // is called after each epoch, its validation included
}

// Step is a batch that was just trained with: a step of the optimiser, or a part of one that is made of several batches.
type Step struct {
	Epoch, Batch int     // from 1
	Step         int     // how many steps there were, over all epochs
	Loss         float64 // of the batch, by the parameters before its step
	Rate         float64 // learning rate; NaN if the optimiser has none of its own
}

// Result is what a run arrived at.
type Result struct {
	History *History
	Steps   int
	Best    int    // the epoch of the best monitored measure, from 1; 0 if there is none
	Why     string // it ended: "epochs", "steps", "patience", "converged"; "" if it was interrupted or failed
}

// ErrDiverged is the kind of error for a loss that is NaN or infinite.
var ErrDiverged = errors.New("the loss is not finite")

// Fit trains: for every batch a step of the optimiser, after every epoch a look at the validation set. If the folder of
// o.Checkpoints has a checkpoint, it goes on from there, and the state becomes that of the checkpoint.
//
// When ctx ends, the step under way is finished and a checkpoint written; the error then is ctx's, and says how to resume. With
// an error the result, if it is not nil, is what was reached before. A step whose loss is NaN or infinite is not made: the error is
// of the kind ErrDiverged, and the parameters are as they were before that step.
func (t *Trainer) Fit(ctx context.Context, batches Source, o Options) (*Result, error) {
	if v := reflect.ValueOf(batches); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, graph.Errorf(graph.ErrValue, "no batches: the Source is nil; data.NewBatches makes one")
	}
	if err := o.check(t); err != nil {
		return nil, err
	}
	r := &run{trainer: t, options: o, batches: batches, history: t.newHistory(), complete: true, saved: time.Now()}
	if err := r.resume(); err != nil {
		return nil, err
	}
	r.rate = t.readRate()
	r.progress = newProgress(o, r)
	err := r.loop(ctx)
	r.progress.end()
	result := &Result{History: r.history, Steps: r.step, Best: r.options.best(r.history)}
	if err != nil {
		return result, err
	}
	result.Why = r.why()
	return result, r.finish()
}

// run is a run under way: its place, its history, and the sums of the epoch so far.
type run struct {
	trainer  *Trainer
	options  Options
	batches  Source
	history  *History
	progress *progress

	epoch    int         // from 1; 0 before the first
	complete bool        // the epoch is over, and in the history
	batch    int         // how many batches of it were dealt
	step     int         // steps over all epochs
	sums     [][]float64 // of the training: Σ loss·examples and Σ examples, then those of each metric
	dealt    uint32      // checksum of the last batch
	rate     float64     // the state's learning rate

	best  map[string]*tensor.Dense // the state at the end of the best epoch
	saved time.Time                // when the last checkpoint was written
}

func (r *run) loop(ctx context.Context) error {
	for r.why() == "" {
		if ctx.Err() != nil {
			return r.interrupted(ctx)
		}
		if r.complete {
			r.epoch, r.complete, r.batch = r.epoch+1, false, 0
			r.sums = make([][]float64, 1+len(r.trainer.task.Metrics))
			r.batches.Start(r.epoch)
		}
		for !r.options.stepsDone(r.step) && r.batches.Next() {
			if err := r.train(r.batches.Batch()); err != nil {
				return err
			}
			if err := r.checkpoint(false); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return r.interrupted(ctx)
			}
		}
		if err := r.batches.Err(); ctx.Err() != nil {
			return r.interrupted(ctx)
		} else if err != nil {
			return err
		}
		if r.batch == 0 {
			return graph.Errorf(graph.ErrValue, "no batches: epoch %d dealt none", r.epoch)
		}
		now := Epoch{Epoch: r.epoch, Steps: r.step, Rate: r.rate, Train: r.trainer.measures(r.sums)}
		if r.options.Validation != nil {
			var err error
			if now.Validation, err = r.validate(ctx); ctx.Err() != nil {
				return r.interrupted(ctx)
			} else if err != nil {
				return err
			}
		}
		r.history.Epochs, r.complete = append(r.history.Epochs, now), true
		if r.options.keepsBest() && r.options.best(r.history) == len(r.history.Epochs) {
			r.best = r.trainer.State.Snapshot()
		}
		r.progress.epoch(r, now)
		if r.options.OnEpoch != nil {
			r.options.OnEpoch(now)
		}
		if err := r.checkpoint(true); err != nil {
			return err
		}
	}
	return r.save()
}

// train feeds a batch and runs it; the step, once begun, is finished.
func (r *run) train(batch *data.Set) error {
	t, ctx := r.trainer, context.Background()
	if err := r.setRate(); err != nil {
		return err
	}
	if err := t.run(ctx, t.batch, batch.X, batch.Y); err != nil {
		if strings.Contains(err.Error(), notFinite) {
			return graph.Errorf(ErrDiverged, "%s in batch %d of epoch %d, so that step was not made: the steps before it were too large (try a smaller learning rate), or what is fed has such values; Trainer.Machine().CheckFinite = true finds out where they come from",
				notFinite, r.batch+1, r.epoch)
		}
		return err
	}
	if r.batch++; t.step == nil {
		r.step++
	} else if r.batch%t.task.Accumulate == 0 || r.batch == r.batches.Len() {
		if err := t.step.Run(ctx); err != nil {
			return err
		}
		r.step++
	}
	if r.options.Checkpoints.Dir != "" {
		r.dealt = checksum(batch)
	}
	loss, err := t.add(t.batch, r.sums, batch)
	if err != nil {
		return err
	}
	now := Step{Epoch: r.epoch, Batch: r.batch, Step: r.step, Loss: loss, Rate: r.rate}
	r.progress.step(now, batch.Len())
	if r.options.OnStep != nil {
		r.options.OnStep(now)
	}
	return nil
}

// validate looks at the validation set, with the averages if there are any.
func (r *run) validate(ctx context.Context) (Measures, error) {
	t := r.trainer
	if t.task.Average == nil {
		return t.EvalOnly(ctx, r.options.Validation)
	}
	trained, err := t.task.Average.Swap(t.State, t.params)
	if err != nil {
		return nil, err
	}
	now, err := t.EvalOnly(ctx, r.options.Validation)
	return now, errors.Join(err, t.State.Restore(trained))
}

// finish leaves the state as the run is to end.
func (r *run) finish() error {
	if r.options.keepsBest() && r.best != nil {
		if err := r.trainer.State.Restore(r.best); err != nil {
			return err
		}
	}
	if a := r.trainer.task.Average; a != nil && r.step > 0 {
		_, err := a.Swap(r.trainer.State, r.trainer.params)
		return err
	}
	return nil
}

// setRate sets the learning rate of the coming step.
func (r *run) setRate() error {
	rate := r.rate
	if r.options.Rate != nil {
		rate = r.options.Rate(r.step)
	} else if r.options.Plateau != nil && r.batch == 0 {
		rate = r.options.plateau(r.history)
	}
	if rate == r.rate {
		return nil
	}
	r.rate = rate
	return r.trainer.State.Set(r.trainer.lr, rate)
}

// readRate returns the learning rate that the state has; NaN if it has none or several.
func (t *Trainer) readRate() float64 {
	if v, err := t.State.Get(t.lr); err == nil {
		if rate, ok := v.Data().(float64); ok {
			return rate
		}
	}
	return nan
}

// Interruptible returns a context that ends at Ctrl-C or when the process is told to terminate, so that Fit can finish its step
// and save. A second Ctrl-C ends the program at once.
func Interruptible(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func (r *run) interrupted(ctx context.Context) error {
	where := fmt.Sprintf("interrupted in epoch %d after %d batches", r.epoch, r.batch)
	if r.complete {
		where = fmt.Sprintf("interrupted after epoch %d", r.epoch)
	}
	if r.options.Checkpoints.Dir == "" {
		return fmt.Errorf("%s; Options.Checkpoints would have kept the run: %w", where, ctx.Err())
	}
	if err := r.save(); err != nil {
		return err
	}
	return fmt.Errorf("%s; it is saved in %s, and the same run started again goes on from there: %w", where, r.options.Checkpoints.Dir, ctx.Err())
}
