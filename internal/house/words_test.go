package house

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// machinePath finds an absolute path of somebody's machine. What stands before it keeps the path of an address or of a
// variable (example.org/home/, $HOME/work/) apart. Written in pieces, so that this file passes its own rule.
var machinePath = regexp.MustCompile(`(?:^|[^\w.~)}\]-])(/(?:` + strings.Join([]string{"work", "root", "home"}, "/|") + `/|tmp/` + `wt\b))`)

func machinePaths(text []byte) (lines []int) {
	for i, line := range bytes.Split(text, []byte("\n")) {
		if machinePath.Match(line) {
			lines = append(lines, i+1)
		}
	}
	return lines
}

func TestNoMachinePaths(t *testing.T) {
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		t.Skip("not a checkout: no list of tracked files")
	}
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v\n%s", err, &stderr)
	}
	for _, name := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // removed, not yet committed
		} else if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			continue // a picture, not words
		}
		for _, line := range machinePaths(text) {
			t.Errorf("%s:%d: holds an absolute path of one machine; write it relative to the repository or to $HOME", name, line)
		}
	}
}

func TestMachinePathCatches(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"see /wo" + "rk/notes.md", true},
		{"/ro" + "ot/go/pkg/mod", true},
		{`"/ho` + `me/anna/tapir"`, true},
		{"cd /tm" + "p/wt && make", true},
		{"file:///ho" + "me/anna/graph.svg", true},
		{"https://example.org/ho" + "me/index.html", false},
		{"$HOME/wo" + "rk/tapir", false},
		{"flops/wo" + "rk/second", false},
		{"a square/ro" + "ot/", false},
		{"/tm" + "p/wto", false},
		{"os.MkdirTemp(\"\", \"tapir\")", false},
	} {
		if got := len(machinePaths([]byte(c.text))) > 0; got != c.want {
			t.Errorf("%q: caught %v, want %v", c.text, got, c.want)
		}
	}
}
