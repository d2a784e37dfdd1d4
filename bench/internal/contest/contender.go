package contest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Contender is a process that serves.
type Contender struct {
	Ready Ready

	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

// Start starts a contender with these variables added to its environment, and has it prepare the case. An error is ErrNot where
// the library does not offer it.
func Start(c Case, command, env []string) (*Contender, error) {
	p := &Contender{cmd: exec.Command(command[0], command[1:]...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = &p.stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.in, p.out = in, bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	text, err := p.ask("ready", "case", c.String())
	if err == nil {
		err = json.Unmarshal([]byte(text), &p.Ready)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// ask sends a line and returns what follows the verb in the answer.
func (p *Contender) ask(verb string, line ...any) (string, error) {
	if _, err := fmt.Fprintln(p.in, line...); err != nil {
		return "", p.ended(err)
	}
	answer, err := p.out.ReadString('\n')
	if err != nil {
		return "", p.ended(err)
	}
	got, rest, _ := strings.Cut(strings.TrimSpace(answer), " ")
	switch got {
	case verb:
		return rest, nil
	case "not":
		return "", fmt.Errorf("%w: %s", ErrNot, rest)
	case "error":
		return "", errors.New(rest)
	}
	return "", fmt.Errorf("the contender answered %q, want %s …", strings.TrimSpace(answer), verb)
}

// ended says why a contender does not answer any more: the last line it complained with.
func (p *Contender) ended(err error) error {
	p.in.Close()
	if left := p.cmd.Wait(); left != nil {
		err = left
	}
	if said := strings.TrimSpace(p.stderr.String()); said != "" {
		return fmt.Errorf("the contender ended (%w): %s", err, said[strings.LastIndexByte(said, '\n')+1:])
	}
	return fmt.Errorf("the contender ended: %w", err)
}

// Run runs n steps and returns the time of one, in nanoseconds.
func (p *Contender) Run(n int) (float64, error) {
	var ns float64
	text, err := p.ask("ns", "run", n)
	if err == nil {
		_, err = fmt.Sscan(text, &ns)
	}
	return ns / float64(n), err
}

// Count runs n steps and returns the allocations and the bytes of one; known is false where the contender cannot say.
func (p *Contender) Count(n int) (allocs, bytes float64, known bool, err error) {
	text, err := p.ask("count", "count", n)
	if err != nil || text == "" {
		return 0, 0, false, err
	}
	_, err = fmt.Sscan(text, &allocs, &bytes)
	return allocs / float64(n), bytes / float64(n), err == nil, err
}

// PeakRSS is the most memory that the contender has held, in bytes; 0: not known.
func (p *Contender) PeakRSS() (n int64, err error) {
	text, err := p.ask("rss", "rss")
	if err == nil {
		_, err = fmt.Sscan(text, &n)
	}
	return n, err
}

// Close ends the contender: the end of its input tells it to; one that does not listen is killed.
func (p *Contender) Close() {
	p.in.Close()
	late := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	late.Stop()
}
