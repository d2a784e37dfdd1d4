package vm

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tapir-ml/tapir/internal/columns"
)

// Profile says where the time of a machine's runs went, an instruction a row. It grows while the machine runs.
type Profile struct {
	Runs         int
	Elapsed      time.Duration // of these runs, waiting for locks included
	Instructions []InstructionProfile

	machine *Machine
	epoch   time.Time
}

// InstructionProfile is one instruction's share. Bytes and operations are those of the sizes bound last.
type InstructionProfile struct {
	Index     int
	Operation string        // as the program's listing has it
	Shape     []int         // of its first result
	Line      string        // of the user's program
	Calls     int           // less than the profile's runs for the prologue
	Time      time.Duration // of all calls
	Shortest  time.Duration
	Bytes     int     // of the operands and results of one call
	Flops     float64 // floating-point operations of one call, where they are known: of products

	began, took time.Duration // the last call, from the profile's epoch
}

// GFLOPS is the speed of an instruction's shortest call, 0 where its operations are not counted.
func (i *InstructionProfile) GFLOPS() float64 {
	if i.Shortest <= 0 {
		return 0
	}
	return i.Flops / float64(i.Shortest.Nanoseconds())
}

// StartProfile measures the coming runs, and returns the profile that they fill in; reading the clock costs some 50 ns for each
// instruction. It begins anew if one was under way. StopProfile ends it.
func (m *Machine) StartProfile() *Profile {
	m.profile = &Profile{Instructions: make([]InstructionProfile, len(m.steps)), machine: m, epoch: time.Now()}
	t := m.program.tape
	for i := range t.instrs {
		in := &t.instrs[i]
		m.profile.Instructions[i] = InstructionProfile{Index: i, Operation: t.operation(in), Line: in.node.Pos().String()}
	}
	return m.profile
}

// StopProfile ends measuring; the profile keeps what it has.
func (m *Machine) StopProfile() { m.profile = nil }

// timed runs instruction at and notes how long it took.
func (p *Profile) timed(at int) error {
	began := time.Since(p.epoch)
	err := p.machine.execute(&p.machine.steps[at])
	took := time.Since(p.epoch) - began
	i := &p.Instructions[at]
	if i.Calls++; i.Calls == 1 || took < i.Shortest {
		i.Shortest = took
	}
	i.Time += took
	i.began, i.took = began, took
	return err
}

// finish counts a run, and what its sizes make of each instruction.
func (p *Profile) finish(took time.Duration) {
	p.Runs++
	p.Elapsed += took
	for at := range p.machine.steps {
		s, i := &p.machine.steps[at], &p.Instructions[at]
		i.Bytes = 0
		for _, a := range s.call.In {
			i.Bytes += a.Len() * a.DType.Size()
		}
		for _, a := range s.call.Out {
			i.Bytes += a.Len() * a.DType.Size()
		}
		i.Shape = append(i.Shape[:0], s.call.Out[0].Shape...)
		switch {
		case s.f32 != nil:
			i.Flops = s.f32.flops()
		case s.f64 != nil:
			i.Flops = s.f64.flops()
		}
	}
}

// String is a table of the instructions in their order: mean and shortest time, share, gigabytes and gigaflops a second of the
// shortest call.
func (p *Profile) String() string {
	var inside time.Duration
	for _, i := range p.Instructions {
		inside += i.Time
	}
	var b strings.Builder
	b.WriteString("\toperation\tresult\tmean µs\tleast µs\tshare\tGB/s\tGFLOP/s\tline\n")
	for _, i := range p.Instructions {
		if i.Calls == 0 {
			continue
		}
		speed := ""
		if i.Flops > 0 {
			speed = fmt.Sprintf("%.1f", i.GFLOPS())
		}
		fmt.Fprintf(&b, "%d\t%s\t%v\t%.2f\t%.2f\t%.1f %%\t%.1f\t%s\t%s\n", i.Index, i.Operation, i.Shape, micros(i.Time)/float64(i.Calls), micros(i.Shortest),
			100*float64(i.Time)/float64(max(inside, 1)), float64(i.Bytes)/float64(max(i.Shortest.Nanoseconds(), 1)), speed, i.Line)
	}
	mean := time.Duration(0)
	if p.Runs > 0 {
		mean = p.Elapsed / time.Duration(p.Runs)
	}
	return fmt.Sprintf("%d runs, %.2f µs each, of which %.2f µs in instructions\n", p.Runs, micros(mean), micros(inside)/float64(max(p.Runs, 1))) +
		columns.Align(b.String())
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// WriteTrace writes the last call of every instruction in the Chrome trace-event format, which ui.perfetto.dev and
// chrome://tracing open.
func (p *Profile) WriteTrace(w io.Writer) error {
	type event struct {
		Name  string         `json:"name"`
		Phase string         `json:"ph"`
		Time  float64        `json:"ts"` // microseconds
		Took  float64        `json:"dur"`
		PID   int            `json:"pid"`
		TID   int            `json:"tid"`
		Args  map[string]any `json:"args"`
	}
	events := []event{}
	for _, i := range p.Instructions {
		if i.Calls == 0 {
			continue
		}
		events = append(events, event{Name: i.Operation, Phase: "X", Time: micros(i.began), Took: micros(i.took), PID: 1, TID: 1,
			Args: map[string]any{"instruction": i.Index, "result": i.Shape, "bytes": i.Bytes, "flops": i.Flops, "line": i.Line}})
	}
	return json.NewEncoder(w).Encode(map[string]any{"traceEvents": events, "displayTimeUnit": "ns"})
}
