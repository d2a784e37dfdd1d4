package train

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/checkpoint"
	"github.com/tapir-ml/tapir/nn/data"
	"gorgonia.org/tensor"
)

// Checkpoints say where and when a run is kept. A run is the same bits with them and without, killed and resumed or not.
type Checkpoints struct {
	Dir      string        // the folder of this one run, made if needed; "": no checkpoints
	Steps    int           // one each so many steps
	Interval time.Duration // one when so much time has passed since the last
	Keep     int           // how many of the newest stay; 0 means 2
}

// A checkpoint is a safetensors file: the state's values by name, and beside them
//
//	best:NAME   the state at the end of the best epoch, if it will be restored
//	sums:I      the sums of the epoch so far, of the loss (0) and each metric
//
// In its metadata are the place and the history, as CSV. The seed of the batches' order is the Source's; a checksum of the last
// batch shows whether it deals the same again. Random keys are variables of the state.
const (
	bestPrefix, sumsPrefix = "best:", "sums:"
	placeKey, historyKey   = "tapir.place", "tapir.history"
)

type place struct {
	Epoch    int    `json:"epoch"`
	Complete bool   `json:"complete"`
	Batch    int    `json:"batch"`
	Step     int    `json:"step"`
	Dealt    uint32 `json:"dealt"`
}

// checkpoint saves if it is time to.
func (r *run) checkpoint(epochEnds bool) error {
	c := r.options.Checkpoints
	if c.Dir == "" {
		return nil
	}
	due := epochEnds && c.Steps == 0 && c.Interval == 0
	due = due || !epochEnds && c.Steps > 0 && r.step > 0 && r.step%c.Steps == 0
	if due = due || c.Interval > 0 && time.Since(r.saved) >= c.Interval; !due {
		return nil
	}
	return r.save()
}

// save writes a checkpoint.
func (r *run) save() error {
	c := r.options.Checkpoints
	if c.Dir == "" {
		return nil
	}
	f := checkpoint.Of(r.trainer.State)
	for name, v := range r.best {
		f.Tensors[bestPrefix+name] = v
	}
	for i, sums := range r.sums {
		f.Tensors[sumsPrefix+strconv.Itoa(i)] = graphArray(sums)
	}
	at, err := json.Marshal(place{Epoch: r.epoch, Complete: r.complete, Batch: r.batch, Step: r.step, Dealt: r.dealt})
	if err != nil {
		return err
	}
	f.Metadata = map[string]string{placeKey: string(at), historyKey: r.history.CSV()}
	_, err = checkpoint.Series{Dir: c.Dir, Keep: c.Keep}.Save(r.step, f)
	r.saved = time.Now()
	return err
}

func graphArray(values []float64) *tensor.Dense {
	a := graph.NewArray(graph.Float64, len(values))
	copy(a.F64(), values)
	return a.Dense()
}

// resume goes to the place of the last whole checkpoint, if there is one.
func (r *run) resume() error {
	c := r.options.Checkpoints
	if c.Dir == "" {
		return nil
	}
	found, err := checkpoint.Series{Dir: c.Dir, Keep: c.Keep}.Latest()
	if err != nil || found == nil {
		return err
	}
	state := &checkpoint.File{Tensors: map[string]*tensor.Dense{}}
	r.sums = make([][]float64, 1+len(r.trainer.task.Metrics))
	for name, v := range found.Tensors {
		if best, ok := strings.CutPrefix(name, bestPrefix); ok {
			if r.best == nil {
				r.best = map[string]*tensor.Dense{}
			}
			r.best[best] = v
		} else if i, ok := strings.CutPrefix(name, sumsPrefix); ok {
			index, err := strconv.Atoi(i)
			if err != nil || index < 0 || index >= len(r.sums) {
				return r.cannotResume(found, "its epoch has sums of other metrics")
			}
			if v.Size() > 0 {
				a, err := graph.ArrayOf(v)
				if err != nil {
					return err
				}
				r.sums[index] = a.F64()
			}
		} else {
			state.Tensors[name] = v
		}
	}
	var at place
	if err := json.Unmarshal([]byte(found.Metadata[placeKey]), &at); err != nil {
		return r.cannotResume(found, "it holds no place of a run (%v)", err)
	}
	history, err := ParseHistory(found.Metadata[historyKey])
	if err != nil {
		return r.cannotResume(found, "%v", err)
	}
	if fmt.Sprint(history.Names) != fmt.Sprint(r.history.Names) {
		return r.cannotResume(found, "it measured %v, not %v", history.Names, r.history.Names)
	}
	report, err := state.Restore(r.trainer.State)
	if err == nil && len(report.Unexpected) > 0 {
		err = graph.Errorf(graph.ErrName, "%s", report)
	}
	if err != nil {
		return r.cannotResume(found, "%v", err)
	}
	r.history.Epochs = history.Epochs
	r.epoch, r.complete, r.batch, r.step, r.dealt = at.Epoch, at.Complete, at.Batch, at.Step, at.Dealt
	if r.epoch > 0 {
		r.batches.Start(r.epoch)
		for i := range r.batch {
			if !r.batches.Next() {
				if err := r.batches.Err(); err != nil {
					return err
				}
				return r.cannotResume(found, "it was at batch %d of an epoch, and an epoch now has %d", r.batch, i)
			}
		}
		if r.batch > 0 && checksum(r.batches.Batch()) != r.dealt {
			return r.cannotResume(found, "the batches are others than before: another set, size, seed or order")
		}
	}
	return nil
}

func (r *run) cannotResume(found *checkpoint.Found, format string, args ...any) error {
	return graph.Errorf(graph.ErrValue, "cannot go on from %s: %s; start as before, or anew in another folder", found.Path, fmt.Sprintf(format, args...))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is of a batch's values.
func checksum(s *data.Set) (sum uint32) {
	if s == nil {
		return 0
	}
	for _, t := range []*tensor.Dense{s.X, s.Y} {
		if t == nil {
			continue
		}
		if a, err := graph.ArrayOf(t); err == nil {
			sum = crc32.Update(sum, castagnoli, a.Bytes())
		}
	}
	return sum
}
