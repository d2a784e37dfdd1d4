package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/data/download"
)

// sets are the images as the network takes them: their pixels from 0 (paper) to 1 (ink).
type sets struct{ train, test *data.Set }

// load reads the images, splits them if they come in one piece, and scales their pixels.
func load(ctx context.Context, w io.Writer, o options) (*sets, error) {
	s := &sets{}
	if o.images != "" {
		all, err := data.IDXSet(o.images, o.labels, graph.Float32)
		if err != nil {
			return nil, err
		}
		parts, err := all.Split(o.seed, 0.85, 0.15)
		if err != nil {
			return nil, err
		}
		s.train, s.test = parts[0], parts[1]
	} else {
		if o.download {
			if err := fetch(ctx, w, o); err != nil {
				return nil, err
			}
		}
		var err error
		if s.train, s.test, err = data.MNIST(o.dir, graph.Float32); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("MNIST's four files are not all in the folder %q of -dir: -download fetches them; -images and -labels name two files elsewhere", o.dir)
		} else if err != nil {
			return nil, err
		}
	}
	scale, err := data.FitMinMaxJoint(s.train.X)
	if err != nil {
		return nil, err
	}
	return s, scale.ApplyTo(s.train, s.test)
}

// fetch downloads the files that the folder lacks, and says how far it is now and then.
func fetch(ctx context.Context, w io.Writer, o options) error {
	const step = 1 << 20
	file, next := "", int64(0)
	return download.MNIST(ctx, o.dir, download.Source{URL: o.url, Progress: func(name string, done, total int64) {
		if name != file {
			file, next = name, 0
		}
		if done < next && done != total {
			return
		}
		next = done + step
		fmt.Fprintf(w, "%s: %.1f MB", name, float64(done)/1e6)
		if total > 0 {
			fmt.Fprintf(w, " of %.1f", float64(total)/1e6)
		}
		fmt.Fprintln(w)
	}})
}
