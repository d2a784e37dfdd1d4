package train

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how a run goes: by a bar on a terminal, elsewhere by about ten lines, and one a minute at least.
type progress struct {
	w     io.Writer                // nil: nothing is shown
	bar   *progressbar.ProgressBar // nil if w is no terminal
	began time.Time
	spoke time.Time

	total           int // batches up to the end; −1 if that is not known
	epochs          int // in all; 0 if that is not known
	done, doneFirst int // batches, in all and before this process began
	examples        int // that this process trained with
}

func newProgress(o Options, r *run) *progress {
	p := &progress{w: o.Progress, began: time.Now(), spoke: time.Now(), epochs: o.Epochs, total: -1}
	perEpoch := r.batches.Len()
	if o.Epochs > 0 {
		p.total = o.Epochs * perEpoch
	}
	if steps := o.Steps * max(r.trainer.task.Accumulate, 1); o.Steps > 0 && (p.total < 0 || steps < p.total) {
		p.total = steps
	}
	if r.epoch > 0 {
		p.done = (r.epoch-1)*perEpoch + r.batch
	}
	p.doneFirst = p.done
	if p.w == nil {
		return p
	}
	if p.done > 0 {
		fmt.Fprintf(p.w, "going on in epoch %d after step %d, from %s\n", r.epoch, r.step, o.Checkpoints.Dir)
	}
	if f, ok := p.w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.bar = progressbar.NewOptions(p.total,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionFullWidth(),
			progressbar.OptionShowDescriptionAtLineEnd(),
			progressbar.OptionSetPredictTime(false), // the description has it, and to the second
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionThrottle(50*time.Millisecond),
			progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░", BarStart: "", BarEnd: ""}))
	}
	return p
}

// step takes note of a batch.
func (p *progress) step(s Step, examples int) {
	p.done++
	p.examples += examples
	switch {
	case p.w == nil:
	case p.bar != nil:
		_ = p.bar.Set(p.done) // a terminal that went away is no reason to stop
	case time.Since(p.spoke) > time.Minute:
		p.say(fmt.Sprintf("epoch %s  batch %d  loss %s  %s", p.number(s.Epoch), s.Batch, short(s.Loss), p.pace()))
	}
}

// epoch shows an epoch that is over.
func (p *progress) epoch(r *run, e Epoch) {
	if p.w == nil {
		return
	}
	line := fmt.Sprintf("epoch %s  %s  %s", p.number(e.Epoch), r.history.describe(e), p.pace())
	if p.bar != nil {
		p.bar.Describe(fit(p.w, line,
			fmt.Sprintf("epoch %s  %s", p.number(e.Epoch), r.history.describe(e)),
			fmt.Sprintf("%s loss %s ETA %v", p.number(e.Epoch), short(r.options.monitored(e)), p.left()),
			p.number(e.Epoch)))
		return
	}
	every := (p.epochs + 9) / 10
	if e.Epoch == 1 || every == 0 || e.Epoch%every == 0 || r.why() != "" {
		p.say(line)
	}
}

func (p *progress) say(line string) {
	fmt.Fprintln(p.w, line)
	p.spoke = time.Now()
}

func (p *progress) number(epoch int) string {
	if p.epochs == 0 {
		return strconv.Itoa(epoch)
	}
	return fmt.Sprintf("%*d/%d", len(strconv.Itoa(p.epochs)), epoch, p.epochs)
}

// pace is how fast it goes and how long it will take.
func (p *progress) pace() string {
	rate := float64(p.examples) / time.Since(p.began).Seconds()
	text := fmt.Sprintf("%.0f examples/s", rate)
	if rate >= 10_000 {
		text = fmt.Sprintf("%.0fk examples/s", rate/1000)
	}
	if p.total > 0 {
		text += fmt.Sprintf("  ETA %v", p.left())
	}
	return text
}

func (p *progress) left() time.Duration {
	made := max(p.done-p.doneFirst, 1)
	return time.Duration(float64(time.Since(p.began)) / float64(made) * float64(max(p.total-p.done, 0))).Round(time.Second)
}

// end leaves the bar as it is and goes on below it.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprintln(p.w)
	}
}

// fit returns the first of several texts, the longest first, that leaves room for a bar on the terminal; else none.
func fit(w io.Writer, texts ...string) string {
	across := 80
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
			across = columns
		}
	}
	const bar, around = 8, 12 // columns of a bar, and of what stands around it
	for _, text := range texts {
		if len(text)+bar+around <= across {
			return text
		}
	}
	return ""
}
