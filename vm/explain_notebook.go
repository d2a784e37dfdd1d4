package vm

import (
	"fmt"
	"html"
	"strings"
)

// SimpleRender is how notebooks show a program: by MIME type, its listing.
func (p *Program) SimpleRender() map[string]interface{} {
	return map[string]interface{}{"text/plain": p.String(), "text/html": "<pre style=\"line-height:1.35\">" + html.EscapeString(p.String()) + "</pre>"}
}

// SimpleRender is how notebooks show a profile: by MIME type, a table with bars, and the table as plain text.
func (p *Profile) SimpleRender() map[string]interface{} {
	var b strings.Builder
	var inside, longest float64
	for _, i := range p.Instructions {
		inside += float64(i.Time)
		longest = max(longest, float64(i.Time))
	}
	fmt.Fprintf(&b, "<table><tr><th>#</th><th style=\"text-align:left\">operation</th><th>result</th><th>mean µs</th><th>GFLOP/s</th><th colspan=\"2\">share</th><th>line</th></tr>")
	for _, i := range p.Instructions {
		if i.Calls == 0 {
			continue
		}
		speed := ""
		if i.Flops > 0 {
			speed = fmt.Sprintf("%.1f", i.GFLOPS())
		}
		fmt.Fprintf(&b, "<tr><td>%d</td><td style=\"text-align:left\"><code>%s</code></td><td>%v</td><td>%.2f</td><td>%s</td><td>%.1f %%</td><td style=\"min-width:6em\"><div style=\"background:#d55e00;height:.6em;width:%.1f%%\"></div></td><td>%s</td></tr>",
			i.Index, html.EscapeString(i.Operation), i.Shape, micros(i.Time)/float64(i.Calls), speed, 100*float64(i.Time)/max(inside, 1), 100*float64(i.Time)/max(longest, 1), html.EscapeString(i.Line))
	}
	b.WriteString("</table>")
	return map[string]interface{}{"text/plain": p.String(), "text/html": b.String()}
}

// SimpleRender is how notebooks show the explanation: by MIME type, the page, in a frame of its own, and a line about it.
func (e *Explanation) SimpleRender() map[string]interface{} {
	var b strings.Builder
	if err := e.WriteHTML(&b, ExplainOptions{}); err != nil {
		return map[string]interface{}{"text/plain": err.Error()}
	}
	return map[string]interface{}{"text/plain": e.program.String(),
		"text/html": "<iframe style=\"width:100%;height:80vh;border:0\" srcdoc=\"" + html.EscapeString(b.String()) + "\"></iframe>"}
}
