package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	out := t.TempDir()
	for _, c := range []struct {
		args           []string
		ctx            context.Context
		run            error
		code           int
		stdout, stderr string
	}{
		{args: []string{"-out", out}, code: Succeeded, stdout: "7 3 0.5 words false"},
		{args: []string{"-out", out, "-n", "9", "-seed", "0", "-x", "1e-3", "-text", "a b", "-on"}, code: Succeeded, stdout: "9 0 0.001 a b true"},
		{args: []string{"-h"}, code: Succeeded, stdout: "usage: demo\n"},
		{args: []string{"-n", "0"}, code: WrongUsage, stderr: "demo: invalid value \"0\" for flag -n: want a whole number from 1 up\n"},
		{args: []string{"-seed", "-1"}, code: WrongUsage, stderr: "demo: invalid value \"-1\" for flag -seed: want a whole number from 0 up\n"},
		{args: []string{"-x", "NaN"}, code: WrongUsage, stderr: "demo: invalid value \"NaN\" for flag -x: want a number above 0\n"},
		{args: []string{"-x", "inf"}, code: WrongUsage, stderr: "demo: invalid value \"inf\" for flag -x: want a number above 0\n"},
		{args: []string{"-pick", "c"}, code: WrongUsage, stderr: "demo: invalid value \"c\" for flag -pick: want a or b\n"},
		{args: []string{"-pick", "b", "-on"}, code: WrongUsage, stderr: "demo: -on does not go with -pick\n"},
		{args: []string{"more"}, code: WrongUsage, stderr: "demo: \"more\" is no flag; -h lists them\n"},
		{args: []string{"-out", ""}, code: WrongUsage, stderr: "demo: -out names no folder\n"},
		{args: []string{"-out", out}, run: errors.New("no luck"), code: Failed, stdout: "7 3 0.5 words false", stderr: "demo: no luck\n"},
		{args: []string{"-out", out}, ctx: stopped, code: Interrupted, stdout: "7 3 0.5 words falseInterrupted.\n"},
		{args: []string{"-out", out}, ctx: stopped, run: fmt.Errorf("step 3: %w", context.Canceled), code: Interrupted, stdout: "7 3 0.5 words falseInterrupted.\n"},
	} {
		n, seed, x, text, on, folder, pick := 7, uint64(3), 0.5, "words", false, "demo-out", "a"
		p := Program{Name: "demo", Usage: "usage: demo\n", Out: &folder,
			Flags: func(f *Flags) {
				f.Count(&n, "n")
				f.Seed(&seed, "seed")
				f.Positive(&x, "x")
				f.Text(&text, "text")
				f.Switch(&on, "on")
				f.Choice(&pick, "pick", "a", "b")
			},
			Check: func(f *Flags) error {
				if on && f.Given("pick") {
					return errors.New("-on does not go with -pick")
				}
				return nil
			},
			Run: func(_ context.Context, w io.Writer) error {
				fmt.Fprint(w, n, " ", seed, " ", x, " ", text, " ", on)
				return c.run
			}}
		if c.ctx == nil {
			c.ctx = context.Background()
		}
		var stdout, stderr bytes.Buffer
		code := p.Command(c.ctx, c.args, &stdout, &stderr)
		if code != c.code || stdout.String() != c.stdout || stderr.String() != c.stderr {
			t.Errorf("%q: exit %d, %q, %q; want %d, %q, %q", c.args, code, stdout.String(), stderr.String(), c.code, c.stdout, c.stderr)
		}
	}
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(file, "below")
	p := Program{Name: "demo", Out: &folder, Run: func(context.Context, io.Writer) error { t.Error("it ran"); return nil }}
	var stderr bytes.Buffer
	if code := p.Command(context.Background(), nil, io.Discard, &stderr); code != WrongUsage || !bytes.Contains(stderr.Bytes(), []byte("cannot write there")) {
		t.Errorf("exit %d, %s", code, stderr.String())
	}
}
