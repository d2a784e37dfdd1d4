// Package program is what the mains of the examples share, so that each example can be about its own matter: flags that say what
// they want, a folder for pictures, Ctrl-C, and the exit codes.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// The exit codes.
const (
	Succeeded   = 0
	Failed      = 1
	WrongUsage  = 2
	Interrupted = 130 // as shells count a program that Ctrl-C ended
)

// Program is an example that can be started.
type Program struct {
	Name  string
	Usage string // what -h prints
	Flags func(*Flags)

	// Out, where it is not nil, is the folder for what the program writes: it is made, and tried, before Run starts.
	Out *string

	// Check, where it is not nil, says what flags do not go together. It may empty *Out, so that no folder is made.
	Check func(*Flags) error

	Run func(ctx context.Context, stdout io.Writer) error
}

// Main runs the program with the arguments of the process, and ends the process.
func (p Program) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(p.Command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Command runs the program and returns the exit code.
func (p Program) Command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := p.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, p.Usage)
		return Succeeded
	}
	if err == nil && p.Out != nil && *p.Out != "" {
		err = makeFolder(p.Out)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return WrongUsage
	}
	switch err := p.Run(ctx, stdout); {
	case err != nil && !(ctx.Err() != nil && errors.Is(err, ctx.Err())):
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return Failed
	case ctx.Err() != nil:
		fmt.Fprintln(stdout, "Interrupted.")
		return Interrupted
	}
	return Succeeded
}

// parse reads the flags. The error fits on one line.
func (p Program) parse(args []string) error {
	f := &Flags{flag.NewFlagSet(p.Name, flag.ContinueOnError)}
	f.set.SetOutput(io.Discard) // the caller prints the error
	if p.Flags != nil {
		p.Flags(f)
	}
	if p.Out != nil {
		f.set.StringVar(p.Out, "out", *p.Out, "")
	}
	if err := f.set.Parse(args); err != nil {
		return err
	}
	if f.set.NArg() > 0 {
		return fmt.Errorf("%q is no flag; -h lists them", f.set.Arg(0))
	}
	if p.Out != nil && *p.Out == "" {
		return errors.New("-out names no folder")
	}
	if p.Check != nil {
		return p.Check(f)
	}
	return nil
}

// Flags declares flags whose errors say what would be right. The variable's value before is the default.
type Flags struct{ set *flag.FlagSet }

// Count is a whole number from 1 up.
func (f *Flags) Count(v *int, name string) {
	f.set.Func(name, "", func(s string) (err error) {
		if *v, err = strconv.Atoi(s); err != nil || *v < 1 {
			return errors.New("want a whole number from 1 up")
		}
		return nil
	})
}

// Seed is a whole number from 0 up.
func (f *Flags) Seed(v *uint64, name string) {
	f.set.Func(name, "", func(s string) (err error) {
		if *v, err = strconv.ParseUint(s, 10, 62); err != nil {
			return errors.New("want a whole number from 0 up")
		}
		return nil
	})
}

// Positive is a finite number above 0.
func (f *Flags) Positive(v *float64, name string) {
	f.set.Func(name, "", func(s string) (err error) {
		if *v, err = strconv.ParseFloat(s, 64); err != nil || !(*v > 0) || math.IsInf(*v, 0) {
			return fmt.Errorf("want a number above 0")
		}
		return nil
	})
}

// Choice is one of several words.
func (f *Flags) Choice(v *string, name string, words ...string) {
	f.set.Func(name, "", func(s string) error {
		if !slices.Contains(words, s) {
			return errors.New("want " + strings.Join(words, " or "))
		}
		*v = s
		return nil
	})
}

// Given reports whether a flag was on the command line.
func (f *Flags) Given(name string) (given bool) {
	f.set.Visit(func(one *flag.Flag) { given = given || one.Name == name })
	return given
}

// Text is any text.
func (f *Flags) Text(v *string, name string) { f.set.StringVar(v, name, *v, "") }

// Switch is true where it is given.
func (f *Flags) Switch(v *bool, name string) { f.set.BoolVar(v, name, *v, "") }

// makeFolder makes the folder, makes its path absolute, and makes sure that files can be written there.
func makeFolder(folder *string) error {
	path, err := filepath.Abs(*folder)
	if err == nil {
		err = os.MkdirAll(path, 0o755)
	}
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(path, ".writable-*"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("-out %s: cannot write there: %w", *folder, err)
	}
	*folder = path
	return nil
}
