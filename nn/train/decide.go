package train

import (
	"math"

	"github.com/tapir-ml/tapir/graph"
)

// What decides about a run is here: functions of its history, so that a resumed run decides the same.

// check says what is wrong with the options.
func (o Options) check(t *Trainer) error {
	_, known := t.rises(o.monitor())
	switch {
	case o.Epochs < 0 || o.Steps < 0 || o.Patience < 0 || !(o.Converged >= 0) || !(o.MinDelta >= 0):
		return graph.Errorf(graph.ErrValue, "Epochs %d, Steps %d, Patience %d, Converged %v, MinDelta %v: none may be below 0", o.Epochs, o.Steps, o.Patience, o.Converged, o.MinDelta)
	case o.Epochs == 0 && o.Steps == 0 && o.Patience == 0 && o.Converged == 0:
		return graph.Errorf(graph.ErrValue, "nothing ends the run; set Epochs, Steps, Patience or Converged")
	case !known:
		return graph.Errorf(graph.ErrName, "Monitor names %q, which is neither \"loss\" nor a metric of the task", o.Monitor)
	case o.Rate != nil && o.Plateau != nil:
		return graph.Errorf(graph.ErrValue, "both Rate and Plateau; the learning rate follows one")
	case (o.Rate != nil || o.Plateau != nil) && t.lr == "":
		return graph.Errorf(graph.ErrName, "Rate or Plateau sets the variable whose name ends in .lr, and the state has none or several; use an optimiser with a rate of its own")
	case o.Plateau != nil && !(o.Plateau.Rate > 0):
		return graph.Errorf(graph.ErrValue, "Plateau.Rate is %v; it is the learning rate to begin with", o.Plateau.Rate)
	case o.Checkpoints.Dir == "" && o.Checkpoints != Checkpoints{}:
		return graph.Errorf(graph.ErrValue, "Checkpoints without a Dir")
	}
	return nil
}

func (o Options) monitor() string {
	if o.Monitor == "" {
		return "loss"
	}
	return o.Monitor
}

// rises reports whether a larger measure is better, and whether there is such a measure.
func (t *Trainer) rises(name string) (rises, known bool) {
	for _, m := range t.task.Metrics {
		if m.Name == name {
			return m.Rises, true
		}
	}
	return false, name == "loss"
}

func (o Options) keepsBest() bool { return o.Best || o.Patience > 0 }

func (o Options) stepsDone(step int) bool { return o.Steps > 0 && step >= o.Steps }

// monitored is the measure that decides.
func (o Options) monitored(e Epoch) float64 {
	if e.Validation != nil {
		return e.Validation[o.monitor()]
	}
	return e.Train[o.monitor()]
}

// best is the epoch with the best monitored measure, from 1; the first of equal ones; 0 if there is none.
func (o Options) best(h *History) (epoch int) {
	sign, best := 1.0, math.Inf(1)
	if h.rises[o.monitor()] {
		sign = -1
	}
	for i, e := range h.Epochs {
		if v := sign * o.monitored(e); v < best-o.MinDelta || epoch == 0 && v < best {
			best, epoch = v, i+1
		}
	}
	return epoch
}

// plateau is the learning rate after the epochs so far.
func (o Options) plateau(h *History) float64 {
	p := *o.Plateau
	p.Rising = h.rises[o.monitor()]
	for _, e := range h.Epochs {
		p.Observe(o.monitored(e))
	}
	return p.Rate
}

// why says why the run is over; "" if it is not.
func (r *run) why() string {
	o, done := r.options, len(r.history.Epochs)
	switch {
	case !r.complete:
		return ""
	case o.stepsDone(r.step):
		return "steps"
	case o.Epochs > 0 && done >= o.Epochs:
		return "epochs"
	case o.Patience > 0 && done-o.best(r.history) >= o.Patience:
		return "patience"
	case o.Converged > 0 && r.history.converged(o.Converged):
		return "converged"
	}
	return ""
}

const convergedOver = 5 // epochs

// converged reports whether the training losses of the last epochs lie within a share of the largest.
func (h *History) converged(share float64) bool {
	if len(h.Epochs) < convergedOver {
		return false
	}
	low, high, largest := math.Inf(1), math.Inf(-1), 0.0
	for _, e := range h.Epochs[len(h.Epochs)-convergedOver:] {
		loss := e.Train["loss"]
		low, high, largest = min(low, loss), max(high, loss), max(largest, math.Abs(loss))
	}
	return high-low <= share*largest
}
