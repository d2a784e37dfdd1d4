package vm

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/tapir-ml/tapir/graph"
)

//go:embed explain.css
var explainCSS string

//go:embed explain.js
var explainJS string

// ExplainOptions say what a page shows. The zero value is fine.
type ExplainOptions struct {
	// Binding has sizes for the program's symbols, for the picture of its memory. A symbol that it lacks counts as 32.
	Binding graph.Binding

	// Profile, of a machine that runs the program, adds times to the instructions.
	Profile *Profile
}

// WriteHTML writes a page that explains the compilation: the program after each pass side by side, what rules did, why products
// stayed alone, the tape with the times of a profile, and the memory over time. It is one file that needs no network, for light
// and dark screens and for paper. The same compilation gives the same page, byte for byte.
func (e *Explanation) WriteHTML(w io.Writer, o ExplainOptions) error {
	if e == nil || e.program == nil {
		return graph.Errorf(graph.ErrGraph, "nothing to explain: give this Explanation to Compile, as Spec.Explain, and see to it that Compile succeeds")
	}
	p := &explainPage{e: e, t: e.program.tape, binding: graph.Binding{}}
	for _, n := range e.program.feeds {
		for _, d := range n.Shape() {
			for _, s := range d.Symbols(nil) {
				if p.binding[s] = 32; o.Binding[s] > 0 {
					p.binding[s] = o.Binding[s]
				}
			}
		}
	}
	if o.Profile != nil && o.Profile.machine.program == e.program {
		p.profile = o.Profile
	}
	if err := p.write(); err != nil {
		return err
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

// explainPage is a page that is being written.
type explainPage struct {
	e       *Explanation
	t       *tape
	binding graph.Binding
	profile *Profile
	b       strings.Builder
}

func (p *explainPage) printf(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = html.EscapeString(s)
		}
	}
	fmt.Fprintf(&p.b, format, args...)
}

func (p *explainPage) write() error {
	memory, err := p.e.program.Memory(p.binding)
	if err != nil {
		return err
	}
	bound, err := p.e.program.LowerBound(p.binding)
	if err != nil {
		return err
	}
	p.b.WriteString("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>A program, explained</title>\n<style>\n")
	p.b.WriteString(explainCSS)
	p.printf("</style>\n<h1>Program for %s</h1>\n<p>How an expression became a tape. A click on a line marks what the same line of the user's program became elsewhere.</p>\n<dl>", p.e.program.mode.String())
	fact := func(name, value string) { p.printf("<div><dt>%s</dt><dd>%s</dd></div>", name, value) }
	fact("instructions", fmt.Sprint(len(p.t.instrs)))
	fact("updates", fmt.Sprint(len(p.e.program.updates)))
	fact("memory", bytesOf(memory))
	fact("least possible", bytesOf(bound))
	if p.t.shared > 0 {
		fact("shared by machines", bytesOf(p.t.shared))
	}
	if len(p.binding) > 0 {
		fact("sizes", sizesOf(p.binding))
	}
	if p.profile != nil && p.profile.Runs > 0 {
		fact("runs measured", fmt.Sprint(p.profile.Runs))
		fact("a run", fmt.Sprintf("%.1f µs", micros(p.profile.Elapsed)/float64(p.profile.Runs)))
	}
	p.b.WriteString("</dl>\n")
	p.passes()
	p.rules()
	p.aloneProducts()
	p.tape()
	if err := p.memory(memory, bound); err != nil {
		return err
	}
	p.b.WriteString("<script>\n" + explainJS + "</script>\n</html>\n")
	return nil
}

// passes are the columns.
func (p *explainPage) passes() {
	p.b.WriteString("<h2>Passes</h2>\n<p>The program after each pass: a graph until it is lowered, then a tape. What a pass made is green; a narrow strip is a pass that found nothing to do.</p>\n<div class=\"passes\" tabindex=\"0\">\n")
	for i := range p.e.stages {
		s := &p.e.stages[i]
		first := i == 0 || p.e.stages[i-1].isTape != s.isTape
		if !first && s.changed == 0 && s.gone == 0 {
			note := "changed nothing"
			if s.left {
				note = "was left out"
			}
			p.printf("<div class=\"pass quiet\" title=\"%s\"><b>%s</b> %s</div>\n", s.why, s.pass, note)
			continue
		}
		what := fmt.Sprintf("%d nodes", s.total)
		if s.isTape {
			what = fmt.Sprintf("%d instructions", s.total)
		}
		if !first {
			what += fmt.Sprintf(": %d new, %d gone", s.changed, s.gone)
		}
		p.printf("<section class=\"pass\"><header><b>%s</b> %s<span>%s</span></header>\n", s.pass, what, s.why)
		for _, l := range s.lines {
			class := "row code"
			if l.isNew {
				class += " new"
			}
			p.printf("<div class=\"%s\" data-line=\"%s\" title=\"%s\">%s <i>%s</i></div>\n", class, l.line, l.line, l.text, l.typ)
		}
		if more := s.total - len(s.lines); more > 0 {
			p.printf("<div class=\"more\">… and %d more lines, which are not shown</div>\n", more)
		}
		p.b.WriteString("</section>\n")
	}
	p.b.WriteString("</div>\n")
}

func (p *explainPage) rules() {
	p.b.WriteString("<h2>Rules</h2>\n")
	if len(p.e.rules) == 0 {
		p.b.WriteString("<p>No rule of the catalogue found its pattern.</p>\n")
		return
	}
	p.b.WriteString("<table><tr><th>rule<th>because<th>times<th>for example<th>line</tr>\n")
	for _, r := range p.e.rules {
		p.printf("<tr data-line=\"%s\"><td>%s<td>%s<td class=\"num\">%d<td class=\"code\">%s → %s<td class=\"line code\">%s</tr>\n", r.line, r.rule.Name, r.rule.Why, r.times, r.before, r.after, r.line)
	}
	p.b.WriteString("</table>\n")
}

func (p *explainPage) aloneProducts() {
	p.b.WriteString("<h2>Products that stayed alone</h2>\n")
	found := false
	for i := range p.t.instrs {
		product, why := p.t.alone(i)
		if product == "" {
			continue
		}
		if !found {
			p.b.WriteString("<p>A product takes in bias, activation and whatever else pointwise alone reads it. Into these nothing was taken:</p>\n<table><tr><th class=\"num\">#<th>product<th>because<th>line</tr>\n")
		}
		found = true
		line := p.t.instrs[i].node.Pos().String()
		p.printf("<tr data-line=\"%s\"><td class=\"num\">%d<td class=\"code\">%s<td>%s<td class=\"line code\">%s</tr>\n", line, i, product, why, line)
	}
	if !found {
		p.b.WriteString("<p>None: every product has taken in something, or there is no product.</p>\n")
		return
	}
	p.b.WriteString("</table>\n")
}

// tape is the final listing, with the profile's times.
func (p *explainPage) tape() {
	p.b.WriteString("<h2>Tape</h2>\n<table><tr><th class=\"num\">#<th>instruction<th>result<th>line")
	longest := 0.0
	if p.profile != nil {
		p.b.WriteString("<th class=\"num\">mean µs<th class=\"num\">GFLOP/s<th class=\"num\">GB/s<th class=\"num\">share<th>")
		for _, i := range p.profile.Instructions {
			longest = max(longest, float64(i.Time))
		}
	}
	p.b.WriteString("</tr>\n")
	lines := p.t.lines()
	total := 0.0
	if p.profile != nil {
		for _, i := range p.profile.Instructions {
			total += float64(i.Time)
		}
	}
	for i, l := range lines {
		if i == tallestTape {
			p.printf("<tr><td><td>… and %d more instructions, which are not shown</tr>\n", len(lines)-i)
			break
		}
		p.printf("<tr data-line=\"%s\"><td class=\"num\">%d<td class=\"code\"><span class=\"kind\" style=\"background:var(--%s)\"></span>%s<td class=\"type code\">%s<td class=\"line code\">%s",
			l.line, i, instrNames[p.t.instrs[i].kind], l.text, l.typ, l.line)
		if p.profile != nil {
			in := &p.profile.Instructions[i]
			flops, bandwidth := "", ""
			if in.Flops > 0 {
				flops = fmt.Sprintf("%.1f", in.GFLOPS())
			}
			if in.Shortest > 0 {
				bandwidth = fmt.Sprintf("%.1f", float64(in.Bytes)/float64(in.Shortest.Nanoseconds()))
			}
			p.printf("<td class=\"num\">%.2f<td class=\"num\">%s<td class=\"num\">%s<td class=\"num\">%.1f %%<td class=\"bar\"><span class=\"share\" style=\"width:%.1f%%\"></span>",
				micros(in.Time)/float64(max(in.Calls, 1)), flops, bandwidth, 100*float64(in.Time)/max(total, 1), 100*float64(in.Time)/max(longest, 1))
		}
		p.b.WriteString("</tr>\n")
	}
	p.b.WriteString("</table>\n")
}

const tallestTape = 2000

func bytesOf(n int) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 10<<10:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
